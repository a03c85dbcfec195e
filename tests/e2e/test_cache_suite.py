"""http-tests/cache-tests, whole: https://github.com/http-tests/cache-tests.

`CACHE_TESTS` names a checkout of b55b8bd with its dependencies (`npm i --omit=dev --ignore-scripts`); without
it, or without node, this is skipped. The options are the default ones but for `retry`: a request that is
repeated counts as not passed there.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import StartGateway
from .harness.configs import proxy
from .harness.ports import free_port
from .harness.waiting import eventually

RIGHT_TO_MISS = {
    # An unknown transfer coding of the origin is an error here (RFC 9112 §6.1).
    "headers-store-Transfer-Encoding",
    # They announce bytes 4-9 of ten and send five, or have no validator to complete a part by.
    "partial-store-partial-reuse-partial",
    "partial-store-partial-reuse-partial-byterange",
    "partial-store-partial-reuse-partial-absent",
    "partial-store-partial-reuse-partial-suffix",
    "partial-store-partial-complete",
    # Which language is meant is the origin's to say.
    "vary-normalise-lang-select",
    # The stored `Date` is later than `If-Modified-Since` (RFC 9111 §4.3.2).
    "conditional-lm-fresh-no-lm",
}

TALLY = """
import suites from './tests/index.mjs'
import { determineTestResult, resultTypes } from './test-engine/lib/results.mjs'
import fs from 'fs'
const results = JSON.parse(fs.readFileSync(process.argv[2]))
const told = {}
for (const suite of suites) for (const test of suite.tests) if (!test.browser_only) {
  const result = determineTestResult(suites, test.id, results)
  const name = Object.entries(resultTypes).find(([, type]) => type === result)[0]
  told[test.id] = [test.kind || 'required', name, results[test.id]]
}
console.log(JSON.stringify(told))
"""


@pytest.fixture
def checkout() -> Path:
    folder = os.environ.get("CACHE_TESTS")
    if folder is None or shutil.which("node") is None:
        pytest.skip("CACHE_TESTS names no checkout of http-tests/cache-tests, or node is not installed")
    return Path(folder)


@pytest.fixture
def suite_origin(checkout: Path, tmp_path: Path) -> Iterator[int]:
    """The suite's own origin."""
    port = free_port()
    env = {
        **os.environ,
        "npm_config_port": str(port),
        "npm_config_protocol": "http",
        "npm_config_pidfile": str(tmp_path / "pid"),
    }
    command = ["node", "test-engine/server/server.mjs"]
    with subprocess.Popen(command, cwd=checkout, env=env, stdout=subprocess.DEVNULL) as server:
        try:
            eventually((tmp_path / "pid").exists, "the suite's origin listens")
            yield port
        finally:
            server.terminate()


def test_what_the_suite_asks_of_a_cache_holds(
    start_gateway: StartGateway, checkout: Path, suite_origin: int, tmp_path: Path
) -> None:
    config = proxy(f"127.0.0.1:{suite_origin}", caches=[{"name": "main"}])
    config["routes"][0].update(cache="main", retry={"attempts": 1})
    gateway = start_gateway(config)
    env = {
        **os.environ,
        "npm_config_base": f"http://127.0.0.1:{gateway.port()}",
        "npm_config_id": "",
        "npm_package_config_id": "",
    }
    command = ["node", "--no-warnings", "test-engine/cli.mjs"]
    ran = subprocess.run(command, cwd=checkout, env=env, capture_output=True, check=True, timeout=300)
    results, tally = tmp_path / "results.json", checkout / ".tally.mjs"
    results.write_bytes(ran.stdout)
    tally.write_text(TALLY)
    try:
        told = subprocess.run(
            ["node", tally, results], cwd=checkout, capture_output=True, check=True, timeout=60
        )
    finally:
        tally.unlink()
    missed = {
        name: (kind, result, why)
        for name, (kind, result, why) in json.loads(told.stdout).items()
        if kind != "check" and result != "pass" and name not in RIGHT_TO_MISS
    }
    assert not missed, "\n".join(f"{name}: {found}" for name, found in missed.items())
