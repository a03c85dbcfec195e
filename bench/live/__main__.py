"""Measure, print a table, and keep the figures.

    python -m bench.live [--proxy NAME ...] [--scenario NAME ...] [--seconds 20] [--seed 1]
                         [--json FILE] [--plot FOLDER]

The whole matrix takes about 25 seconds a cell. With --json the figures replace those of the same scenario and
proxy in FILE and leave the others, so that it can be measured in parts; --plot draws all that FILE has.
"""

import argparse
from pathlib import Path

from bench.live import plots, report
from bench.live.measure import measure
from bench.live.proxies import PROXIES
from bench.live.scenarios import SCENARIOS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--proxy", nargs="+", choices=PROXIES, default=list(PROXIES))
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FOLDER")
    options = parser.parse_args()

    print(report.HEADER)
    found = []
    for scenario in options.scenario:
        for proxy in options.proxy:
            figures = measure(SCENARIOS[scenario], PROXIES[proxy], seconds=options.seconds, seed=options.seed)
            print(report.row(figures), flush=True)
            found.append(figures)
            if options.json:
                report.keep(figures, options.json)
    if options.plot:
        plots.plot(report.load(options.json) if options.json else found, options.plot)


if __name__ == "__main__":
    main()
