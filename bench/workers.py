"""Whether two workers carry twice the load of one.

    python -m bench.workers [--seconds 5] [--connections 64]

Needs wrk. On a machine with few cores the load generator and the origin take their share of what the
workers could use, so that requests per second alone understate the gain. Therefore three figures:

- requests per second, as measured, everything sharing the machine;
- processor time per request of the gateway: as long as it stays the same with more workers, nothing is
  lost to locks or shared cache lines, and the load grows with the cores that are given;
- `carries`: workers divided by the processor time per request, the load that the workers could carry had
  each a core of its own, as a multiple of one worker's.

`answer` is a fixed response, so that no origin takes part; `proxy` goes to an origin, itself a gateway
with one worker that answers by itself.
"""

import argparse
import os
import tempfile
from pathlib import Path

from tests.e2e.harness.configs import proxy, route
from tests.e2e.harness.gateway import Gateway

from bench import wrk
from bench.measure import cpu_seconds, print_table

BODY = "x" * 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        answering = {"routes": [route("answer", "/", respond={"body": BODY})]}
        origin = Gateway(Path(folder) / "origin", {"workers": 1, **answering}).start()
        try:
            for kind in ("answer", "proxy"):
                single = 0.0
                for workers in options.workers:
                    config = proxy(f"127.0.0.1:{origin.port()}", workers=workers)
                    if kind == "answer":
                        config = {**answering, "workers": workers}
                    gateway = Gateway(Path(folder) / f"{kind}-{workers}", config).start()
                    result, micros = _loaded(gateway, options.connections, options.seconds)
                    gateway.stop()
                    carried = workers / micros
                    single = single or carried / workers
                    rows.append([kind, workers, result.per_second, micros, carried / single, result.errors])
        finally:
            origin.stop()
    print(f"{os.cpu_count()} cores, {options.connections} connections, wrk with one thread")
    print_table(["", "workers", "requests/s", "cpu us/request", "carries", "errors"], rows)


def _loaded(gateway: Gateway, connections: int, seconds: float) -> tuple[wrk.Result, float]:
    """Load a gateway; what was done, and microseconds of processor time per request."""
    wrk.finish(wrk.start(gateway.url(), connections=connections, seconds=1))
    before = cpu_seconds(gateway.pid)
    result = wrk.finish(wrk.start(gateway.url(), connections=connections, seconds=seconds))
    return result, (cpu_seconds(gateway.pid) - before) / result.requests * 1e6


if __name__ == "__main__":
    main()
