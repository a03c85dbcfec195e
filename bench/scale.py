"""What grows with the configuration: the time to start, to change one thing and to reload, and the memory.

    python -m bench.scale [--sizes 100 1000 10000] [--old COMMAND] [--rounds 3] [--changes 100] [--json FILE]

A size is a number of routes and as many endpoints. Each round starts the gateway, measures and stops it; with
--old, another build's command, both builds take turns within a round, so that the machine's moods hit both.
Every time is from the request to the moment the change is served: a start until the gateway says that it is
ready, a change until the admin API answers. `python -m bench.curve` draws what --json wrote.
"""

import argparse
import json
import os
import shlex
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.harness.configs import listener
from tests.e2e.harness.gateway import Config, Gateway

from bench.measure import print_table, pss, rss

Act = Callable[[], object]
PER_UPSTREAM = 100
REPEATS = 5
"""Of each change by the admin API, in a round."""
DEADLINE = 120.0
FIRST_TIMEOUT = 1000
"""Of the route that changes, in seconds; as many digits as the last one, so that the file keeps its size."""


@dataclass
class Samples:
    """What was measured, by size, measure and build; printed as it comes."""

    taken: dict[tuple[int, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, size: int, measure: str, build: str, value: float) -> None:
        """Keep and print one."""
        self.taken[size, measure, build].append(value)
        print(f"{size:>7,}  {build:<4}  {measure:<36} {value:>10,.1f}", flush=True)

    def medians(self) -> dict[tuple[int, str], dict[str, float]]:
        """By size and measure, for each build."""
        found: dict[tuple[int, str], dict[str, float]] = defaultdict(dict)
        for (size, measure, build), values in self.taken.items():
            found[size, measure][build] = statistics.median(values)
        return found


def large(size: int) -> Config:
    """A configuration of that size; every kind of path condition is in it."""
    upstreams = -(-size // PER_UPSTREAM)
    return {
        "listeners": [listener("web")],
        "routes": [_route(index, f"upstream-{index % upstreams}") for index in range(size)],
        "upstreams": [
            {
                "name": f"upstream-{index}",
                "endpoints": [
                    f"10.{index // 256}.{index % 256}.{host}:80"
                    for host in range(1, min(PER_UPSTREAM, size - index * PER_UPSTREAM) + 1)
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
    timeout = {"timeout": f"{FIRST_TIMEOUT}s"} if index == 0 else {}
    return {"name": f"route-{index}", "match": match, "upstream": upstream, **timeout}


class Changes:
    """Changes of one thing in a running gateway, each to something new and ready to be made."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._text = gateway.file.read_text()
        self._count = 0

    def route(self) -> Act:
        """The timeout of one route, by the admin API."""
        name = self._gateway.config["routes"][0]["name"]
        return self._request("PATCH", f"/v1/routes/{name}", json={"timeout": f"{self._next()}s"})

    def routes(self) -> Act:
        """The same by a new list of all routes."""
        first, *others = self._gateway.config["routes"]
        body = json.dumps({"routes": [{**first, "timeout": f"{self._next()}s"}, *others]})
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._request("PATCH", "/v1/config", content=body, headers=headers)

    def endpoint(self) -> Act:
        """The weight of one endpoint, by the admin API."""
        upstream = self._gateway.config["upstreams"][0]
        path = f"/v1/upstreams/{upstream['name']}/endpoints/{upstream['endpoints'][0]}"
        weight = {"weight": self._next() - FIRST_TIMEOUT}
        return self._request("PATCH", path, json=weight)

    def file(self) -> Act:
        """The timeout of one route in the file, which is then read again.

        The file looks as if nothing had been written, so that nothing but the request makes it be read.
        """
        file = self._gateway.file
        before = file.stat()
        file.write_text(self._text.replace(f"timeout: {FIRST_TIMEOUT}s", f"timeout: {self._next()}s"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        return self._request("POST", "/v1/config/reload")

    def _request(self, method: str, path: str, **content: Any) -> Act:
        request = self._gateway.admin.build_request(method, path, timeout=DEADLINE, **content)

        def act() -> None:
            response = self._gateway.admin.send(request)
            assert response.is_success, response.text

        return act

    def _next(self) -> int:
        self._count += 1
        return FIRST_TIMEOUT + self._count


def measure(size: int, build: str, product: list[str] | None, changes: int, samples: Samples) -> None:
    """One round of one build."""

    def add(name: str, value: float) -> None:
        samples.add(size, name, build, value)

    def add_memory(when: str) -> None:
        add(f"resident {when}, MB", rss(gateway.pid) / 1e6)
        add(f"PSS {when}, MB", pss(gateway.pid) / 1e6)

    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder), large(size), product=product)
        try:
            add("start, ms", timed(lambda: gateway.start(DEADLINE)))
            add_memory("after the start")
            change = Changes(gateway)
            for name, prepare, times in (
                ("one route by the admin API, ms", change.route, REPEATS),
                ("a list of all routes by the admin API, ms", change.routes, REPEATS),
                ("one endpoint by the admin API, ms", change.endpoint, REPEATS),
                ("reload with one route changed, ms", change.file, changes),
            ):
                for _ in range(times):
                    add(name, timed(prepare()))
            add_memory(f"after {changes} changes")
        finally:
            gateway.stop()


def timed(act: Act) -> float:
    """Milliseconds that something takes."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def report(samples: Samples, builds: Sequence[str]) -> None:
    """Print the medians, and the ratio of the last build to the first."""
    header = ["routes", "median of", *builds, *(["ratio"] if len(builds) > 1 else [])]
    rows = [
        [f"{size:,}", name, *values.values(), *_ratio(list(values.values()))]
        for (size, name), values in samples.medians().items()
    ]
    print_table(header, rows)


def _ratio(values: list[float]) -> list[str]:
    return [f"{values[-1] / values[0]:.3f}"] if len(values) > 1 else []


def as_json(samples: Samples) -> str:
    """The medians, as `bench.curve` reads them."""
    rows = [
        {"size": size, "measure": name, "median": values}
        for (size, name), values in samples.medians().items()
    ]
    return json.dumps(rows, indent=1) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--old", type=shlex.split, help="the command of a build to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--changes", type=int, default=100, help="reloads in a round")
    parser.add_argument("--json", type=Path, help="where to write the medians")
    options = parser.parse_args(arguments)

    builds: dict[str, list[str] | None] = {"old": options.old} if options.old else {}
    builds["new"] = None  # the usual command
    samples = Samples()
    for size in options.sizes:
        for _ in range(options.rounds):
            for build, product in builds.items():
                measure(size, build, product, options.changes, samples)
    report(samples, list(builds))
    if options.json:
        options.json.write_text(as_json(samples))


if __name__ == "__main__":
    main()
