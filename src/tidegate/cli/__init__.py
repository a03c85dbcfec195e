"""The command line, one file per command.

A command starts as quickly as what it does allows: its file is loaded when it is called (and all of them for
`--help`), and inside its function it imports what it runs.
"""

import io
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NoReturn

import typer

from tidegate.cli import exits
from tidegate.cli.quick import Command, Group, quick_app

NAMES = (
    "run",
    "check",
    "demo",
    "status",
    "health",
    "maintenance",
    "drain",
    "weight",
    "events",
    "routes",
    "route",
    "explain",
    "limits",
    "cache",
    "key",
    "passwd",
    "auth",
    "reload",
    "schema",
    "version",
    "sim",
    "ai",
)
"""The commands as `--help` lists them: each a file of its name, with a `command` or an `app` of several."""


class _Commands(Mapping[str, Any]):
    """The commands by name, each loaded when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        module = import_module(f"{__name__}.{name}")
        app: typer.Typer | None = getattr(module, "app", None)
        if app is None:
            app = quick_app(add_completion=False)
            app.command(name, cls=Command)(module.command)
        return typer.main.get_command(app)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


class _Files(Group):
    """A group whose commands are files."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": _Commands()})


app = quick_app(
    name="tidegate",
    cls=_Files,
    epilog="Exit codes: " + "; ".join(f"{code.number} {code.meaning}" for code in exits.TABLE) + ".",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def tidegate() -> None:
    """A load balancer and API gateway: configured in one readable file, changed while it runs."""


def entry() -> NoReturn:
    """The process: a command, and an end that does not take apart first what ends with the process anyway.

    Where requests were served all is let go in order: the engine writes out its access log.
    """
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream and not stream.closed:
                stream.flush()
        except OSError:
            code = code or exits.FAILED
    if "tidegate.process" in sys.modules:
        sys.exit(code)
    os._exit(code)


def main() -> None:
    """A command: mistakes and failures end with a sentence and an exit code, not with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names may hold what a terminal's encoding lacks
    with exits.explained():
        app()
