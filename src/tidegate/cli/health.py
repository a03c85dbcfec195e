"""`tidegate health`."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson

NAME = "health"


@calls_admin
def command(
    client: Client,
    upstream: Annotated[str, typer.Argument(help="The upstream's name.")],
    endpoint: Annotated[str, typer.Argument(help="The endpoint's address, as configured.")],
    as_json: AsJson = False,
) -> None:
    """Show why an endpoint is in the state that it is in, and its last changes."""
    health = client.get(f"{path_of(upstream, endpoint)}/health")
    output.answer(health, as_json, _print)


def path_of(upstream: str, endpoint: str) -> str:
    """Where the admin API has an endpoint."""
    return f"/v1/upstreams/{quote(upstream, safe='')}/endpoints/{quote(endpoint, safe='')}"


def _print(health: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = output.console()
    console.print(Text(f"{health['state']}: {health['cause']}"))
    console.print()
    table = Table("time", "from", "to", "cause", box=None, pad_edge=False)
    for change in health["changes"]:
        time = datetime.fromisoformat(change["time"]).astimezone().isoformat(" ", "milliseconds")
        table.add_row(*(Text(text) for text in (time, change["from"], change["to"], change["cause"])))
    console.print(table)
