"""How good predictions are: on samples that they were not made of, beside the online learner and a
constant.
"""

from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from tidegate.ai.dataset import Dataset
from tidegate.ai.manifest import Calibration
from tidegate.ai.matrix import Vector

SIMULATED = 20_000
"""Requests that the simulator draws from."""


class Figures(NamedTuple):
    """How good predictions of logarithms of costs are."""

    explained: float
    """Part of their variance that is explained: 1 is all of it, below 0 is worse than their mean."""
    rank: float
    """Rank correlation (Spearman): 1 is the right order, 0 is any."""
    slope: float
    """Calibration: how much costs rise where the prediction rises by 1; below 1 it exaggerates."""
    bias: float
    """Mean of what was, less what was predicted; 0 is right on the whole."""


class Comparison(NamedTuple):
    """The same requests, predicted in three ways."""

    model: Figures
    learner: Figures
    constant: Figures

    def plain(self) -> dict[str, Any]:
        """As manifests and commands have it: by figure, then by what predicts."""
        return {
            figure: {name: round(getattr(part, figure), 4) for name, part in self._asdict().items()}
            for figure in Figures._fields
        }


def later_than(samples: Dataset, until: str | None) -> Dataset:
    """The samples of requests that ended after a time, as manifests write it; all, where that is not told."""
    if until is None:
        return samples
    return samples.part(
        int(np.searchsorted(samples.time, datetime.fromisoformat(until).timestamp(), "right"))
    )


def calibrated(samples: Dataset, answers: Vector, calibration: Calibration) -> Vector:
    """What a model that answers so predicts: logarithms of costs."""
    return samples.expected + calibration.scale * answers + calibration.offset


def compared(samples: Dataset, predicted: Vector, constant: float) -> Comparison:
    """How good predictions are, beside those of the online learner and one number for all."""
    return Comparison(
        figures(samples, predicted),
        figures(samples, samples.expected),
        figures(samples, np.full(len(samples), constant)),
    )


def figures(samples: Dataset, predicted: Vector) -> Figures:
    """How good predictions are. Each request counts for those that it stands for, but for its rank."""
    cost, weight = samples.cost, samples.weight / samples.weight.sum()
    mean, mean_predicted = weight @ cost, weight @ predicted
    variance = weight @ (cost - mean) ** 2
    variance_predicted = weight @ (predicted - mean_predicted) ** 2
    together = weight @ ((cost - mean) * (predicted - mean_predicted))
    flat = variance_predicted < 1e-12  # one number for all has neither order nor slope
    return Figures(
        float(1 - weight @ (cost - predicted) ** 2 / variance) if variance > 0 else 0.0,
        0.0 if flat else float(np.nan_to_num(spearmanr(cost, predicted).statistic)),
        0.0 if flat else float(together / variance_predicted),
        float(mean - mean_predicted),
    )


def pairs(samples: Dataset, predicted: Vector, seed: int) -> list[tuple[float, float]]:
    """What requests cost and were predicted to, in milliseconds, drawn as often as they were in traffic."""
    chance = samples.weight / samples.weight.sum()
    chosen = np.random.default_rng(seed).choice(len(samples), min(SIMULATED, len(samples)), p=chance)
    both = np.exp(np.column_stack([samples.cost[chosen], predicted[chosen]])) * 1000
    return [(float(cost), float(said)) for cost, said in both]
