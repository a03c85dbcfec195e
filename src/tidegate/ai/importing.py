"""Models that were trained elsewhere: LightGBM's own files, and ONNX."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import onnx

from tidegate.ai import golden, lightgbm_trees, onnx_trees
from tidegate.ai.calibrate import calibration_of, drift_of
from tidegate.ai.dataset import Dataset
from tidegate.ai.evaluate import calibrated, compared
from tidegate.ai.features import NAMES
from tidegate.ai.manifest import ModelFile, now
from tidegate.ai.matrix import Matrix, Vector
from tidegate.ai.network import INPUT, Runtime
from tidegate.ai.network import MODEL_FILE as NETWORK_FILE
from tidegate.ai.package import Package
from tidegate.ai.train import constant_of, data_of
from tidegate.ai.trees import MODEL_FILE as TREES_FILE
from tidegate.ai.trees import Trees, shares_of_gain


class _Read(NamedTuple):
    file: ModelFile
    content: bytes
    answer: Callable[[Matrix], Vector]
    """What the library says that wrote it, or that runs its format."""
    compared_with: list[list[float]]
    """The numbers that it compares each feature with."""
    gains: dict[str, float]


def imported(
    content: bytes, author: str, seed: int, samples: Dataset | None, upstream: str | None
) -> Package:
    """The model in a file. With samples it is calibrated, and it is known from when on it has drifted.

    Raises TreesError, which names what cannot be run, and ValueError if onnxruntime does not take it.
    """
    read = _read(content)
    inputs = golden.around(read.compared_with, seed)
    about: dict[str, Any] = {"figures": {"gain": read.gains}}
    if samples is not None:
        inputs = golden.of_samples(samples.features, seed)
        about = _measured(read, samples, upstream or "")
    vectors = golden.written(inputs, read.answer(inputs))
    return Package.made(
        read.file, read.content, vectors, author=author, learner="imported", created=now(), **about
    )


def _measured(read: _Read, samples: Dataset, upstream: str) -> dict[str, Any]:
    """What samples say of a model that has not seen them."""
    answers = read.answer(samples.features)
    calibration = calibration_of(samples, answers)
    predicted = calibrated(samples, answers, calibration)
    figures = compared(samples, predicted, constant_of(samples)).plain()
    return {
        "calibration": calibration,
        "drift": drift_of(samples.features, samples.cost - predicted),
        "data": data_of(samples, upstream),
        "figures": {**figures, "gain": read.gains},
    }


def _read(content: bytes) -> _Read:
    if lightgbm_trees.is_dump(content) or content.startswith(b"tree"):
        return _of_lightgbm(content)
    model = onnx_trees.loaded(content)
    answer = Runtime(content).answer
    if onnx_trees.has_trees(model):
        return _of_trees(onnx_trees.of_model(model, len(NAMES)), answer, {})
    return _Read(NETWORK_FILE, _with_named_input(model), answer, [[] for _ in NAMES], {})


def _of_lightgbm(content: bytes) -> _Read:
    trees, gains = lightgbm_trees.read(content, len(NAMES))
    if lightgbm_trees.is_dump(content):
        answer = _walking(json.loads(content))
    else:
        booster = lightgbm.Booster(model_str=content.decode())

        def answer(rows: Matrix) -> Vector:
            return np.asarray(booster.predict(rows[:, : booster.num_feature()]), np.float64)

    return _of_trees(trees, answer, shares_of_gain(NAMES, gains))


def _walking(dump: Any) -> Callable[[Matrix], Vector]:
    return lambda rows: np.array([lightgbm_trees.walked(dump, row) for row in rows.tolist()])


def _of_trees(trees: Trees, answer: Callable[[Matrix], Vector], gains: dict[str, float]) -> _Read:
    compared_with: list[list[float]] = [[] for _ in NAMES]
    for tree in trees.trees:
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True):
            compared_with[feature].append(threshold)
    return _Read(TREES_FILE, trees.written(), answer, compared_with, gains)


def _with_named_input(model: onnx.ModelProto) -> bytes:
    """The network, whose input is called as the engine calls it."""
    (given,) = {each.name for each in model.graph.input} - {each.name for each in model.graph.initializer}
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == given:
                node.input[index] = INPUT
    for each in model.graph.input:
        if each.name == given:
            each.name = INPUT
    content: bytes = model.SerializeToString(deterministic=True)
    return content
