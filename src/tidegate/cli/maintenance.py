"""`tidegate maintenance`."""

from typing import Annotated

import typer

from tidegate.cli.client import Client, calls_admin
from tidegate.cli.words import Endpoint, Reason, Upstream, say


@calls_admin
def command(
    client: Client,
    upstream: Upstream,
    endpoint: Endpoint,
    reason: Reason = "by the operator",
    end: Annotated[bool, typer.Option("--end", help="Take it back.")] = False,
) -> None:
    """Take an endpoint out of service until that is taken back. The requests it has are finished."""
    if end:
        say(client, upstream, endpoint, "duty", None)
    else:
        say(client, upstream, endpoint, "duty", "maintenance", reason)
