"""How quickly the gateway and its commands start, how quickly it stops, and what it weighs idle.

    python -m bench.start [--rounds 10] [--idle 2] [--old COMMAND]

Medians of all rounds, in milliseconds and as multiples of `python -c pass` in the same run, which no Python
program can be quicker than. A round measures everything once. A first answer is counted from the start of
`tidegate run` to the first byte of a response. With --old, another build's command is measured too, in turns.
"""

import argparse
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from tests.e2e.harness.configs import route
from tests.e2e.harness.gateway import Config, command, complete

from bench.measure import print_table, pss

REQUEST = b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
DEADLINE = 30.0
POLL_SECONDS = 0.001
FLOOR = "python -c pass"
COMMANDS = ("version", "--help", "check", "status")


class Running:
    """A gateway that answers every request itself, from the moment it is told to run."""

    def __init__(self, folder: Path, product: list[str], admin: bool) -> None:
        config = _config(admin)
        self.file = folder / "tidegate.yaml"
        self.file.write_text(yaml.safe_dump(config))
        self.proxy = _port(config["listeners"][0]["address"])
        self.admin = _port(config["admin"]["address"])
        self._begun = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603
            [*product, "run", "--config", str(self.file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def first_answer(self, port: int) -> float:
        """Milliseconds from the start to the first answer on a port."""
        while not _answers(port):
            assert self.process.poll() is None, "the gateway ended"
            assert time.perf_counter() - self._begun < DEADLINE, f"no answer on port {port}"
            time.sleep(POLL_SECONDS)
        return _since(self._begun)

    def stop(self) -> float:
        """Milliseconds that it takes to end, once told to."""
        begun = time.perf_counter()
        self.process.terminate()
        self.process.wait(DEADLINE)
        return _since(begun)


def _config(admin: bool) -> Config:
    return complete(
        {
            "workers": 2,
            "admin": {"enabled": admin},
            "routes": [route("answer", "/", respond={"body": "hello"})],
        }
    )


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
            connection.sendall(REQUEST)
            return bool(connection.recv(1))
    except OSError:
        return False


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


@contextmanager
def running(product: list[str], admin: bool) -> Iterator[Running]:
    """A gateway that ends with the context, if it has not before."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = Running(Path(folder), product, admin)
        try:
            yield gateway
        finally:
            gateway.process.kill()
            gateway.process.wait()


def measure(product: list[str], idle: float) -> dict[str, float]:
    """One round of one build."""
    found = {FLOOR: timed([sys.executable, "-c", "pass"])}
    with running(product, admin=False) as gateway:
        found["first answer"] = gateway.first_answer(gateway.proxy)
        time.sleep(idle)
        found["PSS idle, MB"] = pss(gateway.process.pid) / 1e6
        found["stop"] = gateway.stop()
    with running(product, admin=True) as gateway:
        found["first answer, with the admin API"] = gateway.first_answer(gateway.proxy)
        found["first answer of the admin API"] = gateway.first_answer(gateway.admin)
        admin = ["--admin", f"http://127.0.0.1:{gateway.admin}"]
        further = {"check": [str(gateway.file)], "status": admin}
        for name in COMMANDS:
            found[f"tidegate {name}"] = timed([*product, name, *further.get(name, [])])
        time.sleep(idle)
        found["PSS idle, with the admin API, MB"] = pss(gateway.process.pid) / 1e6
        found["stop, with the admin API"] = gateway.stop()
    return found


def timed(words: list[str]) -> float:
    """Milliseconds that a command takes."""
    begun = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return _since(begun)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--idle", type=float, default=2, help="seconds until memory is looked at")
    parser.add_argument("--old", type=shlex.split, help="the command of a build to compare with")
    options = parser.parse_args(arguments)
    usual = command()
    assert usual is not None, "no tidegate command: build it, or name one in TIDEGATE_BIN"

    builds = ({"old": options.old} if options.old else {}) | {"new": usual}
    rounds: dict[str, list[dict[str, float]]] = {build: [] for build in builds}
    for _ in range(options.rounds):
        for build, product in builds.items():
            rounds[build].append(measure(product, options.idle))
    for build, found in rounds.items():
        medians = {name: statistics.median(each[name] for each in found) for name in found[0]}
        rows = [
            [name, value, "" if name.endswith("MB") else value / medians[FLOOR]]
            for name, value in medians.items()
        ]
        print_table([build, "ms", f"times {FLOOR}"], rows)


if __name__ == "__main__":
    main()
