"""What a million stored objects take, in memory and on disk, and how soon they are served after a restart.

    python -m bench.cache_scale [--objects 1000000] [--folder FOLDER]

Needs nginx and wrk. The origin answers each path with 100 bytes. First all objects are stored in memory:
shown is what each takes there. Then they are stored on disk by a cache with little memory: shown is what each
takes in memory all the same, and the time from the start of a process that finds them there, after a stop and
after a kill, until it has started and until it has answered from disk.
"""

import argparse
import itertools
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from tests.e2e.harness.configs import proxy
from tests.e2e.harness.gateway import Config, Gateway
from tests.e2e.harness.waiting import eventually

from bench import wrk
from bench.cache import origin_server
from bench.measure import print_table, rss

# What fills hold, what is freed and not given back, and what is not yet reckoned up is small beside so much.
ROUND = 10.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, ExitStack() as stack:
        at = Path(folder)
        at.chmod(0o755)
        origin = stack.enter_context(origin_server(at))
        rows = [*_in_memory(at, origin, options.objects), *_on_disk(at, origin, options.objects)]
        print_table([f"{options.objects:,} objects of 100 bytes", ""], rows)


def _in_memory(at: Path, origin: int, objects: int) -> list[list[object]]:
    gateway = Gateway(at / "memory", _config(origin, memory="8GB")).start()
    try:
        before = rss(gateway.pid)
        stored = _fill(gateway, objects, "memory")
        each = (rss(gateway.pid) - before) / stored
        counted = gateway.admin.get("/v1/cache").json()[0]["used_bytes"] / stored
        own = _own_bytes(gateway)
        return [
            ["memory of each, bytes", each],
            ["  of which key, head and body are", own],
            ["  as the cache counts it against `memory`", counted],
        ]
    finally:
        gateway.stop()


def _on_disk(at: Path, origin: int, objects: int) -> list[list[object]]:
    disk = {"path": str(at / "disk"), "size": "100GB", "admit": "always"}
    gateway = Gateway(at / "disk-gateway", _config(origin, memory="32MB", disk=disk)).start()
    try:
        before = rss(gateway.pid)
        stored = _fill(gateway, objects, "disk")
        rows: list[list[object]] = [["memory of each on disk, bytes", (rss(gateway.pid) - before) / stored]]
        for how, number in (("a stop", signal.SIGTERM), ("a kill", signal.SIGKILL)):
            gateway.signal(number)
            gateway.wait(60)
            began = time.monotonic()
            gateway.start()
            started = time.monotonic() - began
            served = _first_from_disk(gateway, began)
            rows += [[f"after {how}: started, s", started], ["  answered from disk, s", served]]
        return rows
    finally:
        gateway.stop()


def _config(origin: int, **options: object) -> Config:
    config = proxy(f"127.0.0.1:{origin}", workers=1, caches=[{"name": "main", **options}])
    config["routes"][0]["cache"] = "main"
    return config


def _fill(gateway: Gateway, objects: int, tier: str) -> int:
    """Ask for one path after the other until so many objects are stored; how many are."""
    turn = 0
    while _stored(gateway, tier) < objects:
        wrk.finish(wrk.start_each_another(gateway.url(), f"/{turn}/", connections=16, seconds=ROUND))
        turn += 1
    return _stored(gateway, tier)


def _stored(gateway: Gateway, tier: str) -> int:
    return int(gateway.metrics().total("tidegate_cache_objects", cache="main", tier=tier))


def _own_bytes(gateway: Gateway) -> int:
    """Bytes of what an entry is made of: its key, the fields of its head, its body."""
    response = httpx.get(gateway.url("/0/1"))
    fields = sum(len(name) + len(value) for name, value in response.headers.raw)
    return len(gateway.url("/0/1000000")) + fields + len(response.content)


def _first_from_disk(gateway: Gateway, began: float) -> float:
    """Seconds from `began` until a response came from disk."""
    numbers = itertools.count(1)

    def is_hit() -> bool:
        response = httpx.get(gateway.url(f"/0/{next(numbers)}"))
        return "; hit" in response.headers["cache-status"]

    eventually(is_hit, "something is served from disk", 120)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
