"""Units: durations, sizes, counts and shares, as people write them and as the plan holds them.

The types of the plan (`crates/core/src/plan`) have the same names and bounds; a contract test compares them.
"""

import os
import re
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any

from tidegate.config.model.bounded import Bounded

PERCENT = "percent"
_DURATION_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_SIZE_UNITS = {
    "TiB": 1 << 40,
    "TB": 10**12,
    "GiB": 1 << 30,
    "GB": 10**9,
    "MiB": 1 << 20,
    "MB": 10**6,
    "KiB": 1 << 10,
    "KB": 10**3,
    "B": 1,
}
_SIZE_UNITS_LOWER = {unit.lower(): factor for unit, factor in _SIZE_UNITS.items()}

_NUMBER = r"(\d{1,15}(?:\.\d{1,9})?)"
_DURATION_PART = re.compile(_NUMBER + r"(ms|d|h|m|s)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+", re.ASCII)
_SIZE = re.compile(_NUMBER + r"\s?([a-z]*)", re.ASCII | re.IGNORECASE)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s?%?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)

MAX_DURATION = 3650 * _DURATION_UNITS["d"]
"""Ten years in milliseconds: far more than any timeout needs, far less than what overflows a clock."""
MAX_SIZE = (1 << 63) - 1
MAX_COUNT = (1 << 32) - 1


def parse_duration(text: str) -> int:
    """Milliseconds that `text` stands for, like `250ms`, `5s`, `1h30m` or `0`.

    Raises ValueError if it is no duration or not a whole number of milliseconds.
    """
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"expected a duration like 250ms, 5s or 1h30m; found {text!r}")
    parts = _DURATION_PART.findall(text)
    factors = [_DURATION_UNITS[unit] for _, unit in parts]
    if any(later >= earlier for earlier, later in pairwise(factors)):
        raise ValueError(f"expected the units of a duration from large to small, each once; found {text!r}")
    total = sum(Decimal(number) * factor for (number, _), factor in zip(parts, factors, strict=True))
    if total != int(total):
        raise ValueError(f"expected a whole number of milliseconds; found {text!r}")
    return int(total)


def format_duration(millis: int) -> str:
    """The shortest text that `parse_duration` reads as `millis`."""
    text = ""
    for unit, factor in _DURATION_UNITS.items():
        count, millis = divmod(millis, factor)
        if count:
            text += f"{count}{unit}"
    return text or "0"


def parse_size(text: str) -> int:
    """Bytes that `text` stands for, like `64KiB` (1024), `10MB` (1000) or `512`.

    Raises ValueError if it is no size or not a whole number of bytes.
    """
    match = _SIZE.fullmatch(text)
    factor = _SIZE_UNITS_LOWER.get(match[2].lower() or "b") if match else None
    if not match or factor is None:
        raise ValueError(f"expected a size like 512, 64KiB, 10MB or 1GiB; found {text!r}")
    total = Decimal(match[1]) * factor
    if total != int(total):
        raise ValueError(f"expected a whole number of bytes; found {text!r}")
    return int(total)


def format_size(size: int) -> str:
    """`size` in the largest unit that divides it."""
    if size == 0:
        return "0"
    unit, factor = next((unit, factor) for unit, factor in _SIZE_UNITS.items() if size % factor == 0)
    return f"{size // factor}{unit}"


def _duration(value: Any) -> Any:
    return parse_duration(value.strip()) if isinstance(value, str) else _whole(value, "a duration like 5s")


def _size(value: Any) -> Any:
    return parse_size(value.strip()) if isinstance(value, str) else _whole(value, "a size like 64KiB")


def _count(value: Any) -> Any:
    return _whole(value, "a whole number")


def _percent(value: Any) -> Any:
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match:
        return float(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number of percent, like 5 or 0.1%; found {describe(value)}")
    return float(value)


def _workers(value: Any) -> Any:
    return usable_cpus() if value == "auto" else _whole(value, "auto or a whole number")


def _whole(value: Any, expected: str) -> int:
    """`value` as a whole number; a variable's text may be one, `true` never is."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected {expected}; found {describe(value)}")
    return value


def describe(value: Any) -> str:
    """A value as it is quoted in a message: short, and in the file's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def usable_cpus() -> int:
    """The number of CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def duration(lowest: int, highest: int = MAX_DURATION) -> Bounded:
    """A length of time; the plan holds milliseconds, and so is a bare number read."""
    text = {
        "type": "string",
        "pattern": r"^(0|(\d+(\.\d+)?(ms|s|m|h|d))+|\$\{.*\})$",
        "examples": ["250ms", "5s", "1h30m"],
    }
    return Bounded("duration", _duration, lowest, highest, words=(text,), number_is="milliseconds")


_SIZE_TEXT = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?\s?([KMGTkmgt]?[iI]?[bB])?|\$\{.*\})$",
    "examples": ["64KiB", "10MB"],
}


def size(lowest: int, highest: int = MAX_SIZE) -> Bounded:
    """A size; the plan holds bytes, and so is a bare number read."""
    return Bounded("size", _size, lowest, highest, words=(_SIZE_TEXT,), number_is="bytes")


def whole(lowest: int, highest: int = MAX_COUNT) -> Bounded:
    """A whole number."""
    return Bounded("whole number", _count, lowest, highest)


def percent(lowest: float, highest: float = 100, *, above: bool = False) -> Bounded:
    """A share; a text may say `%`."""
    text = {
        "type": "string",
        "pattern": r"^(\d{1,3}(\.\d+)?\s?%?|\$\{.*\})$",
        "examples": ["0.1%"],
    }
    return Bounded(
        PERCENT, _percent, lowest, highest, above, kind="number", words=(text,), number_is="percent"
    )


Duration = Annotated[int, duration(0)]
Timeout = Annotated[int, duration(1)]
"""A duration that cannot be zero."""

Size = Annotated[int, size(0)]

Rate = Annotated[int, size(1)]
"""Bytes a second."""

Quota = Annotated[int, Bounded("number or size", _size, 1, MAX_SIZE, words=(_SIZE_TEXT,), number_is="units")]
"""What may be spent: a number, or a size where bytes are counted."""

Count = Annotated[int, whole(0)]
"""A whole number that fits 32 bits."""

Positive = Annotated[int, whole(1)]
"""A count that cannot be zero."""

Workers = Annotated[int, Bounded("whole number or `auto`", _workers, 1, 1024, words=({"const": "auto"},))]
"""A number of threads; `auto` is the number of CPUs that this process may use."""

Port = Annotated[int, whole(1, 65535)]
"""A TCP port that something listens on."""

Status = Annotated[int, whole(200, 599)]
"""The status of a final response."""

Percent = Annotated[float, percent(0)]
PositivePercent = Annotated[float, percent(0, above=True)]
"""A share that is not zero."""
