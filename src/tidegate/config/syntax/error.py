"""Mistakes of syntax, common to all languages."""

from bisect import bisect_right
from pathlib import Path

from tidegate.config.problem import ConfigError, Problem
from tidegate.config.tree import Place


def syntax_error(place: Place, message: str, hint: str | None = None) -> ConfigError:
    """The error of a file that cannot be read on from `place`."""
    return ConfigError([Problem(message, "", *place, hint=hint)])


def duplicate_key(name: str, first: Place, second: Place) -> ConfigError:
    """The error of a name that a mapping has twice."""
    return syntax_error(second, f"{name!r} is given twice", f"the first is on line {first.line}")


class Lines:
    """Turns offsets in a text into places."""

    def __init__(self, text: str, file: Path) -> None:
        self._file = file
        self._starts = [0]
        for line in text.split("\n")[:-1]:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def place(self, offset: int) -> Place:
        """The place of the character at `offset`."""
        line = bisect_right(self._starts, offset)
        return Place(self._file, line, offset - self._starts[line - 1] + 1)
