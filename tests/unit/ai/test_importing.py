"""Models from elsewhere: what becomes of them, with samples and without."""

import json

import pytest

pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")

import lightgbm
import numpy as np

from tests.unit.ai import synthetic
from tidegate.ai.features import NAMES
from tidegate.ai.file_names import GOLDEN
from tidegate.ai.golden import ROWS
from tidegate.ai.importing import imported
from tidegate.ai.manifest import Calibration
from tidegate.ai.matrix import Matrix, Vector
from tidegate.ai.network import INPUT, Layer, written
from tidegate.ai.package import Package

SAMPLES = synthetic.samples()


def vectors(package: Package) -> tuple[Matrix, Vector]:
    rows = np.frombuffer(package.files[GOLDEN], "<f4").reshape(ROWS, len(NAMES) + 1)
    return rows[:, :-1], rows[:, -1].astype(np.float64)


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    parameters = {"verbosity": -1, "num_threads": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(SAMPLES.features, SAMPLES.residual), 20)


def test_trees_without_samples_are_neither_calibrated_nor_watched_for_drift(
    booster: lightgbm.Booster,
) -> None:
    package = imported(booster.model_to_string().encode(), "a test", 1, None, None)
    manifest = package.manifest
    assert (manifest.model, manifest.learner) == ("model.trees", "imported")
    assert manifest.calibration == Calibration()
    assert manifest.drift.inputs == ()
    assert manifest.figures["gain"]["path_number_1"] > 0.5
    inputs, outputs = vectors(package)
    np.testing.assert_allclose(outputs, booster.predict(inputs), rtol=1e-6)
    assert len(np.unique(outputs)) > 50


def test_trees_with_samples_are_calibrated_by_them(booster: lightgbm.Booster) -> None:
    package = imported(json.dumps(booster.dump_model()).encode(), "a test", 1, SAMPLES, "app")
    manifest = package.manifest
    assert 1 < manifest.calibration.scale < 1.3  # of so few rounds the answers are too small
    assert manifest.data["upstream"] == "app"
    assert manifest.figures["explained"]["model"] > manifest.figures["explained"]["learner"]
    assert len(manifest.drift.inputs) == len(NAMES)


def test_a_networks_input_gets_the_name_that_the_engine_knows() -> None:
    layer = Layer(np.ones((len(NAMES), 1)), np.zeros(1))
    named = written([layer], np.zeros(len(NAMES)), np.ones(len(NAMES)))
    renamed = named.replace(INPUT.encode(), b"inputs_x")
    assert renamed != named
    package = imported(renamed, "a test", 1, None, None)
    assert package.files["model.onnx"] == named


@pytest.mark.parametrize("content", [b"tree\nversion=v4\n", b'{"tree_info": 1}', b"\x80\x04pickle", b""])
def test_what_cannot_be_imported_says_why(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|ONNX"):
        imported(content, "a test", 1, None, None)


def test_a_network_of_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="onnxruntime cannot run it on 23 features"):
        imported(written([Layer(np.ones((3, 1)), np.zeros(1))], np.zeros(3), np.ones(3)), "", 1, None, None)
