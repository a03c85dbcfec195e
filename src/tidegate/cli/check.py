"""`tidegate check`."""

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import output
from tidegate.cli.configuration import load_plan
from tidegate.cli.excerpt import show


def command(
    file: Annotated[Path, typer.Argument(help="The configuration file (YAML, TOML or JSON).")],
) -> None:
    """Check a configuration file, and show everything that is wrong with it or hardly meant.

    Warnings alone (a route that no request can reach, an upstream that no route uses) are no failure.
    """
    loaded, _ = load_plan(file)
    config = loaded.config
    show(loaded.warnings)
    counts = (
        output.counted(len(config.listeners), "listener"),
        output.counted(len(config.routes), "route"),
        output.counted(len(config.upstreams), "upstream"),
    )
    output.console().print(f"{file} is good: {', '.join(counts)}", markup=False)
