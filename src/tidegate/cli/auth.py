"""`tidegate auth`: check."""

import json
import sys
from typing import Annotated, Any

import typer

from tidegate.cli import exits, output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson
from tidegate.cli.quick import quick_app

app = quick_app(no_args_is_help=True)

Jwt = Annotated[str, typer.Argument(metavar="TOKEN", help="The token; - to read it from standard input.")]
RouteName = Annotated[str, typer.Option("--route", help="The route that it is for.")]


@app.callback()
def group() -> None:
    """Say what would be decided of credentials."""


@app.command("check")
@calls_admin
def check(client: Client, jwt: Jwt, route: RouteName, as_json: AsJson = False) -> None:
    """Say whether a request with this token would be let go, and why not. No request is sent."""
    text = sys.stdin.readline().strip() if jwt == "-" else jwt
    answer = client.post("/v1/authenticators/check", {"route": route, "token": text})
    output.answer(answer, as_json, _print)
    if answer["status"] is not None:
        raise typer.Exit(exits.REFUSED)


def _print(answer: dict[str, Any]) -> None:
    console = output.console()
    if answer["status"] is None:
        console.print("The request would be let go.", style="green", markup=False)
    else:
        told = f"The request would be refused ({answer['status']}): {answer['reason']}."
        console.print(told, style="yellow", markup=False)
    for asked in answer["asked"]:
        reason = f": {asked['reason']}" if asked["reason"] else ""
        console.print(f"  {asked['authenticator']}: {asked['result']}{reason}", markup=False)
    if answer["subject"]:
        console.print(f"  subject: {answer['subject']}", markup=False)
    for name, value in (answer["claims"] or {}).items():
        console.print(f"  {name}: {json.dumps(value, ensure_ascii=False)}", markup=False)
