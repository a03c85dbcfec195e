"""Gradient boosted trees (Ke et al., NIPS 2017), by LightGBM."""

import lightgbm
import numpy as np

from tidegate.ai import features, lightgbm_trees
from tidegate.ai.dataset import Dataset
from tidegate.ai.learners.learner import Learned
from tidegate.ai.matrix import Matrix, Vector
from tidegate.ai.trees import MODEL_FILE, shares_of_gain

ROUNDS = 100
LEAVES = 31
"""With so many trees of so many leaves an answer takes a few microseconds, which the engine allows."""
PATIENCE = 10
"""Rounds without anything gained on later samples, until it is over."""


def learn(samples: Dataset, later: Dataset, seed: int) -> Learned:
    """Trees. One thread, so that sums are made in one order on every machine."""
    parameters = {
        "objective": "regression",
        "learning_rate": 0.1,
        "num_leaves": LEAVES,
        "min_data_in_leaf": 50,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    known = lightgbm.Dataset(samples.features, samples.residual, weight=samples.weight)
    new = lightgbm.Dataset(later.features, later.residual, weight=later.weight, reference=known)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    booster = lightgbm.train(parameters, known, ROUNDS, valid_sets=[new], callbacks=[stop])
    trees, gains = lightgbm_trees.of_text(
        booster.model_to_string(num_iteration=booster.best_iteration), len(features.NAMES)
    )

    def answer(rows: Matrix) -> Vector:
        return np.asarray(booster.predict(rows, num_iteration=booster.best_iteration), np.float64)

    return Learned(MODEL_FILE, trees.written(), answer, shares_of_gain(features.NAMES, gains))
