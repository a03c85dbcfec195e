"""Results as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tidegate.sim.measure import FAILED, LATENCIES, P99, Report, class_failed, class_p99
from tidegate.sim.statistics import Estimate, change, estimate

if TYPE_CHECKING:
    from tidegate.sim.experiment import Cell


def comparison(cells: "Sequence[Cell]", option: str | None) -> Table:
    """A row for each policy (and value of the varied `option`): latencies in milliseconds, and by how much
    the p99 differs from the first policy's."""
    table = Table(box=None, pad_edge=False)
    if option:
        table.add_column(option, no_wrap=True)
    table.add_column("policy", no_wrap=True)
    for title in (*(f"{latency.name} ms" for latency in LATENCIES), "p99 vs first", FAILED.name):
        table.add_column(title, justify="right", no_wrap=True)
    for cell in cells:
        figures = [shown(estimate(latency.over(cell.reports))) for latency in LATENCIES]
        failed = shown(estimate(FAILED.over(cell.reports)))
        value = [str(cell.value)] if option else []
        table.add_row(*value, cell.policy, *figures, _against_first(cell, cells), failed)
    return table


def by_class(cells: "Sequence[Cell]", option: str | None, names: Sequence[str]) -> Table:
    """A row for each policy (and value of the varied `option`): the p99 of each class of requests, in
    milliseconds, and what failed of it where something did."""
    measures = [(f"p99 {name}", class_p99(number)) for number, name in enumerate(names)]
    failures = [(f"failed % {name}", class_failed(number)) for number, name in enumerate(names)]
    if any(any(measure.over(cell.reports)) for _, measure in failures for cell in cells):
        measures += failures
    table = Table(box=None, pad_edge=False)
    if option:
        table.add_column(option, no_wrap=True)
    table.add_column("policy", no_wrap=True)
    for title, _ in measures:
        table.add_column(title, justify="right", no_wrap=True)
    for cell in cells:
        figures = (shown(estimate(measure.over(cell.reports))) for _, measure in measures)
        value = [str(cell.value)] if option else []
        table.add_row(*value, cell.policy, *figures)
    return table


def _against_first(cell: "Cell", cells: "Sequence[Cell]") -> str:
    first = next(other for other in cells if other.value == cell.value)
    if first is cell:
        return ""
    found = change(P99.over(cell.reports), P99.over(first.reports))
    if found is None:
        return "-"
    margin = "" if found.margin is None else f" ± {100 * found.margin:.0f}"
    return f"{100 * found.mean:+.0f}{margin} %"


def detail(report: Report, names: Sequence[str], groups: Sequence[int]) -> Table:
    """One run: latencies in milliseconds by class of request, and what each group of servers did."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "requests", "mean ms", "p50", "p90", "p99", "p99.9", "max", "busy"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    named = [("all", report["latency"])]
    if len(names) > 1:
        named += list(zip(names, report["classes"], strict=True))
    for name, latency in named:
        figures = (latency[key] for key in ("mean", "p50", "p90", "p99", "p999", "max"))
        table.add_row(name, str(latency["count"]), *map(rounded, figures), "")
    servers = iter(report["servers"])
    for number, count in enumerate(groups):
        group = [next(servers) for _ in range(count)]
        busy = sum(one["busy"] for one in group) / count
        requests = sum(one["requests"] for one in group)
        table.add_row(f"servers {number}", str(requests), *[""] * 6, f"{100 * busy:.1f} %")
    return table


def shown(found: Estimate) -> str:
    """An estimate with its margin."""
    margin = "" if found.margin is None else f" ± {rounded(found.margin)}"
    return rounded(found.mean) + margin


def rounded(value: float) -> str:
    """Three significant digits, and no fewer than the whole ones."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
