"""Training: samples become a model, which later samples calibrate, and samples later still test."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from tidegate.ai import golden
from tidegate.ai.calibrate import calibration_of, drift_of
from tidegate.ai.dataset import Dataset, split
from tidegate.ai.evaluate import Comparison, calibrated, compared
from tidegate.ai.learners import lightgbm, linear, mlp
from tidegate.ai.learners.learner import Learner
from tidegate.ai.manifest import Learner as LearnerName
from tidegate.ai.manifest import now
from tidegate.ai.matrix import Vector
from tidegate.ai.package import Package

LEARNERS: Mapping[LearnerName, Learner] = {
    "lightgbm": lightgbm.learn,
    "mlp": mlp.learn,
    "linear": linear.learn,
}


class Trained(NamedTuple):
    """A model, and how good it is on the latest samples, which it has not seen."""

    package: Package
    comparison: Comparison
    test: Dataset
    predicted: Vector
    """What it says of them: logarithms of costs."""


def train(samples: Dataset, upstream: str, learner: LearnerName, seed: int, author: str) -> Trained:
    """A model of the samples of an upstream. The same samples and seed give the same model file.

    Raises SamplesError if there are too few samples.
    """
    parts = split(samples)
    learned = LEARNERS[learner](parts.learn, parts.calibrate, seed)
    calibration = calibration_of(parts.calibrate, learned.answer(parts.calibrate.features))

    def predicted(of: Dataset) -> Vector:
        return calibrated(of, learned.answer(of.features), calibration)

    comparison = compared(parts.test, predicted(parts.test), constant_of(parts.learn))
    inputs = golden.of_samples(parts.learn.features, seed)
    package = Package.made(
        learned.file,
        learned.content,
        golden.written(inputs, learned.answer(inputs)),
        calibration=calibration,
        drift=drift_of(parts.learn.features, parts.calibrate.cost - predicted(parts.calibrate)),
        data={**data_of(samples, upstream), "seed": seed},
        figures={**comparison.plain(), "gain": dict(learned.gains)},
        author=author,
        learner=learner,
        created=now(),
    )
    return Trained(package, comparison, parts.test, predicted(parts.test))


def constant_of(samples: Dataset) -> float:
    """The one number that is nearest to the logarithms of all costs."""
    return float(np.average(samples.cost, weights=samples.weight))


def data_of(samples: Dataset, upstream: str) -> dict[str, Any]:
    """What manifests say of the samples that a model is made of."""
    first, last = (datetime.fromtimestamp(time, UTC).isoformat() for time in samples.time[[0, -1]])
    return {"upstream": upstream, "rows": len(samples), "from": first, "until": last}
