"""Loads a configuration: read, checked as a whole, with every mistake named at once."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tidegate.config.check import check, fits
from tidegate.config.collector import collector_paused
from tidegate.config.explain import explain
from tidegate.config.include import Reader, resolve_paths
from tidegate.config.material import Material, read_material
from tidegate.config.member import NONE, Members, Rest, members_of
from tidegate.config.model import Config
from tidegate.config.model.text import AsWritten
from tidegate.config.model.walk import marked, secrets
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.remainder import Remainder, remainder
from tidegate.config.remark import remarks
from tidegate.config.stamp import Stamps
from tidegate.config.tree import UNWRITTEN, Node, Scalar, Source, find, find_each, plain, planted, undotted


@dataclass(frozen=True)
class Loaded:
    """A configuration without mistakes."""

    config: Config
    """All options; paths of files are absolute."""
    source: Source = field(repr=False)
    """Where each option is written."""
    files: Stamps
    """Every file that was read, as it was then: the configuration, what it includes, and what its options
    name."""
    contents: Mapping[Path, bytes] = field(repr=False)
    """What the files that options name held when they were checked."""
    members: Members = field(repr=False)
    """Its listeners, routes and upstreams, to load the next configuration with."""
    warnings: tuple[Problem, ...] = ()
    """What should be looked at, but keeps nothing from starting."""

    @property
    def own(self) -> frozenset[Path]:
        """Those of its files that hold the configuration itself."""
        return frozenset(self.files.keys() - self.contents.keys())


class RefusedError(ConfigError):
    """A configuration has mistakes, which are `problems`; the engine may find more in what is left of it."""

    def __init__(self, problems: list[Problem], source: Source, files: Stamps, material: Material) -> None:
        super().__init__(problems)
        self.source = source
        self.own = frozenset(files)
        """The files that hold the configuration itself."""
        self.files = {**files, **material.files}
        """Every file that was to be read, as it was then."""
        self._material = material

    def remainder(self) -> tuple[Loaded, Remainder] | None:
        """What can be loaded without the mistakes, and where it stands in the whole."""
        unreadable = [undotted(each.path) for each in self._material.problems if each.severity == "error"]
        rest = remainder(self.source.root, unreadable)
        if rest is None:
            return None
        config, part = rest
        contents = self._material.contents
        members = members_of(config, plain(part.root))
        return Loaded(config, Source(part.root), self.files, contents, members), part


def load_file(path: Path, known: Members = NONE) -> Loaded:
    """Load the file at `path` (YAML, TOML or JSON by its ending), with what it includes.

    What it says of members as they are `known` is taken from there. Raises ConfigError with every mistake.
    """
    with collector_paused():
        reader = Reader(os.environ)
        root = reader.read(path)
        _keep_as_written(root)
        if not reader.problems and (
            loaded := _load_rest(plain(root), Source(root), path.parent, reader.files, known)
        ):
            return loaded
        return _load(root, reader.files, reader.problems)


def load_data(data: dict[str, Any], base: Path, known: Members = NONE) -> Loaded:
    """Load bare data, as the admin API gets it; files are relative to the folder `base`.

    Variables and includes belong to files: a `${VAR}` stays as it is, `include` is an error.
    What it says of members as they are `known` is taken from there. Raises ConfigError with every mistake.
    """
    problems = []
    with collector_paused():
        data = {name: value for name, value in data.items() if name != "$schema"}
        if loaded := _load_rest(data, UNWRITTEN, base, {}, known):
            return loaded
        root = planted(data)
        include = root.entries.pop("include", None)
        if include and plain(include.node):
            problems.append(Problem("files can be included only from a file", "include"))
        resolve_paths(root, base.absolute())
        return _load(root, {}, problems)


def _load(root: Node, files: Stamps, problems: list[Problem]) -> Loaded:
    source, written = Source(root), plain(root)
    config = None
    try:
        config = Config.model_validate(written)
    except ValidationError as error:
        told = {problem.path for problem in problems}
        problems += [problem for problem in explain(error, source) if problem.path not in told]
    problems += check(source)
    material = read_material(source)
    problems = discreet(in_order([*problems, *material.problems]), source)
    if config is None or any(problem.severity == "error" for problem in problems):
        raise RefusedError(problems, source, files, material)
    files = {**files, **material.files}
    loaded = Loaded(config, source, files, material.contents, members_of(config, written))
    return _with_remarks(loaded, problems)


def _load_rest(
    written: dict[str, Any], source: Source, base: Path, files: Stamps, known: Members
) -> Loaded | None:
    """The configuration that is written, looking only at what is not known; None if that has a mistake.

    To say all that is wrong, and where, takes a look at the whole.
    """
    rest = Rest.of(written, known)
    if not rest.known or "include" in written:
        return None
    root = planted(rest.written)
    resolve_paths(root, base.absolute())
    try:
        config, members = rest.joined(Config.model_validate(plain(root)))
    except ValidationError:
        return None
    material = read_material(Source(root))
    if material.problems or not fits(Source(root), config, rest.known):
        return None
    files = {**files, **material.files}
    return _with_remarks(Loaded(config, source, files, material.contents, members))


def _with_remarks(loaded: Loaded, problems: Iterable[Problem] = ()) -> Loaded:
    found = remarks(loaded.source, loaded.config, loaded.members)
    return replace(loaded, warnings=(*problems, *discreet(found, loaded.source)))


def _keep_as_written(root: Node) -> None:
    """Give the options that are texts what stands in the file, where that looks like a number."""
    for _, node, _ in find_each(root, tuple(marked(AsWritten))):
        if isinstance(node, Scalar) and node.written and isinstance(node.value, int | float):
            node.value = node.value if isinstance(node.value, bool) else node.written


def discreet(problems: Iterable[Problem], source: Source) -> list[Problem]:
    """The problems, with those marked whose line also holds a secret."""
    lines = {source.place(path)[:2] for pattern in secrets() for path, _ in find(source.root, pattern)}
    return [replace(problem, quotable=(problem.file, problem.line) not in lines) for problem in problems]


def in_order(problems: list[Problem]) -> list[Problem]:
    """Problems as they follow one another in the files, the first file first."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return sorted(problems, key=lambda p: (files.index(p.file), p.line or 0, p.column or 0))
