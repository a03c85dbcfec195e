"""TOML 1.0: values by the standard reader, places by a scan of the text, by then known to be valid."""

import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from tidegate.config.syntax.error import Lines, syntax_error
from tidegate.config.tree import MAX_DEPTH, Entry, ListNode, MappingNode, Node, OptionPath, Place, Scalar

_TOKEN = re.compile(
    r"""
      (?P<skip>[ \t]+ | \#[^\n]*)
    | (?P<newline>\r?\n)
    | (?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5} | '{3}.*?'{3,5} | "(?:[^"\\\n]|\\.)*" | '[^'\n]*')
    | (?P<mark>\[\[|\]\]|[\[\]{}=,.])
    | (?P<word>[^\s\[\]{}=,.\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ERROR_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


class _Written(NamedTuple):
    """Where an option is written, and how."""

    key: Place
    value: Place
    text: str = ""
    """A single value as it stands in the file."""


_Places = dict[OptionPath, _Written]


def parse_toml(text: str, file: Path) -> Node:
    """What a TOML file says.

    Raises ConfigError with the first mistake of syntax.
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _explained(error, text, file) from None
    places = _Scan(text, file).places()
    return _tree(data, (), places, Place(file, 1, 1), 0)


def _explained(error: Exception, text: str, file: Path) -> Exception:
    if isinstance(error, RecursionError):
        return syntax_error(Place(file), "nested too deeply")
    match = _ERROR_PLACE.fullmatch(str(error))
    if not match:
        return syntax_error(Place(file), f"not valid TOML: {error}")
    place = Place(file, int(match[2]), int(match[3])) if match[2] else Lines(text, file).place(len(text))
    return syntax_error(place, f"not valid TOML: {match[1]}")


def _tree(data: Any, path: OptionPath, places: _Places, around: Place, depth: int) -> Node:
    _, place, text = places.get(path, _Written(around, around))
    if depth > MAX_DEPTH:
        raise syntax_error(place, "nested too deeply")
    if isinstance(data, dict):
        entries = {
            name: Entry(
                places.get((*path, name), _Written(place, place)).key,
                _tree(value, (*path, name), places, place, depth + 1),
            )
            for name, value in data.items()
        }
        return MappingNode(entries, place)
    if isinstance(data, list):
        return ListNode(
            [_tree(item, (*path, i), places, place, depth + 1) for i, item in enumerate(data)], place
        )
    return Scalar(data, place, None if isinstance(data, str) else text)


class _Scan:
    """Walks over the tokens of a valid TOML text and notes where each option begins."""

    def __init__(self, text: str, file: Path) -> None:
        lines = Lines(text, file)
        self._tokens = [
            (match.lastgroup or "", match[0], lines.place(match.start()))
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "skip"
        ]
        self._tokens.append(("end", "", lines.place(len(text))))
        self._at = 0
        self._places: _Places = {}
        self._tables: dict[OptionPath, int] = {}

    def places(self) -> _Places:
        table: OptionPath = ()
        while (token := self._tokens[self._at])[0] != "end":
            if token[0] == "newline":
                self._at += 1
            elif token[1] in {"[", "[["}:
                table = self._header()
            else:
                self._pair(table)
        return self._places

    def _header(self) -> OptionPath:
        _, bracket, place = self._tokens[self._at]
        self._at += 1
        path = self._key((), place)
        if bracket == "[[":
            index = self._tables.get(path, -1) + 1
            self._tables[path] = index
            path = (*path, index)
            self._note(path, place, place)
        self._at += 1  # the closing bracket
        return path

    def _key(self, path: OptionPath, value: Place) -> OptionPath:
        """Read a dotted key below `path`; arrays of tables on the way stand for their last item."""
        while True:
            kind, text, place = self._tokens[self._at]
            self._at += 1
            path = (*path, _key_name(kind, text))
            if len(path) > MAX_DEPTH:
                raise syntax_error(place, "nested too deeply")
            self._note(path, place, value)
            if self._tokens[self._at][1] != ".":
                return path
            self._at += 1
            if path in self._tables:
                path = (*path, self._tables[path])

    def _note(self, path: OptionPath, key: Place, value: Place) -> None:
        self._places.setdefault(path, _Written(key, value))

    def _pair(self, path: OptionPath) -> None:
        key = self._tokens[self._at][2]
        path = self._key(path, key)
        self._at += 1  # the equals sign
        self._places[path] = self._places[path]._replace(value=self._tokens[self._at][2])
        self._value(path)

    def _value(self, path: OptionPath) -> None:
        opening = self._tokens[self._at][1]
        if opening not in {"[", "[[", "{"}:
            self._scalar(path)
            return
        if opening == "[[":  # two arrays, taken for the mark of a table
            self._split_brackets()
        self._at += 1
        index = 0
        while True:
            kind, text, place = self._tokens[self._at]
            if kind == "newline" or text == ",":
                self._at += 1
            elif text in {"]", "}", "]]"}:
                if text == "]]":
                    self._split_brackets()
                self._at += 1
                return
            elif opening == "{":
                self._pair(path)
            else:
                self._note((*path, index), place, place)
                self._value((*path, index))
                index += 1

    def _split_brackets(self) -> None:
        kind, text, place = self._tokens[self._at]
        second = place._replace(column=(place.column or 0) + 1)
        self._tokens[self._at : self._at + 1] = [(kind, text[0], place), (kind, text[1], second)]

    def _scalar(self, path: OptionPath) -> None:
        """Numbers may hold dots and dates may hold a space, so a scalar may be several tokens."""
        begins = self._at
        while self._tokens[self._at][0] in {"text", "word"} or self._tokens[self._at][1] == ".":
            self._at += 1
        text = "".join(token for _, token, _ in self._tokens[begins : self._at])
        self._places[path] = self._places[path]._replace(text=text)


def _key_name(kind: str, text: str) -> str:
    return str(next(iter(tomllib.loads(f"{text} = 0")))) if kind == "text" else text
