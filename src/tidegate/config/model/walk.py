"""All options of the configuration, one by one, and what their marks say."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tidegate.config.model.config import Config
from tidegate.config.model.options import Options, written

Pattern = tuple[str, ...]
"""Where options are: names from the top; `*` stands for every item of a list and every value of a mapping."""
Mark = TypeVar("Mark")


class Option(NamedTuple):
    """An option, or a group of options."""

    path: Pattern
    """Its names from the top."""
    owner: type[Options]
    """The group that it is an option of."""
    field: FieldInfo
    """Its type and default."""
    group: type[Options] | None
    """The options below it."""


def walk(group: type[Options] = Config, path: Pattern = ()) -> Iterator[Option]:
    """Every option of `group`, each before those below it."""
    for name, field in group.model_fields.items():
        here = (*path, written(name))
        below = next(((at, part) for at, part in parts(field, here) if _is_group(part)), None)
        yield Option(here, group, field, below and below[1])
        if below:
            yield from walk(below[1], below[0])


@cache
def groups(root: type[Options] = Config) -> dict[Pattern, type[Options]]:
    """The group of options at each path below `root`; list items are at `*`."""
    found: dict[Pattern, type[Options]] = {(): root}
    for option in walk(root):
        if option.group:
            found[option.path] = found[(*option.path, "*")] = option.group
    return found


def group_at(path: Sequence[str | int], root: type[Options] = Config) -> type[Options] | None:
    """The group of options that stands at the place `path`."""
    known = groups(root)
    pattern: Pattern = ()
    for step in path:
        named = (*pattern, str(step))
        pattern = named if named in known else (*pattern, "*")
    return known.get(pattern)


@cache
def marked(kind: type[Mark], root: type[Options] = Config) -> dict[Pattern, Mark]:
    """Where values are that carry a mark of this kind, and the mark."""
    found = (part for option in walk(root) for part in parts(option.field, option.path))
    return {at: part for at, part in found if isinstance(part, kind)}


@cache
def secrets(root: type[Options] = Config) -> frozenset[Pattern]:
    """Where the secrets are."""
    found = (part for option in walk(root) for part in parts(option.field, option.path))
    return frozenset(at for at, part in found if part is SecretStr)


def parts(field: FieldInfo, path: Pattern) -> Iterator[tuple[Pattern, Any]]:
    """The types and the marks that make up a field, each with the place of the values that it is about."""
    for mark in field.metadata:
        yield path, mark
    yield from _parts(field.annotation, path)


def _parts(annotation: Any, path: Pattern) -> Iterator[tuple[Pattern, Any]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from ((path, mark) for mark in arguments[1:])
        yield from _parts(arguments[0], path)
    elif origin in {tuple, dict}:
        values = arguments[0] if origin is tuple else arguments[1]
        yield from _parts(values, (*path, "*"))
    elif arguments:
        for argument in arguments:
            yield from _parts(argument, path)
    else:
        yield path, annotation


def _is_group(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Options)
