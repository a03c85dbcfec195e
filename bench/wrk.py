"""wrk, the load generator, and what it reports."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ANOTHER = Path(__file__).with_name("another.lua")


@dataclass(frozen=True)
class Result:
    """The figures of one run."""

    requests: int
    seconds: float
    errors: int
    """Requests without a good answer: refused, reset or timed out connections, and statuses beyond 399."""
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def start(
    url: str, *, connections: int, seconds: float, threads: int = 1, core: str | None = None
) -> "subprocess.Popen[str]":
    """Start a run, on one core where one is named."""
    command = ["wrk", "--latency", f"-c{connections}", f"-t{threads}", f"-d{seconds:g}s", url]
    return _start(command, core)


def start_each_another(
    url: str, prefix: str, *, connections: int, seconds: float, core: str | None = None
) -> "subprocess.Popen[str]":
    """Start a run in which no two requests ask for the same path; all paths begin with `prefix`."""
    options = ["--latency", f"-c{connections}", "-t1", f"-d{seconds:g}s", "-s", str(_ANOTHER)]
    return _start(["wrk", *options, url, "--", prefix], core)


def _start(command: list[str], core: str | None) -> "subprocess.Popen[str]":
    command = ["taskset", "-c", core, *command] if core else command
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603


def finish(run: "subprocess.Popen[str]") -> Result:
    """Wait for the end of a run and read its report."""
    report, _ = run.communicate()
    if run.returncode != 0:
        raise RuntimeError(f"wrk failed: {report}")
    done = re.search(r"(\d+) requests in ([\d.]+)s", report)
    latency = re.search(r"99%\s+([\d.]+)(us|ms|s)", report)
    assert done is not None, report
    assert latency is not None, report
    socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", report)
    statuses = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    errors = sum(map(int, socket_errors.groups())) if socket_errors else 0
    return Result(
        requests=int(done[1]),
        seconds=float(done[2]),
        errors=errors + (int(statuses[1]) if statuses else 0),
        p99_ms=float(latency[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[latency[2]],
    )
