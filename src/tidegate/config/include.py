"""Reads a file and the files that it includes into one tree."""

import errno
import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidegate.config.model.mark import STANDARD_OUTPUT, File
from tidegate.config.model.walk import marked
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.stamp import Stamp, stamp_of
from tidegate.config.syntax import parse
from tidegate.config.tree import (
    ListNode,
    MappingNode,
    Node,
    OptionPath,
    Place,
    Scalar,
    dotted,
    find,
)
from tidegate.config.variables import expand_variables

MAX_BYTES = 64 << 20
"""A larger file is refused: no configuration needs it, and devices never end."""


class Reader:
    """Collects what files say, which files they are, and what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.files: dict[Path, Stamp] = {}
        self.problems: list[Problem] = []
        self._environ = environ

    def read(self, path: Path) -> MappingNode:
        """The tree of the file at `path`, included files joined in."""
        file = _absolute(str(path), Path.cwd())
        return self._read(file, Place(file), ())

    def _read(self, path: Path, named_at: Place, including: tuple[Path, ...]) -> MappingNode:
        empty = MappingNode({}, Place(path))
        if path in including:
            chain = " includes ".join(str(file) for file in (*including[including.index(path) :], path))
            self._fail(named_at, f"a file includes itself: {chain}")
            return empty
        self.files[path] = stamp_of(path)
        try:
            root = parse(read_text(path), path)
        except OSError as error:
            self._fail(
                named_at,
                f"cannot be read: {reason(error)}"
                if named_at.file == path
                else f"cannot read {path}: {reason(error)}",
            )
            return empty
        except ConfigError as error:
            self.problems += error.problems
            return empty
        if not isinstance(root, MappingNode):
            self._fail(root.place, "expected options (name: value) at the top of the file")
            return empty
        root.entries.pop("$schema", None)
        if not root.entries and not including:
            # To serve nothing is hardly meant, and many tools empty a file before they write it.
            self._fail(Place(path, 1), "the file says nothing")
        self.problems += expand_variables(root, self._environ)
        resolve_paths(root, path.parent)
        return self._with_included(root, path, including)

    def _with_included(self, root: MappingNode, path: Path, including: tuple[Path, ...]) -> MappingNode:
        include = root.entries.pop("include", None)
        for pattern in self._patterns(include.node if include else None):
            for file in self._matches(pattern, path):
                root = self._joined(root, self._read(file, pattern.place, (*including, path)), ())
        return root

    def _patterns(self, node: Node | None) -> Iterator[Scalar]:
        for item in node.items if isinstance(node, ListNode) else [node]:
            text = item.value if isinstance(item, Scalar) else None
            if isinstance(item, Scalar) and isinstance(text, str) and text and "\0" not in text:
                yield item
            elif item is not None:
                self._fail(item.place, "expected the path of a file", "include")

    def _matches(self, pattern: Scalar, includer: Path) -> list[Path]:
        """The files a pattern stands for, without the one it is written in; a path stands for itself."""
        if not glob.has_magic(pattern.value):
            return [_absolute(pattern.value, includer.parent)]
        names = glob.glob(pattern.value, root_dir=includer.parent, recursive=True)  # noqa: PTH207
        files = (_absolute(name, includer.parent) for name in sorted(names))
        return [file for file in files if file.is_file() and file != includer]

    def _joined(self, first: MappingNode, second: MappingNode, path: OptionPath) -> MappingNode:
        """Both mappings in one: lists are joined, and so are the mappings inside."""
        entries = dict(first.entries)
        for name, entry in second.entries.items():
            node = entry.node
            known = entries.get(name)
            if known is None:
                entries[name] = entry
            elif isinstance(known.node, MappingNode) and isinstance(node, MappingNode):
                entries[name] = known._replace(node=self._joined(known.node, node, (*path, name)))
            elif isinstance(known.node, ListNode) and isinstance(node, ListNode):
                joined = ListNode([*known.node.items, *node.items], known.node.at)
                entries[name] = known._replace(node=joined)
            else:
                self._fail(
                    entry.key, f"is set twice; the first is at {spelled(known.key)}", dotted((*path, name))
                )
        return MappingNode(entries, first.at)

    def _fail(self, place: Place, message: str, path: str = "") -> None:
        self.problems.append(Problem(message, path, *place))


def resolve_paths(root: Node, base: Path) -> None:
    """Make the files that options in `root` name absolute: they are relative to the folder `base`."""
    for pattern in marked(File):
        for _, node in find(root, pattern):
            name = node.value if isinstance(node, Scalar) else None
            if isinstance(node, Scalar) and isinstance(name, str) and name not in {"", STANDARD_OUTPUT}:
                node.value = str(_absolute(name, base))


def read_text(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises OSError if it cannot be read and ConfigError if it is not UTF-8.
    """
    return decoded(read_bounded(path), path)


def decoded(content: bytes, path: Path) -> str:
    """The content of a file as text, its lines ended by LF. Raises ConfigError if it is not UTF-8."""
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem("not a text file in UTF-8", "", path, line)]) from None


def read_bounded(path: Path, most: int = MAX_BYTES) -> bytes:
    """The content of a file of reasonable size.

    Raises OSError if it cannot be read, or has more than `most` bytes.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes")
    return content


def reason(error: OSError) -> str:
    """Why a file cannot be read, in few words."""
    return (error.strerror or str(error)).lower()


def spelled(place: Place) -> str:
    """A place as it is mentioned inside a message."""
    return ":".join(str(part) for part in place if part is not None)


def _absolute(name: str, base: Path) -> Path:
    return Path(os.path.normpath(base / name))
