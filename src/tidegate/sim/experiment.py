"""Runs a study: each policy with each seed, and with each value of an option that is varied."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from tidegate._engine import simulate
from tidegate.config.model.unit import usable_cpus
from tidegate.sim.load import StudyFile
from tidegate.sim.measure import Report
from tidegate.sim.study import AnyStudy

S = TypeVar("S", bound=AnyStudy)


class Variation(NamedTuple):
    """An option, and the values that it is given one after the other."""

    option: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """What one policy did under one value of the varied option."""

    value: str | None
    """The value; None: nothing is varied."""
    policy: str
    reports: list[Report] = field(default_factory=list)
    """The engine's reports, by seed."""


class Runs(Protocol):
    """The runs of one study."""

    def scenario(self, name: str, seed: int) -> str:
        """The run of the policy of this name with one seed, as JSON."""


class Simulator(NamedTuple, Generic[S]):
    """What runs studies of one kind."""

    study: type[S]
    """What they say."""
    runs_of: Callable[[S], Runs]
    """The runs of one. Of a trace, raises OSError and ValueError."""
    kind: str
    """How the engine calls it."""


@dataclass(frozen=True)
class _Job:
    runs: Runs
    cell: Cell
    seed: int


class Experiment(Generic[S]):
    """All runs of a study, waiting to be made."""

    def __init__(
        self,
        simulator: Simulator[S],
        file: StudyFile[S],
        policies: Sequence[str] = (),
        seeds: int | None = None,
        vary: Variation | None = None,
    ) -> None:
        """The study in `file`: the named policies (none: all), each with so many `seeds` (None: the file's).

        Raises ConfigError; of a trace OSError and ValueError.
        """
        self._kind = simulator.kind
        self.study = file.study()
        self.policies = tuple(policies) or self.study.policy_names()
        self.option = vary.option if vary else None
        """What is varied."""
        self.cells: list[Cell] = []
        self._jobs: list[_Job] = []
        for value in vary.values if vary else (None,):
            study = file.study([(vary.option, value)]) if vary and value is not None else self.study
            self._plan(simulator.runs_of(study), value, seeds or study.seeds)

    def _plan(self, runs: Runs, value: str | None, seeds: int) -> None:
        for name in self.policies:
            cell = Cell(value, name, [{} for _ in range(seeds)])
            self.cells.append(cell)
            for seed in range(1, seeds + 1):
                self._jobs.append(_Job(runs, cell, seed))

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self._jobs)

    def run(self) -> Iterator[None]:
        """Make the runs on all CPUs; yields once for each that has ended. The cells then hold the reports."""
        with ThreadPoolExecutor(usable_cpus()) as threads:
            running = [threads.submit(self._run, job) for job in self._jobs]
            try:
                for done in as_completed(running):
                    yield done.result()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _run(self, job: _Job) -> None:
        report = simulate(self._kind, job.runs.scenario(job.cell.policy, job.seed))
        job.cell.reports[job.seed - 1] = json.loads(report)
