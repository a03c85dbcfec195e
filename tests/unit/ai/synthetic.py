"""Samples whose costs follow from their features, so that it is known what can be learnt of them."""

from pathlib import Path

import numpy as np
import polars

from tidegate.ai.dataset import Dataset
from tidegate.ai.features import NAMES
from tidegate.ai.sample_files import COST, TIME, WEIGHT, folder_of

BEGIN = 1_795_000_000.0
NOISE = 0.2


def samples(rows: int = 4_000, seed: int = 1) -> Dataset:
    """Requests of four templates; the online learner knows their means, and not that a number in the path
    counts.
    """
    random = np.random.default_rng(seed)
    features = np.zeros((rows, len(NAMES)), np.float32)
    at = {name: index for index, name in enumerate(NAMES)}
    template, number = random.integers(0, 4, rows), random.integers(1, 1000, rows)
    features[:, at["template"]] = template / 4
    features[:, at["expected"]] = np.log(0.004) + template
    features[:, at["path_number_1"]] = np.log1p(number)
    features[:, at["method"]] = random.integers(0, 3, rows)
    features[:, at["load"]] = random.random(rows)
    known = features[:, at["expected"]] + 0.5 * (features[:, at["path_number_1"]] - 6)
    cost = known + np.where(features[:, at["method"]] == 2, 0.7, 0) + random.normal(0, NOISE, rows)
    time = BEGIN + np.arange(rows, dtype=np.float64)
    return Dataset(time, cost.astype(np.float64), np.ones(rows), features)


def write(state_dir: Path, upstream: str, data: Dataset) -> None:
    """Put them where the gateway would have put them."""
    folder = folder_of(state_dir, upstream)
    folder.mkdir(parents=True, exist_ok=True)
    columns = {TIME: data.time, COST: np.exp(data.cost), WEIGHT: data.weight}
    columns |= {name: data.features[:, index] for index, name in enumerate(NAMES)}
    polars.DataFrame(columns).write_parquet(folder / "2026-11-18.001.parquet")
