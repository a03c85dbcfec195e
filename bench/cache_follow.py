"""How soon a request that follows another one has what the origin sends.

    python -m bench.cache_follow [--rounds 500]

One client asks for a path that is not stored, and another one for the same while the response comes. The
origin then sends a byte of the body. Shown is the time from there until each client has it, over all rounds.
Clients are processes of their own; the gateway has two workers, so that half of the pairs are on two.
"""

import argparse
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from tests.e2e.harness.configs import proxy
from tests.e2e.harness.gateway import Gateway

from bench.measure import print_table

HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as origin:
        config = proxy(f"127.0.0.1:{origin.getsockname()[1]}", workers=2, caches=[{"name": "main"}])
        config["routes"][0]["cache"] = "main"
        gateway = Gateway(Path(folder) / "gateway", config).start()
        try:
            waits = _measure(origin, gateway.port(), options.rounds)
        finally:
            gateway.stop()
    rows = [
        [name, f"{statistics.median(took):.0f}", f"{statistics.quantiles(took, n=100)[98]:.0f}"]
        for name, took in zip(["the first", "the one that follows"], waits, strict=True)
    ]
    print_table(["us from the origin to", "median", "p99"], rows)


def _measure(origin: socket.socket, port: int, rounds: int) -> tuple[list[float], list[float]]:
    """Microseconds that the first request and the one behind it waited for the byte."""
    waits: tuple[list[float], list[float]] = ([], [])
    first, behind = (_begin(_client, port) for _ in waits)
    for turn in range(rounds):
        first.send(f"/{turn}")
        upstream, _ = origin.accept()
        with upstream:
            upstream.recv(65536)
            upstream.sendall(HEAD)
            first.recv()
            behind.send(f"/{turn}")
            behind.recv()
            sent = time.monotonic()
            upstream.sendall(b"x")
            for client, took in zip((first, behind), waits, strict=True):
                took.append((client.recv() - sent) * 1e6)
    first.close()
    behind.close()
    return waits


def _begin(work: Callable[[Connection, int], None], port: int) -> Connection:
    here, there = multiprocessing.Pipe()
    multiprocessing.Process(target=work, args=(there, port), daemon=True).start()
    there.close()
    return here


def _client(paths: Connection, port: int) -> None:
    """Ask for each path that is told; tell when its head came, and when its body."""
    while True:
        try:
            path = paths.recv()
        except EOFError:
            return
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            paths.send(time.monotonic())
            connection.recv(1)
            paths.send(time.monotonic())


if __name__ == "__main__":
    main()
