"""Recorded requests: which objects were asked for, and how large they are."""

import json
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, NamedTuple

from tidegate.sim.cache.model import CacheTrace


class Requested(NamedTuple):
    """A request as the engine takes it."""

    number: int
    """The object's: they are counted in the order in which they were first asked for."""
    size: int
    """The object's size in bytes, the same each time."""


def requests(trace: CacheTrace) -> list[Requested]:
    """The trace's requests in order.

    Raises OSError if the file cannot be read, ValueError if it is not of its format.
    """
    read = {"access_log": _access_log, "mooncake": _mooncake}[trace.format]
    try:
        with trace.file.open(encoding="utf-8") as lines:
            found = list(read(json.loads(line) for line in lines))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{trace.file} is not a trace of the format {trace.format}: {error}") from None
    if not found:
        raise ValueError(f"{trace.file} has no requests that a cache can answer")
    return _numbered(found)


def _numbered(found: list[tuple[Hashable, int]]) -> list[Requested]:
    """Each object by its number, with the largest size that was seen of it: ranges and 304 have less."""
    numbers: dict[Hashable, int] = {}
    sizes: list[int] = []
    for key, size in found:
        number = numbers.setdefault(key, len(numbers))
        if number == len(sizes):
            sizes.append(size)
        sizes[number] = max(sizes[number], size)
    return [Requested(numbers[key], sizes[numbers[key]]) for key, _ in found]


def _access_log(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[Hashable, int]]:
    """This gateway's access log as JSON: what was asked for with GET, and answered well."""
    for row in rows:
        if row["method"] == "GET" and row.get("status", 0) in range(200, 400):
            yield (row.get("host"), row["path"], row.get("query")), row["response_bytes"]


def _mooncake(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[Hashable, int]]:
    """A trace of Mooncake (Qin et al., FAST 2025): blocks of requests' inputs, named by hash."""
    for row in rows:
        for block in row["hash_ids"]:
            yield block, 1
