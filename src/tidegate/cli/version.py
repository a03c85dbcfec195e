"""`tidegate version`."""

import typer


def command() -> None:
    """Print the version."""
    from tidegate._engine import version

    typer.echo(f"tidegate {version()}")
