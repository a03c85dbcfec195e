"""`tidegate limits`: list, key, top and reset."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson
from tidegate.cli.quick import quick_app

app = quick_app(help="Show rate limits and what their keys have left.", no_args_is_help=True)

Limit = Annotated[str, typer.Argument(help="The rate limit.")]
Parts = Annotated[
    list[str] | None,
    typer.Argument(help="What the key is made of, in the order of its option key; - for what requests lack."),
]


@app.command("list")
@calls_admin
def listed(client: Client, as_json: AsJson = False) -> None:
    """Show the rate limits, and how many keys they remember."""
    output.answer(client.get("/v1/rate-limits"), as_json, _print_limits)


@app.command("key")
@calls_admin
def key(client: Client, limit: Limit, parts: Parts = None, as_json: AsJson = False) -> None:
    """Show what a key has left."""
    output.answer(client.get(_path(limit, parts)), as_json, _print_left)


@app.command("top")
@calls_admin
def top(
    client: Client,
    limit: Limit,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=1000, help="How many keys.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the keys with the most requests, of a limit that says identities: true."""
    output.answer(client.get(f"{_limit(limit)}/top?n={count}"), as_json, _print_top)


@app.command("reset")
@calls_admin
def reset(client: Client, limit: Limit, parts: Parts = None, as_json: AsJson = False) -> None:
    """Give a key a fresh bucket."""
    output.answer(client.delete(_path(limit, parts)), as_json, _print_left)


def _path(limit: str, parts: list[str] | None) -> str:
    query = urlencode([("part", part) for part in parts or ()])
    return f"{_limit(limit)}/key?{query}"


def _limit(name: str) -> str:
    return f"/v1/rate-limits/{quote(name, safe='')}"


def _print_limits(limits: list[dict[str, Any]]) -> None:
    output.table(
        ("rate limit", "keys (about)", "waiting", "evictions"),
        [(each["name"], each["keys"], each["waiting"], each["evictions"]) for each in limits],
    )


def _print_left(windows: list[dict[str, Any]]) -> None:
    output.table(
        ("window", "left", "full in"),
        [(each["window"], each["left"], output.duration(each["full_in_seconds"])) for each in windows],
    )


def _print_top(keys: list[dict[str, Any]]) -> None:
    output.table(
        ("key", "requests", "at most too many"),
        [
            (" ".join("-" if part is None else part for part in each["parts"]), *_counts(each))
            for each in keys
        ],
    )


def _counts(key: dict[str, Any]) -> tuple[int, int]:
    return key["requests"], key["at_most_too_many"]
