"""Stores: where several gateways keep what they share."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.config.model.mark import Identity, PasswordPath
from tidegate.config.model.options import Options
from tidegate.config.model.secret import Secret
from tidegate.config.model.text import EndpointAddress, Name
from tidegate.config.model.unit import duration, whole
from tidegate.config.model.upstream import UpstreamTls

OnFailure = Literal["local", "open", "closed"]


class Sentinel(Options):
    """Sentinels, which tell where a server is that may move."""

    addresses: tuple[EndpointAddress, ...] = Field(min_length=1, examples=[["10.0.0.1:26379"]])
    """Where they are, asked in this order."""
    master: str = Field(min_length=1, examples=["mymaster"])
    """What they call the server."""
    username: str | None = Field(default=None, min_length=1, examples=["tidegate"])
    """User of their access control list; null: the default one."""
    password: Secret | None = Field(default=None, min_length=1, examples=["${SENTINEL_PASSWORD}"])
    """The user's password; null: none."""
    password_file: PasswordPath | None = Field(default=None, examples=["/run/secrets/sentinel"])
    """Path of a file that holds it."""

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        self.require_at_most_one("password", "password_file")
        return self


class Valkey(Options):
    """A server that speaks the protocol of Redis 6.2 or newer: Valkey, or Redis."""

    address: EndpointAddress | None = Field(default=None, examples=["127.0.0.1:6379"])
    """`ip:port`, `[ipv6]:port`, `host:port` or `unix:/path`; null: Sentinel tells."""
    sentinel: Sentinel | None = None
    """Sentinels that tell where it is; null: `address` does."""
    username: str | None = Field(default=None, min_length=1, examples=["tidegate"])
    """User of its access control list; null: the default one."""
    password: Secret | None = Field(default=None, min_length=1, examples=["${VALKEY_PASSWORD}"])
    """The user's password; null: none."""
    password_file: PasswordPath | None = Field(default=None, examples=["/run/secrets/valkey"])
    """Path of a file that holds it."""
    database: Annotated[int, whole(0, 1_000_000)] = 0
    """Number of the database."""
    tls: UpstreamTls | None = None
    """TLS settings; null: plain text."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        self.require_exactly_one("address", "sentinel")
        self.require_at_most_one("password", "password_file")
        return self


class Store(Options):
    """Where several gateways keep what they share; rate limits and caches name it."""

    name: Annotated[Name, Identity("store")] = Field(examples=["fleet"])
    """Unique name; the identity that survives a reload."""
    valkey: Valkey = Field(examples=[{"address": "127.0.0.1:6379"}])
    """The server: Valkey, or Redis."""
    on_failure: OnFailure = "local"
    """What decides of requests while it does not answer, where a limit does not say: each gateway by its own
    part of the quota (`local`), or they are let go (`open`) or refused (`closed`)."""
    sync: Annotated[int, duration(10, 1_000)] = 10
    """Time between two round trips at the least."""
    lease: Annotated[int, duration(50, 10_000)] = 250
    """How long units that a gateway has leased are its own; an answer may take as long."""
    cold_wait: Annotated[int, duration(0, 25)] = 25
    """How long a request waits at most for the first word on its key."""
    gateways: Annotated[int, whole(1, 10_000)] = 1
    """Gateways that are assumed to share it until it has told, and at least."""
