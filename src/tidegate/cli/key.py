"""`tidegate key`: new, list and revoke."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tidegate.cli import exits, output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson
from tidegate.cli.quick import quick_app

app = quick_app(help="Make, list and revoke API keys.", no_args_is_help=True)

File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="A file of keys (YAML or JSON), instead of the running gateway."),
]


@app.command("new")
@calls_admin
def new(
    client: Client,
    name: Annotated[str, typer.Option("--name", help="What people call the key.")],
    file: File = None,
    authenticator: Annotated[
        str | None, typer.Option("--authenticator", help="Whose key it is; needed where there are several.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Whom requests with it are from; otherwise its name.")
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", help="What is said of them, as name=value; a value may be JSON."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="When it ends: 30d, or 2027-01-31T00:00:00Z.")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", help="Where it may come from: an address or a network.")
    ] = None,
) -> None:
    """Make a key and print it, once."""
    about = {
        "name": name,
        "subject": subject or name,
        "claims": dict(_claim(each) for each in claim or ()),
        "expires": _time(expires).isoformat() if expires else None,
        "networks": network or [],
    }
    if file is None:
        made = client.post("/v1/api-keys", {"authenticator": authenticator, **about})
        key, kept = made["key"], f"of {made['authenticator']}"
    elif authenticator is not None:
        raise exits.CommandError(exits.USAGE, "expected either --file or --authenticator")
    else:
        key, kept = _write(file, about), f"in {file}"
    typer.echo(key)
    output.console(stderr=True).print(
        f"this is the only time that the key {kept} is shown; only its hash is kept", markup=False
    )


@app.command("list")
@calls_admin
def listed(client: Client, file: File = None, as_json: AsJson = False) -> None:
    """Show the keys, without what is secret."""
    keys = _entries(file) if file else client.get("/v1/api-keys")
    output.answer(keys, as_json, _print)


@app.command("revoke")
@calls_admin
def revoke(
    client: Client,
    id: Annotated[str, typer.Argument(help="The key's id: what is between tg_ and the last _ of the key.")],
    file: File = None,
) -> None:
    """Believe a key no more."""
    if file is None:
        client.delete(f"/v1/api-keys/{quote(id, safe='')}")
        typer.echo(f"the key {id} is revoked")
        return
    from tidegate.auth import key_file

    try:
        key_file.remove(file, id)
    except key_file.KeyFileError as error:
        raise exits.CommandError(exits.FAILED, str(error)) from None
    typer.echo(f"the key {id} is taken out of {file}")


def _write(file: Path, about: dict[str, Any]) -> str:
    from pydantic import TypeAdapter, ValidationError

    from tidegate.auth import key_file
    from tidegate.auth.api_key import ApiKey, NewSecret

    secret = NewSecret.drawn()
    try:
        key = TypeAdapter(ApiKey).validate_python({"id": secret.id, "hash": secret.hash, **about})
    except ValidationError as error:
        first = error.errors()[0]
        raise exits.CommandError(exits.USAGE, f"{first['loc'][0]}: {first['msg']}") from None
    try:
        key_file.add(file, key.entry())
    except key_file.KeyFileError as error:
        raise exits.CommandError(exits.FAILED, str(error)) from None
    return secret.written


def _entries(file: Path) -> list[dict[str, Any]]:
    from tidegate.auth import key_file

    try:
        return [
            {option: value for option, value in each.items() if option != "hash"}
            for each in key_file.entries(file)
        ]
    except key_file.KeyFileError as error:
        raise exits.CommandError(exits.FAILED, str(error)) from None


def _claim(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise exits.CommandError(exits.USAGE, f"expected a claim like plan=gold, not {text}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _time(text: str) -> datetime:
    from tidegate.config.model.unit import parse_duration

    try:
        return datetime.now(UTC).replace(microsecond=0) + timedelta(milliseconds=parse_duration(text))
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise exits.CommandError(
            exits.USAGE, f"expected a time like 30d or 2027-01-31T00:00:00Z, not {text}"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _print(keys: list[dict[str, Any]]) -> None:
    columns = ("id", "name", "authenticator", "subject", "expires")
    output.table(columns, [[key.get(each) or "-" for each in columns] for key in keys])
