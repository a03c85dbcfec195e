"""A small neural network of one hidden layer, by scikit-learn."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from tidegate.ai.dataset import Dataset
from tidegate.ai.learners.learner import Learned
from tidegate.ai.learners.scale import Scale
from tidegate.ai.network import MODEL_FILE, Layer, Runtime, scaled, written

HIDDEN = 32
"""So many units answer in the time that the engine allows."""
EPOCHS = 60
PATIENCE = 5


def learn(samples: Dataset, _later: Dataset, seed: int) -> Learned:
    """Two layers. One thread, so that sums are made in one order; it stops by a tenth of its own samples."""
    scale = Scale.of(samples)
    model = MLPRegressor(
        hidden_layer_sizes=(HIDDEN,),
        alpha=1e-3,
        batch_size=256,
        max_iter=EPOCHS,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    )
    with threadpool_limits(1), warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model.fit(scale.applied(samples.features), samples.residual, samples.weight / samples.weight.mean())
    first, second = (Layer(*each) for each in zip(model.coefs_, model.intercepts_, strict=True))
    layers = [scaled(first, scale.mean, scale.deviation), second]
    content = written(layers, scale.lowest, scale.highest)
    return Learned(MODEL_FILE, content, Runtime(content).answer, {})
