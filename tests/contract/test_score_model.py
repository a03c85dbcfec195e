"""The engine takes what is trained and imported here, answers the same, and refuses what would do harm."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

pytest.importorskip("tidegate._engine", reason="the engine is not built")
pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")

import lightgbm
import numpy as np

from tests.unit.ai import synthetic
from tidegate._engine import score_model
from tidegate.ai.features import NAMES
from tidegate.ai.file_names import GOLDEN
from tidegate.ai.golden import ROWS
from tidegate.ai.importing import imported
from tidegate.ai.package import Package, PackageError
from tidegate.ai.score import scored
from tidegate.ai.train import Trained, train

SAMPLES = synthetic.samples()
Name = Literal["lightgbm", "mlp", "linear"]


@pytest.fixture(scope="module", params=["lightgbm", "mlp", "linear"])
def trained(request: pytest.FixtureRequest) -> Trained:
    return train(SAMPLES, "app", request.param, seed=7, author="a test")


def test_the_engine_answers_as_the_library_did(trained: Trained) -> None:
    answers = scored(trained.package, trained.test.features)
    np.testing.assert_allclose(trained.test.expected + answers, trained.predicted, rtol=1e-4, atol=1e-4)


def test_the_engine_answers_something_finite_whatever_it_is_asked(trained: Trained) -> None:
    rows = np.zeros((4 * len(NAMES), len(NAMES)), np.float32)
    for index in range(len(NAMES)):
        rows[4 * index : 4 * index + 4, index] = [np.nan, 1e30, -1e30, np.inf]
    assert np.isfinite(scored(trained.package, rows)).all()


def test_an_imported_file_of_lightgbm_answers_as_lightgbm_does() -> None:
    parameters = {"verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(SAMPLES.features, SAMPLES.residual), 20)
    for content in (booster.model_to_string(), json.dumps(booster.dump_model())):
        package = imported(content.encode(), "a test", 1, None, None)
        answers = scored(package, SAMPLES.features)
        np.testing.assert_allclose(answers, booster.predict(SAMPLES.features), rtol=1e-4, atol=1e-4)


def test_an_imported_network_answers_as_onnxruntime_does(trained: Trained) -> None:
    if trained.package.manifest.model == "model.trees":
        pytest.skip("it has no network")
    package = imported(trained.package.files["model.onnx"], "a test", 1, SAMPLES, "app")
    assert package.manifest.data["rows"] == len(SAMPLES)
    assert np.isfinite(scored(package, SAMPLES.features)).all()


def spoilt(package: Package, **files: bytes) -> Package:
    """The package with other contents, whose hashes are right."""
    about = package.manifest.model_dump(exclude={"model", "files"})
    content = files.get("content", package.files[package.manifest.model])
    return Package.made(package.manifest.model, content, files.get("golden", package.files[GOLDEN]), **about)


def vectors(package: Package, change: Callable[[Any], None]) -> bytes:
    rows = np.frombuffer(package.files[GOLDEN], "<f4").reshape(ROWS, len(NAMES) + 1).copy()
    change(rows)
    return rows.tobytes()


def test_a_model_that_misses_its_golden_vectors_is_refused(trained: Trained) -> None:
    def change(rows: Any) -> None:
        rows[17, -1] += 0.01

    package = spoilt(trained.package, golden=vectors(trained.package, change))
    with pytest.raises(PackageError, match="golden vector 17"):
        scored(package, SAMPLES.features)


def test_an_archive_that_was_changed_is_refused(trained: Trained) -> None:
    archive = bytearray(trained.package.archive())
    archive[-2048] ^= 1
    with pytest.raises(ValueError, match=r"SHA-256|tar"):
        score_model(bytes(archive), b"")


@pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b'{"format": 1, "base": 0, "trees": []}'])
def test_garbage_is_refused(trained: Trained, content: bytes) -> None:
    with pytest.raises(PackageError, match="the engine refuses the model"):
        scored(spoilt(trained.package, content=content), SAMPLES.features)


def test_rows_that_are_not_whole_are_refused(trained: Trained) -> None:
    with pytest.raises(ValueError, match="multiple of 92"):
        score_model(trained.package.archive(), b"1234")
