"""`tidegate run`."""

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import exits
from tidegate.cli.configuration import problems_shown
from tidegate.cli.options import ConfigFile

if TYPE_CHECKING:
    from tidegate.control.source import Source

Workers = Annotated[int | None, typer.Option(min=1, help="Worker threads, over what the configuration says.")]
AdminAddress = Annotated[
    str | None, typer.Option(help="Address of the admin API, over what the configuration says.")
]


def command(config: ConfigFile = None, workers: Workers = None, admin_address: AdminAddress = None) -> None:
    """Run the gateway; without a file, with the defaults: proxy 0.0.0.0:8080, admin 127.0.0.1:9090."""
    gc.disable()  # nothing that is made until the first configuration is served is garbage; then it begins
    from tidegate.control.source import Source

    overrides: dict[str, Any] = {}
    if workers is not None:
        overrides["workers"] = workers
    if admin_address is not None:
        overrides["admin"] = {"address": admin_address}
    serve(Source(config, overrides=overrides))


def serve(source: "Source", *, served: Callable[[], None] | None = None) -> None:
    """Run until stopped, with failures told as every command tells them."""
    from tidegate.control.store import StoreError
    from tidegate.process import StartError, run

    with problems_shown():
        try:
            run(source, served=served)
        except (StartError, StoreError) as error:
            raise exits.CommandError(exits.FAILED, str(error)) from None
