"""Configuration documents: the configuration as plain data, which is what is stored, compared and edited.

A document holds what the user gave and no more: defaults are left out, and files stay the paths they are.
"""

import hashlib
import json
from typing import Any

from tidegate.config.load import Loaded

Document = dict[str, Any]

REDACTED = "***"
SECRETS = (("admin", "token"),)
"""Options whose values are never shown."""


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


def redact(document: Document) -> Document:
    """A copy with `***` in the place of every secret."""
    for section, option in SECRETS:
        held = document.get(section)
        if isinstance(held, dict) and held.get(option) is not None:
            document = {**document, section: {**held, option: REDACTED}}
    return document


def keep_secrets(edited: Document, current: Document) -> Document:
    """`edited` with the secrets of `current` where it says `***`, so that what was read can be sent back."""
    for section, option in SECRETS:
        held = edited.get(section)
        if isinstance(held, dict) and held.get(option) == REDACTED:
            secret = (current.get(section) or {}).get(option)
            edited = {**edited, section: {**held, option: secret}}
    return edited
