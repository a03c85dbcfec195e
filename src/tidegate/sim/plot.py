"""Results as plots, by matplotlib: the extra `sim` of the package."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tidegate.sim.measure import LATENCIES, Measure
from tidegate.sim.statistics import estimate

if TYPE_CHECKING:
    from tidegate.sim.experiment import Cell

_SHOWN = [latency for latency in LATENCIES if latency.name != "mean"]


def plot(file: Path, title: str, cells: "Sequence[Cell]", option: str | None) -> None:
    """Draw the latencies of each policy into `file`, whose ending says the format: PNG, SVG or PDF.

    With a varied `option` a line for each policy, else bars. Whiskers are 95 % confidence intervals.
    Raises ValueError for an unknown ending, OSError if it cannot be written.
    """
    figure = figure_of(columns=len(_SHOWN))
    axes = figure.subplots(1, len(_SHOWN))
    for axis, latency in zip(axes, _SHOWN, strict=True):
        axis.set_title(latency.name)
        (_lines if option else _bars)(axis, latency, cells)
        axis.set_ylim(bottom=0)
        axis.grid(axis="y", alpha=0.3)
        axis.set_xlabel(option or "")
    axes[0].set_ylabel("latency in ms")
    if option:
        axes[0].legend(fontsize="small")
    figure.suptitle(title)
    save(figure, file)


def figure_of(*, columns: int, rows: int = 1) -> Figure:
    """A figure with room for so many plots."""
    mpl.rcParams["svg.hashsalt"] = "tidegate"  # the same results give the same file
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text
    return Figure(figsize=(4 * columns, 3.6 * rows), layout="constrained")


def save(figure: Figure, file: Path) -> None:
    """Draw `figure` into `file`. Raises ValueError for an unknown ending, OSError if it cannot be written."""
    metadata = {"Date": None} if file.suffix == ".svg" else None
    figure.savefig(file, dpi=110, metadata=metadata)


def _lines(axis: Any, latency: Measure, cells: "Sequence[Cell]") -> None:
    values = list(dict.fromkeys(str(cell.value) for cell in cells))
    for policy in dict.fromkeys(cell.policy for cell in cells):
        own = [cell for cell in cells if cell.policy == policy]
        found = [estimate(latency.over(cell.reports)) for cell in own]
        margins = [one.margin or 0 for one in found]
        axis.errorbar(values, [one.mean for one in found], margins, label=policy, marker=".", capsize=2)


def _bars(axis: Any, latency: Measure, cells: "Sequence[Cell]") -> None:
    found = [estimate(latency.over(cell.reports)) for cell in cells]
    colours = [f"C{number}" for number in range(len(cells))]
    heights, margins = [one.mean for one in found], [one.margin or 0 for one in found]
    axis.bar([cell.policy for cell in cells], heights, yerr=margins, color=colours, capsize=3)
    axis.tick_params(axis="x", labelrotation=60)
