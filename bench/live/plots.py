"""Plots of what was measured. Needs matplotlib: `uv sync --group bench`."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.live.figures import Figures
from bench.live.proxies import PROXIES, USUAL

TIMELINES = ("hang", "errors", "slow-phase", "overload", "retry-storm")
"""Scenarios whose course over time is drawn."""


def plot(rows: Sequence[Figures], folder: Path) -> None:
    """Draw all plots into a folder, as SVG files whose bytes depend on the figures alone.

    Variants of a proxy (`nginx-plain`) are left to the tables.
    """
    import matplotlib as mpl  # noqa: PLC0415  measuring works without it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "live", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3})
    rows = [row for row in rows if row.proxy in USUAL]
    folder.mkdir(parents=True, exist_ok=True)
    _bars(rows, lambda f: f.kinds["light"][1], "p99 of light requests, ms", folder / "light-p99.svg")
    _bars(rows, lambda f: 100 * f.failures / f.sent, "failed requests, %", folder / "failed.svg")
    _timelines(rows, folder / "timelines.svg")


def _bars(rows: Sequence[Figures], value: Callable[[Figures], float], label: str, file: Path) -> None:
    """Groups of bars: a group per scenario, a bar per proxy."""
    from matplotlib import pyplot  # noqa: PLC0415

    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    proxies = sorted({row.proxy for row in rows}, key=list(PROXIES).index)
    figure, axes = pyplot.subplots(figsize=(10, 3.5), layout="constrained")
    width = 0.8 / len(proxies)
    for index, proxy in enumerate(proxies):
        own = [row for row in rows if row.proxy == proxy]
        places = [scenarios.index(row.scenario) + (index - (len(proxies) - 1) / 2) * width for row in own]
        axes.bar(places, [value(row) for row in own], width, label=proxy)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xticks(range(len(scenarios)), scenarios)
    axes.set_ylabel(label)
    axes.legend(ncols=len(proxies))
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _timelines(rows: Sequence[Figures], file: Path) -> None:
    """For each second: good answers in the upper row, their median latency in the lower."""
    from matplotlib import pyplot  # noqa: PLC0415

    scenarios = [name for name in TIMELINES if any(row.scenario == name for row in rows)]
    if not scenarios:
        return
    figure, grid = pyplot.subplots(
        2, len(scenarios), figsize=(2.6 * len(scenarios), 4.5), layout="constrained", squeeze=False
    )
    for column, scenario in enumerate(scenarios):
        good, median = grid[0][column], grid[1][column]
        for row in rows:
            if row.scenario == scenario:
                good.plot([second[1] for second in row.timeline], label=row.proxy)
                median.plot([second[3] or math.nan for second in row.timeline], label=row.proxy)
        good.set_title(scenario)
        good.set_ylim(bottom=0)
        median.set_yscale("log")
        median.set_xlabel("s")
    grid[0][0].set_ylabel("good answers")
    grid[1][0].set_ylabel("their median, ms")
    grid[0][0].legend()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
