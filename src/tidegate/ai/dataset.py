"""Samples as they are learnt from: in the order of time, so that what comes later tests what was learnt
before.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars

from tidegate.ai import features
from tidegate.ai.matrix import Matrix, Vector
from tidegate.ai.sample_files import COST, TIME, WEIGHT, SamplesError, files_of

EXPECTED = features.NAMES.index("expected")
LEAST_ROWS = 1_000
MOST_ROWS = 1_000_000
"""The latest so many are learnt from: more take memory, and make a model of 100 trees no better."""
LEARNT, CALIBRATED = 0.6, 0.75
"""Where, of all samples, the part that is learnt from ends, and the part that calibrates; the rest tests."""


@dataclass(frozen=True)
class Dataset:
    """Requests, the earliest first."""

    time: Vector
    """In seconds since 1970."""
    cost: Vector
    """Natural logarithm of what each cost, in seconds."""
    weight: Vector
    """How many requests each stands for: all slow ones are sampled, of the others a share."""
    features: Matrix

    def __len__(self) -> int:
        return len(self.time)

    @property
    def expected(self) -> Vector:
        """What the online learner expected: the logarithm of the cost."""
        return self.features[:, EXPECTED].astype(np.float64)

    @property
    def residual(self) -> Vector:
        """What a model is to say: what the online learner was wrong by."""
        return self.cost - self.expected

    def part(self, start: int, end: int | None = None) -> "Dataset":
        """The requests from one up to another."""
        chosen = slice(start, end)
        return Dataset(self.time[chosen], self.cost[chosen], self.weight[chosen], self.features[chosen])

    def drawn(self, count: int, seed: int) -> "Dataset":
        """So many requests, each as likely as it was in traffic."""
        chance = self.weight / self.weight.sum()
        chosen = np.random.default_rng(seed).choice(len(self), count, p=chance)
        return Dataset(self.time[chosen], self.cost[chosen], self.weight[chosen], self.features[chosen])


class Split(NamedTuple):
    """Samples by time."""

    learn: Dataset
    calibrate: Dataset
    test: Dataset


def read(state_dir: Path, upstream: str) -> Dataset:
    """The samples of an upstream. Raises SamplesError."""
    files = files_of(state_dir, upstream)
    if not files:
        raise SamplesError(
            f"there are no samples of the upstream {upstream!r} in {state_dir}: "
            "set its predict.mode to shadow or auto, and wait for traffic"
        )
    try:
        table = polars.concat([polars.read_parquet(file) for file in files]).sort(TIME, maintain_order=True)
        table = table.tail(MOST_ROWS)
        found = Dataset(
            table[TIME].to_numpy().astype(np.float64),
            np.log(table[COST].to_numpy().astype(np.float64)),
            table[WEIGHT].to_numpy().astype(np.float64),
            table.select(features.NAMES).to_numpy().astype(np.float32),
        )
    except (OSError, polars.exceptions.PolarsError) as error:
        raise SamplesError(
            f"the samples in {files[0].parent} cannot be read: {error}; "
            "remove the file that is named, or all of them"
        ) from None
    usable = np.isfinite(found.cost) & np.isfinite(found.features).all(axis=1)
    return Dataset(found.time[usable], found.cost[usable], found.weight[usable], found.features[usable])


def split(samples: Dataset) -> Split:
    """The parts that are learnt from, that calibrate and that test. Raises SamplesError if there are too
    few.
    """
    if len(samples) < LEAST_ROWS:
        raise SamplesError(
            f"expected at least {LEAST_ROWS} samples; found {len(samples)}: wait for more traffic, "
            "or sample more of it (predict.samples of the upstream, in percent)"
        )
    learnt, calibrated = int(len(samples) * LEARNT), int(len(samples) * CALIBRATED)
    return Split(samples.part(0, learnt), samples.part(learnt, calibrated), samples.part(calibrated))
