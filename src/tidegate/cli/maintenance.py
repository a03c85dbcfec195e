"""`tidegate maintenance`."""

from typing import Annotated

import typer

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.health import path_of

NAME = "maintenance"


@calls_admin
def command(
    client: Client,
    upstream: Annotated[str, typer.Argument(help="The upstream's name.")],
    endpoint: Annotated[str, typer.Argument(help="The endpoint's address, as configured.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who look.")] = "by the operator",
    end: Annotated[bool, typer.Option("--end", help="Put it back into service.")] = False,
) -> None:
    """Take an endpoint out of service, or put it back. The requests it has are finished."""
    path = f"{path_of(upstream, endpoint)}/maintenance"
    change = client.delete(path) if end else client.post(path, {"reason": reason})
    done = "back in service" if end else f"out of service: {reason}"
    said = f"{endpoint} is {done} (generation {change['generation']})"
    output.console().print(said if change["changed"] else f"{endpoint} was {done} already", markup=False)
