"""Features brought to one size, for learners that compare them with one another."""

from typing import NamedTuple, Self

import numpy as np

from tidegate.ai.dataset import Dataset
from tidegate.ai.matrix import Matrix, Vector


class Scale(NamedTuple):
    """How large each feature was."""

    mean: Vector
    deviation: Vector
    """1 where all were alike."""
    lowest: Vector
    highest: Vector

    @classmethod
    def of(cls, samples: Dataset) -> Self:
        """That of samples."""
        rows = samples.features.astype(np.float64)
        deviation = rows.std(axis=0)
        deviation[deviation < 1e-6] = 1
        return cls(rows.mean(axis=0), deviation, rows.min(axis=0), rows.max(axis=0))

    def applied(self, rows: Matrix) -> Vector:
        """Rows of mean 0 and deviation 1."""
        return (rows - self.mean) / self.deviation
