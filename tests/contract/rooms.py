"""Which rooms of a crate use which. A room is a top-level module: a folder or a file right below `src`.

Read from the tokens of the sources: a search by lines would see paths in comments and miss those in groups.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<blank> \s+ | //[^\n]* )
    | (?P<comment> /\* )
    | (?P<literal> [bc]?r(?P<hashes>\#*)".*?"(?P=hashes) | [bc]?"(?:\\.|[^"\\])*" | b?'(?:\\.[^']*|[^\\'])' )
    | (?P<code> r\#\w+ | \w+ | :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_FOR_TESTS = ("#[cfg(test)]", "#[cfg(all(test,")
_FILES_OF_TESTS = {"tests", "tests.rs", "testing.rs"}

Module = tuple[str, ...]
"""The names from the crate's root to a module, or to an item."""


@dataclass(frozen=True)
class Use:
    """A path in one room that leads into another."""

    user: str
    used: str
    file: Path
    line: int


class Token(NamedTuple):
    """A word or sign of code, and its line."""

    text: str
    line: int


def rooms(source: Path) -> set[str]:
    """The rooms of the crate whose sources are in `source`."""
    return {_module(file, source)[0] for file in _files(source)}


def uses(source: Path) -> list[Use]:
    """Every path that leads from one room into another, outside tests.

    `use` lines and inline paths count; `mod` lines and `lib.rs`, which names every room, do not.
    """
    found = (
        Use(module[0], path[0], file, line)
        for file in _files(source)
        for module in [_module(file, source)]
        for path, line in _paths(_without_tests(list(_tokens(file.read_text()))), module)
        if path[0] != module[0]
    )
    return list(dict.fromkeys(found))


def against(order: Sequence[str], found: Iterable[Use]) -> list[Use]:
    """Those that lead to a room which stands later in the order, or to none of them."""
    place = {room: at for at, room in enumerate(order)}
    return [use for use in found if place.get(use.used, len(order)) > place.get(use.user, -1)]


def _files(source: Path) -> list[Path]:
    files = sorted(source.rglob("*.rs"))
    return [
        file
        for file in files
        if file != source / "lib.rs" and not _FILES_OF_TESTS & set(file.relative_to(source).parts)
    ]


def _module(file: Path, source: Path) -> Module:
    parts = file.relative_to(source).with_suffix("").parts
    return parts[:-1] if parts[-1] == "mod" else parts


def _tokens(text: str) -> Iterator[Token]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, "the last alternative takes anything"
        end = _comment_end(text, match.end()) if match["comment"] else match.end()
        if match["code"]:
            yield Token(match["code"], line)
        line += text.count("\n", at, end)
        at = end


def _comment_end(text: str, at: int) -> int:
    """Behind a block comment, which may hold others."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


def _without_tests(tokens: list[Token]) -> list[Token]:
    """Without the items that are built for tests only."""
    kept, at = list[Token](), 0
    while at < len(tokens):
        if tokens[at].text == "#" and _joined(tokens[at : at + 8]).startswith(_FOR_TESTS):
            at = _item_end(tokens, _bracket_end(tokens, at + 1))
        else:
            kept.append(tokens[at])
            at += 1
    return kept


def _joined(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def _item_end(tokens: list[Token], at: int) -> int:
    """Behind the item at `at`: its block, or its `;`."""
    while at < len(tokens) and tokens[at].text not in {"{", ";"}:
        at = _bracket_end(tokens, at) if tokens[at].text in _BRACKETS else at + 1
    return _bracket_end(tokens, at)


def _bracket_end(tokens: list[Token], at: int) -> int:
    """Behind the bracket that closes the one at `at`; behind `at` where it is none."""
    depth = 0
    for end in range(at, len(tokens)):
        depth += _BRACKETS.get(tokens[end].text, 0)
        if depth <= 0:
            return end + 1
    return len(tokens)


def _paths(tokens: list[Token], module: Module) -> Iterator[tuple[Module, int]]:
    """What is named by paths that begin with `crate`, `super` or `self`, with their lines."""
    texts = [*(token.text for token in tokens), "", "", ""]
    inner: list[tuple[str, int]] = []
    at = depth = 0
    while at < len(tokens):
        depth += _BRACKETS.get(texts[at], 0)
        if inner and depth < inner[-1][1]:
            inner.pop()
        if texts[at] == "mod" and texts[at + 2] == "{":
            inner.append((texts[at + 1], depth + 1))
        if texts[at] in {"crate", "super", "self"} and texts[at + 1] == "::":
            found, at = _path(tokens, at, (*module, *(name for name, _ in inner)))
            yield from found
        else:
            at += 1


def _path(tokens: list[Token], at: int, base: Module) -> tuple[list[tuple[Module, int]], int]:
    """What the path at `at`, read in `base`, names (several things if it ends in a group); and its end."""
    path = base
    while True:
        text, line = tokens[at]
        if text == "{":
            return _group(tokens, at + 1, path)
        path = {"crate": (), "super": path[:-1], "self": path}.get(text, (*path, text))
        at += 1
        if at + 1 >= len(tokens) or tokens[at].text != "::" or tokens[at + 1].text == "<":
            return [(path or ("crate",), line)], at
        at += 1


def _group(tokens: list[Token], at: int, base: Module) -> tuple[list[tuple[Module, int]], int]:
    found = list[tuple[Module, int]]()
    while tokens[at].text != "}":
        more, at = _path(tokens, at, base)
        found += more
        while tokens[at].text not in {",", "}"}:  # as another name
            at += 1
        at += tokens[at].text == ","
    return found, at + 1
