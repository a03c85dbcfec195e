"""`tidegate demo`."""

from typing import Annotated

import typer

from tidegate.cli import exits

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the gateway.")]
AdminPort = Annotated[int, typer.Option(min=1, max=65535, help="Port of the admin API.")]


def command(port: Port = 8080, admin_port: AdminPort = 9090) -> None:
    """Run a gateway with three small upstreams of its own, one of them slow, to look at."""
    from tidegate.cli.run import serve
    from tidegate.control.source import Source
    from tidegate.demo.configuration import demo_document
    from tidegate.demo.introduction import introduce
    from tidegate.demo.upstreams import DemoError, started_upstreams

    try:
        with started_upstreams() as upstreams:
            source = Source(document=demo_document(upstreams, port, admin_port))
            serve(source, served=lambda: introduce(upstreams, port, admin_port))
    except DemoError as error:
        raise exits.CommandError(exits.FAILED, str(error)) from None
