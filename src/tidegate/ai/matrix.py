"""Rows of features as numpy has them."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
"""A row for each request, a column for each feature."""
Vector = NDArray[np.float64]
"""A number for each request."""
