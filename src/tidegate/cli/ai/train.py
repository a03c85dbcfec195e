"""`tidegate ai train`."""

import re
from typing import Annotated, Literal

import typer

from tidegate.cli import output
from tidegate.cli.ai import keeping
from tidegate.cli.ai.failures import told
from tidegate.cli.ai.options import Out, Seed, StateDir, Upstream


def command(
    kind: Annotated[Literal["cost"], typer.Argument(help="What the model is to predict: cost.")],
    upstream: Upstream,
    state_dir: StateDir,
    learner: Annotated[
        Literal["lightgbm", "mlp", "linear"],
        typer.Option("--learner", help="lightgbm (trees), mlp (a small network) or linear."),
    ] = "lightgbm",
    name: Annotated[
        str | None, typer.Option("--name", help="What the model is called; otherwise after the upstream.")
    ] = None,
    seed: Seed = 1,
    out: Out = None,
) -> None:
    """Train a model with an upstream's samples, and show how good it is on later ones that it has not
    seen.
    """
    with told():
        from tidegate.ai.extra import needed

        with needed("training"):
            from tidegate.ai.dataset import read
            from tidegate.ai.evaluate import pairs
            from tidegate.ai.train import train
            from tidegate.cli.ai import figures

        samples = read(state_dir, upstream)
        trained = train(samples, upstream, learner, seed, keeping.author())
        output.console().print(
            f"{learner}, of {len(samples)} samples of {upstream}; tested on the latest {len(trained.test)}:",
            markup=False,
        )
        figures.show(trained.comparison)
        figures.show_simulated(
            pairs(trained.test, trained.predicted, seed), pairs(trained.test, trained.test.expected, seed)
        )
        keeping.check(trained.package)
        if out:
            keeping.write(trained.package, out)
        else:
            keeping.register(trained.package, name or _name(upstream, kind), state_dir, upstream)


def _name(upstream: str, kind: str) -> str:
    """A name after an upstream's, in the characters that names of models have."""
    slug = re.sub(r"[^a-z0-9]+", "-", upstream.lower()).strip("-")
    return f"{slug[:50] or 'upstream'}-{kind}"
