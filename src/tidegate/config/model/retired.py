"""What earlier versions knew: it is refused, with what to write in its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Retired:
    """An option of a group (`Options.retired`), or a word of an option (a mark on it), that is gone."""

    name: str
    """The option, or the word."""
    reason: str
    """What became of it, as the end of a message: `is called x now`."""
    instead: Callable[[Any], str]
    """What to write in the place of a value."""


def now_in_percent(name: str, new: str) -> Retired:
    """An option for a share from 0 to 1, which counts percent under a new name."""

    def instead(share: Any) -> str:
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        return f"write {new}: {share * 100:g}" if is_number else f"write {new}"

    return Retired(name, f"is called {new} now, and counts percent", instead)
