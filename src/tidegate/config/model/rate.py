"""Rate limits: how often requests that have something in common may come."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.access import ClaimName
from tidegate.config.model.mark import Identity, Ref
from tidegate.config.model.options import Options
from tidegate.config.model.store import OnFailure
from tidegate.config.model.text import FieldName, Name, each_once
from tidegate.config.model.unit import Duration, Positive, Quota, Rate, Size, Status, Timeout, whole

RateLimitNames = Annotated[tuple[Annotated[Name, Ref("rate limit")], ...], each_once("rate limit")]
"""Limits of which all must be passed."""

Part = Literal["client", "method", "host", "route", "listener", "country", "asn", "identity", "certificate"]
"""A part of a key that needs no name."""


def _part_alone(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in get_args(Part):
        words = ", ".join(get_args(Part))
        raise ValueError(f"expected one of {words}, or an option like header: x-api-key; found {value!r}")
    return {value: True}


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
    country: Literal[True] | None = Field(default=None, examples=[True])
    """The country of the client's address, which `geoip.country` tells."""
    asn: Literal[True] | None = Field(default=None, examples=[True])
    """The autonomous system of the client's address, which `geoip.asn` tells."""
    claim: ClaimName | None = None
    """A claim of the identity that the route's authenticators have found out."""
    identity: Literal[True] | None = Field(default=None, examples=[True])
    """That identity: authenticator and subject."""
    certificate: Literal[True] | None = Field(default=None, examples=[True])
    """The subject of the certificate that the client has shown."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        self.require_exactly_one(*type(self).model_fields)
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

    @property
    def ahead(self) -> int:
        """What is charged before the request is sent."""
        return 0 if self.header or self.status else self.requests


class Bandwidth(Options):
    """How many bytes of bodies pass in a second. They are slowed down, never refused."""

    request: Rate | None = Field(default=None, examples=["1MB"])
    """Bytes a second of the bodies of requests; null: no bound."""
    response: Rate | None = Field(default=None, examples=["2MB"])
    """Bytes a second of the bodies of responses; null: no bound."""
    burst: Size = 0
    """Bytes that may pass at once after a pause; at least those of 40 ms do."""

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if not self.given(("request", "response")):
            raise ValueError("expected at least one of request and response")
        return self


class RateLimit(Options):
    """A limit that routes name: how often, how many at a time and how much of what has the same key."""

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
        default=(), max_length=8, examples=[[{"quota": 100, "per": "1s", "burst": 200}]]
    )
    """All of them must let a request go; if one does not, none is charged."""
    in_flight: Positive | None = Field(default=None, examples=[8])
    """Requests of a key that may be under way at a time; null: no bound."""
    bandwidth: Bandwidth | None = None
    """Bytes of bodies of a key that pass in a second; null: no bound."""
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
    identities: bool = False
    """Whether the keys with the most requests are counted and can be shown, with what they are made of."""
    store: Annotated[Name, Ref("store")] | None = Field(default=None, examples=["fleet"])
    """The store through which several gateways share its windows; null: each has its own."""
    on_failure: OnFailure | None = Field(default=None, examples=["closed"])
    """What decides of requests while the store does not answer; null: what the store says."""
    ipv4_prefix: Annotated[int, whole(0, 32)] = 32
    """Bits of an IPv4 address that tell clients apart."""
    ipv6_prefix: Annotated[int, whole(0, 128)] = 64
    """Bits of an IPv6 address that tell clients apart."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if not self.windows and not self.given(("in_flight", "bandwidth")):
            raise ValueError("expected at least one of windows, in_flight and bandwidth")
        return self

    @model_validator(mode="after")
    def _shares_something(self) -> Self:
        if self.store is not None and not self.windows:
            raise ValueError("expected windows with store: they are what gateways share through it")
        if self.store is None and self.on_failure is not None:
            raise ValueError("expected store with on_failure: it is the store's failure")
        return self

    @model_validator(mode="after")
    def _a_request_fits(self) -> Self:
        smallest = min((window.burst or window.quota for window in self.windows), default=None)
        if smallest is not None and self.cost.ahead > smallest:
            raise ValueError(
                f"no request could ever pass: each costs {self.cost.ahead}, and a window holds {smallest}"
            )
        return self
