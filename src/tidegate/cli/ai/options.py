"""Options that several commands of `tidegate ai` have."""

from pathlib import Path
from typing import Annotated

import typer

StateDir = Annotated[
    Path,
    typer.Option(
        "--state-dir", help="The gateway's state_dir: samples and models.", envvar="TIDEGATE_STATE_DIR"
    ),
]
Upstream = Annotated[str, typer.Option("--upstream", help="The upstream whose samples are looked at.")]
Model = Annotated[
    str,
    typer.Argument(
        help="Like shop-cost@3f9c: its name and the first digits of its digest, if there are several."
    ),
]
UsedBy = Annotated[
    str | None,
    typer.Option("--upstream", help="The upstream; needed where not exactly one uses the model."),
]
Seed = Annotated[
    int, typer.Option("--seed", help="What is drawn follows from it alone.", min=0, max=2**31 - 1)
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write the model into this file (an archive), and into no registry."),
]
