"""Retries and hedges: when a request is sent more than once."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import Method
from tidegate.config.model.unit import Duration, Percent, Positive, Size, Status, Timeout, percent

RetryOn = Literal["connect_failure", "refused_stream", "reset", "gateway_error", "timeout", "endpoint_down"]
GrpcStatus = Literal[
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
]


class Backoff(Options):
    """The pause before a try is repeated: random, up to a bound that doubles with each retry."""

    base: Duration = 25
    """Bound of the first pause."""
    max: Duration = 250
    """Bound of any pause."""

    @model_validator(mode="after")
    def _bound_grows(self) -> Self:
        if self.max < self.base:
            raise ValueError("expected max to be no shorter than base")
        return self


class Retry(Options):
    """When a failed try is repeated."""

    attempts: Positive = 3
    """Tries in all, the first included; 1: never repeat."""
    per_try_timeout: Timeout | None = Field(default=None, examples=["2s"])
    """From sending a try to its response's head, at most; null: only the upstream's `response` timeout."""
    on: tuple[RetryOn, ...] = (
        "connect_failure",
        "refused_stream",
        "reset",
        "gateway_error",
        "timeout",
        "endpoint_down",
    )
    """What is repeated: `connect_failure` (no connection came about), `refused_stream` (the endpoint says
    that it did not look at the request), `reset` (the connection ended, or its protocol broke, before the
    response's head), `gateway_error` (the status is 502, 503 or 504), `timeout` (the head did not come in
    time), `endpoint_down` (the endpoint was found to be down meanwhile)."""
    statuses: tuple[Status, ...] = Field(default=(), examples=[[429, 500]])
    """Status codes of responses that are repeated too."""
    grpc: tuple[GrpcStatus, ...] = Field(default=(), examples=[["unavailable", "resource_exhausted"]])
    """gRPC status codes of responses that are repeated too, whatever `methods` says: gRPC knows only POST."""
    methods: tuple[Method, ...] = Field(default=(), examples=[["GET", "HEAD", "POST"]])
    """Methods that may be carried out twice; empty: the idempotent ones. After `connect_failure` and
    `refused_stream` nothing was carried out, and every method is repeated."""
    backoff: Backoff = Backoff()
    """The pause before a try is repeated."""
    max_retry_after: Duration = 1_000
    """Longest `Retry-After` of a 503 or 429 that is waited for; a longer one ends retrying."""
    buffer: Size = 64 << 10
    """Bytes of a request's body that are kept to be sent again; a request of which more was taken is not
    repeated."""


class RetryBudget(Options):
    """How many retries an upstream's requests allow for, over all routes and workers."""

    percent: Percent = 20.0
    """Retries that 100 requests allow for."""
    minimum: float = Field(default=3.0, ge=0, le=1_000_000)
    """Retries a second that are allowed for whatever the requests."""


class Hedge(Options):
    """When a request that takes long is sent to a second endpoint. The first good answer is taken.

    Exactly one of `after` and `percentile` is given.
    """

    after: Timeout | None = Field(default=None, examples=["50ms"])
    """After this time without a response."""
    percentile: Annotated[float, percent(50, 99.9)] | None = Field(default=None, examples=[95])
    """After the time in which this share of the route's requests is answered, in percent."""
    budget: Percent = 5.0
    """Hedges that 100 requests allow for."""

    @model_validator(mode="after")
    def _one_moment(self) -> Self:
        self.require_exactly_one("after", "percentile")
        return self
