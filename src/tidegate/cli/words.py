"""The operator's words on endpoints, as commands say and show them."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tidegate.cli import output
from tidegate.cli.client import Client

Upstream = Annotated[str, typer.Argument(help="The upstream's name.")]
Endpoint = Annotated[str, typer.Argument(help="The endpoint's address, as configured.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for those who look.")]


def path_of(upstream: str, endpoint: str) -> str:
    """Where the admin API has an endpoint."""
    return f"/v1/upstreams/{quote(upstream, safe='')}/endpoints/{quote(endpoint, safe='')}"


def say(
    client: Client, upstream: str, endpoint: str, option: str, value: Any, reason: str | None = None
) -> None:
    """Let a value hold of an endpoint, or with None take the word back; print what holds then."""
    said = {option: value} | ({"reason": reason} if reason else {})
    answer = client.patch(path_of(upstream, endpoint), said)
    console = output.console()
    if value is not None:
        console.print(f"{endpoint}: {in_words(option, value)}, until it is taken back (--end)", markup=False)
        return
    taken = "the operator's word is taken back" if answer["changed"] else "there was no word of the operator"
    configured = answer["configured"]
    left = "it is absent" if configured is None else f"as configured: {in_words(option, configured[option])}"
    console.print(f"{endpoint}: {taken}; {left}", markup=False)


def in_words(option: str, value: Any) -> str:
    """What a value of an option means: `maintenance`, `weight 3`."""
    return f"weight {value}" if option == "weight" else str(value)


def shown(word: dict[str, Any]) -> str:
    """A word of `GET /v1/words` as a line."""
    reason = f": {word['reason']}" if word["reason"] else ""
    beside = (
        "the endpoint is absent"
        if word["absent"]
        else f"configured: {in_words(word['option'], word['configured'])}"
    )
    age = output.duration((datetime.now(UTC) - datetime.fromisoformat(word["time"])).total_seconds())
    return (
        f"{word['upstream']} {word['endpoint']}: {in_words(word['option'], word['value'])}{reason} "
        f"(by {word['author']}, {age} ago; {beside})"
    )
