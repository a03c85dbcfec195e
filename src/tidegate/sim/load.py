"""Reads a study's file, with one option changed if that is asked."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import ValidationError

from tidegate.config.explain import explain
from tidegate.config.include import read_text, reason
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.syntax import parse
from tidegate.config.tree import MappingNode, Source, plain
from tidegate.sim.study import AnyStudy

S = TypeVar("S", bound=AnyStudy)


class StudyFile(Generic[S]):
    """A study as it is written."""

    def __init__(self, path: Path, model: type[S]) -> None:
        """Read the file at `path`, YAML, TOML or JSON, which says what `model` has.

        Raises ConfigError if it cannot be read.
        """
        self._folder = path.absolute().parent
        try:
            root = parse(read_text(path), path)
        except OSError as error:
            raise ConfigError([Problem(f"cannot read {path}: {reason(error)}")]) from None
        if not isinstance(root, MappingNode):
            raise ConfigError([Problem("expected options (name: value) at the top of the file", "", path)])
        self._source = Source(root)
        self._model = model

    def study(self, changes: Sequence[tuple[str, str]] = ()) -> S:
        """The study, with each option of `changes` set to the value beside it, as YAML would have it.

        An option is like `servers.0.speed`, where `*` stands for every item of a list. Raises ConfigError
        with every mistake.
        """
        data = copy.deepcopy(plain(self._source.root))
        for option, value in changes:
            if not _set(data, option.split("."), yaml.safe_load(value)):
                raise ConfigError([Problem("there is no such place in the study", option)])
        try:
            return self._model.model_validate(data).below(self._folder)
        except ValidationError as error:
            raise ConfigError(explain(error, self._source, self._model)) from None


def _set(data: Any, path: list[str], value: Any) -> bool:
    """Set what is at `path`; false if there is no group of options to set it in."""
    first, rest = path[0], path[1:]
    if isinstance(data, list):
        places: list[Any] = (
            list(range(len(data))) if first == "*" else [int(first)] if first.isdecimal() else []
        )
        if not places or places[-1] >= len(data):
            return False
    elif isinstance(data, dict):
        places = [first]
        if rest and first not in data:
            data[first] = {}
    else:
        return False
    if rest:
        return all(_set(data[place], rest, value) for place in places)
    for place in places:
        data[place] = value
    return True
