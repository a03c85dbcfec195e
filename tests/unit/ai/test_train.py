"""Training: what later samples say of a model, and that it is what the engine is given."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")

import numpy as np

from tests.unit.ai import synthetic
from tidegate.ai import golden
from tidegate.ai.calibrate import calibration_of, drift_of
from tidegate.ai.dataset import Dataset, read, split
from tidegate.ai.evaluate import figures, pairs
from tidegate.ai.features import NAMES
from tidegate.ai.file_names import GOLDEN
from tidegate.ai.matrix import Vector
from tidegate.ai.network import Layer, Runtime, scaled, written
from tidegate.ai.package import Package
from tidegate.ai.sample_files import SamplesError
from tidegate.ai.train import LEARNERS, Trained, train

Name = Literal["lightgbm", "mlp", "linear"]
NAMED: tuple[Name, ...] = ("lightgbm", "mlp", "linear")
SAMPLES = synthetic.samples()


@pytest.fixture(scope="module", params=NAMED)
def trained(request: pytest.FixtureRequest) -> Trained:
    return train(SAMPLES, "app", request.param, seed=7, author="a test")


def test_a_model_explains_more_than_the_online_learner_and_a_constant(trained: Trained) -> None:
    model, learner, constant = trained.comparison
    assert constant.explained <= 0 < learner.explained < model.explained
    assert learner.rank < model.rank
    assert 0.9 < model.slope < 1.1
    assert abs(model.bias) < 0.1


def test_a_model_file_is_the_same_for_the_same_seed(trained: Trained) -> None:
    learner = trained.package.manifest.learner
    again = train(SAMPLES, "app", learner, seed=7, author="a test").package
    file = trained.package.manifest.model
    assert again.files[file] == trained.package.files[file]
    assert again.files[GOLDEN] == trained.package.files[GOLDEN]


def test_a_model_says_what_it_was_made_of(trained: Trained) -> None:
    manifest = Package.of_archive(trained.package.archive()).manifest
    assert manifest.data["upstream"] == "app"
    assert manifest.data["rows"] == len(SAMPLES)
    assert manifest.data["from"] < manifest.data["until"]
    assert manifest.figures["explained"]["model"] > manifest.figures["explained"]["learner"]
    assert [each.feature for each in manifest.drift.inputs] == list(NAMES)


def test_golden_vectors_are_no_requests_that_were_made(trained: Trained) -> None:
    rows = np.frombuffer(trained.package.files[GOLDEN], "<f4").reshape(golden.ROWS, len(NAMES) + 1)
    assert np.isfinite(rows).all()
    made = {row.tobytes() for row in SAMPLES.features}
    assert sum(row[:-1].tobytes() in made for row in rows) < 3


def test_samples_of_no_use_make_a_model_that_says_nothing() -> None:
    random = np.random.default_rng(3)
    noise = Dataset(
        SAMPLES.time, SAMPLES.expected + random.normal(0, 1, len(SAMPLES)), SAMPLES.weight, SAMPLES.features
    )
    model, learner, _ = train(noise, "app", "lightgbm", seed=7, author="").comparison
    assert model.explained == pytest.approx(learner.explained, abs=0.02)


def test_what_came_later_tests_what_was_learnt_before() -> None:
    parts = split(SAMPLES)
    assert parts.learn.time.max() < parts.calibrate.time.min()
    assert parts.calibrate.time.max() < parts.test.time.min()
    assert sum(map(len, parts)) == len(SAMPLES)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(SamplesError, match="expected at least 1000 samples; found 10: wait for more traffic"):
        train(SAMPLES.part(0, 10), "app", "linear", seed=7, author="")


def test_samples_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="there are no samples of the upstream 'a/b'"):
        read(tmp_path, "a/b")
    shuffled = np.random.default_rng(1).permutation(len(SAMPLES))
    mixed = Dataset(
        SAMPLES.time[shuffled], SAMPLES.cost[shuffled], SAMPLES.weight[shuffled], SAMPLES.features[shuffled]
    )
    synthetic.write(tmp_path, "a/b", mixed)
    found = read(tmp_path, "a/b")
    np.testing.assert_array_equal(found.time, SAMPLES.time)
    np.testing.assert_array_equal(found.features, SAMPLES.features)
    np.testing.assert_allclose(found.cost, SAMPLES.cost)


def test_samples_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    synthetic.write(tmp_path, "app", SAMPLES)
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"garbage")
    with pytest.raises(SamplesError, match=f"the samples in {file.parent} cannot be read"):
        read(tmp_path, "app")


def predicted(explained: Vector) -> Dataset:
    """Requests that the online learner expects 1 second of, and that cost e to the power of these."""
    features = np.zeros((len(explained), len(NAMES)), np.float32)
    return Dataset(np.arange(len(explained), dtype=np.float64), explained, np.ones(len(explained)), features)


def test_a_calibration_undoes_what_is_exaggerated_and_flattens_what_is_inverted() -> None:
    truth = np.linspace(-1, 1, 1000)
    made = calibration_of(predicted(truth), 2 * truth + 0.5)
    assert [made.scale, made.offset] == pytest.approx([0.5, -0.25])
    assert calibration_of(predicted(truth), -truth).scale == 0
    flat = calibration_of(predicted(truth + 3), np.zeros(1000))
    assert [flat.scale, flat.offset] == pytest.approx([0, 3])


def test_slow_requests_of_which_all_are_sampled_do_not_count_for_more() -> None:
    cost = np.concatenate([np.zeros(99), np.full(99, 5.0)])
    weight = np.concatenate([np.full(99, 100.0), np.ones(99)])
    samples = Dataset(np.arange(198.0), cost, weight, np.zeros((198, len(NAMES)), np.float32))
    assert figures(samples, np.zeros(198)).bias == pytest.approx(5 / 101)
    drawn = [cost for cost, _ in pairs(samples, np.zeros(198), seed=1)]
    assert sum(cost > 1000 for cost in drawn) < 12


def test_bins_hold_what_the_engine_counts_in_them() -> None:
    rows = SAMPLES.features
    drift = drift_of(rows, SAMPLES.residual)
    for bins, column in zip(drift.inputs, rows.T, strict=True):
        edges = np.array([-np.inf, *bins.edges, np.inf])
        shares = [((low <= column) & (column < high)).mean() for low, high in pairwise(edges)]
        assert bins.shares == pytest.approx(shares)
        assert len(bins.edges) <= 9


def test_a_network_answers_something_finite_whatever_comes_in() -> None:
    layers = [Layer(np.full((len(NAMES), 4), 3.0), np.zeros(4)), Layer(np.ones((4, 1)), np.zeros(1))]
    content = written(layers, np.zeros(len(NAMES)), np.ones(len(NAMES)))
    rows = np.zeros((5, len(NAMES)), np.float32)
    rows[1:, 3] = [np.inf, -np.inf, 1e30, -1e30]
    answers = Runtime(content).answer(rows)
    np.testing.assert_array_equal(answers, [0, 12, 0, 12, 0])


def test_scaling_is_part_of_the_first_layer() -> None:
    random = np.random.default_rng(1)
    layer = Layer(random.normal(size=(3, 2)), random.normal(size=2))
    mean, deviation, rows = random.normal(size=3), random.random(3) + 1, random.normal(size=(5, 3))
    folded = scaled(layer, mean, deviation)
    expected = (rows - mean) / deviation @ layer.weights + layer.biases
    np.testing.assert_allclose(rows @ folded.weights + folded.biases, expected)


def test_every_learner_has_a_name() -> None:
    assert tuple(LEARNERS) == NAMED
