"""What a request costs whose endpoint is reached over HTTP/3, beside HTTP/2 and 1.1 over TLS, in one run.

    python -m bench.http3_endpoints [--rounds 3] [--seconds 3]

Needs nginx (the origin), wrk, taskset and openssl. The endpoint is a gateway in front of nginx; before it is
one gateway for each version, with one worker, pinned to the first core; all else shares the last. Shown is
processor time per request of those in front, and the ratio to HTTP/2 in the same round (median of rounds).
"""

import argparse
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.harness.configs import listener, proxy
from tests.e2e.harness.gateway import Config, Gateway

from bench import wrk
from bench.cache import FIRST, LAST, certificate, origin_server
from bench.measure import cpu_seconds, print_table

VERSIONS = ("http1", "http2", "http3")
CASES = {"100 bytes": "/100", "10 KB": "/10k", "100 KB": "/100k"}
CONNECTIONS = 64


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, ExitStack() as stack:
        at = Path(folder)
        at.chmod(0o755)
        origin = stack.enter_context(origin_server(at))
        certificate(at)
        behind = stack.enter_context(_running(at / "behind", _behind(at, origin), LAST))
        gateways = {
            version: stack.enter_context(_running(at / version, _front(behind, version), FIRST))
            for version in VERSIONS
        }
        rows = []
        for name, path in CASES.items():
            for gateway in gateways.values():
                _cost(gateway, path, 1)
            turns = [
                {version: _cost(gateway, path, options.seconds) for version, gateway in gateways.items()}
                for _ in range(options.rounds)
            ]
            costs = [statistics.median(turn[version] for turn in turns) for version in VERSIONS]
            ratio = statistics.median(turn["http3"] / turn["http2"] for turn in turns)
            rows.append([name, *costs, f"{ratio:.2f}"])
        print_table(["us/request", *VERSIONS, "3 to 2"], rows)


def _behind(at: Path, origin: int) -> Config:
    tls = {"certificates": [{"cert": str(at / "cert.pem"), "key": str(at / "key.pem")}]}
    many = {"streams": 1000}
    config = proxy(f"127.0.0.1:{origin}", workers=1)
    config["listeners"] = [listener("web", tls=tls, protocols=list(VERSIONS), limits=many)]
    return config


def _front(behind: Gateway, version: str) -> Config:
    config: dict[str, Any] = proxy(f"127.0.0.1:{behind.port()}", workers=1)
    config["upstreams"][0].update(protocol=version, tls={"verify": False})
    return config


@contextmanager
def _running(at: Path, config: Config, core: str) -> Iterator[Gateway]:
    gateway = Gateway(at, config).start()
    try:
        pin = ["taskset", "-acp", core, str(gateway.pid)]
        subprocess.run(pin, capture_output=True, check=True)  # noqa: S603
        yield gateway
    finally:
        gateway.stop()


def _cost(gateway: Gateway, path: str, seconds: float) -> float:
    """Microseconds of processor time per request."""
    before = cpu_seconds(gateway.pid)
    run = wrk.start(gateway.url(path), connections=CONNECTIONS, seconds=seconds, core=LAST)
    result = wrk.finish(run)
    assert not result.errors, f"{result.errors} requests failed"
    return (cpu_seconds(gateway.pid) - before) / result.requests * 1e6


if __name__ == "__main__":
    main()
