"""`tidegate drain`."""

from typing import Annotated

import typer

from tidegate.cli.client import Client, calls_admin
from tidegate.cli.words import Endpoint, Reason, Upstream, say


@calls_admin
def command(
    client: Client,
    upstream: Upstream,
    endpoint: Endpoint,
    reason: Reason = None,
    end: Annotated[bool, typer.Option("--end", help="Take it back.")] = False,
) -> None:
    """Send an endpoint no new requests until that is taken back. The requests it has are finished."""
    say(client, upstream, endpoint, "duty", None if end else "draining", reason)
