"""What later samples say of a model: how its answers are to be taken, and what is usual while it is right."""

import numpy as np

from tidegate.ai import features
from tidegate.ai.dataset import Dataset
from tidegate.ai.manifest import MOST_EDGES, Bins, Calibration, Drift, FeatureBins
from tidegate.ai.matrix import Matrix, Vector

MOST_SCALE = 2.0


def calibration_of(samples: Dataset, answers: Vector) -> Calibration:
    """The line from answers to what they should have been, by least squares; an inverted one is flat."""
    weight = samples.weight / samples.weight.sum()
    mean, mean_answer = weight @ samples.residual, weight @ answers
    variance = weight @ (answers - mean_answer) ** 2
    if variance < 1e-12:
        return Calibration(scale=0, offset=float(mean))
    slope = weight @ ((answers - mean_answer) * (samples.residual - mean)) / variance
    scale = float(np.clip(slope, 0, MOST_SCALE))
    return Calibration(scale=scale, offset=float(mean - scale * mean_answer))


def drift_of(rows: Matrix, residuals: Vector) -> Drift:
    """How features and what the model was wrong by are distributed."""
    inputs = []
    for name, column in zip(features.NAMES, rows.T, strict=True):
        edges, shares = _bins(column.astype(np.float64))
        inputs.append(FeatureBins(feature=name, edges=edges, shares=shares))
    edges, shares = _bins(residuals)
    return Drift(inputs=tuple(inputs), residuals=Bins(edges=edges, shares=shares))


def _bins(values: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Edges at tenths of the values, where these differ, and the share of values in each bin."""
    tenths = np.quantile(values, np.arange(1, MOST_EDGES + 1) / (MOST_EDGES + 1), method="inverted_cdf")
    edges = np.unique(tenths.astype(np.float32)).astype(np.float64)
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    shares = counts / counts.sum()
    return tuple(map(float, edges)), tuple(map(float, shares))
