"""Rate limits: how often requests that have something in common may come."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.mark import Identity
from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName, Name
from tidegate.config.model.unit import Duration, Quota, Status, Timeout, whole

Part = Literal["client", "method", "host", "route", "listener"]
"""A part of a key that needs no name."""


def _part_alone(value: Any) -> Any:
    return {value: True} if isinstance(value, str) and value in get_args(Part) else value


class KeyPart(Options):
    """One thing that requests have in common: exactly one option is given. Those that are `true` may be
    written as a word alone."""

    client: Literal[True] | None = Field(default=None, examples=[True])
    """The client's address, or the network that stands for it."""
    header: FieldName | None = Field(default=None, examples=["x-api-key"])
    """A header field's value."""
    cookie: FieldName | None = Field(default=None, examples=["session"])
    """A cookie's value."""
    query: str | None = Field(default=None, min_length=1, examples=["tenant"])
    """A query parameter's value."""
    method: Literal[True] | None = Field(default=None, examples=[True])
    """The method."""
    host: Literal[True] | None = Field(default=None, examples=[True])
    """The host that is asked for, without its port."""
    route: Literal[True] | None = Field(default=None, examples=[True])
    """The route that takes the request."""
    listener: Literal[True] | None = Field(default=None, examples=[True])
    """The listener that it came in by."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        self.require_exactly_one("client", "header", "cookie", "query", "method", "host", "route", "listener")
        return self


class Window(Options):
    """A bucket that holds `burst` and refills with `quota` each `per` (the generic cell rate algorithm)."""

    quota: Quota = Field(examples=[100])
    """What may be spent in the time `per` in the long run: requests, or bytes where these are counted."""
    per: Timeout = Field(examples=["1s"])
    """The time in which the quota is refilled."""
    burst: Quota | None = Field(default=None, examples=[200])
    """What may be spent at once after a pause; null: the quota."""


class RateCost(Options):
    """What a request costs. What is known only when its response has ended is booked then, as a debt that
    later requests wait for."""

    requests: Annotated[int, whole(0)] = 1
    """Units for the request as such."""
    request_bytes: bool = False
    """Whether each byte of the request's body costs a unit."""
    response_bytes: bool = False
    """Whether each byte of the response's body costs a unit."""
    header: FieldName | None = Field(default=None, examples=["x-cost"])
    """Field of the response that tells the units in place of `requests`; clients do not see it."""
    status: tuple[Status, ...] = Field(default=(), examples=[[401, 403]])
    """Only responses with one of these statuses cost anything; empty: all do."""


class RateLimit(Options):
    """A limit that routes name: how often requests with the same key may come."""

    name: Annotated[Name, Identity("rate limit")] = Field(examples=["per-client"])
    """Unique name; what was spent survives a reload under it."""
    key: tuple[
        Annotated[KeyPart, BeforeValidator(_part_alone, json_schema_input_type=Part | KeyPart)], ...
    ] = Field(default=(KeyPart(client=True),), examples=[["client", {"header": "x-tenant"}]])
    """What requests have in common that share a bucket; empty: all share one."""
    missing: Literal["share", "skip", "deny"] = "share"
    """What becomes of a request that lacks a part of the key: it shares one bucket with all such, the limit
    is not for it, or it is refused."""
    windows: tuple[Window, ...] = Field(
        min_length=1, max_length=8, examples=[[{"quota": 100, "per": "1s", "burst": 200}]]
    )
    """All of them must let a request go; if one does not, none is charged."""
    mode: Literal["enforce", "shadow"] = "enforce"
    """Whether requests over the limit are refused, or only counted and told."""
    wait: Duration = Field(default=0, examples=["2s"])
    """How long a request over the quota may wait for its turn before it is refused."""
    cost: RateCost = RateCost()
    """What a request costs."""
    headers: Literal["nearest", "all", "none", "legacy"] = "nearest"
    """Which fields tell clients of the limit: `RateLimit` and `RateLimit-Policy` for the window with the
    least left, or for all, none, or `X-RateLimit-*`."""
    keys: Annotated[int, whole(16, 1_000_000_000)] = 1_000_000
    """Keys that are remembered at a time; each takes 16 bytes a window once it is used. Beyond it the keys
    that have spent least are forgotten."""
    ipv4_prefix: Annotated[int, whole(0, 32)] = 32
    """Bits of an IPv4 address that tell clients apart."""
    ipv6_prefix: Annotated[int, whole(0, 128)] = 64
    """Bits of an IPv6 address that tell clients apart."""
