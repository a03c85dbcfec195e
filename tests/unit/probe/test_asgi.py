"""The middleware around ASGI applications."""

from typing import Any

import httpx
import pytest

import tidegate.probe


async def app(scope: Any, _receive: Any, send: Any) -> None:
    if scope["path"] == "/broken":
        raise RuntimeError("broken")
    status = int(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
def client() -> httpx.AsyncClient:
    wrapped: Any = tidegate.probe.asgi(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(wrapped), base_url="http://app")


async def test_a_response_carries_a_report_beside_its_own_fields(client: httpx.AsyncClient) -> None:
    answer = await client.get("/200")
    assert answer.text == "done"
    assert answer.headers["x-own"] == "1"
    assert answer.headers["endpoint-load-metrics"] == "TEXT named_metrics.in_flight=1"


async def test_a_probe_is_answered_and_not_counted(client: httpx.AsyncClient) -> None:
    await client.get("/200")
    answer = await client.get("/.tidegate/probe")
    assert answer.headers["content-type"] == "application/json"
    probed = answer.json()
    assert probed["in_flight"] == 0
    assert probed["latency_ms"] > 0


async def test_a_request_that_breaks_is_no_longer_in_flight(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError):
        await client.get("/broken")
    await client.get("/503")
    assert (await client.get("/.tidegate/probe")).json() == {"in_flight": 0, "latency_ms": None}


async def test_what_is_no_request_passes() -> None:
    seen = []

    async def lifespan(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    await tidegate.probe.asgi(lifespan)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
