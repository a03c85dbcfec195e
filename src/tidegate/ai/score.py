"""What the engine says of rows, which is what it says of requests: calibrated answers."""

import numpy as np

from tidegate import _engine
from tidegate.ai.matrix import Matrix, Vector
from tidegate.ai.package import Package, PackageError


def scored(package: Package, rows: Matrix) -> Vector:
    """The answer to each row: what the logarithm of its cost is more than expected.

    Raises PackageError if the engine refuses the model.
    """
    try:
        answers = _engine.score_model(package.archive(), rows.astype("<f4").tobytes())
    except ValueError as error:
        raise PackageError(f"the engine refuses the model: {error}") from None
    return np.frombuffer(answers, "<f4").astype(np.float64)
