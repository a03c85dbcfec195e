"""What a run's outcomes amount to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.live.client import Outcome
from bench.live.workload import KINDS


@dataclass(frozen=True)
class Figures:
    """The figures of one scenario with one proxy. Latencies are those of good answers, in milliseconds."""

    scenario: str
    proxy: str
    seed: int
    seconds: float
    sent: int
    ok: int
    told: int
    """Told to come back later: 503 or 429 with Retry-After."""
    failed: dict[str, int]
    """The others, by status, `closed` or `timeout`."""
    tries: float | None
    """Requests for work that reached the replicas, for each that was sent, the warm-up's included; None where
    replicas died and their counts with them."""
    p50: float
    p99: float
    kinds: dict[str, tuple[float, float]]
    """p50 and p99 of each class of requests."""
    timeline: list[tuple[int, int, int, float]]
    """For each second: sent, good, failed, p50 of all good answers."""
    punctual: int | None = None
    """Good answers that came within the measured seconds, also to requests of the warm-up; those that came
    later do not tell what was carried. None: not counted."""

    @property
    def failures(self) -> int:
        """Requests that got neither a good answer nor a word of when to come back."""
        return sum(self.failed.values())

    @property
    def goodput(self) -> float | None:
        """Good answers a second."""
        return None if self.punctual is None else self.punctual / self.seconds

    def data(self) -> dict[str, Any]:
        """As it is written to a file."""
        return asdict(self)


def figures(  # noqa: PLR0913  what a row is named by
    outcomes: Sequence[Outcome], *, scenario: str, proxy: str, seed: int, seconds: float, tries: int | None
) -> Figures:
    """Count, and find the percentiles; what was sent to warm up is left out."""
    counted = [outcome for outcome in outcomes if outcome.at >= 0]
    good = [outcome for outcome in counted if outcome.result == "ok"]
    results = Counter(outcome.result for outcome in counted)
    return Figures(
        scenario=scenario,
        proxy=proxy,
        seed=seed,
        seconds=seconds,
        sent=len(counted),
        ok=results.pop("ok", 0),
        told=results.pop("told", 0),
        failed=dict(sorted(results.items())),
        tries=None if tries is None else round(tries / len(outcomes), 3),
        p50=percentile(good, 50),
        p99=percentile(good, 99),
        kinds={
            kind.name: (percentile(of_kind, 50), percentile(of_kind, 99))
            for kind in KINDS
            for of_kind in [[outcome for outcome in good if outcome.kind == kind.name]]
        },
        punctual=sum(0 <= o.at + o.latency < seconds for o in outcomes if o.result == "ok"),
        timeline=[_second([o for o in counted if int(o.at) == second]) for second in range(int(seconds))],
    )


def _second(outcomes: Sequence[Outcome]) -> tuple[int, int, int, float]:
    good = [outcome for outcome in outcomes if outcome.result == "ok"]
    failed = sum(outcome.result not in ("ok", "told") for outcome in outcomes)
    return len(outcomes), len(good), failed, percentile(good, 50)


def percentile(outcomes: Sequence[Outcome], percent: float) -> float:
    """The latency in milliseconds that so many per cent do not exceed (nearest rank); 0 of nothing."""
    latencies = sorted(outcome.latency for outcome in outcomes)
    if not latencies:
        return 0.0
    rank = max(1, -(-len(latencies) * percent // 100))
    return round(latencies[int(rank) - 1] * 1000, 2)
