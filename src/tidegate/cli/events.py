"""`tidegate events`."""

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson


@calls_admin
def command(
    client: Client,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with each event as it happens.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what happened of late: commits, refusals, changes of health, operators' words, faults."""
    show = _print_json if as_json else _print
    for event in client.follow("/v1/events") if follow else client.get("/v1/events"):
        show(event)


def _print_json(event: dict[str, Any]) -> None:
    typer.echo(json.dumps(event))


def _print(event: dict[str, Any]) -> None:
    about = {name: value for name, value in event.items() if name not in ("id", "time", "kind")}
    told = " ".join(f"{name}={value}" for name, value in about.items() if value is not None)
    time = (
        datetime.fromisoformat(event["time"]).astimezone().isoformat(" ", "milliseconds")
        if "time" in event
        else "-"
    )
    output.console().print(f"{time} {event['kind']} {told}", markup=False)
