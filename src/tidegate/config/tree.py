"""What a file says, with the place of every word: the common form of YAML, TOML and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tidegate.config.problem import ConfigError, Problem

MAX_DEPTH = 64
"""Deeper nesting is refused: no configuration needs it, and it would exhaust the stack."""

OptionPath = tuple[str | int, ...]
"""Where an option is: names of options and positions in lists, from the top."""


class Place(NamedTuple):
    """A position in a file; line and column are counted from 1."""

    file: Path | None
    line: int | None = None
    column: int | None = None


NOWHERE = Place(None)
"""The place of what did not come from a file."""


class Mark(Protocol):
    """A position as libyaml tells it, counted from 0: few are ever looked at, so few are made places."""

    name: Path
    line: int
    column: int


At = Place | Mark


class _Placed:
    """What stands somewhere."""

    __slots__ = ()
    at: At

    @property
    def place(self) -> Place:
        """Where it is written."""
        return _place(self.at)


def _place(at: At) -> Place:
    return at if isinstance(at, Place) else Place(at.name, at.line + 1, at.column + 1)


@dataclass(slots=True)
class Scalar(_Placed):
    """A single value."""

    value: Any
    at: At
    written: str | None = None
    """The text that decided what type the value has: a number, or anything without quotes in YAML."""


class Entry(NamedTuple):
    """A named value of a mapping."""

    at: At
    node: Node

    @property
    def key(self) -> Place:
        """Where the name is written."""
        return _place(self.at)


@dataclass(slots=True)
class MappingNode(_Placed):
    """Named values."""

    entries: dict[str, Entry]
    at: At


@dataclass(slots=True)
class ListNode(_Placed):
    """Values in order."""

    items: list[Node]
    at: At


Node = Scalar | MappingNode | ListNode


def child(node: Node | None, step: str | int) -> Node | None:
    """What is written below `node` under a name, or at a position of a list; None if there is nothing."""
    if isinstance(node, MappingNode):
        entry = node.entries.get(str(step))
        return entry.node if entry else None
    if isinstance(node, ListNode) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def text_of(node: Node | None) -> str | None:
    """The text that `node` is; None if it is none."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def plain(node: Node) -> Any:
    """The bare data of a tree."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, MappingNode):
        return {name: plain(entry.node) for name, entry in node.entries.items()}
    return [plain(item) for item in node.items]


def planted(data: dict[str, Any]) -> MappingNode:
    """The tree of bare data, without places.

    Raises ConfigError if it is nested too deeply.
    """
    return MappingNode(
        {str(name): Entry(NOWHERE, _planted(value, 1)) for name, value in data.items()}, NOWHERE
    )


def _planted(data: Any, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ConfigError([Problem("nested too deeply")])
    if isinstance(data, dict):
        entries = {str(name): Entry(NOWHERE, _planted(value, depth + 1)) for name, value in data.items()}
        return MappingNode(entries, NOWHERE)
    if isinstance(data, list | tuple):
        return ListNode([_planted(item, depth + 1) for item in data], NOWHERE)
    return Scalar(data, NOWHERE)


def scalars(root: Node) -> Iterator[tuple[OptionPath, Scalar]]:
    """Every single value below `root`, with its option's path."""
    waiting: list[tuple[OptionPath, Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, Scalar):
            yield path, node
        elif isinstance(node, MappingNode):
            waiting += [((*path, name), entry.node) for name, entry in node.entries.items()]
        else:
            waiting += [((*path, index), item) for index, item in enumerate(node.items)]


def dotted(path: Sequence[str | int]) -> str:
    """An option's path as it is shown to people."""
    return ".".join(str(step) for step in path)


def undotted(path: str) -> OptionPath:
    """The path that is shown as `path`."""
    return tuple(int(step) if step.isdecimal() else step for step in path.split(".") if step)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the options of a configuration are written."""

    root: Node

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """The place of the value at `path`, or of its name; of the nearest one around what is not written."""
        node = self.root
        place = node.place
        for step in path:
            if isinstance(node, MappingNode) and step in node.entries:
                entry = node.entries[str(step)]
                place, node = (entry.key if key else entry.node.place), entry.node
            elif isinstance(node, ListNode) and isinstance(step, int) and 0 <= step < len(node.items):
                node = node.items[step]
                place = node.place
            else:
                break
        return place

    def node(self, path: Sequence[str | int]) -> Node | None:
        """What is written at `path`; None if there is nothing."""
        node: Node | None = self.root
        for step in path:
            node = child(node, step)
        return node

    def text(self, path: Sequence[str | int]) -> str | None:
        """The text that is written at `path`; None if there is none."""
        return text_of(self.node(path))

    def problem(
        self, path: Sequence[str | int], message: str, *, hint: str | None = None, key: bool = False
    ) -> Problem:
        """A mistake at the option `path`, with its place."""
        return Problem(message, dotted(path), *self.place(path, key=key), hint=hint)


UNWRITTEN = Source(MappingNode({}, NOWHERE))
"""Where the options are that did not come from a file."""


def matches(path: Sequence[str | int], pattern: Sequence[str]) -> bool:
    """Whether `path` is, or lies below, a place that `pattern` describes; `*` stands for any step."""
    return len(path) >= len(pattern) and all(
        wanted in {"*", step} for step, wanted in zip(path, pattern, strict=False)
    )


def find(node: Node, pattern: Sequence[str], path: OptionPath = ()) -> Iterator[tuple[OptionPath, Node]]:
    """What is written at the places that `pattern` describes.

    `*` stands for every item of a list and every value of a mapping.
    """
    if not pattern:
        yield path, node
    elif pattern[0] == "*":
        if isinstance(node, ListNode):
            for index, item in enumerate(node.items):
                yield from find(item, pattern[1:], (*path, index))
        elif isinstance(node, MappingNode):
            for name, entry in node.entries.items():
                yield from find(entry.node, pattern[1:], (*path, name))
    elif isinstance(node, MappingNode) and pattern[0] in node.entries:
        yield from find(node.entries[pattern[0]].node, pattern[1:], (*path, pattern[0]))


Patterns = tuple[tuple[str, ...], ...]


def find_each(node: Node, patterns: Patterns) -> list[tuple[OptionPath, Node, int]]:
    """Like `find` for many patterns in one walk, in the tree's order; with the position of the pattern."""
    found: list[tuple[OptionPath, Node, int]] = []
    _collect(node, _branches(patterns), (), found)
    return found


class _Branch(NamedTuple):
    """What patterns that begin alike go on with."""

    ends: list[int]
    below: dict[str, _Branch]


@cache
def _branches(patterns: Patterns) -> _Branch:
    root = _Branch([], {})
    for position, pattern in enumerate(patterns):
        branch = root
        for step in pattern:
            branch = branch.below.setdefault(step, _Branch([], {}))
        branch.ends.append(position)
    return root


def _collect(
    node: Node, branch: _Branch, path: OptionPath, found: list[tuple[OptionPath, Node, int]]
) -> None:
    found.extend((path, node, position) for position in branch.ends)
    if isinstance(node, MappingNode):
        each = branch.below.get("*")
        for name, entry in node.entries.items():
            if below := branch.below.get(name, each):
                _collect(entry.node, below, (*path, name), found)
    elif isinstance(node, ListNode) and (each := branch.below.get("*")):
        for index, item in enumerate(node.items):
            _collect(item, each, (*path, index), found)


def find_texts(node: Node, pattern: Sequence[str]) -> Iterator[tuple[OptionPath, str]]:
    """Like `find`, for texts only."""
    for path, found in find(node, pattern):
        if isinstance(found, Scalar) and isinstance(found.value, str):
            yield path, found.value
