"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The configuration file (YAML, TOML or JSON).", envvar="TIDEGATE_CONFIG"
    ),
]
FromFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Ask about this file instead of the running gateway."),
]
AdminUrl = Annotated[
    str,
    typer.Option(
        "--admin", help="The running gateway's admin API: a URL, or unix:/path.", envvar="TIDEGATE_ADMIN"
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        help="The admin API's token; better given by the environment.",
        envvar="TIDEGATE_ADMIN_TOKEN",
    ),
]
Ca = Annotated[
    Path | None,
    typer.Option("--ca", help="Certificate authority of the admin API.", envvar="TIDEGATE_ADMIN_CA"),
]
Cert = Annotated[
    Path | None,
    typer.Option("--cert", help="Client certificate for the admin API.", envvar="TIDEGATE_ADMIN_CERT"),
]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="Its private key.", envvar="TIDEGATE_ADMIN_KEY"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_ADMIN = "http://127.0.0.1:9090"
