"""Runs a study: each policy with each seed, and with each value of an option that is varied."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import NamedTuple

from tidegate._engine import simulate
from tidegate.config.model.unit import usable_cpus
from tidegate.sim.load import StudyFile
from tidegate.sim.measure import Report
from tidegate.sim.model import Policy, Study
from tidegate.sim.scenario import Scenarios


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


@dataclass(frozen=True)
class _Job:
    scenarios: Scenarios
    policy: Policy
    cell: Cell
    seed: int


class Experiment:
    """All runs of a study, waiting to be made."""

    def __init__(
        self,
        file: StudyFile,
        policies: Sequence[str] = (),
        seeds: int | None = None,
        vary: Variation | None = None,
    ) -> None:
        """The study in `file`: the named policies (none: all), each with so many `seeds` (None: the file's).

        Raises ConfigError; of a trace OSError and ValueError.
        """
        self.study = file.study()
        self.policies = tuple(policies) or tuple(self.study.policies)
        self.vary = vary
        self.cells: list[Cell] = []
        self._jobs: list[_Job] = []
        for value in vary.values if vary else (None,):
            study = file.study([(vary.option, value)]) if vary and value is not None else self.study
            self._plan(study, value, seeds or study.seeds)

    def _plan(self, study: Study, value: str | None, seeds: int) -> None:
        scenarios = Scenarios(study)
        for name in self.policies:
            cell = Cell(value, name, [{} for _ in range(seeds)])
            self.cells.append(cell)
            for seed in range(1, seeds + 1):
                self._jobs.append(_Job(scenarios, study.policies[name], cell, seed))

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self._jobs)

    def run(self) -> Iterator[None]:
        """Make the runs on all CPUs; yields once for each that has ended. The cells then hold the reports."""
        with ThreadPoolExecutor(usable_cpus()) as threads:
            running = [threads.submit(_run, job) for job in self._jobs]
            try:
                for done in as_completed(running):
                    yield done.result()
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise


def _run(job: _Job) -> None:
    job.cell.reports[job.seed - 1] = json.loads(simulate(job.scenarios.scenario(job.policy, job.seed)))
