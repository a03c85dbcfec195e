"""`tidegate cache`: status, show and purge."""

from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from tidegate.cli import exits, output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson
from tidegate.cli.quick import quick_app

app = quick_app(help="Show what is stored of responses, and purge it.", no_args_is_help=True)

CacheName = Annotated[str | None, typer.Option("--cache", help="The cache; otherwise all.")]


@app.command("status")
@calls_admin
def status(client: Client, as_json: AsJson = False) -> None:
    """Show the caches, and how full they are."""
    output.answer(client.get("/v1/cache"), as_json, _print_caches)


@app.command("show")
@calls_admin
def show(
    client: Client,
    url: Annotated[str, typer.Argument(help="The URL, as clients ask for it, with scheme and host.")],
    cache: CacheName = None,
    as_json: AsJson = False,
) -> None:
    """Show what is stored of a URL: for which requests, how old it is, and how long and why it is fresh."""
    asked = {"url": url} if cache is None else {"url": url, "cache": cache}
    output.answer(client.get(f"/v1/cache/entries?{urlencode(asked)}"), as_json, _print_entries)


@app.command("purge")
@calls_admin
def purge(
    client: Client,
    url: Annotated[str | None, typer.Option("--url", help="What is stored of this URL.")] = None,
    entry: Annotated[
        str | None, typer.Option("--entry", help="What has this key, as tidegate cache show tells it.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="What has this tag.")] = None,
    prefix: Annotated[str | None, typer.Option("--prefix", help="What has a URL that begins so.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="What is of this host.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All.")] = False,
    soft: Annotated[
        bool, typer.Option("--soft", help="Let it be stale from now on, and not forgotten.")
    ] = False,
    cache: CacheName = None,
    as_json: AsJson = False,
) -> None:
    """Purge stored responses: they are not used any more when the command ends."""
    options = {
        "url": url,
        "key": entry,
        "tag": tag,
        "prefix": prefix,
        "host": host,
        "all": everything or None,
    }
    of = {kind: value for kind, value in options.items() if value is not None}
    if len(of) != 1:
        message = "expected exactly one of --url, --entry, --tag, --prefix, --host and --all"
        raise exits.CommandError(exits.USAGE, message)
    answer = client.post("/v1/cache/purge", {**of, "cache": cache, "soft": soft})
    output.answer(answer, as_json, _print_purge)


def _print_caches(caches: list[dict[str, Any]]) -> None:
    sizes = ("used_bytes", "memory_bytes", "filling_bytes")
    output.table(
        ("cache", "used", "of", "being filled", "responses", "fills", "on disk", "of", "responses"),
        [
            (
                each["name"],
                *(output.size(each[size]) for size in sizes),
                each["objects"],
                each["fills"],
                *_on_disk(each["disk"]),
            )
            for each in caches
        ],
    )
    for each in caches:
        if shared := each["purges"]:
            output.console().print(f"{each['name']}: {_purges(shared)}", markup=False, soft_wrap=True)


def _on_disk(disk: dict[str, Any] | None) -> tuple[str, str, str]:
    """What a cache keeps on disk, where it has one."""
    if disk is None:
        return ("", "", "")
    return (output.size(disk["used_bytes"]), output.size(disk["size_bytes"]), str(disk["objects"]))


def _purges(shared: dict[str, Any]) -> str:
    """How far the purges of other gateways are applied, and this one's told."""
    told = f"; they have not been told of {shared['waiting']} yet" if shared["waiting"] else ""
    if shared["up"]:
        return f"purges of other gateways are read, the last is {shared['place']}{told}"
    return f"purges of other gateways are not read: {shared['cause']}{told}"


def _print_entries(entries: list[dict[str, Any]]) -> None:
    if not entries:
        output.console().print("Nothing is stored of it.")
        return
    output.table(
        ("key", "cache", "in", "status", "size", "age", "fresh", "by", "hits", "selected by", "tags"),
        [
            (
                each["key"],
                each["cache"],
                each["tier"],
                each["status"],
                _size(each),
                output.duration(each["age_seconds"]),
                _freshness(each),
                each["freshness_by"],
                each["hits"],
                _selected_by(each["vary"]),
                " ".join(each["tags"]),
            )
            for each in entries
        ],
    )


def _size(entry: dict[str, Any]) -> str:
    """Of its body, and how much of it is stored where that is not all."""
    whole, held = output.size(entry["bytes"]), output.size(entry["held_bytes"])
    return whole if entry["held_bytes"] == entry["bytes"] else f"{held} of {whole}"


def _freshness(entry: dict[str, Any]) -> str:
    """How long a stored response is fresh, or since when it is not."""
    left = entry["ttl_seconds"] - entry["age_seconds"]
    if entry["soft_purged"]:
        return "purged"
    return f"for {output.duration(left)}" if left > 0 else f"stale for {output.duration(-left)}"


def _selected_by(vary: dict[str, str | None]) -> str:
    return ", ".join(name if value is None else f"{name}: {value}" for name, value in vary.items())


def _print_purge(purged: dict[str, Any]) -> None:
    kind = next(kind for kind in ("url", "key", "tag", "prefix", "host", "all") if purged[kind] is not None)
    what = "everything" if kind == "all" else f"{kind} {purged[kind]}"
    where = f"cache {purged['cache']}" if purged["cache"] else "all caches"
    how = "stale from now on" if purged["soft"] else "purged"
    output.console().print(f"{what} is {how} in {where}", markup=False)
    if purged["untold"]:
        caches = ", ".join(purged["untold"])
        output.console().print(f"Other gateways have not been told yet, the store is away: {caches}")
