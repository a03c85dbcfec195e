"""How much memory a process takes through whose cache more passes than it holds.

    python -m bench.cache_bound [--gigabytes 10] [--memory 256MB]

Needs nginx and wrk. Bodies of 100 bytes to 1 MB, each asked for once, pass through a cache in memory. Shown
is by how much the process grew at the most.
"""

import argparse
import itertools
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.harness.configs import proxy
from tests.e2e.harness.gateway import Gateway

from bench import wrk
from bench.cache import SIZES, origin_server
from bench.measure import print_table, rss


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--memory", default="256MB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        at = Path(folder)
        at.chmod(0o755)
        origin = stack.enter_context(origin_server(at))
        config = proxy(f"127.0.0.1:{origin}", caches=[{"name": "main", "memory": options.memory}])
        config["routes"][0]["cache"] = "main"
        gateway = Gateway(at / "gateway", config).start()
        stack.callback(gateway.stop)
        before = most = rss(gateway.pid)
        passed = 0
        for turn, (name, size) in enumerate(itertools.cycle(SIZES.items())):
            run = wrk.start_each_another(gateway.url(), f"/{name}?{turn}-", connections=32, seconds=1)
            while run.poll() is None:
                most = max(most, rss(gateway.pid))
                time.sleep(0.02)
            passed += wrk.finish(run).requests * size
            if passed >= options.gigabytes * 1e9:
                break
        stored = gateway.admin.get("/v1/cache").json()[0]["used_bytes"]
        rows = [
            ["passed through, MB", passed / 1e6],
            ["stored at the end, MB", stored / 1e6],
            ["grown by at the most, MB", (most - before) / 1e6],
        ]
        print_table([f"a cache of {options.memory}", ""], rows)


if __name__ == "__main__":
    main()
