"""Configuration documents: the configuration as plain data, which is what is stored, compared and edited.

A document holds what the user gave and no more: defaults are left out, and files stay the paths they are.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tidegate.config.load import Loaded

Document = dict[str, Any]

REDACTED = "***"
SECRETS = (("admin", "token"), ("upstreams", "*", "balance", "sticky", "secret"))
"""Options whose values are never shown; `*` stands for every item of a list."""


def document_of(loaded: Loaded) -> Document:
    """The document of a validated configuration."""
    document: Document = loaded.config.model_dump(mode="json", exclude_unset=True)
    return document


def canonical(document: Document) -> str:
    """The one JSON text of a document: keys sorted, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def etag_of(document: Document) -> str:
    """The entity tag (RFC 9110 §8.8.3) of a document, quotes included."""
    return f'"{hashlib.sha256(canonical(document).encode()).hexdigest()[:32]}"'


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


def redact(value: Any, at: tuple[str, ...] = ()) -> Any:
    """A copy of a document, or of what is `at` a path in one, with `***` in the place of every secret."""
    for path in SECRETS:
        if path[: len(at)] == at:
            value = _changed(value, None, path[len(at) :], lambda _secret, _kept: REDACTED)
    return value


def keep_secrets(edited: Document, current: Document) -> Document:
    """`edited` with the secrets of `current` where it says `***`, so that what was read can be sent back."""
    for path in SECRETS:
        edited = _changed(edited, current, path, lambda secret, kept: kept if secret == REDACTED else secret)
    return edited


def _changed(value: Any, other: Any, path: tuple[str, ...], change: Callable[[Any, Any], Any]) -> Any:
    """A copy of `value` where the option at `path` is what `change` makes of it and the same one of `other`.

    Items of a list are the same by name.
    """
    if not path:
        return None if value is None else change(value, other)
    first, rest = path[0], path[1:]
    if first == "*" and isinstance(value, list):
        same = {_name(item): item for item in other} if isinstance(other, list) else {}
        return [_changed(item, same.get(_name(item)), rest, change) for item in value]
    if isinstance(value, dict) and first in value:
        below = other.get(first) if isinstance(other, dict) else None
        return {**value, first: _changed(value[first], below, rest, change)}
    return value


def _name(item: Any) -> Any:
    return item.get("name") if isinstance(item, dict) else None
