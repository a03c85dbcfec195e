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
Listener = Annotated[
    str | None,
    typer.Option(help="The listener that it comes in by; without it, that of the URL's scheme and port."),
]


@calls_admin
def command(
    client: Client,
    method: Method,
    url: Url,
    header: Headers = None,
    listener: Listener = None,
    config: FromFile = None,
    as_json: AsJson = False,
) -> None:
    """Say which route takes a request, what it does, and why the nearer ones do not. No request is sent."""
    headers = [_field(each) for each in header or []]
    if config:
        answer = _explain_file(config, method, url, headers, listener)
    else:
        asked = {"method": method, "url": url, "headers": headers, "listener": listener}
        answer = client.post("/v1/routes/explain", asked)
    output.answer(answer, as_json, _print)
    if answer["route"] is None:
        raise typer.Exit(exits.REFUSED)


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise typer.BadParameter(f"{text!r} is not like 'Name: value'", param_hint="--header")
    return name.strip(), value.strip()


def _explain_file(config: Any, method: str, url: str, headers: Any, listener: str | None) -> Any:
    from tidegate.control.question import question

    loaded, plan = load_plan(config)
    try:
        about = question(loaded.config, method, url, headers, listener)
        answer = inspect(plan, "route", **about.request)
    except ValueError as error:
        raise exits.CommandError(exits.USAGE, str(error)) from None
    return {**answer, "listener": about.request["listener"], "assumed": about.assumed}


def _print(answer: dict[str, Any]) -> None:
    from rich.text import Text

    console = output.console()
    by = f" by listener {answer['listener']}" if answer["listener"] else ""
    if answer["route"] is None:
        console.print(f"No route takes this request{by}.", style="yellow", markup=False)
    else:
        taken = ("Route ", (answer["route"], "bold green"), f" takes this request{by}: {answer['action']}.")
        console.print(Text.assemble(*taken))
    if answer["assumed"]:
        console.print(f"Assumed: {answer['assumed']}.", style="yellow", markup=False)
    if answer["location"]:
        console.print(f"  redirected to {answer['location']}", markup=False)
    if answer["path"]:
        console.print(f"  sent as {answer['path']}, Host: {answer['host']}", markup=False)
    for name, value in answer["captures"].items():
        console.print(f"  {name} = {value}", markup=False)
    for considered in answer["considered"]:
        sign = "✓" if considered["matched"] else "✗"
        reason = f": {considered['reason']}" if considered["reason"] else ""
        console.print(f"  {sign} {considered['route']}{reason}", markup=False)
