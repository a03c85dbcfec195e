"""How good predictions are, as commands show it. What calls the simulator is here, above both."""

import json
from itertools import pairwise
from typing import Any

from tidegate._engine import simulate
from tidegate.ai.evaluate import Comparison
from tidegate.cli import output
from tidegate.sim.measure import LATENCIES, Report
from tidegate.sim.model import Study
from tidegate.sim.scenario import Scenarios

MEANINGS = {
    "explained": "explained variance",
    "rank": "rank correlation",
    "slope": "calibration (slope)",
    "bias": "bias (log)",
}
SERVERS, WORKERS, LOAD = 8, 4, 0.9
"""What is simulated: a gateway with as many servers and workers, at this load."""
REQUESTS = 100_000
LEAST_SECONDS = 30
"""How long it lasts: so many requests, and long enough for what is learnt on the way."""
CLASSES = 16
"""So many classes of requests, by what is predicted of them, does a simulated gateway tell apart."""

Pairs = list[tuple[float, float]]


def show(comparison: Comparison) -> None:
    """What is explained by the model, the online learner, and one number for all."""
    plain = comparison.plain()
    output.table(
        ("", "model", "online learner", "constant"),
        [
            (meaning, *(f"{plain[name][of]:.3f}" for of in comparison._fields))
            for name, meaning in MEANINGS.items()
        ],
    )


def show_simulated(model: Pairs, learner: Pairs) -> None:
    """What latencies become where requests are let in by what is predicted of them, as the simulator says."""
    output.console().print(
        f"\nSimulated, {SERVERS} servers of {WORKERS} workers at load {LOAD:g}, requests as sampled (ms):",
        markup=False,
    )
    reports = {
        "no prediction": _simulated(model, {}),
        "online learner": _simulated(learner, {"predict": {}}),
        "model": _simulated(model, {"predict": {}}),
    }
    output.table(
        ("", *(latency.name for latency in LATENCIES)),
        [(name, *(f"{latency.of(report):.1f}" for latency in LATENCIES)) for name, report in reports.items()],
    )


def _simulated(pairs: Pairs, predict: dict[str, Any]) -> Report:
    """The report of a run, in which requests of which about the same is predicted are a class."""
    ordered = sorted(pairs, key=lambda pair: pair[1])
    bounds = [len(ordered) * number // CLASSES for number in range(CLASSES + 1)]
    classes = [ordered[start:end] for start, end in pairwise(bounds) if start < end]
    mean_seconds = sum(cost for cost, _ in pairs) / len(pairs) / 1000
    seconds = max(LEAST_SECONDS, REQUESTS * mean_seconds / (SERVERS * WORKERS * LOAD))
    study = Study.model_validate(
        {
            "servers": [{"count": SERVERS, "workers": WORKERS}],
            "work": [
                {
                    "distribution": "samples",
                    "samples": [cost for cost, _ in each],
                    "weight": len(each),
                    "template": f"/class-{chr(ord('a') + number)}",
                }
                for number, each in enumerate(classes)
            ],
            "load": LOAD,
            "limits": {"queue": {"timeout": "60s", "target": "60s"}},
            "policies": {"policy": {"policy": "fastest_free", **predict}},
            "duration": f"{seconds:.3f}s",
        }
    )
    report: Report = json.loads(simulate("balancing", Scenarios(study).scenario("policy", seed=1)))
    return report
