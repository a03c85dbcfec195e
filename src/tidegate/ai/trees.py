"""Regression trees as flat arrays: the file `model.trees`, which the engine walks.

Inner nodes are 0 to n - 1, the root is 0, and children come after their parent. A child below 0 is the leaf
-child - 1. `x[feature] <= threshold` goes left. What trees of other libraries decide by is turned into that,
exactly, or refused by name.
"""

import json
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite, isnan

from tidegate.ai.manifest import ModelFile

MODEL_FILE: ModelFile = "model.trees"
MOST_TREES = 1_000
MOST_LEAVES = 100_000
"""Of all trees."""

LARGEST: float = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
SMALLEST: float = struct.unpack("<f", b"\x01\x00\x00\x00")[0]
"""The numbers of 32 bits that are largest, and nearest to 0."""


class TreesError(ValueError):
    """Trees cannot be turned into arrays; the message names what cannot be run, or what is wrong."""


@dataclass(frozen=True)
class Tree:
    """A tree; item i of the first four is of inner node i."""

    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    leaf: list[float]


@dataclass(frozen=True)
class Trees:
    """What they answer is `base` and the sum of one leaf of each."""

    base: float
    trees: list[Tree]

    def written(self) -> bytes:
        """The file."""
        data = {"format": 1, "base": self.base, "trees": [asdict(tree) for tree in self.trees]}
        return json.dumps(data, separators=(",", ":")).encode()

    def answer(self, row: Sequence[float]) -> float:
        """What they say of one row."""
        return self.base + sum(_answer(tree, row) for tree in self.trees)


@dataclass(frozen=True)
class Fork:
    """An inner node as a library has it: `x[feature] <= threshold` goes to the node `left`."""

    feature: int
    threshold: float
    left: object
    right: object


Node = Fork | float
"""An inner node, or the value of a leaf."""


def flat(root: object, node: Callable[[object], Node], features: int) -> Tree:
    """The tree below `root`, of which `node` tells what each is; its own numbers for nodes do not matter.

    Raises TreesError for a feature that is not there, a value that is no number, or nodes in a circle.
    """
    tree = Tree([], [], [], [], [])

    def place(of: object) -> int:
        """Put a node where it belongs, and say how its parent calls it. What is below a fork waits."""
        made = node(of)
        if not isinstance(made, Fork):
            tree.leaf.append(_number(made))
            return -len(tree.leaf)
        if not 0 <= made.feature < features:
            raise TreesError(f"it asks for feature {made.feature}; there are {features}, counted from 0")
        tree.feature.append(made.feature)
        if isnan(made.threshold):
            raise TreesError("expected thresholds that are numbers; found NaN")
        tree.threshold.append(not_above(made.threshold))
        tree.left.append(0)
        tree.right.append(0)
        waiting.append((len(tree.feature) - 1, made))
        if len(tree.feature) > MOST_LEAVES:
            raise TreesError(f"a tree has more than {MOST_LEAVES} nodes, or goes in a circle")
        return len(tree.feature) - 1

    waiting: list[tuple[int, Fork]] = []
    place(root)
    while waiting:
        at, fork = waiting.pop()
        tree.left[at] = place(fork.left)
        tree.right[at] = place(fork.right)
    return tree


def joined(base: float, trees: Iterable[Tree]) -> Trees:
    """The whole model. Raises TreesError if it is too large."""
    every = list(trees)
    leaves = sum(len(tree.leaf) for tree in every)
    if not every or len(every) > MOST_TREES or leaves > MOST_LEAVES:
        raise TreesError(
            f"expected 1 to {MOST_TREES} trees of at most {MOST_LEAVES} leaves together; "
            f"found {len(every)} trees, {leaves} leaves"
        )
    return Trees(_number(base), every)


def not_above(threshold: float) -> float:
    """The largest finite number of 32 bits that is not above `threshold`: x <= either is the same for such x.

    But for the smallest there is, which is below all thresholds that no number of 32 bits is below.
    """
    bounded = min(max(threshold, -LARGEST), LARGEST)
    nearest: float = struct.unpack("<f", struct.pack("<f", bounded))[0]
    return nearest if nearest <= bounded else below(nearest)


def below(value: float) -> float:
    """The next smaller number of 32 bits; `value` is one."""
    if value == 0:
        return -SMALLEST
    (bits,) = struct.unpack("<i", struct.pack("<f", value))
    found: float = struct.unpack("<f", struct.pack("<i", bits - 1 if value > 0 else bits + 1))[0]
    return found


def shares_of_gain(names: Sequence[str], gains: Mapping[int, float]) -> dict[str, float]:
    """Which part of what all forks gained is each feature's, the largest first."""
    whole = sum(gains.values()) or 1
    ordered = sorted(gains.items(), key=lambda each: -each[1])
    return {names[feature]: round(gain / whole, 4) for feature, gain in ordered if gain > 0}


def _answer(tree: Tree, row: Sequence[float]) -> float:
    if not tree.feature:
        return tree.leaf[0]
    at = 0
    while at >= 0:
        at = tree.left[at] if row[tree.feature[at]] <= tree.threshold[at] else tree.right[at]
    return tree.leaf[-at - 1]


def _number(value: float) -> float:
    if not isfinite(value):
        raise TreesError(f"expected finite values of leaves; found {value}")
    return value
