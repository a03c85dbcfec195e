"""`tidegate route`."""

from typing import Annotated, Any

import typer

from tidegate.cli import exits, output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.configuration import inspect, load_plan
from tidegate.cli.options import AsJson, FromFile

Method = Annotated[str, typer.Argument(help="The request's method.")]
Url = Annotated[str, typer.Argument(help="Its URL, like https://api.example.com/v1/users?page=2.")]
Headers = Annotated[
    list[str] | None, typer.Option("--header", "-H", help="A header field, `Name: value`; may be repeated.")
]
From = Annotated[str, typer.Option("--from", help="The client's address.")]
Listener = Annotated[str | None, typer.Option(help="The listener that the request comes in by.")]


@calls_admin
def command(
    client: Client,
    method: Method,
    url: Url,
    header: Headers = None,
    sender: From = "127.0.0.1",
    listener: Listener = None,
    config: FromFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which route takes a request, and why the nearer ones do not. No request is sent."""
    headers = [_field(each) for each in header or []]
    if config:
        answer = _explain_file(config, method, url, headers, sender, listener)
    else:
        asked = {"method": method, "url": url, "headers": headers, "client": sender, "listener": listener}
        answer = client.post("/v1/routes/explain", asked)
    output.answer(answer, as_json, _print)


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise typer.BadParameter(f"{text!r} is not like 'Name: value'", param_hint="--header")
    return name.strip(), value.strip()


def _explain_file(config: Any, method: str, url: str, headers: Any, sender: str, listener: str | None) -> Any:
    from tidegate.control.question import question

    plan = load_plan(config)[1]
    try:
        return inspect(plan, "route", **question(method, url, headers, sender, listener))
    except ValueError as error:
        raise exits.CommandError(exits.USAGE, str(error)) from None


def _print(answer: dict[str, Any]) -> None:
    from rich.text import Text

    console = output.console()
    if answer["route"] is None:
        console.print("No route takes this request.", style="yellow")
    else:
        console.print(Text.assemble("Route ", (answer["route"], "bold green"), " takes this request."))
    for name, value in answer["captures"].items():
        console.print(f"  {name} = {value}", markup=False)
    for considered in answer["considered"]:
        sign = "✓" if considered["matched"] else "✗"
        reason = f": {considered['reason']}" if considered["reason"] else ""
        console.print(f"  {sign} {considered['route']}{reason}", markup=False)
