"""The Autobahn cases, of kosoku: over the gateway fails none that does not fail at the server alone.

Those of sizes and times (9) and of compression (12, 13) are left out: frames are carried as they are.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.certs import Authority
from .harness.configs import listener, proxy
from .harness.gateway import Config
from .harness.h3origin import trusting

LEFT_OUT = ("9.*", "12.*", "13.*")
CASES = 247
TIME_OF_A_CASE = 1000
"""Milliseconds that the other end has to close."""
WRONG = {"ERROR", "FAILED", "FAILED BY CLIENT", "WRONG CODE", "UNCLEAN"}


def run(port: int, reports: Path, *options: str) -> dict[str, dict[str, Any]]:
    """What is told of each case that was run there."""
    command = [str(Path(sys.executable).with_name("kosoku")), "--mode", "fuzzingclient", *options]
    command += ["--outdir", str(reports), f"ws://127.0.0.1:{port}"]
    subprocess.run(command, capture_output=True, check=False, timeout=300)
    [(_, cases)] = json.loads((reports / "index.json").read_text()).items()
    return dict(cases)


def failed(told: dict[str, Any]) -> bool:
    return bool(WRONG & {told["behavior"], told["behaviorClose"]})


def failing(port: int, reports: Path) -> set[str]:
    """The cases that fail there. One that ran out of its time on a busy machine is run again, alone."""
    cases = run(port, reports, "--parallelism", "4", *(f"--exclude={cases}" for cases in LEFT_OUT))
    assert len(cases) == CASES
    late = [case for case, told in cases.items() if failed(told) and told["duration"] >= TIME_OF_A_CASE]
    if late:
        cases |= run(port, reports / "again", *(f"--include={case}" for case in late))
    return {case for case, told in cases.items() if failed(told)}


@pytest.fixture(scope="module")
def alone(websocket_server: int, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The cases that fail at the server itself."""
    failed = failing(websocket_server, tmp_path_factory.mktemp("alone"))
    assert len(failed) < 5, "the server is a good one"
    return failed


def test_over_http1(
    start_gateway: StartGateway, websocket_server: int, alone: set[str], tmp_path: Path
) -> None:
    gateway = start_gateway(proxy(f"127.0.0.1:{websocket_server}"))
    assert failing(gateway.port(), tmp_path) <= alone


@pytest.mark.parametrize("version", ["http2", "http3"])
def test_over_streams(
    start_gateway: StartGateway,
    authority: Authority,
    websocket_server: int,
    alone: set[str],
    tmp_path: Path,
    version: str,
) -> None:
    """One gateway asks another by extended CONNECT."""
    behind: Config = proxy(f"127.0.0.1:{websocket_server}")
    certificate = authority.issue("localhost", file="suite").config()
    tls = {"certificates": [certificate]}
    behind["listeners"] = [
        listener("web", protocols=[version], **({"tls": tls} if version == "http3" else {}))
    ]
    config = proxy(f"127.0.0.1:{start_gateway(behind).port()}")
    options = trusting(authority.file) if version == "http3" else {"protocol": version}
    config["upstreams"][0].update(options)
    gateway = start_gateway(config)
    assert failing(gateway.port(), tmp_path) <= alone
