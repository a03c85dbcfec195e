"""All options of the configuration, one by one."""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic.fields import FieldInfo

from tidegate.config.model.config import Config
from tidegate.config.model.file import File, Use
from tidegate.config.model.options import Options


class Option(NamedTuple):
    """An option, or a group of options."""

    path: tuple[str, ...]
    """Its names from the top; `*` stands for every item of a list."""
    field: FieldInfo
    """Its type, default and description."""
    group: type[Options] | None
    """The options below it."""


def walk(group: type[Options] = Config, path: tuple[str, ...] = ()) -> Iterator[Option]:
    """Every option of `group`, each before those below it."""
    for name, field in group.model_fields.items():
        below = next((part for part in _parts(field.annotation) if _is_group(part)), None)
        yield Option((*path, name), field, below)
        if below:
            items = ("*",) if tuple in map(_origin, _parts(field.annotation)) else ()
            yield from walk(below, (*path, name, *items))


@cache
def groups(root: type[Options] = Config) -> dict[tuple[str, ...], type[Options]]:
    """The group of options at each path below `root`; list items are at `*`."""
    found: dict[tuple[str, ...], type[Options]] = {(): root}
    for option in walk(root):
        if option.group:
            found[option.path] = found[(*option.path, "*")] = option.group
    return found


@cache
def file_options() -> dict[tuple[str, ...], Use]:
    """The options that name files, and what becomes of each."""
    return {
        option.path: mark.use
        for option in walk()
        for mark in (*option.field.metadata, *_parts(option.field.annotation))
        if isinstance(mark, File)
    }


def _parts(annotation: Any) -> Iterator[Any]:
    """`annotation` and all that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _origin(annotation: Any) -> Any:
    return getattr(annotation, "__origin__", None)


def _is_group(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Options)
