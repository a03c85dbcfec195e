"""Tree ensembles of ONNX: `TreeEnsembleRegressor` (ai.onnx.ml 1 to 4) and `TreeEnsemble` (5).

https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from tidegate.ai.trees import Fork, Node, Tree, Trees, TreesError, below, flat, joined

PASSING = frozenset({"Identity"})
"""Operators beside the trees that change nothing."""
ENSEMBLES = frozenset({"TreeEnsembleRegressor", "TreeEnsemble"})
MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
"""What a fork asks, by its number in version 5."""
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")

Attributes = Mapping[str, Any]


def loaded(content: bytes) -> onnx.ModelProto:
    """The model in a file. Raises TreesError if it is none."""
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise TreesError(f"it is no ONNX file: {error}") from None
    if not model.graph.node:
        raise TreesError("it is no ONNX file, or one without operators")
    return model


def has_trees(model: onnx.ModelProto) -> bool:
    """Whether an ensemble of trees is among its operators."""
    return any(node.op_type in ENSEMBLES for node in model.graph.node)


def of_model(model: onnx.ModelProto, features: int) -> Trees:
    """The trees of a model that has an ensemble. Raises TreesError, which names what cannot be run."""
    others = [node.op_type for node in model.graph.node if node.op_type not in ENSEMBLES | PASSING]
    if others:
        raise TreesError(f"the operator {others[0]} cannot be run beside trees: export the trees alone")
    ensembles = [node for node in model.graph.node if node.op_type in ENSEMBLES]
    if len(ensembles) != 1:
        raise TreesError(f"expected one ensemble of trees; found {len(ensembles)}")
    attributes = {each.name.removesuffix("_as_tensor"): _value(each) for each in ensembles[0].attribute}
    try:
        if ensembles[0].op_type == "TreeEnsemble":
            return _of_version_5(attributes, features)
        return _of_regressor(attributes, features)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        if isinstance(error, TreesError):
            raise
        raise TreesError(f"its trees are broken: {type(error).__name__} {error}") from error


class _Question(NamedTuple):
    """What a fork asks, and where it leads."""

    mode: str
    feature: int
    threshold: float
    true: object
    false: object

    def fork(self) -> Fork:
        """The same as a fork that asks whether a number is at most the threshold. Raises TreesError."""
        threshold, true, false = float(self.threshold), self.true, self.false
        if self.mode in {"BRANCH_LT", "BRANCH_GTE"}:
            threshold = below(threshold)
        elif self.mode not in {"BRANCH_LEQ", "BRANCH_GT"}:
            raise TreesError(f"forks by {self.mode} cannot be run: only <=, <, >= and > can")
        if self.mode in {"BRANCH_GTE", "BRANCH_GT"}:
            true, false = false, true
        return Fork(self.feature, threshold, true, false)


def _of_version_5(said: Attributes, features: int) -> Trees:
    _check_one_output(said)
    _check_post_transform(POST_TRANSFORMS[said.get("post_transform", 0)])

    def node(at: object) -> Node:
        assert isinstance(at, tuple)
        is_leaf, index = at
        if is_leaf:
            return float(said["leaf_weights"][index])
        return _Question(
            MODES[said["nodes_modes"][index]],
            said["nodes_featureids"][index],
            said["nodes_splits"][index],
            (bool(said["nodes_trueleafs"][index]), said["nodes_truenodeids"][index]),
            (bool(said["nodes_falseleafs"][index]), said["nodes_falsenodeids"][index]),
        ).fork()

    # A tree that is one leaf has a fork all the same, both sides of which are that leaf.
    trees = [flat((False, at), node, features) for at in said["tree_roots"]]
    return _aggregated(AGGREGATES[said.get("aggregate_function", 1)], 0.0, trees)


def _of_regressor(said: Attributes, features: int) -> Trees:
    _check_one_output(said)
    _check_post_transform(said.get("post_transform", "NONE"))
    rows = list(zip(said["nodes_treeids"], said["nodes_nodeids"], strict=True))
    index = {row: at for at, row in enumerate(rows)}
    leaves: dict[tuple[int, int], float] = {}
    for row in zip(said["target_treeids"], said["target_nodeids"], said["target_weights"], strict=True):
        leaves[row[0], row[1]] = leaves.get((row[0], row[1]), 0.0) + float(row[2])

    def node(key: object) -> Node:
        assert isinstance(key, tuple)
        at = index[key]
        mode = said["nodes_modes"][at]
        if mode == "LEAF":
            return leaves.get(key, 0.0)
        true, false = said["nodes_truenodeids"][at], said["nodes_falsenodeids"][at]
        return _Question(
            mode, said["nodes_featureids"][at], said["nodes_values"][at], (key[0], true), (key[0], false)
        ).fork()

    below_others = {(tree, each) for tree, each in _children(said, rows)}
    roots = [row for row in rows if row not in below_others]
    trees = [flat(root, node, features) for root in roots]
    base = sum(map(float, said.get("base_values", [])))
    return _aggregated(said.get("aggregate_function", "SUM"), base, trees)


def _children(said: Attributes, rows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """All nodes that a fork leads to."""
    return [
        (tree, child)
        for at, (tree, _) in enumerate(rows)
        if said["nodes_modes"][at] != "LEAF"
        for child in (said["nodes_truenodeids"][at], said["nodes_falsenodeids"][at])
    ]


def _check_one_output(said: Attributes) -> None:
    if said.get("n_targets", 1) != 1:
        raise TreesError(f"expected trees with one output; found {said['n_targets']}")


def _check_post_transform(name: str) -> None:
    if name != "NONE":
        raise TreesError(f"the post_transform {name} cannot be run: a model of costs answers the sum itself")


def _aggregated(how: str, base: float, trees: list[Tree]) -> Trees:
    if how == "AVERAGE":
        trees = [Tree(**{**vars(tree), "leaf": [leaf / len(trees) for leaf in tree.leaf]}) for tree in trees]
    elif how != "SUM":
        raise TreesError(f"the aggregate_function {how} cannot be run: only SUM and AVERAGE can")
    return joined(base, trees)


def _value(attribute: onnx.AttributeProto) -> Any:
    """What an attribute says, in plain values."""
    found = helper.get_attribute_value(attribute)
    if isinstance(found, onnx.TensorProto):
        return numpy_helper.to_array(found).tolist()
    if isinstance(found, bytes):
        return found.decode()
    if isinstance(found, int | float):
        return found
    return [each.decode() if isinstance(each, bytes) else each for each in found]
