"""The command line, one file per command; what a command needs is imported when it is called."""

import io
import sys

import typer

from tidegate.cli import (
    check,
    demo,
    drain,
    events,
    exits,
    explain,
    health,
    maintenance,
    reload,
    route,
    routes,
    run,
    schema,
    sim,
    status,
    version,
    weight,
)

app = typer.Typer(
    name="tidegate",
    help="A load balancer and API gateway: configured in one readable file, changed while it runs.",
    epilog="Exit codes: " + "; ".join(f"{code.number} {code.meaning}" for code in exits.TABLE) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run,
    check,
    demo,
    status,
    health,
    maintenance,
    drain,
    weight,
    events,
    routes,
    route,
    explain,
    reload,
    schema,
    version,
):
    app.command(command.NAME)(command.command)
app.add_typer(sim.app, name=sim.NAME)


def main() -> None:
    """The entry point: mistakes and failures end with a sentence and an exit code, not with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names may hold what a terminal's encoding lacks
    with exits.explained():
        app()
