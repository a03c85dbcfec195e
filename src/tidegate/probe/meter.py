"""Measures the load of a service: requests in flight, and latency by how many were in flight."""

import json
import threading
import time
from dataclasses import dataclass, field

PROBE_PATH = "/.tidegate/probe"
"""Where probes are answered."""
REPORT_FIELD = "endpoint-load-metrics"
"""The field of a response that holds a report (ORCA: `xds.data.orca.v3.OrcaLoadReport`, as text)."""
TOO_MANY_REQUESTS = 429

_LATEST = 1 / 8
"""Weight of the latest answer in a level's mean."""
_AGE = 10.0
"""Seconds after which a level is forgotten."""


@dataclass(frozen=True)
class Began:
    """A request that is being answered."""

    at: float
    level: int


@dataclass
class Meter:
    """The load of one process; any of its threads may count.

    Latency is kept by level of load, as Prequal's servers do: what a request will take follows from the
    load that it meets. Levels are 0, 1, 2, 3, then two to each power of two.
    """

    in_flight: int = 0
    """Requests that are being answered."""
    _levels: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By level: the mean latency in seconds, and when it was measured last."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> Began:
        """A request came; it is given to `end` when it is answered."""
        with self._lock:
            level = _level(self.in_flight)
            self.in_flight += 1
            return Began(time.monotonic(), level)

    def end(self, began: Began, status: int | None) -> None:
        """A request ended; a failure (no status, 5xx or 429) says nothing about latency."""
        now = time.monotonic()
        with self._lock:
            self.in_flight -= 1
            if status is None or status >= 500 or status == TOO_MANY_REQUESTS:
                return
            took = now - began.at
            mean, _ = self._levels.get(began.level, (took, now))
            self._levels[began.level] = (mean + (took - mean) * _LATEST, now)

    def latency(self) -> float | None:
        """Seconds that a request may take that came now; None before the first answer of late."""
        with self._lock:
            oldest = time.monotonic() - _AGE
            here = _level(self.in_flight)
            fresh = [(abs(level - here), mean) for level, (mean, at) in self._levels.items() if at >= oldest]
        return min(fresh)[1] if fresh else None

    def answer(self) -> bytes:
        """What a probe is answered, as JSON."""
        latency = self.latency()
        millis = None if latency is None else round(latency * 1_000, 3)
        return json.dumps({"in_flight": self.in_flight, "latency_ms": millis}).encode()

    def report(self) -> str:
        """The value of the report's field."""
        latency = self.latency()
        told = f"TEXT named_metrics.in_flight={self.in_flight}"
        return told if latency is None else f"{told}, named_metrics.latency_ms={latency * 1_000:.3f}"


def _level(in_flight: int) -> int:
    if in_flight < 2:
        return in_flight
    power = in_flight.bit_length() - 1
    return 2 * power + (in_flight >> (power - 1) & 1)
