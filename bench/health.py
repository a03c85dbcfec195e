"""What health checks cost: processor time of the thread that makes them, with thousands of endpoints.

The origin is one process that listens on every address of 127.0.0.0/8; endpoints are its addresses.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.harness.gateway import Gateway
from tests.e2e.harness.ports import free_port

from bench.measure import TICK, print_table, rss

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Origin(asyncio.Protocol):
    """Answers whatever comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Be the origin."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Origin, "0.0.0.0", port, backlog=4096)  # noqa: S104 - that is the point
    await server.serve_forever()


def _checker(pid: int) -> tuple[int, int]:
    """Processor time, in ticks, of the thread that checks, by user and by system."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == "health":
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            return int(fields[11]), int(fields[12])
    raise AssertionError("no thread checks")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoints", type=int, default=5000)
    parser.add_argument("--interval", type=float, default=5)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    port = free_port()
    itself = [sys.executable, "-m", "bench.health", "--serve", str(port)]
    origin = subprocess.Popen(itself)  # noqa: S603 - it is this very program
    rows: list[list[object]] = []
    try:
        checks: dict[str, dict[str, object]] = {
            "none": {},
            "http, connections kept": {"http": {"path": "/healthz"}},
            "http, new connections": {"http": {"path": "/healthz"}, "reuse": False},
            "tcp": {"tcp": {}},
        }
        for name, health in checks.items():
            rows.append([name, *_measure(options, port, health)])
    finally:
        origin.terminate()
        origin.wait()
    print(f"{options.endpoints:,} endpoints every {options.interval:g} s; {os.cpu_count()} processors")
    print_table(
        ["check", "checks/s", "failed", "% of a core", "user %", "system %", "us/check", "MB resident"], rows
    )


def _measure(options: argparse.Namespace, port: int, health: dict[str, object]) -> list[object]:
    addresses = [f"127.1.{i // 254}.{1 + i % 254}:{port}" for i in range(options.endpoints)]
    interval = f"{options.interval:g}s"
    upstream = {"name": "app", "endpoints": addresses, "health": {**health, "interval": interval}}
    config = {
        "workers": 1,
        "routes": [{"name": "all", "match": {}, "upstream": "app"}],
        "upstreams": [upstream],
    }
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder), config).start(60)
        try:
            time.sleep(2 * options.interval)
            before, checks, begun = _checker(gateway.pid), _checks(gateway), time.monotonic()
            time.sleep(options.seconds)
            after, took = _checker(gateway.pid), time.monotonic() - begun
            done = _checks(gateway)
            failed = gateway.metrics().total("tidegate_health_checks_total", result="failed")
            user, system = ((late - early) / TICK for early, late in zip(before, after, strict=True))
            count = done - checks
            each = (user + system) / count * 1e6 if count else 0.0
            shares = [100 * part / took for part in (user + system, user, system)]
            return [count / took, int(failed), *shares, each, rss(gateway.pid) / 1e6]
        finally:
            gateway.stop()


def _checks(gateway: Gateway) -> float:
    return gateway.metrics().total("tidegate_health_checks_total")


if __name__ == "__main__":
    main()
