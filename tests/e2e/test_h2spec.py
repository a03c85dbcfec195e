"""h2spec, the conformance suite for HTTP/2, in strict mode against both ways to speak it.

Taken from H2SPEC, the search path or Go's folder; where Go is installed and h2spec is not, it is
built once into the user's cache folder.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Running
from .harness.certs import Authority
from .harness.configs import listener, proxy
from .harness.gateway import Gateway
from .harness.origin import Origin

VERSION = "v2.2.1+incompatible"

CROSS = "\N{MULTIPLICATION SIGN}"
"""How h2spec marks a case that failed."""

SHARED_PORT = {
    "2: Sends invalid connection preface": "where HTTP/1 is spoken too, what is no preface of HTTP/2"
    " is read as HTTP/1 and answered so; over TLS and where HTTP/2 alone is spoken the case passes",
}
"""Cases that fail on the port for both versions in plain text, each with its reason."""


@pytest.fixture(scope="session")
def h2spec() -> str:
    """The command."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate" / "bin"
    for found in (
        os.environ.get("H2SPEC"),
        shutil.which("h2spec"),
        str(Path.home() / "go/bin/h2spec"),
        str(cache / "h2spec"),
    ):
        if found and Path(found).is_file():
            return found
    if shutil.which("go") is None:
        pytest.skip("neither h2spec nor Go is installed")
    cache.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        ["go", "install", f"github.com/summerwind/h2spec/cmd/h2spec@{VERSION}"],
        env={**os.environ, "GOBIN": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        pytest.skip(f"h2spec cannot be built: {built.stderr.strip()[-200:]}")
    return str(cache / "h2spec")


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    certificate = authority.issue("localhost", file="h2spec").config()
    config = proxy(module_origin.address)
    config["listeners"] += [
        listener("tls", tls={"certificates": [certificate]}),
        listener("h2c", protocols=["http2"]),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "options", "explained"),
    [("tls", ["-t", "-k"], {}), ("h2c", [], {}), ("web", [], SHARED_PORT)],
    ids=["tls", "h2c", "shared"],
)
def test_every_strict_case_passes(
    gateway: Gateway, h2spec: str, name: str, options: list[str], explained: dict[str, str]
) -> None:
    ran = subprocess.run(
        [h2spec, "-S", "-h", "127.0.0.1", "-p", str(gateway.port(name)), "-o", "3", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", ran.stdout)
    assert summary is not None, ran.stdout + ran.stderr
    failures = ran.stdout.partition("Failures:")[2]
    missed = {line.partition(CROSS)[2].strip() for line in failures.splitlines() if CROSS in line}
    assert missed == explained.keys(), failures
    assert int(summary[1]) >= 146
