"""The whole configuration."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.config.model.admin import Admin
from tidegate.config.model.authenticator import Authenticator
from tidegate.config.model.cache import Cache
from tidegate.config.model.explain import Explain
from tidegate.config.model.geoip import GeoIp
from tidegate.config.model.listener import Listener
from tidegate.config.model.log import AccessLog, Log
from tidegate.config.model.mark import ControlPlane, OutputPath, ReadOnce
from tidegate.config.model.options import Options
from tidegate.config.model.rate import RateLimit
from tidegate.config.model.route import Route
from tidegate.config.model.store import Store
from tidegate.config.model.text import Name, Token
from tidegate.config.model.unit import Duration, Workers, usable_cpus
from tidegate.config.model.upstream import Upstream


class Config(Options):
    """A gateway: its listeners, routes, upstreams, and how it is operated."""

    name: Token = "tidegate"
    """Name of this gateway in `Via` (RFC 9110 section 7.6.3) and `Proxy-Status` (RFC 9209)."""
    zone: Name | None = Field(default=None, examples=["eu-1a"])
    """The zone that this gateway runs in; upstreams that are `zone_aware` prefer their endpoints there."""
    workers: Annotated[Workers, ReadOnce()] = Field(default_factory=usable_cpus, examples=["auto"])
    """Number of worker threads; `auto`: one for each usable CPU. Read once, at the start."""
    drain_timeout: Duration = 30_000
    """How long connections may take to finish when listeners close or the process stops."""
    access_log: AccessLog | None = None
    """Where and how requests are logged; null: not at all."""
    explain: Explain = Explain()
    """Which requests are remembered, to be explained."""
    listeners: tuple[Listener, ...] = Field(
        default=(), examples=[[{"name": "web", "address": "0.0.0.0:8080"}]]
    )
    """Sockets that accept client connections."""
    routes: tuple[Route, ...] = Field(default=(), examples=[[{"name": "all", "upstream": "app"}]])
    """What is done with which request."""
    upstreams: tuple[Upstream, ...] = Field(
        default=(), examples=[[{"name": "app", "endpoints": ["127.0.0.1:9001"]}]]
    )
    """Groups of endpoints that serve the same thing."""
    rate_limits: tuple[RateLimit, ...] = Field(
        default=(), examples=[[{"name": "per-client", "windows": [{"quota": 50, "per": "1s"}]}]]
    )
    """How often requests may come; routes name them."""
    authenticators: tuple[Authenticator, ...] = Field(
        default=(), examples=[[{"name": "robots", "api_key": {"file": "keys.yaml"}}]]
    )
    """How it is found out where requests come from; routes name them."""
    geoip: Annotated[GeoIp, ControlPlane()] = GeoIp()
    """Databases that know where addresses are."""
    stores: tuple[Store, ...] = Field(
        default=(), examples=[[{"name": "fleet", "valkey": {"address": "127.0.0.1:6379"}}]]
    )
    """Where several gateways keep what they share; rate limits name them."""
    caches: tuple[Cache, ...] = Field(default=(), examples=[[{"name": "main", "memory": "512MB"}]])
    """Where responses are stored; routes name them."""
    admin: Annotated[Admin, ControlPlane()] = Admin()
    """The admin API."""
    log: Annotated[Log, ControlPlane()] = Log()
    """The log of the process itself."""
    state_dir: Annotated[OutputPath | None, ControlPlane(), ReadOnce()] = Field(
        default=None, examples=["/var/lib/tidegate"]
    )
    """Path of the folder that keeps the committed generations; null: they are kept in memory only."""
    restore: Annotated[Literal["file", "last"], ControlPlane()] = "file"
    """What a restart comes back with: the `file`, or what was `last` committed (needs `state_dir`)."""
    include: Annotated[tuple[str, ...], ControlPlane()] = Field(default=(), examples=[["conf.d/*.yaml"]])
    """Files, or patterns of files, that are read too, relative to the file that names them. Lists are joined
    in order; a value that is set twice is an error."""
