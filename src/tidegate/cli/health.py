"""`tidegate health`."""

from datetime import datetime
from typing import Any

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson
from tidegate.cli.words import Endpoint, Upstream, in_words, path_of


@calls_admin
def command(
    client: Client,
    upstream: Upstream,
    endpoint: Endpoint,
    as_json: AsJson = False,
) -> None:
    """Show why an endpoint is in the state that it is in, and its last changes."""
    health = client.get(f"{path_of(upstream, endpoint)}/health")
    output.answer(health, as_json, _print)


def _print(health: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = output.console()
    console.print(Text(f"{health['state']}: {health['cause']}"))
    for word in health["words"]:
        console.print(
            Text(f"the operator says: {in_words(word['option'], word['value'])} (by {word['author']})")
        )
    console.print()
    table = Table("time", "from", "to", "cause", box=None, pad_edge=False)
    for change in health["changes"]:
        time = datetime.fromisoformat(change["time"]).astimezone().isoformat(" ", "milliseconds")
        table.add_row(*(Text(text) for text in (time, change["from"], change["to"], change["cause"])))
    console.print(table)
