"""`tidegate ai explain`."""

from math import exp
from typing import Annotated, Any

import typer

from tidegate.cli import exits, output
from tidegate.cli.ai.failures import told
from tidegate.cli.ai.options import Model, Seed, StateDir, Upstream
from tidegate.cli.options import AsJson


def command(
    model: Model,
    upstream: Upstream,
    state_dir: StateDir,
    sample: Annotated[
        int | None,
        typer.Option("--sample", help="Explain what is said of one sample: 1 is the latest.", min=1),
    ] = None,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Show which features a model goes by: by what its trees gained, and by what is lost without each. With
    --sample, by how much each feature moves the answer for one request.
    """
    with told():
        from tidegate.ai.extra import needed
        from tidegate.ai.features import NAMES
        from tidegate.ai.registry import Registry

        with needed("explaining"):
            from tidegate.ai.dataset import read
            from tidegate.ai.explain import contributions, importance
            from tidegate.ai.score import scored

        registry = Registry(state_dir)
        id = registry.meant(model)
        package, samples = registry.read(id), read(state_dir, upstream)

        def answer(rows: Any) -> Any:
            return scored(package, rows)

        if sample is None:
            gains = package.manifest.figures.get("gain", {})
            lost = importance(samples, answer, seed)
            output.answer({"gain": gains, "lost_without": lost}, as_json, _print_importance)
            return
        if sample > len(samples):
            message = f"there is no sample {sample}: {upstream} has {output.counted(len(samples), 'sample')}"
            raise exits.CommandError(exits.USAGE, message)
        at = len(samples) - sample
        rows = samples.part(at, at + 1)
        output.answer(
            {
                "cost_log": float(rows.cost[0]),
                "expected_log": float(rows.expected[0]),
                "answer": float(answer(rows.features)[0]),
                "contributions": contributions(samples, answer, at),
                "features": dict(zip(NAMES, map(float, rows.features[0]), strict=True)),
            },
            as_json,
            _print_sample,
        )


def _print_importance(found: dict[str, Any]) -> None:
    lost, gains = found["lost_without"], found["gain"]
    output.table(
        ("feature", "explained less without it", "share of what forks gained"),
        [
            (name, f"{value:.4f}", f"{gains[name]:.1%}" if name in gains else "-")
            for name, value in lost.items()
            if abs(value) >= 0.0001 or name in gains
        ],
    )


def _print_sample(found: dict[str, Any]) -> None:
    told = (
        ("it cost", found["cost_log"]),
        ("the online learner expected", found["expected_log"]),
        ("with the model", found["expected_log"] + found["answer"]),
    )
    for what, value in told:
        output.console().print(f"{what} {1000 * exp(value):.2f} ms", markup=False)
    output.table(
        ("feature", "value", "times"),
        [
            (name, f"{found['features'][name]:g}", f"{exp(value):.3f}")
            for name, value in found["contributions"].items()
            if abs(value) >= 0.001
        ],
    )
