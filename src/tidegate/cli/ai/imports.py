"""`tidegate ai import`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli import exits
from tidegate.cli.ai import keeping
from tidegate.cli.ai.failures import told
from tidegate.cli.ai.options import Out, Seed
from tidegate.cli.client import Client, calls_admin

if TYPE_CHECKING:
    from tidegate.ai.package import Package


@calls_admin
def command(
    client: Client,
    file: Annotated[
        Path,
        typer.Argument(
            help="A model of LightGBM (save_model or dump_model), an ONNX file, or an archive of ours."
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What the model is called, like shop-cost.")],
    upstream: Annotated[
        str | None,
        typer.Option("--upstream", help="Calibrate it with samples of this upstream; needs --state-dir."),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            help="Put the model into the registry there; otherwise it is sent to the running gateway.",
            envvar="TIDEGATE_STATE_DIR",
        ),
    ] = None,
    seed: Seed = 1,
    out: Out = None,
) -> None:
    """Take a model that was trained elsewhere: its trees or its network are turned into what the engine runs,
    or the operator is named that it cannot run. It must answer the residual: the natural logarithm of the
    cost in seconds, less the feature `expected`.
    """
    from tidegate.ai.package import Package

    if upstream and not state_dir:
        raise exits.CommandError(exits.USAGE, "expected --state-dir with --upstream: samples are there")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise exits.CommandError(exits.FAILED, f"{file} cannot be read: {error.strerror}") from None
    with told():
        if content[257:262] == b"ustar":
            package = Package.of_archive(content)
        else:
            package = _converted(file, content, seed, upstream, state_dir)
        keeping.check(package)
        if out:
            keeping.write(package, out)
        elif state_dir:
            keeping.register(package, name, state_dir, upstream)
        else:
            added = client.send(f"/v1/models?name={name}", package.archive(), "application/x-tar")
            keeping.tell_next(added["model"], upstream)


def _converted(
    file: Path, content: bytes, seed: int, upstream: str | None, state_dir: Path | None
) -> "Package":
    from tidegate.ai.extra import needed

    with needed("importing"):
        from tidegate.ai.dataset import read
        from tidegate.ai.importing import imported
    samples = read(state_dir, upstream) if state_dir and upstream else None
    try:
        return imported(content, keeping.author(), seed, samples, upstream)
    except ValueError as error:
        raise exits.CommandError(exits.REFUSED, f"{file} cannot be imported: {error}") from None
