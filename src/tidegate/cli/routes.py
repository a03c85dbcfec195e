"""`tidegate routes`."""

from typing import Any

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.configuration import inspect, load_plan
from tidegate.cli.options import AsJson, FromFile


@calls_admin
def command(
    client: Client,
    config: FromFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the routes in order of precedence: of a file, or of the running gateway."""
    table = inspect(load_plan(config)[1], "table") if config else client.get("/v1/routes")
    output.answer(table, as_json, _print)


def _print(table: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table("route", "hosts", "path", "conditions", "action", box=None, pad_edge=False)
    for row in table:
        shown.add_row(
            *(Text(_cell(row[column])) for column in ("route", "hosts", "path", "conditions", "action"))
        )
    output.console().print(shown)


def _cell(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
