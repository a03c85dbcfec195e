"""What a file says of a cache's study: what is asked for, and the policies that are compared on it."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Positive, Size, describe, parse_size
from tidegate.sim.recording import Recording
from tidegate.sim.study import AnyStudy
from tidegate.sim.unit import Share

PolicyName = Literal["lru", "fifo", "sieve", "s3_fifo", "tiny_lfu", "w_tiny_lfu"]
_ALL: tuple[PolicyName, ...] = ("lru", "fifo", "sieve", "s3_fifo", "tiny_lfu", "w_tiny_lfu")


class Sizes(Options):
    """Sizes of objects, by a lognormal distribution."""

    mean: Annotated[Size, Field(gt=0)] = 1
    """Mean."""
    cv: Annotated[float, Field(ge=0, le=100)] = 0
    """Coefficient of variation: the standard deviation in means; 0: all alike."""


class Scans(Options):
    """Something that reads objects in order between the other requests, like a crawler."""

    share: Share = 0
    """The part of the requests that it makes."""
    length: Positive = 10_000
    """How many objects it reads before it goes on at another place."""


class Synthetic(Options):
    """Requests at random: for the k-th object with a probability in proportion to 1 / kˢ."""

    requests: Annotated[int, Field(ge=1, le=20_000_000)] = 1_000_000
    """How many."""
    objects: Positive = 100_000
    """Objects that are asked for again."""
    skew: Annotated[float, Field(ge=0, le=10)] = 1
    """Zipf's exponent s; 0: all alike."""
    once: Share = 0
    """The part of the requests that ask for an object that is never asked for again."""
    scans: Scans = Scans()
    """Scans over the objects."""
    size: Sizes = Sizes()
    """Sizes of the objects."""

    @model_validator(mode="after")
    def _shares_are_parts_of_one_whole(self) -> Self:
        if self.once + self.scans.share > 1:
            raise ValueError("expected once and scans.share to be at most 1 together")
        return self


class CacheTrace(Recording):
    """What was asked for as recorded."""

    format: Literal["access_log", "mooncake"]
    """`access_log` (the gateway's, with `format: json`: `GET` requests that were answered well) or `mooncake`
    (JSON lines; blocks of a language model's input, each of size 1)."""


_SHARE = re.compile(r"\d{1,3}(\.\d{1,9})?%", re.ASCII)


def _capacity(value: Any) -> str:
    text = str(value)
    if _SHARE.fullmatch(text) and float(text[:-1]) <= 100:
        return text
    if isinstance(value, bool) or not isinstance(value, str | int) or text.endswith("%"):
        raise ValueError(f"expected a size like 64MB, or a share like 10%; found {describe(value)}")
    parse_size(text)
    return text


Capacity = Annotated[str, BeforeValidator(_capacity)]
"""A size, or a share of all objects that are asked for (`10%`)."""


class CacheStudy(AnyStudy):
    """What is asked for, and the policies that are compared on it."""

    synthetic: Synthetic | None = None
    """Requests at random."""
    trace: CacheTrace | None = None
    """Or requests as recorded."""
    policies: Annotated[tuple[PolicyName, ...], Field(min_length=1)] = _ALL
    """What is compared."""
    capacities: Annotated[tuple[Capacity, ...], Field(min_length=1)] = ("1%", "5%", "10%", "20%")
    """How large the caches are: sizes, or shares of all objects that are asked for."""
    seeds: Positive = 1
    """Runs of each policy, with the seeds 1, 2, and so on; of a trace all are the same."""

    @model_validator(mode="after")
    def _one_source_of_requests(self) -> Self:
        self.require_exactly_one("synthetic", "trace")
        return self

    def policy_names(self) -> tuple[str, ...]:
        """What is compared."""
        return self.policies
