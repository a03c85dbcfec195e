"""Configuration documents: the configuration as plain data, which is what is stored, compared and edited.

A document holds what the user gave and no more: defaults are left out, and files stay the paths they are.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from tidegate.config.load import Loaded
from tidegate.config.member import SECTIONS, canonical
from tidegate.config.model.mark import Identity
from tidegate.config.model.secret import REDACTED
from tidegate.config.model.walk import Pattern, marked, secrets

Document = dict[str, Any]


def document_of(loaded: Loaded) -> Document:
    """The document of a validated configuration. Of members that are the same it holds the same objects."""
    config = loaded.config
    document: Document = config.data(exclude=SECTIONS, exclude_unset=True)
    for section in SECTIONS:
        if section in config.model_fields_set:
            document[section] = [member.document for member in loaded.members[section].values()]
    return document


def etag_of(loaded: Loaded) -> str:
    """The entity tag (RFC 9110 §8.8.3) of a configuration, quotes included."""
    members = {section: [each.digest for each in loaded.members[section].values()] for section in SECTIONS}
    rest = loaded.config.data(exclude=SECTIONS, exclude_unset=True)
    return f'"{hashlib.sha256(canonical({**rest, **members}).encode()).hexdigest()[:32]}"'


def with_member(document: Document, section: str, name: str, member: Document | None) -> Document:
    """The document with this member in the place of that name's, or as the last; None: without it."""
    members = document.get(section, [])
    at = next((at for at, each in enumerate(members) if each["name"] == name), len(members))
    given = [] if member is None else [member]
    return {**document, section: [*members[:at], *given, *members[at + 1 :]]}


def same_ends(before: Sequence[Any], after: Sequence[Any]) -> tuple[int, int]:
    """How many items at the beginning and at the end of two lists are the same objects."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] is not after[at]), shorter)
    behind = shorter - start
    return start, next((at for at in range(behind) if before[-1 - at] is not after[-1 - at]), behind)


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` changed by a JSON merge patch (RFC 7386 §2); `target` itself is left as it is."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def redact(value: Any, at: Pattern = ()) -> Any:
    """A copy of a document, or of what is `at` a path in one, with `***` in the place of every secret."""
    for path in secrets():
        if path[: len(at)] == at:
            value = _changed(value, None, path[len(at) :], lambda _secret, _none: REDACTED, at)
    return value


def keep_secrets(edited: Document, current: Document) -> Document:
    """`edited` with the secrets of `current` where it says `***`, so that what was read can be sent back."""
    for path in secrets():
        edited = _changed(edited, current, path, _kept)
    return edited


def _kept(secret: Any, current: Any) -> Any:
    return current if secret == REDACTED and current is not None else secret


def _changed(
    value: Any, other: Any, path: Pattern, change: Callable[[Any, Any], Any], at: Pattern = ()
) -> Any:
    """A copy of `value` where the option at `path` is what `change` makes of it and the same one of `other`.

    `at` is where `value` stands. Items of a list are the same by their identity.
    """
    if not path:
        return None if value is None else change(value, other)
    first, rest = path[0], path[1:]
    below = (*at, first)
    if first == "*" and isinstance(value, list):
        name = _identity(below)
        same = {_value(item, name): item for item in other} if isinstance(other, list) else {}
        return [_changed(item, same.get(_value(item, name)), rest, change, below) for item in value]
    if isinstance(value, dict) and first in value:
        return {**value, first: _changed(value[first], _value(other, first), rest, change, below)}
    return value


def _identity(member: Pattern) -> str | None:
    """The option that tells the members of a list apart."""
    return next((path[-1] for path in marked(Identity) if path[:-1] == member), None)


def _value(item: Any, name: str | None) -> Any:
    return item.get(name) if isinstance(item, dict) else None
