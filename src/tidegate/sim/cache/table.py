"""Results as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tidegate.sim.cache.measure import Of, missed, unbounded
from tidegate.sim.statistics import estimate
from tidegate.sim.table import shown

if TYPE_CHECKING:
    from tidegate.sim.experiment import Cell


def misses(of: Of, capacities: Sequence[str], cells: "Sequence[Cell]", option: str | None) -> Table:
    """A row for each policy (and value of the varied `option`): what it misses, in percent, by capacity."""
    measures = [*(missed(of, index, capacity) for index, capacity in enumerate(capacities)), unbounded(of)]
    table = Table(box=None, pad_edge=False)
    if option:
        table.add_column(option, no_wrap=True)
    table.add_column(f"{of} missed, %", no_wrap=True)
    for measure in measures:
        table.add_column(measure.name, justify="right", no_wrap=True)
    for cell in cells:
        figures = [shown(estimate(measure.over(cell.reports))) for measure in measures]
        value = [str(cell.value)] if option else []
        table.add_row(*value, cell.policy, *figures)
    return table
