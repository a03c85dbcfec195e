"""Trees of other libraries become arrays that answer exactly the same, or are refused by name."""

import json
from math import isfinite
from typing import Any

import pytest

pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")
pytest.importorskip("skl2onnx", reason="the group ai is not installed")

import lightgbm
import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from tidegate.ai import lightgbm_trees, onnx_trees
from tidegate.ai.matrix import Matrix, Vector
from tidegate.ai.network import Runtime
from tidegate.ai.trees import LARGEST, Fork, Trees, TreesError, below, flat, not_above

FEATURES = 5


def rows(count: int = 500, seed: int = 1) -> Matrix:
    random = np.random.default_rng(seed)
    return np.round(random.normal(0, 2, (count, FEATURES)), 1).astype(np.float32)


def target(of: Matrix) -> Vector:
    return (np.sin(of[:, 0]) + of[:, 1] * (of[:, 2] > 0)).astype(np.float64)


def same(trees: Trees, answers: Any, asked: Matrix) -> None:
    """Every row is answered as the library answered it."""
    said = [trees.answer(row) for row in asked.tolist()]
    np.testing.assert_allclose(said, np.ravel(answers), rtol=1e-5, atol=1e-5)


def boosted(**parameters: Any) -> lightgbm.Booster:
    given = {"verbosity": -1, "num_leaves": 15, "min_data_in_leaf": 3, "num_threads": 1, **parameters}
    return lightgbm.train(given, lightgbm.Dataset(rows(), target(rows())), 20)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"objective": "regression_l1"},
        {"objective": "quantile"},
        {"use_missing": False},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"boosting": "dart"},
        {"min_data_in_leaf": 1000},
    ],
    ids=str,
)
def test_lightgbm_answers_the_same_from_its_text_and_its_dump(parameters: dict[str, Any]) -> None:
    booster, asked = boosted(**parameters), rows(seed=2)
    answers = booster.predict(asked)
    same(lightgbm_trees.read(booster.model_to_string().encode(), FEATURES).trees, answers, asked)
    dump = booster.dump_model()
    same(lightgbm_trees.read(json.dumps(dump).encode(), FEATURES).trees, answers, asked)
    np.testing.assert_allclose(
        [lightgbm_trees.walked(dump, row) for row in asked.tolist()], answers, rtol=1e-9
    )


def test_both_files_of_lightgbm_tell_the_same_gains() -> None:
    booster = boosted()
    gains = [
        lightgbm_trees.read(content, FEATURES).gains
        for content in (booster.model_to_string().encode(), json.dumps(booster.dump_model()).encode())
    ]
    importance = dict(enumerate(booster.feature_importance("gain")))
    for found in gains:
        assert {feature: found.get(feature, 0.0) for feature in importance} == pytest.approx(
            importance, rel=1e-4
        )


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"objective": "binary"}, "the objective 'binary sigmoid:1' cannot be run"),
        ({"objective": "poisson"}, "the objective 'poisson' cannot be run"),
        ({"objective": "regression", "reg_sqrt": True}, "the objective 'regression sqrt' cannot be run"),
        ({"linear_tree": True}, "linear trees cannot be run: train without linear_tree"),
        ({"zero_as_missing": True}, "zeros that stand for missing values cannot be run"),
    ],
)
def test_what_trees_of_lightgbm_cannot_be_run_is_named(parameters: dict[str, Any], said: str) -> None:
    data = rows()
    labels = (target(data) > 0).astype(float) if "binary" in said else np.abs(target(data))
    given = {"verbosity": -1, "num_leaves": 15, "min_data_in_leaf": 3, "linear_tree": False, **parameters}
    booster = lightgbm.train(given, lightgbm.Dataset(data, labels, params=given), 10)
    for content in (booster.model_to_string(), json.dumps(booster.dump_model())):
        if "linear" in said and content.startswith("{"):
            continue  # its dump has the constants of the leaves beside what was fitted
        with pytest.raises(TreesError) as told:
            lightgbm_trees.read(content.encode(), FEATURES)
        assert str(told.value).startswith(said)


def test_categories_of_lightgbm_are_refused() -> None:
    data = np.abs(np.round(rows()))
    given = {"verbosity": -1, "min_data_in_leaf": 3, "min_data_per_group": 1, "cat_smooth": 1}
    booster = lightgbm.train(
        given, lightgbm.Dataset(data, target(data), categorical_feature=[0, 1, 2, 3, 4]), 5
    )
    for content in (booster.model_to_string(), json.dumps(booster.dump_model())):
        with pytest.raises(TreesError, match="categorical forks"):
            lightgbm_trees.read(content.encode(), FEATURES)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"tree\nTree=0\nnum_leaves=3\n", b"\xff", b'{"tree_info": [1]}']
)
def test_what_is_no_file_of_lightgbm_is_refused(content: bytes) -> None:
    with pytest.raises(TreesError):
        lightgbm_trees.read(content, FEATURES)


