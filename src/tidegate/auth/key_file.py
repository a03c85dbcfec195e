"""A file of API keys, as commands change it: what else is in it stays as it was written."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tidegate.config.include import decoded
from tidegate.config.key_list import key_list
from tidegate.config.problem import ConfigError
from tidegate.config.syntax import parse
from tidegate.config.tree import ListNode

Entry = dict[str, Any]


class KeyFileError(Exception):
    """A file of keys cannot be read or changed; the message says which, why and what to do."""


def entries(file: Path) -> list[Entry]:
    """The keys in a file; none if there is no file, or an empty one. Raises KeyFileError."""
    return _entries(_text(file), file)


def add(file: Path, entry: Entry) -> None:
    """Write a key at the end of a file, and make the file if there is none. Raises KeyFileError."""
    text = _text(file)
    before = _entries(text, file)
    if any(each.get("id") == entry["id"] for each in before):
        raise KeyFileError(f"{file} has a key {entry['id']} already")
    _replace(file, _with(text, entry, file) if before else _whole([entry], file), [*before, entry])


def remove(file: Path, id: str) -> Entry:
    """Take a key out of a file; returns what the file said of it. Raises KeyFileError."""
    text = _text(file)
    before = _entries(text, file)
    index = next((index for index, each in enumerate(before) if each.get("id") == id), None)
    if index is None:
        raise KeyFileError(f"{file} has no key {id}")
    after = [*before[:index], *before[index + 1 :]]
    _replace(file, _without(text, index, file) if after else "[]\n", after)
    return before[index]


def _text(file: Path) -> str:
    try:
        return decoded(file.read_bytes(), file)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise KeyFileError(f"{file} cannot be read: {error.strerror}") from error
    except ConfigError as error:
        raise KeyFileError(str(error.problems[0])) from error


def _entries(text: str, file: Path) -> list[Entry]:
    if not text.strip():
        return []
    try:
        found = json.loads(key_list(text.encode(), file))
    except ConfigError as error:
        raise KeyFileError(str(error.problems[0])) from error
    except ValueError as error:
        raise KeyFileError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise KeyFileError(f"{file} is no list of API keys")
    return found


def _is_json(file: Path) -> bool:
    return file.suffix.lower() == ".json"


def _whole(all_entries: list[Entry], file: Path) -> str:
    if _is_json(file):
        return json.dumps(all_entries, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(all_entries, sort_keys=False, allow_unicode=True)


def _with(text: str, entry: Entry, file: Path) -> str:
    if _is_json(file):
        return _whole([*json.loads(text), entry], file)
    indent = re.search(r"^( *)- ", text, re.MULTILINE)
    lines = _whole([entry], file).splitlines(keepends=True)
    return text.rstrip() + "\n" + "".join((indent[1] if indent else "") + line for line in lines)


def _without(text: str, index: int, file: Path) -> str:
    if _is_json(file):
        left = json.loads(text)
        return _whole([*left[:index], *left[index + 1 :]], file)
    root = parse(text, file)
    begins = [item.place.line or 0 for item in root.items] if isinstance(root, ListNode) else []
    lines = text.splitlines(keepends=True)
    first, end = begins[index] - 1, begins[index + 1] - 1 if index + 1 < len(begins) else len(lines)
    while end > first + 1 and lines[end - 1].lstrip()[:1] in ("", "#"):
        end -= 1  # a comment belongs to what follows it
    return "".join([*lines[:first], *lines[end:]])


def _replace(file: Path, text: str, expected: list[Entry]) -> None:
    """Let the file hold `text`, or what it had, whatever happens meanwhile."""
    try:
        fits = _entries(text, file) == expected
    except KeyFileError:
        fits = False
    if not fits:
        raise KeyFileError(
            f"{file} is written in a way that only a person can change: expected a `- ` per key"
        )
    replace_whole(file, text, 0o644)


def replace_whole(file: Path, text: str, mode: int) -> None:
    """Let `file`, or what it links to, hold `text`, with the mode that it has; a new one gets `mode`.

    Raises OSError.
    """
    file = file.resolve()
    if file.exists():
        mode = file.stat().st_mode & 0o7777
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text)
            written.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(draft).replace(file)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise
