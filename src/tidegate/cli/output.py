"""What commands print: colours only on a terminal, and none if NO_COLOR is set (rich sees to both)."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 1000
"""Whatever reads a pipe has no edge at which tables would have to be squeezed."""


@cache
def console(stderr: bool = False) -> "Console":
    """The console on standard output or standard error."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console


def answer(value: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    """Print what was asked for: as JSON, or as `show` shows it to people."""
    if as_json:
        typer.echo(json.dumps(value, indent=2))
    else:
        show(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console().print(table)


def error(message: str) -> None:
    """Say what went wrong."""
    from rich.text import Text

    console(stderr=True).print(Text.assemble(("error: ", "bold red"), message))


def counted(number: int, name: str) -> str:
    """How many there are: `1 route`, `2 routes`."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def size(number: int) -> str:
    """Bytes in the largest unit of which there is a whole one: `1.5 MB`."""
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def duration(seconds: float) -> str:
    """A time in its two largest units: `1d 1h`."""
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (int(seconds), "s"))
    shown = [f"{number}{unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0s"
