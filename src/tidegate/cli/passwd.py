"""`tidegate passwd`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import exits


def command(
    file: Annotated[Path, typer.Argument(help="The htpasswd file; it is made if there is none.")],
    name: Annotated[str, typer.Argument(help="Whose password it is.")],
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the password from standard input.")] = False,
) -> None:
    """Set a password in an htpasswd file, as an argon2id hash."""
    from tidegate.auth.password_file import PasswordFileError, set_password

    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        had_one = set_password(file, name, password)
    except (PasswordFileError, UnicodeDecodeError) as error:
        raise exits.CommandError(exits.FAILED, str(error)) from None
    typer.echo(f"{name} has a new password" if had_one else f"{name} has a password")
