"""Results as plots, by matplotlib: the extra `sim` of the package."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.sim.cache.measure import Of, missed
from tidegate.sim.plot import figure_of, save
from tidegate.sim.statistics import estimate

if TYPE_CHECKING:
    from tidegate.sim.experiment import Cell

_SHOWN: tuple[Of, ...] = ("requests", "bytes")


def plot(
    file: Path, title: str, capacities: Sequence[str], cells: "Sequence[Cell]", option: str | None
) -> None:
    """Draw what each policy misses by capacity into `file`, whose ending says the format: PNG, SVG or PDF.

    With a varied `option` a row for each value. Whiskers are 95 % confidence intervals. Raises ValueError for
    an unknown ending, OSError if it cannot be written.
    """
    values = list(dict.fromkeys(cell.value for cell in cells))
    figure = figure_of(columns=len(_SHOWN), rows=len(values))
    rows = figure.subplots(len(values), len(_SHOWN), squeeze=False)
    for value, axes in zip(values, rows, strict=True):
        own = [cell for cell in cells if cell.value == value]
        for axis, of in zip(axes, _SHOWN, strict=True):
            axis.set_title(f"{of}, {option} {value}" if option else of)
            _lines(axis, of, capacities, own)
        axes[0].set_ylabel("missed in %")
    rows[0][0].legend(fontsize="small")
    figure.suptitle(title)
    save(figure, file)


def _lines(axis: Any, of: Of, capacities: Sequence[str], cells: "Sequence[Cell]") -> None:
    for cell in cells:
        found = [
            estimate(missed(of, index, capacity).over(cell.reports))
            for index, capacity in enumerate(capacities)
        ]
        margins = [one.margin or 0 for one in found]
        axis.errorbar(
            capacities, [one.mean for one in found], margins, label=cell.policy, marker=".", capsize=2
        )
    axis.set_ylim(bottom=0)
    axis.grid(axis="y", alpha=0.3)
    axis.set_xlabel("capacity")