def test_a_feature_that_is_not_there_is_refused() -> None:
    with pytest.raises(TreesError, match="at most 3 features; found 5"):
        lightgbm_trees.read(boosted().model_to_string().encode(), 3)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "learner",
    [GradientBoostingRegressor(n_estimators=8), RandomForestRegressor(n_estimators=5, max_depth=6)],
    ids=str,
)
def test_a_regressor_of_onnx_answers_the_same(learner: Any, version: int) -> None:
    data = rows()
    if version in {2, 4}:  # they have the regressor of the version before
        exported = to_onnx(
            learner.fit(data, target(data)), data, target_opset={"": 17, "ai.onnx.ml": version - 1}
        )
        opsets = {each.domain: each for each in exported.opset_import}
        opsets["ai.onnx.ml"].version = version
    else:
        exported = to_onnx(
            learner.fit(data, target(data)), data, target_opset={"": 17, "ai.onnx.ml": version}
        )
    content, asked = exported.SerializeToString(), rows(seed=2)
    model = onnx_trees.loaded(content)
    assert onnx_trees.has_trees(model)
    same(onnx_trees.of_model(model, FEATURES), Runtime(content).answer(asked), asked)


def regressor(modes: list[str], **attributes: Any) -> bytes:
    """One tree of three forks and four leaves, which asks by these modes."""
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        **{
            "n_targets": 1,
            "nodes_treeids": [0] * 7,
            "nodes_nodeids": list(range(7)),
            "nodes_featureids": [0, 1, 2, 0, 0, 0, 0],
            "nodes_modes": [*modes, *["LEAF"] * 4],
            "nodes_values": [0.5, -0.5, 1.0, 0.0, 0.0, 0.0, 0.0],
            "nodes_truenodeids": [1, 3, 5, 0, 0, 0, 0],
            "nodes_falsenodeids": [2, 4, 6, 0, 0, 0, 0],
            "target_treeids": [0] * 4,
            "target_nodeids": [3, 4, 5, 6],
            "target_ids": [0] * 4,
            "target_weights": [1.0, 2.0, 4.0, 8.0],
            **attributes,
        },
    )
    return model_of([node], 3)


def model_of(nodes: list[onnx.NodeProto], version: int) -> bytes:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=opsets, ir_version=8)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"])
def test_every_comparison_of_onnx_is_the_same_at_its_threshold_too(mode: str) -> None:
    content = regressor([mode] * 3, base_values=[0.25])
    values = [-np.inf, -0.5, np.nextafter(np.float32(-0.5), np.float32(0)), 0.5, 1.0, 2.0]
    values += [float(np.nextafter(np.float32(each), np.float32(9))) for each in (0.5, 1.0)]
    asked = np.array(np.meshgrid(values, values, values)).reshape(3, -1).T
    asked = np.column_stack([asked, np.zeros((len(asked), 2))]).astype(np.float32)
    same(onnx_trees.of_model(onnx_trees.loaded(content), FEATURES), Runtime(content).answer(asked), asked)


def test_an_average_of_trees_is_the_same() -> None:
    content = regressor(["BRANCH_LEQ"] * 3, aggregate_function="AVERAGE")
    same(onnx_trees.of_model(onnx_trees.loaded(content), FEATURES), Runtime(content).answer(rows()), rows())


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_the_ensemble_of_version_5_is_the_same(mode: int) -> None:
    content = version_5(mode)
    same(onnx_trees.of_model(onnx_trees.loaded(content), FEATURES), Runtime(content).answer(rows()), rows())


