"""JSON (RFC 8259). The standard reader takes the scalars; this one keeps the places."""

import json
import re
from pathlib import Path
from typing import Any

from tidegate.config.syntax.error import Lines, duplicate_key, syntax_error
from tidegate.config.tree import MAX_DEPTH, Entry, ListNode, MappingNode, Node, Scalar

_SPACE = re.compile(r"[ \t\n\r]*")


def parse_json(text: str, file: Path) -> Node:
    """What a JSON file says.

    Raises ConfigError with the first mistake of syntax.
    """
    reader = _Reader(text, file)
    try:
        return reader.document()
    except json.JSONDecodeError as error:
        raise syntax_error(reader.lines.place(error.pos), f"not valid JSON: {error.msg}") from None
    except ValueError as error:
        raise syntax_error(reader.lines.place(reader.pos), f"not valid JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


class _Reader:
    """Reads values one after the other."""

    def __init__(self, text: str, file: Path) -> None:
        self.lines = Lines(text, file)
        self.pos = 0
        self._text = text
        self._scalar = json.JSONDecoder(parse_constant=_no_constant)
        self._depth = 0

    def document(self) -> Node:
        node = self._value()
        if self._peek():
            self._fail("expected the end of the file")
        return node

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        match = _SPACE.match(self._text, self.pos)
        self.pos = match.end() if match else self.pos
        return self._text[self.pos : self.pos + 1]

    def _fail(self, message: str) -> None:
        raise json.JSONDecodeError(message, self._text, self.pos)

    def _take(self, char: str) -> bool:
        if self._peek() != char:
            return False
        self.pos += 1
        return True

    def _value(self) -> Node:
        start = self._peek()
        place = self.lines.place(self.pos)
        if start not in {"{", "["}:
            begins = self.pos
            value, self.pos = self._scalar.raw_decode(self._text, begins)
            return Scalar(value, place, None if start == '"' else self._text[begins : self.pos])
        if self._depth == MAX_DEPTH:
            self._fail("nested too deeply")
        self._depth += 1
        self.pos += 1
        node = MappingNode(self._members(), place) if start == "{" else ListNode(self._items(), place)
        self._depth -= 1
        return node

    def _members(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not self._take("}"):
            if entries and not self._take(","):
                self._fail("expected , or }")
            if self._peek() != '"':
                self._fail("expected a name in double quotes")
            place = self.lines.place(self.pos)
            name, self.pos = self._scalar.raw_decode(self._text, self.pos)
            if not self._take(":"):
                self._fail("expected : after a name")
            if name in entries:
                raise duplicate_key(name, entries[name].key, place)
            entries[name] = Entry(place, self._value())
        return entries

    def _items(self) -> list[Node]:
        items: list[Node] = []
        while not self._take("]"):
            if items and not self._take(","):
                self._fail("expected , or ]")
            items.append(self._value())
        return items
