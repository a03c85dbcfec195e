"""YAML, with the types of its 1.2 core schema: `on`, `yes`, `1:30` and dates are texts, as people expect.

The tree is built from libyaml's events, which is several times faster than from PyYAML's nodes.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import yaml

from tidegate.config.syntax.error import Lines, duplicate_key, syntax_error
from tidegate.config.tree import MAX_DEPTH, Entry, ListNode, MappingNode, Mark, Node, Place, Scalar

MAX_NODES = 5_000_000
"""More values than this, aliases counted each time they are used, are refused."""

_INT = re.compile(r"[-+]?[0-9]{1,100}", re.ASCII)
_BASED = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_NUMBER_STARTS = frozenset("0123456789+-.")
_TYPES = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "map", "seq"))
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})


def parse_yaml(text: str, file: Path) -> Node:
    """What a YAML file says; an empty one says nothing.

    Raises ConfigError with the first mistake of syntax.
    """
    try:
        return _Composer(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        hint = "a tab cannot indent YAML; use spaces" if "'\\t'" in str(error.problem) else None
        raise syntax_error(place, f"not valid YAML: {error.problem or error.context}", hint) from None
    except yaml.reader.ReaderError as error:
        place = Lines(text, file).place(min(error.position, len(text)))
        raise syntax_error(place, f"not valid YAML: {error.reason}") from None
    except yaml.YAMLError as error:
        raise syntax_error(Place(file), f"not valid YAML: {error}") from None


def resolve(text: str) -> Any:
    """The value of a scalar without quotes (YAML 1.2.2 section 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _Named(io.StringIO):
    """A text with the name that the marks in it have."""

    def __init__(self, text: str, file: Path) -> None:
        super().__init__(text)
        self.name = file


class _Composer:
    """Builds the tree of one document."""

    def __init__(self, text: str, file: Path) -> None:
        self._file = file
        self._next: Callable[[], Any] = yaml.CLoader(_Named(text, file)).get_event
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0
        self._depth = 0

    def document(self) -> Node:
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return MappingNode({}, Place(self._file, 1, 1))
        root = self._node(self._next())
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise syntax_error(
                self._place(event), "expected one document", "remove the --- that begins another"
            )
        if isinstance(root, Scalar) and root.value is None:
            return MappingNode({}, root.place)
        return root

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _node(self, event: Any) -> Node:
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self._alias(event)
        before = self._nodes
        self._count(event, 1)
        if kind is yaml.ScalarEvent:
            node: Node = self._scalar(event)
        else:
            if self._depth == MAX_DEPTH:
                raise syntax_error(self._place(event), "nested too deeply")
            self._depth += 1
            node = self._mapping(event) if kind is yaml.MappingStartEvent else self._list(event)
            self._depth -= 1
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise syntax_error(self._place(event), f"more than {MAX_NODES} values, aliases counted")

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            hint = f"write &{event.anchor} before the value that is meant; quote a text that begins with *"
            raise syntax_error(self._place(event), f"unknown alias {'*' + event.anchor!r}", hint)
        node, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        return node

    def _scalar(self, event: Any) -> Scalar:
        if event.tag in _TEXT_TAGS:
            return Scalar(event.value, event.start_mark)
        self._check_tag(event)
        if event.implicit[0] or event.tag in _TYPES:
            return Scalar(resolve(event.value), event.start_mark, event.value)
        return Scalar(event.value, event.start_mark)

    def _list(self, event: Any) -> ListNode:
        self._check_tag(event)
        items: list[Node] = []
        node = ListNode(items, event.start_mark)
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event))
        return node

    def _mapping(self, event: Any) -> MappingNode:
        self._check_tag(event)
        entries: dict[str, Entry] = {}
        merged: list[MappingNode] = []
        node = MappingNode(entries, event.start_mark)
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise syntax_error(
                    self._place(event), "expected a name", "quote a text that begins with *, { or ["
                )
            key, mark = event.value, cast(Mark, event.start_mark)
            value = self._node(self._next())
            if key == "<<" and event.implicit[0]:
                merged += self._merged(value)
            elif key in entries:
                raise duplicate_key(key, entries[key].key, Entry(mark, value).key)
            else:
                entries[key] = Entry(mark, value)
        for source in merged:
            for name, entry in source.entries.items():
                entries.setdefault(name, entry)
        return node

    def _merged(self, value: Node) -> list[MappingNode]:
        sources = value.items if isinstance(value, ListNode) else [value]
        mappings = [source for source in sources if isinstance(source, MappingNode)]
        if len(mappings) != len(sources):
            raise syntax_error(value.place, "expected mappings to merge after <<")
        return mappings

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!" and event.tag not in _TYPES:
            raise syntax_error(self._place(event), f"unknown tag {event.tag!r}", "remove it")
