"""A problem of the configuration, with the line it stands on and a caret under the place."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli import output

if TYPE_CHECKING:
    from rich.text import Text

    from tidegate.config.problem import Problem

FAR = 120
"""Characters of a line that are shown on either side of the place; files made by programs have long lines."""


def show(problems: Sequence["Problem"]) -> None:
    """Print every problem on standard error."""
    read = cache(_lines)
    for problem in problems:
        lines = read(problem.file) if problem.file else []
        output.console(stderr=True).print(_explained(problem, lines))


def _explained(problem: "Problem", lines: Sequence[str]) -> "Text":
    from rich.text import Text

    text = Text()
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part is not None)
    if place:
        text.append(f"{place}: ", "bold")
    if problem.severity == "warning":
        text.append("warning: ", "yellow")
    if problem.path:
        text.append(f"{problem.path}: ", "cyan")
    text.append(f"{problem.message}\n")
    if problem.quotable and problem.line is not None and problem.line <= len(lines):
        number = str(problem.line)
        before, behind = _around(lines[problem.line - 1], (problem.column or 1) - 1)
        caret = " " * len(before)
        text.append(f"  {number} | ", "dim").append(f"{before}{behind}\n")
        text.append(f"  {' ' * len(number)} | ", "dim").append(f"{caret}^\n", "bold red")
    if problem.hint:
        text.append("  hint: ", "green").append(f"{problem.hint}\n")
    return text


def _lines(file: Path) -> list[str]:
    """The lines of a file; none if it can no longer be read."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _around(line: str, place: int) -> tuple[str, str]:
    """What a line says before and behind a place, without what lies far off or would steer a terminal."""
    before, behind = line[:place].expandtabs(4), line[place:].expandtabs(4)
    if len(before) > FAR:
        before = f"…{before[-FAR:]}"
    if len(behind) > FAR:
        behind = f"{behind[:FAR]}…"
    return _printable(before), _printable(behind)


def _printable(text: str) -> str:
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
