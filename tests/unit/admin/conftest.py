"""The admin API over a gateway with a fake engine."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.unit.control.fake_engine import FakeEngine, install_native_stand_in

install_native_stand_in()

from tests.unit.control.gateways import authentication, model_lifecycle, started_gateway  # noqa: E402 - it needs the native module
from tidegate.admin.app import create_app  # noqa: E402
from tidegate.control.gateway import Gateway  # noqa: E402
from tidegate.control.source import Source  # noqa: E402


@dataclass
class Admin:
    """An admin API, with what is behind it."""

    http: httpx.AsyncClient
    gateway: Gateway
    engine: FakeEngine


def connect(
    gateway: Gateway, url: str = "http://127.0.0.1:9090", state_dir: Path | None = None
) -> httpx.AsyncClient:
    """A client of the gateway's admin API."""
    app = create_app(gateway, authentication(gateway), model_lifecycle(gateway, state_dir))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=url)


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    """The admin API of a gateway that serves the usual configuration."""
    gateway, engine = await started_gateway()
    async with connect(gateway) as http:
        yield Admin(http, gateway, engine)


@pytest.fixture
async def guarded() -> AsyncIterator[Admin]:
    """An admin API that asks for the token `a-token-of-enough-length`."""
    options = {"address": "0.0.0.0:9090", "token": "a-token-of-enough-length"}
    gateway, engine = await started_gateway(source=Source(document={"admin": options}))
    async with connect(gateway, "http://gateway.example:9090") as http:
        yield Admin(http, gateway, engine)
