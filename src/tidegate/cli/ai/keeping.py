"""Where a model that was made goes: into a file, a registry or the running gateway."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli import exits, output

if TYPE_CHECKING:
    from tidegate.ai.package import Package


def check(package: "Package") -> None:
    """Have the engine look at a model as it does before it is used. Raises CommandError."""
    from tidegate._engine import score_model

    try:
        score_model(package.archive(), b"")
    except ValueError as error:
        raise exits.CommandError(exits.REFUSED, f"the engine refuses the model: {error}") from None


def write(package: "Package", file: Path) -> None:
    """Write an archive."""
    try:
        file.write_bytes(package.archive())
    except OSError as error:
        raise exits.CommandError(exits.FAILED, f"{file} cannot be written: {error.strerror}") from None
    output.console().print(f"The model {package.digest[:12]} is in {file}.", markup=False)


def register(package: "Package", name: str, state_dir: Path, upstream: str | None) -> None:
    """Put a model into the registry under a `state_dir`. Raises RegistryError and StoreError."""
    from tidegate.ai.registry import Registry

    tell_next(Registry(state_dir).add(name, package).short, upstream)


def tell_next(model: str, upstream: str | None) -> None:
    """Say what a model is called, and how it comes into use."""
    output.console().print(f"The model is {model}. To see what it is worth, without any risk:", markup=False)
    output.console().print(f"  tidegate ai promote {model} --upstream {upstream or 'UPSTREAM'}", markup=False)


def author() -> str:
    """Who runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        return "unknown"
