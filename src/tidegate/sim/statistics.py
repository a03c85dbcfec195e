"""What several runs say together."""

import math
from collections.abc import Sequence
from typing import NamedTuple

# The 97.5 % quantiles of Student's t for 1, 2, … degrees of freedom.
_STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.96


class Estimate(NamedTuple):
    """A mean over runs, and half the width of its 95 % confidence interval."""

    mean: float
    margin: float | None
    """None: one run says nothing of it."""


def estimate(samples: Sequence[float]) -> Estimate:
    """The mean of `samples`, which are taken for independent and near to normal."""
    count = len(samples)
    mean = math.fsum(samples) / count
    if count < 2:
        return Estimate(mean, None)
    variance = math.fsum((sample - mean) ** 2 for sample in samples) / (count - 1)
    quantile = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else _NORMAL
    return Estimate(mean, quantile * math.sqrt(variance / count))


def change(samples: Sequence[float], baseline: Sequence[float]) -> Estimate | None:
    """By what share `samples` lie above `baseline`, run by run: the runs of a pair saw the same requests.

    None if a baseline is zero.
    """
    if not all(baseline):
        return None
    return estimate([sample / base - 1 for sample, base in zip(samples, baseline, strict=True)])
