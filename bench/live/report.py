"""Figures as lines on the screen, in a file, and as tables in Markdown.

python -m bench.live.report FILE    prints the tables of docs/benchmarks-resilience.md
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.live.figures import Figures
from bench.live.proxies import PROXIES, USUAL
from bench.live.scenarios import SCENARIOS

HEADER = (
    f"{'scenario':12} {'proxy':18} {'sent':>6} {'good/s':>7} {'told':>5} {'failed':>6} "
    f"{'p50':>8} {'p99':>8} {'light p99':>9}  failures"
)


def row(f: Figures) -> str:
    """One line under `HEADER`; latencies in ms."""
    return (
        f"{f.scenario:12} {f.proxy:18} {f.sent:6} {f.goodput or 0:7.1f} {f.told:5} {f.failures:6} "
        f"{f.p50:8.1f} {f.p99:8.1f} {f.kinds['light'][1]:9.1f}  "
        + ", ".join(f"{result}: {count}" for result, count in f.failed.items())
    )


def load(file: Path) -> list[Figures]:
    """All figures of a file, in the order of the scenarios and proxies; none where there is no file."""
    rows = [Figures(**entry) for entry in json.loads(file.read_text())] if file.exists() else []
    order = [*SCENARIOS, *PROXIES]
    return sorted(rows, key=lambda row: (order.index(row.scenario), order.index(row.proxy)))


def keep(new: Figures, file: Path) -> None:
    """Put figures into a file, in place of earlier ones of the same scenario and proxy."""
    key = (new.scenario, new.proxy)
    rows = [row for row in load(file) if (row.scenario, row.proxy) != key]
    # A figure a line: a new measurement then shows as one changed line.
    lines = ",\n".join(json.dumps(row.data()) for row in [*rows, new])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[\n{lines}\n]\n")


def table(rows: Sequence[Figures], cell: Callable[[Figures], str]) -> str:
    """A table in Markdown: a line per scenario, a column per proxy."""
    cells = {(row.scenario, row.proxy): cell(row) for row in rows}
    proxies = sorted({row.proxy for row in rows}, key=list(PROXIES).index)
    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    lines = [f"| | {' | '.join(proxies)} |", f"|---|{'---|' * len(proxies)}"]
    for scenario in scenarios:
        found = " | ".join(cells.get((scenario, proxy), "-") for proxy in proxies)
        lines.append(f"| {scenario} | {found} |")
    return "\n".join(lines)


def _failures(f: Figures) -> str:
    told = f" (+ {f.told} told)" if f.told else ""
    return f"{f.failures}{told}"


TABLES: dict[str, Callable[[Figures], str]] = {
    "Failed requests": _failures,
    "p99 of light requests, ms": lambda f: f"{f.kinds['light'][1]:.0f}",
    "p99 of all requests, ms": lambda f: f"{f.p99:.0f}",
    "Median of all good answers, ms": lambda f: f"{f.p50:.1f}",
    "Good answers a second": lambda f: f"{f.goodput:.0f}" if f.goodput is not None else "-",
    "Tries that reached a replica, per request": lambda f: f"{f.tries:.2f}" if f.tries else "-",
}


def main() -> None:
    """Print a table per figure, and one of the variants."""
    rows = load(Path(sys.argv[1]))
    usual = [row for row in rows if row.proxy in USUAL]
    for title, cell in TABLES.items():
        print(f"### {title}\n\n{table(usual, cell)}\n")
    print("### Variants\n\n| | | failed | p99 of light requests, ms | p99, ms |\n|---|---|---|---|---|")
    for row in rows:
        if row.proxy not in USUAL:
            latencies = f"{row.kinds['light'][1]:.0f} | {row.p99:.0f}"
            print(f"| {row.scenario} | {row.proxy} | {_failures(row)} | {latencies} |")


if __name__ == "__main__":
    main()
