"""Limits: what an upstream is given at a time, and which goes first."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName
from tidegate.config.model.unit import Count, Positive, Timeout

Priority = Literal["high", "normal", "low"]


class Queueing(Options):
    """How long requests wait."""

    timeout: Timeout = 5_000
    """The longest wait."""
    target: Timeout = 100
    """A wait that is too long where it lasts: then what waits longer is shed (CoDel's target)."""
    interval: Timeout = 2_000
    """For how long the wait must exceed the target before anybody is shed (CoDel's interval)."""

    @model_validator(mode="after")
    def _target_is_short(self) -> Self:
        if self.target > self.timeout:
            raise ValueError("expected target to be no longer than timeout")
        return self


class AdaptiveLimit(Options):
    """A bound of the requests in flight that is found by measuring.

    It comes into force only where fewer requests at a time were seen to be answered sooner and as often.
    """

    enabled: bool = True
    """Whether it is looked for."""
    minimum: Positive = 4
    """It is never lower."""
    maximum: Positive | None = Field(default=None, examples=[500])
    """It is never higher; null: no bound."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.maximum is not None and self.maximum < self.minimum:
            raise ValueError("expected maximum to be no lower than minimum")
        return self


class UpstreamLimits(Options):
    """What an upstream is given at a time, over all workers."""

    requests: Positive | None = Field(default=None, examples=[200])
    """Requests in flight; null: no fixed bound."""
    endpoint_requests: Positive | None = Field(default=None, examples=[32])
    """Requests in flight to one endpoint; null: no bound."""
    pending: Count = 10_000
    """Requests that wait while as many as may be are in flight."""
    retries: Positive | None = Field(default=None, examples=[50])
    """Retries in flight; null: no bound but the budget."""
    connections: Positive | None = Field(default=None, examples=[2000])
    """Open connections to all endpoints together; null: no bound."""
    queue: Queueing = Queueing()
    """How long requests wait."""
    adaptive: AdaptiveLimit = AdaptiveLimit()
    """A bound of the requests in flight that is found by measuring."""


class RoutePriority(Options):
    """How important a route's requests are. A level alone stands for that level, whatever requests say."""

    level: Priority = "normal"
    """The level of requests that do not name one: `high`, `normal` or `low`. A lower level waits for the
    higher ones and is shed first."""
    header: FieldName | None = Field(default=None, examples=["x-priority"])
    """Name of a header field that names the level; null: none is asked."""
    from_anyone: bool = False
    """Whether the field is believed whoever sends it, and not only trusted proxies."""
