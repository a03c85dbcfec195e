"""Ten thousand routes and endpoints: the time to start, to reload and to change one route; the memory.

    python -m bench.scale [--routes 10000] [--endpoints 10000]

Every time is from the request to the moment the new configuration is served: a start until the gateway
says that it is ready, a change until the admin API answers.
"""

import argparse
import copy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.harness.configs import listener
from tests.e2e.harness.gateway import Config, Gateway

from bench.measure import print_table, rss

PER_UPSTREAM = 100
SHOWN = (10, 50, 100)
"""Of a hundred changes. Memory must level off: two configurations are held during a change, never more."""


def large(routes: int, endpoints: int) -> Config:
    """A configuration of that size; every kind of path condition is in it."""
    upstreams = max(1, endpoints // PER_UPSTREAM)
    return {
        "listeners": [listener("web")],
        "routes": [_route(index, f"upstream-{index % upstreams}") for index in range(routes)],
        "upstreams": [
            {
                "name": f"upstream-{index}",
                "endpoints": [
                    f"10.{index // 256}.{index % 256}.{host}:80" for host in range(1, PER_UPSTREAM + 1)
                ],
            }
            for index in range(upstreams)
        ],
    }


def _route(index: int, upstream: str) -> dict[str, Any]:
    paths = (
        {"prefix": f"/service-{index}"},
        {"exact": f"/page-{index}"},
        {"template": f"/users-{index}/{{id}}/files"},
    )
    match = {"hosts": [f"host-{index % 1000}.example.com"], "path": paths[index % len(paths)]}
    return {"name": f"route-{index}", "match": match, "upstream": upstream}


def timed(act: Callable[[], object]) -> float:
    """Milliseconds that something takes."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--endpoints", type=int, default=10_000)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        empty = Gateway(Path(folder) / "empty", {})
        rows: list[list[object]] = [
            ["start with nothing configured", timed(empty.start), rss(empty.pid) / 1e6]
        ]
        empty.stop()

        gateway = Gateway(Path(folder) / "large", large(options.routes, options.endpoints))

        def row(name: str, act: Callable[[], object]) -> None:
            rows.append([name, timed(act), rss(gateway.pid) / 1e6])

        def reload() -> None:
            gateway.admin.post("/v1/config/reload", timeout=120).raise_for_status()

        rows.append(["start", timed(lambda: gateway.start(120)), rss(gateway.pid) / 1e6])
        row("reload of an unchanged file", reload)
        gateway.write(_one_changed(gateway.config))
        row("reload with one route changed", reload)
        target = gateway.config["upstreams"][0]["name"]
        added = {"address": "10.255.255.1:80"}
        row(
            "an endpoint added by the admin API",
            lambda: gateway.admin.post(
                f"/v1/upstreams/{target}/endpoints", json=added, timeout=120
            ).raise_for_status(),
        )
        for change in range(2, 101):
            gateway.write(_one_changed(gateway.config))
            if change in SHOWN:
                row(f"change {change}", reload)
            else:
                reload()
        gateway.stop()
    print(f"{options.routes:,} routes, {options.endpoints:,} endpoints")
    print_table(["", "ms", "MB resident"], rows)


def _one_changed(config: Config) -> Config:
    config = copy.deepcopy(config)
    config["routes"][0]["timeout"] = f"{int(str(config['routes'][0].get('timeout', '1s'))[:-1]) + 1}s"
    return config


if __name__ == "__main__":
    main()
