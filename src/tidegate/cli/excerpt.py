"""A problem of the configuration, with the line it stands on and a caret under the place."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli import output

if TYPE_CHECKING:
    from rich.text import Text

    from tidegate.config.problem import Problem


def show(problems: Sequence["Problem"]) -> None:
    """Print every problem on standard error."""
    for problem in problems:
        output.console(stderr=True).print(_explained(problem))


def _explained(problem: "Problem") -> "Text":
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
    line = _line(problem)
    if line is not None:
        number = str(problem.line)
        caret = " " * _width(line[: (problem.column or 1) - 1])
        text.append(f"  {number} | ", "dim").append(f"{line.expandtabs(4)}\n")
        text.append(f"  {' ' * len(number)} | ", "dim").append(f"{caret}^\n", "bold red")
    if problem.hint:
        text.append("  hint: ", "green").append(f"{problem.hint}\n")
    return text


def _line(problem: "Problem") -> str | None:
    """The line that the problem stands on, where its file can still be read."""
    if problem.file is None or problem.line is None:
        return None
    try:
        return Path(problem.file).read_text(encoding="utf-8").splitlines()[problem.line - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return None


def _width(before: str) -> int:
    return len(before.expandtabs(4))
