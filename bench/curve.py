"""Draw what `python -m bench.scale --json FILE` wrote: a curve for each measure, a line for each build.

    python -m bench.curve FILE.json FILE.svg

Needs matplotlib: `uv sync --group bench`.
"""

import json
import sys
from pathlib import Path

COLUMNS = 4


def main(source: Path, target: Path) -> None:
    """Read the one, write the other; its bytes depend on the figures alone."""
    import matplotlib as mpl  # noqa: PLC0415  bench.scale works without it

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "scale", "font.size": 8, "axes.grid": True, "grid.alpha": 0.3})
    from matplotlib import pyplot  # noqa: PLC0415

    rows = json.loads(source.read_text())
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    lines = -(-len(measures) // COLUMNS)
    figure, grid = pyplot.subplots(
        lines, COLUMNS, figsize=(3 * COLUMNS, 2.5 * lines), layout="constrained", squeeze=False
    )
    for measure, axes in zip(measures, grid.flat, strict=False):
        own = [row for row in rows if row["measure"] == measure]
        for build in own[0]["median"]:
            axes.plot([row["size"] for row in own], [row["median"][build] for row in own], "o-", label=build)
        axes.set(xscale="log", ylim=(0, None), title=measure)
        axes.legend()
    for axes in grid[-1]:
        axes.set_xlabel("routes, and as many endpoints")
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
