"""What is compared: figures of a run's report."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Report = dict[str, Any]
"""What the engine says of a run."""


class Measure(NamedTuple):
    """A figure of a report."""

    name: str
    of: Callable[[Report], float]

    def over(self, reports: Sequence[Report]) -> list[float]:
        """The figure of each report."""
        return [self.of(report) for report in reports]


def _latency(key: str) -> Callable[[Report], float]:
    return lambda report: float(report["latency"][key])


def _failed(report: Report) -> float:
    lost = report["failed"] + report["unanswered"]
    return float(100 * lost / max(report["answered"] + lost, 1))


def class_p99(number: int) -> Measure:
    """The p99 of the requests of one class."""
    return Measure("p99", lambda report: float(report["classes"][number]["p99"]))


def class_failed(number: int) -> Measure:
    """The share of the requests of one class that failed."""

    def failed(report: Report) -> float:
        lost = report["class_failed"][number]
        return float(100 * lost / max(report["classes"][number]["count"] + lost, 1))

    return Measure("failed %", failed)


P99 = Measure("p99", _latency("p99"))

LATENCIES = (
    Measure("mean", _latency("mean")),
    Measure("p50", _latency("p50")),
    P99,
    Measure("p99.9", _latency("p999")),
)
"""Latencies in milliseconds."""

FAILED = Measure("failed %", _failed)
"""The share of requests that failed or were never answered."""
