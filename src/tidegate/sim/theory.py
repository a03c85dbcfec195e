"""The simulator against what queueing theory knows exactly: mean times in the queue."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tidegate._engine import simulate
from tidegate.sim.model import Study
from tidegate.sim.scenario import Scenarios

_REQUESTS = 4_000_000


class Case(NamedTuple):
    """A queue whose mean waiting time is known, in mean service times."""

    name: str
    workers: int
    load: float
    work: dict[str, Any]
    exact: float


class Found(NamedTuple):
    """What the simulator found for it."""

    case: Case
    simulated: float

    @property
    def error(self) -> float:
        """How far it is off, as a share of what is exact."""
        return self.simulated / self.case.exact - 1


def cases() -> list[Case]:
    """M/M/1, M/M/c and M/G/1."""
    exponential = {"distribution": "exponential", "mean": "1ms"}
    several = ((1, 0.5), (1, 0.8), (2, 0.7), (4, 0.8), (10, 0.8))
    shapes = (
        ("M/D/1", 0.0, {"distribution": "constant", "mean": "1ms"}),
        ("M/G/1, lognormal, cv 0.7", 0.7, {"distribution": "lognormal", "mean": "1ms", "cv": 0.7}),
        ("M/G/1, lognormal, cv 2", 2.0, {"distribution": "lognormal", "mean": "1ms", "cv": 2}),
        (
            "M/G/1, bimodal, cv 1.5",
            1.5,
            {"distribution": "bimodal", "low": "0.5ms", "high": "5.5ms", "high_share": 0.1},
        ),
    )
    return [
        *(
            Case(f"M/M/{c}", c, load, exponential, _erlang_c(c, load) / (c * (1 - load)))
            for c, load in several
        ),
        *(Case(name, 1, 0.7, work, 0.7 * (1 + cv**2) / (2 * 0.3)) for name, cv, work in shapes),
    ]


def compare() -> Iterator[Found]:
    """Simulate each case with one seed."""
    for case in cases():
        seconds = _REQUESTS / (case.load * case.workers * 1000)
        study = Study.model_validate(
            {
                "servers": [{"workers": case.workers}],
                "work": [case.work],
                "load": case.load,
                "duration": f"{seconds:f}s",
                "limits": {"adaptive": {"enabled": False}},  # a long queue by chance is no overload
                "policies": {"random": "random"},
            }
        )
        report = json.loads(simulate("balancing", Scenarios(study).scenario("random", seed=1)))
        yield Found(case, report["waiting"])


def _erlang_c(workers: int, load: float) -> float:
    """The probability that a request waits in M/M/c (Erlang, 1917), by way of the recursion of Erlang B."""
    offered = load * workers
    blocked = 1.0
    for number in range(1, workers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - load * (1 - blocked))
