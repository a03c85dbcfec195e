"""Health: how it is found out which endpoints are well."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import AbsolutePath, FieldName, FieldValue, Method
from tidegate.config.model.unit import Percent, Port, Positive, Timeout, describe, whole

_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?", re.ASCII)


def _statuses(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    match = _STATUSES.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) < 200 or int(match[2] or match[1]) < int(match[1]):
        raise ValueError(
            f"expected a status code from 200 to 599 or a range like 200-399; found {describe(value)}"
        )
    return match[0]


StatusRange = Annotated[
    str,
    BeforeValidator(_statuses),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 200, "maximum": 599},
                {"type": "string", "pattern": r"^[2-5]\d\d(-[2-5]\d\d)?$"},
            ]
        },
        mode="validation",
    ),
]
"""A status code, or the first and the last of a range."""


class HealthBody(Options):
    """What the first KiB of a body must hold: exactly one option is given."""

    contains: str | None = Field(default=None, min_length=1, examples=["ok"])
    """This text."""
    regex: str | None = Field(default=None, min_length=1, examples=['"status": *"(ok|degraded)"'])
    """A match of this regular expression."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        self.require_exactly_one("contains", "regex")
        return self


class HealthHttp(Options):
    """Check by an HTTP request."""

    path: AbsolutePath = Field(default="/", examples=["/healthz"])
    """Request target."""
    method: Method = "GET"
    """Request method."""
    host: FieldValue | None = Field(default=None, examples=["app.internal"])
    """`Host` field; null: the endpoint's address."""
    headers: dict[FieldName, FieldValue] = Field(default={}, examples=[{"authorization": "Bearer check"}])
    """Further fields of the request."""
    statuses: tuple[StatusRange, ...] = Field(default=("200-299",), min_length=1, examples=[[200, "300-399"]])
    """Status codes that pass: single ones and ranges."""
    body: HealthBody | None = None
    """What the response's body must hold; null: anything."""


class HealthTcp(Options):
    """Check by a connection, which is closed at once."""


class HealthGrpc(Options):
    """Check by the gRPC health protocol (grpc.health.v1); an endpoint that is SERVING passes."""

    service: str = Field(default="", max_length=255, examples=["shop.Orders"])
    """The service that is asked for; empty: the server as a whole."""
    host: FieldValue | None = Field(default=None, examples=["app.internal"])
    """`:authority` of the request; null: the endpoint's address."""


class SuccessRateOutlier(Options):
    """Which endpoints answer less often well than their peers: those whose share of good answers lies both
    the set deviations and 10 percent points below the mean of all."""

    deviations: float = Field(default=1, gt=0, le=100)
    """Standard deviations below the mean."""
    requests: Positive = 100
    """Requests within an interval below which an endpoint is not judged."""
    endpoints: Annotated[int, whole(3)] = 5
    """Endpoints with so many requests below which none is judged."""


class LatencyOutlier(Options):
    """Which endpoints answer far more slowly than their peers: those whose mean latency is both the set
    multiple of the median and 10 ms above it."""

    factor: float = Field(default=5, ge=1.5, le=1000)
    """Multiple of the median of all."""
    requests: Positive = 30
    """Requests within an interval below which an endpoint is not judged."""
    endpoints: Annotated[int, whole(3)] = 3
    """Endpoints with so many requests below which none is judged."""


class Outlier(Options):
    """What real requests tell of an endpoint.

    One that cannot be connected to rests. One that answers badly, or worse than its peers, is ejected. Either
    gets no requests for a time that grows with each repetition; then one request tries it.
    """

    connect_failures: Positive = 3
    """Failed connects in a row after which an endpoint rests."""
    rest: Timeout = 1_000
    """Its first rest; each further one is twice as long."""
    max_rest: Timeout = 60_000
    """The longest rest."""
    gateway_errors: Positive | None = 5
    """Gateway errors in a row that eject it: answers of 502, 503 or 504, broken ones, and none in time; null:
    none do."""
    server_errors: Positive | None = Field(default=None, examples=[10])
    """Answers of 500 and above in a row that eject it; null: none do."""
    ejection: Timeout = 10_000
    """Its first ejection; each further one is twice as long."""
    max_ejection: Timeout = 60_000
    """The longest ejection."""
    max_ejected: Percent = 50.0
    """Percent of the upstream's endpoints that may be ejected at a time; one always may."""
    interval: Timeout = 5_000
    """How often endpoints are compared with each other. So long must one be well to be forgiven one rest or
    ejection."""
    success_rate: SuccessRateOutlier | None = SuccessRateOutlier()
    """Eject those that answer less often well than their peers; null: never."""
    latency: LatencyOutlier | None = LatencyOutlier()
    """Eject those that answer far more slowly than their peers; null: never. Where a hash binds requests to
    endpoints, none is: there it is the requests that differ."""

    @model_validator(mode="after")
    def _pauses_grow(self) -> Self:
        if self.max_rest < self.rest:
            raise ValueError("expected max_rest to be no shorter than rest")
        if self.max_ejection < self.ejection:
            raise ValueError("expected max_ejection to be no shorter than ejection")
        return self


class Health(Options):
    """How it is found out which endpoints are well. At most one kind of check is given: `http`, `tcp` or
    `grpc`."""

    http: HealthHttp | None = None
    """Check by an HTTP request."""
    tcp: HealthTcp | None = Field(default=None, examples=[{}])
    """Check by a connection, TLS included where the upstream has it."""
    grpc: HealthGrpc | None = Field(default=None, examples=[{"service": "shop.Orders"}])
    """Check by the gRPC health protocol, over HTTP/2."""
    port: Port | None = Field(default=None, examples=[8081])
    """Port that is checked; null: the endpoint's own."""
    interval: Timeout = 5_000
    """Time between two checks of an endpoint; it varies by a tenth, so that checks spread."""
    interval_down: Timeout = 1_000
    """The same while its last check failed or it is unhealthy, where that is shorter."""
    timeout: Timeout = 2_000
    """How long a check may take."""
    rise: Positive = 2
    """Passed checks in a row that make an endpoint well."""
    fall: Positive = 3
    """Failed checks in a row that make it ill."""
    initial: Literal["healthy", "unhealthy"] = "healthy"
    """What an endpoint is until it was checked. One that begins `unhealthy` gets no requests until its first
    check has passed."""
    reuse: bool = True
    """Whether a check uses the connection of the one before: cheaper by far, but it does not notice that an
    endpoint takes no new connections."""
    outlier: Outlier = Outlier()
    """What real requests tell."""
    panic_threshold: Percent = 10.0
    """Percent of the upstream's weight that must be available. Below it, requests go to all endpoints in
    service, well or not, so that the few are not crushed; 0: only when none is available."""

    @model_validator(mode="after")
    def _one_check(self) -> Self:
        self.require_at_most_one("http", "tcp", "grpc")
        if self.initial == "unhealthy" and not self.given(("http", "tcp", "grpc")):
            raise ValueError("expected http, tcp or grpc where initial is unhealthy: nothing else ends that")
        return self
