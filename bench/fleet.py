"""Limits of a fleet through the death and return of their store: admitted requests by gateway and second.

    python -m bench.fleet [--quota 100] [--fault killed|hung] [--plot fleet.svg]

Needs redis-server or valkey-server. Three gateways get three times the quota, 34 %, 33 % and 33 % of it (or
`--shares`). After 10 s the store dies, after another 10 s it is back.
"""

import argparse
import tempfile
from pathlib import Path

from tests.e2e.harness.demand import Demand, Stream
from tests.e2e.harness.gateway import Gateway
from tests.e2e.harness.valkey import ValkeyServer

from bench.measure import print_table

DIES, RETURNS, ENDS = 10, 20, 30


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quota", type=int, default=100, help="requests a second of the whole fleet")
    parser.add_argument("--shares", type=float, nargs=3, default=[0.34, 0.33, 0.33])
    parser.add_argument("--fault", choices=("killed", "hung"), default="killed")
    parser.add_argument("--on-failure", choices=("local", "open", "closed"), default="local")
    parser.add_argument("--plot", type=Path, help="a picture is written there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder) / "store") as store:
        gateways = [
            Gateway(Path(folder) / f"gateway{index}", _config(store, options)).start() for index in range(3)
        ]
        streams = [
            Stream(gateway.port(), "/", 3 * options.quota * share, f"gateway {index}")
            for index, (gateway, share) in enumerate(zip(gateways, options.shares, strict=True))
        ]
        with Demand(streams) as demand:
            demand.until(DIES)
            store.hang() if options.fault == "hung" else store.kill()
            demand.until(RETURNS)
            store.resume() if options.fault == "hung" else store.start()
            demand.until(ENDS)
        for gateway in gateways:
            gateway.stop()
    seconds = range(ENDS)
    admitted = [[stream.admitted(second, second + 1) for second in seconds] for stream in streams]
    header = ["second", *(stream.name for stream in streams), "all", "store"]
    print_table(
        header, [[second, *counts, sum(counts), _state(second)] for second, counts in _rows(admitted)]
    )
    for stream in streams:
        took = sorted(answer.took for answer in stream.answers)
        print(f"{stream.name}: p99 {took[int(len(took) * 0.99)] * 1e3:.1f} ms of {len(took)} answers")
    if options.plot:
        _draw(options.plot, streams, admitted, options.quota)


def _rows(admitted: list[list[int]]) -> list[tuple[int, tuple[int, ...]]]:
    return list(enumerate(zip(*admitted, strict=True)))


def _state(second: int) -> str:
    return "away" if DIES <= second < RETURNS else ""


def _config(store: ValkeyServer, options: argparse.Namespace) -> dict[str, object]:
    window = {"quota": options.quota, "per": "1s", "burst": max(options.quota, 3)}
    return {
        "workers": 1,
        "stores": [{"name": "fleet", "valkey": {"address": store.address}, "on_failure": options.on_failure}],
        "rate_limits": [{"name": "all", "key": [], "windows": [window], "store": "fleet"}],
        "routes": [{"name": "all", "respond": {"body": ""}, "limits": {"rate": ["all"]}}],
    }


def _draw(file: Path, streams: list[Stream], admitted: list[list[int]], quota: int) -> None:
    """Admitted requests by gateway, one on the other, and the quota."""
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and often not needed

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(8, 3.2))
    axes.stackplot(range(ENDS), admitted, labels=[stream.name for stream in streams], step="post", alpha=0.8)
    axes.axhline(quota, color="black", linewidth=1, label="quota")
    axes.axvspan(DIES, RETURNS, color="grey", alpha=0.2, label="the store is away")
    axes.set(
        xlabel="seconds", ylabel="requests admitted per second", xlim=(0, ENDS - 1), ylim=(0, quota * 2.1)
    )
    axes.legend(loc="upper right", ncols=3, fontsize="small")
    figure.tight_layout()
    figure.savefig(file)


if __name__ == "__main__":
    main()
