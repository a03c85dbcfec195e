"""`tidegate routes`."""

import json
from typing import Any

import typer

from tidegate.cli import output
from tidegate.cli.client import Client
from tidegate.cli.configuration import load_plan
from tidegate.cli.options import DEFAULT_ADMIN, AdminUrl, AsJson, Ca, Cert, FromFile, Key, Token

NAME = "routes"


def command(
    config: FromFile = None,
    admin: AdminUrl = DEFAULT_ADMIN,
    token: Token = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Print the routes in order of precedence: of a file, or of the running gateway."""
    if config:
        from tidegate._engine import route_table

        table = json.loads(route_table(load_plan(config)[1].json))
    else:
        table = Client(admin, token, ca, cert, key).get("/v1/routes")
    if as_json:
        typer.echo(json.dumps(table, indent=2))
    else:
        _print(table)


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
