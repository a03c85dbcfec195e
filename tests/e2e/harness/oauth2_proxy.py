"""oauth2-proxy, a service that logs people in by OpenID Connect, against a provider in this process."""

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from oidc_provider_mock import run_server_in_thread

from .ports import free_port
from .waiting import eventually


def program() -> str:
    """The program; the test is skipped where it was not built (`make test-tools`)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate" / "bin"
    found = shutil.which("oauth2-proxy") or str(cache / "oauth2-proxy")
    if not Path(found).is_file():
        pytest.skip("oauth2-proxy is not there; `make test-tools` builds it where Go is installed")
    return found


@contextlib.contextmanager
def oauth2_proxy(gateway_port: int, log: Path) -> Iterator[str]:
    """Runs it for people who come to that port; gives its address."""
    command = program()
    port = free_port()
    with run_server_in_thread() as provider, log.open("wb") as output:
        options = {
            "provider": "oidc",
            "oidc-issuer-url": f"http://localhost:{provider.server_port}",
            "oidc-email-claim": "sub",
            "client-id": "gateway",
            "client-secret": "secret",
            "cookie-secret": secrets.token_hex(16),
            "cookie-secure": "false",
            "email-domain": "*",
            "http-address": f"127.0.0.1:{port}",
            "redirect-url": f"http://localhost:{gateway_port}/oauth2/callback",
            "reverse-proxy": "true",
            "set-xauthrequest": "true",
            "skip-provider-button": "true",
            "upstream": "static://202",
        }
        process = subprocess.Popen(
            [command, *(f"--{name}={value}" for name, value in options.items())],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: _is_ready(port), "oauth2-proxy is ready", 20)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ping").status_code == 200
    except httpx.TransportError:
        return False
