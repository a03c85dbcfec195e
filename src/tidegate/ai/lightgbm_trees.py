"""Trees of LightGBM, as its own files have them: `Booster.save_model` (text) and `Booster.dump_model` (JSON).

Both are read without LightGBM. The format: `src/io/tree.cpp` and `gbdt_model_text.cpp` in LightGBM's source.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from tidegate.ai.trees import Fork, Node, Tree, Trees, TreesError, flat, joined

PLAIN_OBJECTIVES = frozenset(
    ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "custom", "none")
)
"""With these a model answers the sum of its leaves; others make something else of the sum."""
ZERO = 1e-35
"""What is nearer to 0 counts as 0, where zeros stand for what is missing."""

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING = ("none", "zero", "nan")


Number = TypeVar("Number", int, float)


class Gained(NamedTuple):
    """Trees, and what the forks of each feature gained when they were made."""

    trees: Trees
    gains: Mapping[int, float]


def of_text(text: str, features: int) -> Gained:
    """The trees that `Booster.save_model` wrote. Raises TreesError."""
    head, *blocks = text.split("\nTree=")
    general = _entries(head)
    _check(general.get("objective", "none"), general.get("num_tree_per_iteration", "1"), general, features)
    try:
        trees = [_of_block(block.partition("\nend of trees")[0], features) for block in blocks]
    except (KeyError, ValueError, IndexError) as error:
        raise _broken(error) from error
    averaged = "average_output" in general
    return _gained(trees, averaged)


def of_dump(dump: Any, features: int) -> Gained:
    """The trees that `Booster.dump_model` gave. Raises TreesError."""
    if not isinstance(dump, dict) or not isinstance(dump.get("tree_info"), list):
        raise TreesError("expected a JSON object with tree_info, as Booster.dump_model gives it")
    _check(str(dump.get("objective", "none")), str(dump.get("num_tree_per_iteration", 1)), dump, features)
    try:
        trees = [_of_structure(each["tree_structure"], features) for each in dump["tree_info"]]
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(error) from error
    return _gained(trees, bool(dump.get("average_output")))


def is_dump(content: bytes) -> bool:
    """Whether a file is JSON rather than LightGBM's text."""
    return content.lstrip()[:1] == b"{"


def read(content: bytes, features: int) -> Gained:
    """The trees in a file of either form. Raises TreesError."""
    try:
        if is_dump(content):
            return of_dump(json.loads(content), features)
        return of_text(content.decode(), features)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise TreesError(
            f"expected what Booster.save_model or dump_model of LightGBM writes: {error}"
        ) from None


class _Read(NamedTuple):
    tree: Tree
    gains: dict[int, float]


def _check(objective: str, outputs: str, general: Mapping[str, Any], features: int) -> None:
    name, *options = objective.split() or ["none"]
    if name not in PLAIN_OBJECTIVES or "sqrt" in options:
        raise TreesError(
            f"the objective {objective!r} cannot be run, for it makes something else of the leaves' sum: "
            f"train with one of {', '.join(sorted(PLAIN_OBJECTIVES))}"
        )
    if outputs != "1":
        raise TreesError(f"expected a model with one output; found {outputs}")
    if int(general.get("max_feature_idx", 0)) >= features:
        raise TreesError(
            f"expected a model of at most {features} features; found {int(general['max_feature_idx']) + 1}"
        )


def _gained(trees: list[_Read], averaged: bool) -> Gained:
    gains: dict[int, float] = {}
    for each in trees:
        for feature, gain in each.gains.items():
            gains[feature] = gains.get(feature, 0) + gain
    made = [each.tree for each in trees]
    if averaged:
        made = [Tree(**{**vars(tree), "leaf": [leaf / len(made) for leaf in tree.leaf]}) for tree in made]
    return Gained(joined(0.0, made), gains)


def _of_block(block: str, features: int) -> _Read:
    entries = _entries(block)
    if int(entries.get("num_cat", "0")):
        raise _categorical()
    if int(entries.get("is_linear", "0")):
        raise TreesError("linear trees cannot be run: train without linear_tree")
    leaves = _numbers(entries["leaf_value"], float)
    if int(entries["num_leaves"]) <= 1:
        return _Read(flat(None, lambda _: leaves[0], features), {})
    feature, threshold = _numbers(entries["split_feature"], int), _numbers(entries["threshold"], float)
    left, right = _numbers(entries["left_child"], int), _numbers(entries["right_child"], int)
    decision, gain = _numbers(entries["decision_type"], int), _numbers(entries["split_gain"], float)

    def node(at: object) -> Node:
        assert isinstance(at, int)
        if at < 0:
            return leaves[-at - 1]
        if decision[at] & _CATEGORICAL:
            raise _categorical()
        missing = _MISSING[(decision[at] >> 2) & 3]
        _check_zero(missing, bool(decision[at] & _DEFAULT_LEFT), threshold[at])
        return Fork(feature[at], threshold[at], left[at], right[at])

    gains: dict[int, float] = {}
    for which, much in zip(feature, gain, strict=True):
        gains[which] = gains.get(which, 0) + much
    return _Read(flat(0, node, features), gains)


def _of_structure(structure: dict[str, Any], features: int) -> _Read:
    gains: dict[int, float] = {}

    def node(at: object) -> Node:
        assert isinstance(at, dict)
        if "leaf_const" in at:
            raise TreesError("linear trees cannot be run: train without linear_tree")
        if "split_feature" not in at:
            return float(at["leaf_value"])
        if at["decision_type"] != "<=":
            raise _categorical()
        feature, threshold = int(at["split_feature"]), float(at["threshold"])
        _check_zero(str(at["missing_type"]).lower(), bool(at["default_left"]), threshold)
        gains[feature] = gains.get(feature, 0) + float(at.get("split_gain", 0))
        return Fork(feature, threshold, at["left_child"], at["right_child"])

    return _Read(flat(structure, node, features), gains)


def _check_zero(missing: str, default_left: bool, threshold: float) -> None:
    """Where zeros count as missing they go to the default side, which is theirs by comparison, or is not."""
    if missing == "zero" and (threshold >= ZERO) != default_left:
        raise TreesError("zeros that stand for missing values cannot be run: train without zero_as_missing")


def _entries(block: str) -> dict[str, str]:
    lines = (line.partition("=") for line in block.splitlines())
    return {name: value for name, _, value in lines if name}


def _numbers(text: str, kind: Callable[[str], Number]) -> list[Number]:
    return [kind(each) for each in text.split()]


def _categorical() -> TreesError:
    return TreesError(
        "categorical forks (==) cannot be run: all features are numbers, train without categories"
    )


def _broken(error: Exception) -> TreesError:
    if isinstance(error, TreesError):
        return error
    return TreesError(f"it is no file of LightGBM that can be read: {type(error).__name__} {error}")


def walked(dump: Mapping[str, Any], row: Iterator[float] | list[float]) -> float:
    """What a dump says of one row, by its own structure: LightGBM itself does not read what it dumped."""
    features, total = list(row), 0.0
    for each in dump["tree_info"]:
        at = each["tree_structure"]
        while "split_feature" in at:
            at = at["left_child"] if features[at["split_feature"]] <= at["threshold"] else at["right_child"]
        total += at["leaf_value"]
    return total / len(dump["tree_info"]) if dump.get("average_output") else total
