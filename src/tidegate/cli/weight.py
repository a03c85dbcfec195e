"""`tidegate weight`."""

from typing import Annotated

import typer

from tidegate.cli import exits
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.words import Endpoint, Reason, Upstream, say


@calls_admin
def command(
    client: Client,
    upstream: Upstream,
    endpoint: Endpoint,
    weight: Annotated[
        int | None, typer.Argument(min=0, help="Its share of the load beside the others'.")
    ] = None,
    reason: Reason = None,
    end: Annotated[bool, typer.Option("--end", help="Take it back.")] = False,
) -> None:
    """Give an endpoint another weight until that is taken back."""
    if (weight is None) != end:
        raise exits.CommandError(exits.USAGE, "expected either a weight or --end")
    say(client, upstream, endpoint, "weight", weight, reason)
