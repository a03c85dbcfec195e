"""`tidegate sim`: run, compare, cache and validate."""

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tidegate.cli import exits, output
from tidegate.cli.configuration import problems_shown
from tidegate.cli.quick import Command, quick_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from tidegate.sim.experiment import Experiment, Simulator, Variation
    from tidegate.sim.study import AnyStudy

app = quick_app(
    name="sim",
    help="Simulate balancing and caches: the gateway's own policies, on what a file describes.",
    no_args_is_help=True,
    add_completion=False,
)

S = TypeVar("S", bound="AnyStudy")

File = Annotated[Path, typer.Argument(help="The study: servers, load and policies (YAML, TOML or JSON).")]
CacheFile = Annotated[
    Path, typer.Argument(help="The study: requests, policies and capacities (YAML, TOML or JSON).")
]
Policies = Annotated[
    list[str] | None, typer.Option("--policy", "-p", help="Only this policy of the file; may be repeated.")
]
Seeds = Annotated[int | None, typer.Option(min=1, max=10_000, help="Runs of each policy.")]
Vary = Annotated[
    str | None,
    typer.Option(help="An option and its values, like load=0.5,0.7,0.9 or servers.1.speed=1,0.5,0.25."),
]
Plot = Annotated[
    Path | None, typer.Option(help="Draw the result into this file (PNG, SVG or PDF; needs matplotlib).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON: the report of each run.")]


@app.command("run", cls=Command)
def run(file: File, policy: Policies = None, as_json: AsJson = False) -> None:
    """Run each policy once, and show its latencies by class of request and what each group of servers did."""
    from tidegate.sim import table
    from tidegate.sim.simulator import BALANCING

    experiment = _run(BALANCING, file, policy, seeds=1)
    if as_json:
        _print_json(experiment)
        return
    for cell in experiment.cells:
        report = cell.reports[0]
        output.console().print(f"{cell.policy}: {_told(report)}", style="bold", markup=False)
        groups = [group.count for group in experiment.study.servers]
        _show(table.detail(report, experiment.study.class_names(), groups))


@app.command("compare", cls=Command)
def compare(
    file: File,
    policy: Policies = None,
    seeds: Seeds = None,
    vary: Vary = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Compare policies over several seeds, with 95 % confidence intervals; optionally vary one option."""
    from tidegate.sim import table
    from tidegate.sim.simulator import BALANCING

    experiment = _run(BALANCING, file, policy, seeds, vary)
    option = experiment.option
    if as_json:
        _print_json(experiment)
    else:
        _describe(experiment)
        _show(table.comparison(experiment.cells, option))
        if len(names := experiment.study.class_names()) > 1:
            _show(table.by_class(experiment.cells, option, names))
    if plot:
        with _drawing(plot):
            from tidegate.sim.plot import plot as draw

            draw(plot, experiment.study.description, experiment.cells, option)


@app.command("cache", cls=Command)
def cache(
    file: CacheFile,
    policy: Policies = None,
    seeds: Seeds = None,
    vary: Vary = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Compare what caches keep: which part of the requests, and of their bytes, each policy misses."""
    from tidegate.sim.cache import table
    from tidegate.sim.simulator import CACHE

    experiment = _run(CACHE, file, policy, seeds, vary)
    option, capacities = experiment.option, experiment.study.capacities
    if as_json:
        _print_json(experiment)
    else:
        _describe(experiment)
        _show(table.misses("requests", capacities, experiment.cells, option))
        _show(table.misses("bytes", capacities, experiment.cells, option))
    if plot:
        with _drawing(plot):
            from tidegate.sim.cache.plot import plot as draw

            draw(plot, experiment.study.description, capacities, experiment.cells, option)


@app.command("validate", cls=Command)
def validate() -> None:
    """Compare simulated queues with the formulas for M/M/1, M/M/c and M/G/1."""
    from rich.table import Table

    from tidegate.sim.theory import compare as compare_with_theory

    shown = Table("queue", "load", "mean wait, exact", "simulated", "off by", box=None, pad_edge=False)
    for case, simulated in (found := list(compare_with_theory())):
        off = f"{100 * (simulated / case.exact - 1):+.2f} %"
        shown.add_row(case.name, f"{case.load:g}", f"{case.exact:.4f}", f"{simulated:.4f}", off)
    _show(shown)
    if any(abs(one.error) >= 0.02 for one in found):
        raise exits.CommandError(exits.FAILED, "a mean is off by 2 % or more")


def _run(
    simulator: "Simulator[S]",
    file: Path,
    policies: list[str] | None,
    seeds: int | None,
    vary: str | None = None,
) -> "Experiment[S]":
    from rich.progress import Progress

    from tidegate._engine import PlanError
    from tidegate.sim.experiment import Experiment
    from tidegate.sim.load import StudyFile

    with problems_shown():
        study_file = StudyFile(file, simulator.study)
        known = study_file.study().policy_names()
        for policy in policies or []:
            if policy not in known:
                message = f"{file} has no policy {policy!r}; it has {', '.join(known)}"
                raise exits.CommandError(exits.USAGE, message)
        try:
            variation = _variation(vary) if vary else None
            experiment = Experiment(simulator, study_file, policies or (), seeds, variation)
            console = output.console(stderr=True)
            with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
                for _ in progress.track(experiment.run(), total=experiment.runs, description="simulating"):
                    pass
        except PlanError as error:
            raise exits.CommandError(exits.REFUSED, str(error)) from None
        except (OSError, ValueError) as error:  # of a trace
            raise exits.CommandError(exits.FAILED, str(error)) from None
    return experiment


def _show(table: "Table") -> None:
    """Print a table as wide as it is, also where no terminal says how wide it may be."""
    console = output.console()
    whole = console.measure(table, options=console.options.update(max_width=1000)).maximum
    console.width = max(console.width, whole)
    console.print(table)


def _variation(text: str) -> "Variation":
    from tidegate.sim.experiment import Variation

    option, equals, values = text.partition("=")
    if not equals or not option or not values:
        raise typer.BadParameter(f"{text!r} is not like load=0.5,0.7", param_hint="--vary")
    return Variation(option.strip(), tuple(value.strip() for value in values.split(",")))


@contextmanager
def _drawing(file: Path) -> "Iterator[None]":
    try:
        yield
    except ImportError:
        message = "plots need matplotlib: pip install 'tidegate[sim]'"
        raise exits.CommandError(exits.FAILED, message) from None
    except (OSError, ValueError) as error:
        raise exits.CommandError(exits.FAILED, f"cannot draw {file}: {error}") from None


def _describe(experiment: "Experiment[Any]") -> None:
    if experiment.study.description:
        output.console().print(experiment.study.description, markup=False)


def _told(report: dict[str, int]) -> str:
    lost = report["failed"] + report["unanswered"]
    return f"{report['answered']} requests answered, {lost} not, {report['tries']} tries"


def _print_json(experiment: "Experiment[Any]") -> None:
    cells = ({"value": c.value, "policy": c.policy, "reports": c.reports} for c in experiment.cells)
    typer.echo(json.dumps(list(cells), indent=2))
