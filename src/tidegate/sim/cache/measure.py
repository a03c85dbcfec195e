"""What is compared: which part of the requests a cache misses, and which part of their bytes."""

from typing import Literal

from tidegate.sim.measure import Measure, Report

Of = Literal["requests", "bytes"]


def missed(of: Of, index: int, capacity: str) -> Measure:
    """What the cache misses that has the `index`-th capacity, in percent."""
    return Measure(capacity, lambda report: _share(report["misses"][index], report, of))


def unbounded(of: Of) -> Measure:
    """What a cache misses that keeps everything, in percent."""
    return Measure("unbounded", lambda report: _share(report["unbounded"], report, of))


def _share(misses: Report, report: Report, of: Of) -> float:
    return float(100 * misses[of] / max(report[of], 1))
