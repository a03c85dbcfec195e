"""A weighted sum of the features (ridge regression), by scikit-learn."""

import numpy as np
from sklearn.linear_model import Ridge

from tidegate.ai.dataset import Dataset
from tidegate.ai.learners.learner import Learned
from tidegate.ai.learners.scale import Scale
from tidegate.ai.network import MODEL_FILE, Layer, Runtime, scaled, written

PENALTY = 1.0
"""On squared weights, in samples."""


def learn(samples: Dataset, _later: Dataset, _seed: int) -> Learned:
    """One layer. It has one solution: nothing is drawn, and there is nothing to stop."""
    scale = Scale.of(samples)
    model = Ridge(PENALTY).fit(scale.applied(samples.features), samples.residual, samples.weight)
    layer = Layer(np.reshape(model.coef_, (-1, 1)), np.reshape(model.intercept_, 1))
    content = written([scaled(layer, scale.mean, scale.deviation)], scale.lowest, scale.highest)
    return Learned(MODEL_FILE, content, Runtime(content).answer, {})