def version_5(mode: int, **attributes: Any) -> bytes:
    """Two trees: one of two forks, and one that is a leaf."""

    def tensor(name: str, kind: int, values: list[Any]) -> onnx.TensorProto:
        return helper.make_tensor(name, kind, [len(values)], values)

    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        **{
            "n_targets": 1,
            "aggregate_function": 1,
            "post_transform": 0,
            "tree_roots": [0, 2],
            "nodes_modes": tensor("modes", TensorProto.UINT8, [mode] * 3),
            "nodes_featureids": [0, 1, 0],
            "nodes_splits": tensor("splits", TensorProto.FLOAT, [0.5, -0.5, 0.0]),
            "nodes_truenodeids": [1, 0, 3],
            "nodes_trueleafs": [0, 1, 1],
            "nodes_falsenodeids": [2, 1, 3],
            "nodes_falseleafs": [1, 1, 1],
            "leaf_targetids": [0, 0, 0, 0],
            "leaf_weights": tensor("weights", TensorProto.FLOAT, [1.0, 2.0, 4.0, 0.5]),
            **attributes,
        },
    )
    return model_of([node], 5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (regressor(["BRANCH_EQ"] * 3), "forks by BRANCH_EQ cannot be run"),
        (
            version_5(6, membership_values=helper.make_tensor("m", TensorProto.FLOAT, [1], [0.0])),
            "forks by BRANCH_MEMBER",
        ),
        (
            regressor(["BRANCH_LEQ"] * 3, post_transform="LOGISTIC"),
            "the post_transform LOGISTIC cannot be run",
        ),
        (regressor(["BRANCH_LEQ"] * 3, aggregate_function="MAX"), "the aggregate_function MAX cannot be run"),
        (regressor(["BRANCH_LEQ"] * 3, n_targets=2), "expected trees with one output; found 2"),
        (
            regressor(["BRANCH_LEQ"] * 3, nodes_featureids=[0, 1, 9, 0, 0, 0, 0]),
            "it asks for feature 9; there are 5",
        ),
        (regressor(["BRANCH_LEQ"] * 3, nodes_truenodeids=[1, 3, 77, 0, 0, 0, 0]), "its trees are broken"),
        (
            regressor(["BRANCH_LEQ"] * 3, nodes_values=[float("nan")] * 7),
            "expected thresholds that are numbers",
        ),
        (
            regressor(["BRANCH_LEQ"] * 3, target_weights=[1.0, 2.0, 4.0, float("inf")]),
            "expected finite values",
        ),
        (
            model_of(
                [
                    helper.make_node("Scaler", ["x"], ["z"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0]),
                    onnx.load_model_from_string(regressor(["BRANCH_LEQ"] * 3)).graph.node[0],
                ],
                3,
            ),
            "the operator Scaler cannot be run beside trees",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_trees_of_onnx_cannot_be_run_is_named(content: bytes, said: str) -> None:
    with pytest.raises(TreesError) as told:
        onnx_trees.of_model(onnx_trees.loaded(content), FEATURES)
    assert str(told.value).startswith(said)


def test_nodes_in_a_circle_have_an_end() -> None:
    content = regressor(
        ["BRANCH_LEQ"] * 3, nodes_truenodeids=[1, 3, 1, 0, 0, 0, 0], nodes_falsenodeids=[2, 2, 2, 0, 0, 0, 0]
    )
    with pytest.raises(TreesError, match="goes in a circle"):
        onnx_trees.of_model(onnx_trees.loaded(content), FEATURES)


@pytest.mark.parametrize("content", [b"", b"x" * 50, b"\x08\x08"])
def test_what_is_no_onnx_file_is_refused(content: bytes) -> None:
    with pytest.raises(TreesError, match="it is no ONNX file"):
        onnx_trees.loaded(content)


@given(
    st.floats(allow_nan=False),
    st.floats(width=32, min_value=-below(LARGEST), allow_nan=False, allow_infinity=False),
)
def test_a_threshold_of_32_bits_parts_numbers_as_the_one_of_64_did(threshold: float, x: float) -> None:
    assert (x <= not_above(threshold)) == (x <= threshold)
    assert isfinite(not_above(threshold))


@given(st.floats(width=32, min_value=-below(LARGEST), allow_nan=False, allow_infinity=False))
def test_the_next_smaller_number_is_next(value: float) -> None:
    assert below(value) == np.nextafter(np.float32(value), np.float32(-np.inf))


def test_children_come_after_their_parent() -> None:
    forks = {
        0: Fork(0, 1.0, 3, 1),
        1: Fork(1, 2.0, "a", 2),
        2: Fork(0, 3.0, "b", "c"),
        3: Fork(1, 0.0, "d", "e"),
    }
    leaves = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}
    tree = flat(0, lambda at: forks[at] if isinstance(at, int) else leaves[str(at)], 2)
    children = [(at, child) for at in range(4) for child in (tree.left[at], tree.right[at]) if child >= 0]
    assert all(child > parent for parent, child in children)
    assert sorted(tree.leaf) == [1, 2, 3, 4, 5]
