"""Why a model says what it says: of requests on the whole, and of one."""

from collections.abc import Callable, Mapping

import numpy as np

from tidegate.ai.dataset import Dataset
from tidegate.ai.evaluate import figures
from tidegate.ai.features import NAMES
from tidegate.ai.matrix import Matrix, Vector

Answer = Callable[[Matrix], Vector]
"""What a model says of rows."""
ASKED = 20_000
"""So many samples are asked about, the latest."""


def importance(samples: Dataset, answer: Answer, seed: int) -> Mapping[str, float]:
    """By feature how much less is explained where its values are dealt to the requests at random, the largest
    first.

    Permutation importance (Breiman, *Random Forests*, 2001).
    """
    asked = samples.part(max(len(samples) - ASKED, 0))
    random = np.random.default_rng(seed)

    def explained(rows: Matrix) -> float:
        return figures(asked, asked.expected + answer(rows)).explained

    whole, lost = explained(asked.features), {}
    for index, name in enumerate(NAMES):
        rows = asked.features.copy()
        random.shuffle(rows[:, index])
        lost[name] = whole - explained(rows)
    return _largest_first(lost)


def contributions(samples: Dataset, answer: Answer, at: int) -> Mapping[str, float]:
    """By feature what one answer would be less if only that feature were as usual (the median), the largest
    first.

    In logarithms of the cost. They need not sum to the answer, as features may count together.
    """
    row, usual = samples.features[at], np.median(samples.features, axis=0)
    rows = np.tile(row, (len(NAMES) + 1, 1))
    for index in range(len(NAMES)):
        rows[index + 1, index] = usual[index]
    answers = answer(rows)
    return _largest_first(dict(zip(NAMES, (answers[0] - answers[1:]).tolist(), strict=True)))


def _largest_first(found: dict[str, float]) -> Mapping[str, float]:
    return dict(sorted(found.items(), key=lambda each: -abs(each[1])))
