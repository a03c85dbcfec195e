"""Golden vectors: inputs, and what the library that made a model answered. The engine must answer the
same.
"""

from collections.abc import Sequence

import numpy as np

from tidegate.ai.matrix import Matrix, Vector

ROWS = 256
NEAR = (-1.0, -1e-3, 0.0, 1e-3, 1.0)
"""How far inputs are from what a feature is compared with."""


def written(inputs: Matrix, outputs: Vector) -> bytes:
    """The file: of each row the inputs and then the output, as little-endian numbers of 32 bits."""
    assert len(inputs) == len(outputs) == ROWS
    return np.column_stack([inputs, outputs]).astype("<f4").tobytes()


def of_samples(samples: Matrix, seed: int) -> Matrix:
    """Inputs like `samples`, none of which is a request that was made: each feature is drawn for itself."""
    random = np.random.default_rng(seed)
    return np.column_stack([random.choice(column, ROWS) for column in samples.T]).astype(np.float32)


def around(thresholds: Sequence[Sequence[float]], seed: int) -> Matrix:
    """Inputs on both sides of what each feature is compared with; around 0 where it is with nothing."""
    random = np.random.default_rng(seed)
    columns = [
        random.choice(np.array(each or [0.0]), ROWS) + random.choice(NEAR, ROWS) for each in thresholds
    ]
    return np.column_stack(columns).astype(np.float32)
