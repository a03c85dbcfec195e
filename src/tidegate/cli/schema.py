"""`tidegate schema`."""

import json

import typer


def command() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from tidegate.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
