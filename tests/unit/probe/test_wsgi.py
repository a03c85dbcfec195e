"""The middleware around WSGI applications."""

from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import httpx
import pytest

import tidegate.probe
from tidegate.probe import Meter


def app(environ: Any, start_response: Any) -> Any:
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("broken")
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Own", "1")])
    return [b"done"]


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    wrapped: Any = validator(tidegate.probe.wsgi(app))
    with httpx.Client(transport=httpx.WSGITransport(wrapped), base_url="http://app") as client:
        yield client


def test_a_response_carries_a_report_beside_its_own_fields(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.text == "done"
    assert answer.headers["x-own"] == "1"
    assert answer.headers["endpoint-load-metrics"] == "TEXT named_metrics.in_flight=1"


def test_a_probe_is_answered_and_not_counted(client: httpx.Client) -> None:
    client.get("/")
    probed = client.get("/.tidegate/probe").json()
    assert probed["in_flight"] == 0
    assert probed["latency_ms"] > 0


def test_a_request_that_breaks_is_no_longer_in_flight(client: httpx.Client) -> None:
    with pytest.raises(RuntimeError):
        client.get("/broken")
    assert client.get("/.tidegate/probe").json() == {"in_flight": 0, "latency_ms": None}


def test_a_request_is_in_flight_until_its_answer_is_closed() -> None:
    measured = Meter()
    parts: Any = tidegate.probe.wsgi(app, meter=measured)({"PATH_INFO": "/"}, lambda *_: lambda _: None)
    assert measured.in_flight == 1
    parts.close()
    parts.close()
    assert measured.in_flight == 0
