"""What is asked of the services: classes of requests, and the instants at which they are sent."""

import math
import random
from dataclasses import dataclass

REPLICAS = 8
WORKERS = 4
"""Workers of one replica."""

VARIATION = 0.7
"""Coefficient of variation of the work within a class."""
LONGEST = 3.0
"""Work beyond this multiple of its class's mean is cut off."""


@dataclass(frozen=True)
class Kind:
    """A class of requests."""

    name: str
    mean_ms: float
    """Mean work at normal speed."""
    share: float
    """Its part of all requests."""


KINDS = (
    Kind("light", 4, 0.50),
    Kind("medium", 12, 0.30),
    Kind("heavy", 60, 0.15),
    Kind("huge", 400, 0.05),
)


@dataclass(frozen=True)
class Arrival:
    """A request to be sent."""

    at: float
    """Seconds after the measurement's start; negative while it warms up."""
    kind: str
    work_ms: float


def capacity() -> float:
    """Requests per second that all replicas together can work off, as drawn from `arrivals`."""
    sample = [arrival.work_ms for arrival in arrivals(0, 1.0, 0, 50_000)]
    return REPLICAS * WORKERS / (sum(sample) / len(sample) / 1000)


def arrivals(seed: int, rate: float, start: float, end: float) -> list[Arrival]:
    """Poisson arrivals of `rate` a second; the same seed gives the same ones, to the bit."""
    draw = random.Random(seed)  # noqa: S311
    spread = math.sqrt(math.log(1 + VARIATION**2))  # of the logarithm, for a lognormal distribution
    shares = [kind.share for kind in KINDS]
    found = []
    while (start := start + draw.expovariate(rate)) < end:
        (kind,) = draw.choices(KINDS, shares)
        factor = draw.lognormvariate(-(spread**2) / 2, spread)
        found.append(Arrival(start, kind.name, kind.mean_ms * min(factor, LONGEST)))
    return found
