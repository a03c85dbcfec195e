"""The Autobahn cases, of kosoku: over the gateway fails none that does not fail at the server alone.

Those of sizes and times (9) and of compression (12, 13) are left out: frames are carried as they are.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from .conftest import StartGateway
from .harness.configs import proxy

LEFT_OUT = ("9.*", "12.*", "13.*")
CASES = 247
WRONG = {"ERROR", "FAILED", "FAILED BY CLIENT", "WRONG CODE", "UNCLEAN"}


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a WebSocket server that sends back what it gets."""

    def talk(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(talk, "127.0.0.1", 0, max_size=None, ping_interval=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


def failing(port: int, reports: Path) -> set[str]:
    """The cases that fail there."""
    command = [str(Path(sys.executable).with_name("kosoku")), "--mode", "fuzzingclient", "--parallelism", "4"]
    for cases in LEFT_OUT:
        command += ["--exclude", cases]
    command += ["--outdir", str(reports), f"ws://127.0.0.1:{port}"]
    subprocess.run(command, capture_output=True, check=False, timeout=300)
    [(_, cases)] = json.loads((reports / "index.json").read_text()).items()
    assert len(cases) == CASES
    return {case for case, told in cases.items() if WRONG & {told["behavior"], told["behaviorClose"]}}


@pytest.fixture(scope="module")
def alone(server: int, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The cases that fail at the server itself."""
    failed = failing(server, tmp_path_factory.mktemp("alone"))
    assert len(failed) < 5, "the server is a good one"
    return failed


def test_over_http1(start_gateway: StartGateway, server: int, alone: set[str], tmp_path: Path) -> None:
    gateway = start_gateway(proxy(f"127.0.0.1:{server}"))
    assert failing(gateway.port(), tmp_path) <= alone


def test_over_http2(start_gateway: StartGateway, server: int, alone: set[str], tmp_path: Path) -> None:
    """One gateway asks another by extended CONNECT."""
    behind = start_gateway(proxy(f"127.0.0.1:{server}"))
    config = proxy(f"127.0.0.1:{behind.port()}")
    config["upstreams"][0]["protocol"] = "http2"
    gateway = start_gateway(config)
    assert failing(gateway.port(), tmp_path) <= alone
