"""Turns what pydantic found into what a person needs to know."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tidegate.config.model.bounded import Bounded
from tidegate.config.model.config import Config
from tidegate.config.model.options import Options, written
from tidegate.config.model.retired import Retired
from tidegate.config.model.unit import describe
from tidegate.config.model.walk import group_at, marked, parts, secrets
from tidegate.config.problem import Problem
from tidegate.config.tree import OptionPath, Source, matches

_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": "a mapping (name: value)",
    "model_type": "options (name: value)",
    "model_attributes_type": "options (name: value)",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:.15g}{unit}",
    "greater_than_equal": "at least {ge:.15g}{unit}",
    "less_than_equal": "at most {le:.15g}{unit}",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} item(s)",
    "string_unicode": "text that is valid Unicode",
}


def explain(error: ValidationError, source: Source, root: type[Options] = Config) -> list[Problem]:
    """Every mistake in plain words, with its place and, for a misspelt word, what may be meant.

    `root` is what was read from `source`."""
    found = (details for details in error.errors(include_url=False) if not _is_phantom(details))
    return [_problem(details, source, root) for details in found]


def _is_phantom(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because some of its items are wrong, which is told of each."""
    found = details["input"]
    return (
        details["type"] == "too_short"
        and isinstance(found, list)
        and len(found) >= details.get("ctx", {})["min_length"]
    )


def _problem(details: ErrorDetails, source: Source, root: type[Options]) -> Problem:
    path = tuple(step for step in details["loc"] if step != "[key]")
    kind = details["type"]
    if retired := _retired(details, path, root):
        message, hint = f"{retired.name} {retired.reason}", retired.instead(details["input"])
        return source.problem(path, message, hint=hint, key=kind == "extra_forbidden")
    if kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _siblings(path, root)) or _known(_siblings(path, root))
        return source.problem(path, "unknown option", hint=hint, key=True)
    if kind == "missing":
        return source.problem(path, "is required")
    return source.problem(path, _message(details, root), hint=_hint(details), key="[key]" in details["loc"])


def _retired(details: ErrorDetails, path: OptionPath, root: type[Options]) -> Retired | None:
    """What earlier versions knew and this one does not: an option, or a word of one."""
    name: Any = None
    known: Iterable[Any] = ()
    if details["type"] == "extra_forbidden":
        name, known = path[-1], getattr(group_at(path[:-1], root), "retired", ())
    elif details["type"] == "literal_error":
        while isinstance(path[-1], int):
            path = path[:-1]  # the list that the word stands in
        field = _siblings(path, root).get(str(path[-1]))
        name, known = details["input"], (part for _, part in parts(field, ())) if field else ()
    return next((one for one in known if isinstance(one, Retired) and one.name == name), None)


def _message(details: ErrorDetails, root: type[Options]) -> str:
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        return str(context["error"])
    kind = details["type"]
    if kind == "too_short" and isinstance(details["input"], str):
        kind = "string_too_short"  # a secret's length
    expected = _EXPECTED.get(kind)
    if expected is None:
        return details["msg"]
    if kind == "literal_error":
        words = context["expected"].replace("'", "").replace(" or ", ", ")
        expected = "true" if words == "True" else f"one of {words}"
    message = f"expected {expected.format(**context, unit=_unit(details['loc'], root))}"
    return message if _is_secret(details["loc"], root) else f"{message}; found {describe(details['input'])}"


def _hint(details: ErrorDetails) -> str | None:
    found = details["input"]
    if details["type"] == "literal_error" and isinstance(found, str):
        words = details.get("ctx", {})["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        return did_you_mean(found, words)
    if details["type"] == "tuple_type" and isinstance(found, str):
        return f"write [{found}]"
    if details["type"] == "string_type" and isinstance(found, int | float):
        return "put it in quotes"
    return None


def _unit(path: tuple[str | int, ...], root: type[Options]) -> str:
    """What the number at `path` counts, where the file may say it in other units too."""
    numbers = marked(Bounded, root).items()
    unit = next((number.number_is for at, number in numbers if matches(path, at)), None)
    return f" {unit}" if unit else ""


def _is_secret(path: tuple[str | int, ...], root: type[Options]) -> bool:
    """Whether the value at `path` must not be shown."""
    return any(matches(path, pattern) for pattern in secrets(root))


def _siblings(path: tuple[str | int, ...], root: type[Options]) -> dict[str, FieldInfo]:
    """The options at the level of `path`."""
    group = group_at(path[:-1], root)
    return {written(name): field for name, field in group.model_fields.items()} if group else {}


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A question that names the word nearest to a misspelt one."""
    close = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else None


def _known(names: Iterable[str]) -> str:
    return f"known here: {', '.join(names)}"
