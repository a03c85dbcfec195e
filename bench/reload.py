"""Load during reloads: what fails, what it costs, how long a change takes.

    python -m bench.reload [--seconds 10] [--connections 64] [--pause 0.1]

Needs wrk. The same load runs twice, first undisturbed, then while one route is changed again and again
through the admin API. No request may fail.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.e2e.harness.configs import proxy, route
from tests.e2e.harness.gateway import Gateway

from bench import wrk
from bench.measure import print_table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two changes")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        answering = {"routes": [route("answer", "/", respond={"body": "x" * 100})]}
        origin = Gateway(Path(folder) / "origin", {"workers": 1, **answering}).start()
        gateway = Gateway(Path(folder) / "gateway", proxy(f"127.0.0.1:{origin.port()}")).start()
        calm = wrk.finish(wrk.start(gateway.url(), connections=options.connections, seconds=options.seconds))
        run = wrk.start(gateway.url(), connections=options.connections, seconds=options.seconds)
        took: list[float] = []
        while run.poll() is None:
            took.append(_change(gateway, len(took)))
            time.sleep(options.pause)
        stirred = wrk.finish(run)
        gateway.stop()
        origin.stop()
    rows = [
        [name, r.requests, r.errors, r.per_second, r.p99_ms]
        for name, r in (("undisturbed", calm), (f"{len(took)} changes", stirred))
    ]
    print_table(["", "requests", "failed", "requests/s", "p99 ms"], rows)
    print(f"a change takes {statistics.median(took):.1f} ms in the middle, {max(took):.1f} ms at the most")


def _change(gateway: Gateway, number: int) -> float:
    """Change one route; milliseconds that it took."""
    routes = [*gateway.config["routes"], route("changing", "/changing", respond={"body": str(number)})]
    begun = time.perf_counter()
    headers = {"Content-Type": "application/merge-patch+json"}
    gateway.admin.patch("/v1/config", json={"routes": routes}, headers=headers).raise_for_status()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
