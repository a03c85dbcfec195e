"""The table of failures, from outside: status, `Proxy-Status`, and a body that says what happened."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.message import Echo, Response
from .harness.origin import Origin
from .harness.ports import free_port
from .harness.waiting import eventually


@dataclass(frozen=True)
class Row:
    """A failure and what it looks like."""

    path: str
    status: int
    proxy_status: str
    label: str


ROWS = [
    Row("/nowhere", 404, "destination_not_found", "no_route"),
    Row("/empty", 503, "destination_unavailable", "no_endpoint"),
    Row("/drained", 503, "destination_unavailable", "no_endpoint"),
    Row("/refused", 502, "connection_refused", "connect_refused"),
    Row("/unnamed", 502, "dns_error", "dns_error"),
    Row("/silent", 504, "connection_timeout", "connect_timeout"),
    Row("/not-tls", 502, "tls_protocol_error", "upstream_tls"),
    Row("/app/hang", 504, "http_response_timeout", "response_timeout"),
    Row("/brief/hang", 504, "http_response_timeout", "request_timeout"),
    Row("/app/reset", 502, "connection_terminated", "upstream_reset"),
    Row("/app/close", 502, "connection_terminated", "upstream_reset"),
    Row("/app/garbage", 502, "http_protocol_error", "upstream_protocol"),
    Row("/app/large-header", 502, "http_response_header_section_size", "upstream_header_too_large"),
    Row("/app/many-fields", 502, "http_response_header_section_size", "upstream_header_too_large"),
]


@pytest.fixture(scope="module")
def silent_address() -> Iterator[str]:
    """An address whose backlog is full: connecting to it takes until the time is up."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"127.0.0.1:{server.getsockname()[1]}"
        for client in waiting:
            client.close()


@pytest.fixture(scope="module")
def gateway(
    running: Running, module_origin: Origin, h2_origin: H2Origin, silent_address: str, authority: Authority
) -> Iterator[Gateway]:
    quick = {"connect": "500ms", "response": "500ms"}
    targets: dict[str, list[Any]] = {
        "empty": [],
        "drained": [{"address": module_origin.address, "drain": True}],
        "refused": [f"127.0.0.1:{free_port()}"],
        "unnamed": ["no-such-host.invalid:80"],
        "silent": [silent_address],
    }
    upstreams = [upstream(name, *endpoints, timeouts=quick) for name, endpoints in targets.items()]
    # An HTTP/2 server speaks first, and this one not TLS.
    upstreams.append(upstream("not-tls", h2_origin.address, tls={"ca": str(authority.file)}))
    config = proxy()
    config["routes"] = [
        *(route(entry["name"], f"/{entry['name']}", upstream=entry["name"]) for entry in upstreams),
        route("app", "/app", rewrite={"prefix": "/"}),
        route("brief", "/brief", upstream="patient", timeout="300ms", rewrite={"prefix": "/"}),
    ]
    config["upstreams"] = [
        upstream("app", module_origin.address, timeouts=quick),
        upstream("patient", module_origin.address),
        *upstreams,
    ]
    # A resting or ejected endpoint would answer `no_endpoint` in the place of its own failure.
    for entry in config["upstreams"]:
        entry["health"] = {"outlier": {"connect_failures": 1_000_000, "gateway_errors": None}}
    with running(config) as gateway:
        yield gateway


def test_a_request_that_comes_back_to_its_process_is_refused(start_gateway: StartGateway) -> None:
    config = proxy()
    config["upstreams"][0]["endpoints"] = [config["listeners"][0]["address"]]
    gateway = start_gateway(config)
    with gateway.connect() as client:
        response = client.request("/")
    assert (response.status, "error: loop\n" in response.text) == (508, True)
    assert "proxy_loop_detected" in (response.header("proxy-status") or "")
    assert gateway.metrics().total("tidegate_errors_total", error="loop") == 1
    assert gateway.metrics().total("tidegate_requests_total") == 2, "it went round once"


def test_a_gateway_may_stand_behind_another_of_its_name(start_gateway: StartGateway, origin: Origin) -> None:
    inner = start_gateway(proxy(origin.address))
    outer = start_gateway(proxy(f"127.0.0.1:{inner.port()}"))
    with outer.connect() as client:
        via = Echo.of(client.request("/")).header("via") or ""
    assert re.fullmatch(r"1\.1 tidegate \(\w{16}\), 1\.1 tidegate \(\w{16}\)", via)


@pytest.fixture(autouse=True)
def failures(origin: Origin) -> None:
    """An origin that fails in every way."""
    origin.on("/hang", answers.hang())
    origin.on("/reset", answers.reset())
    origin.on("/close", answers.raw(b"", close=True))
    origin.on("/garbage", answers.raw(b"\x00\x01\x02 this is no HTTP\r\n\r\n", close=True))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    origin.on("/large-header", answers.raw(head + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", close=True))
    many = b"".join(b"X-%d: a\r\n" % i for i in range(5000))
    origin.on("/many-fields", answers.raw(head + many + b"\r\n", close=True))


def _id(row: Row) -> str:
    return row.path.strip("/").replace("/", "-")


@pytest.mark.parametrize("version", ["http/1.1", "h2"])
@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_a_failure_looks_as_the_table_says(gateway: Gateway, row: Row, version: str) -> None:
    headers = [("accept", "application/json")]
    if version == "h2":
        with H2Client(gateway.port()) as h2:
            response = h2.request(row.path, headers=headers)
    else:
        with gateway.connect() as h1:
            response = h1.request(row.path, headers=headers)
    assert response.status == row.status, response.body
    assert f"error={row.proxy_status}" in (response.header("proxy-status") or "")
    assert (response.header("proxy-status") or "").startswith(gateway.config.get("name", "tidegate"))
    problem = response.json()
    assert response.header("content-type") == "application/problem+json"
    assert problem["status"] == row.status
    assert row.label in (problem.get("error"), problem.get("type", "").rpartition(":")[2])
    assert (response.header("x-request-id") or "no id") in response.text
    assert problem["detail"]


def _body(gateway: Gateway, accept: str | None) -> Response:
    with gateway.connect() as client:
        return client.request("/nowhere", headers=[("Accept", accept)] if accept else [])


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "text/html, application/json;q=0.5"]
)
def test_a_client_that_takes_json_gets_a_problem_document(gateway: Gateway, accept: str) -> None:
    assert _body(gateway, accept).header("content-type") == "application/problem+json"


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "image/*", None])
def test_other_clients_get_text(gateway: Gateway, accept: str | None) -> None:
    response = _body(gateway, accept)
    assert (response.header("content-type") or "").startswith("text/plain")
    assert "route" in response.text
    assert (response.header("x-request-id") or "?") in response.text


def test_the_answer_to_head_has_no_body(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert client.request("/nowhere", method="HEAD").status == 404
        assert client.request("/nowhere").status == 404


def test_the_connection_is_kept_after_a_failure_upstream(gateway: Gateway) -> None:
    with gateway.connect() as client:
        for path in ("/refused", "/app/garbage", "/app/fine"):
            client.request(path)
        assert client.request("/app/fine").status == 200


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_a_failure_is_counted_by_its_label(gateway: Gateway, row: Row) -> None:
    def counted() -> float:
        return sum(s.value for s in gateway.metrics().samples if s.labels.get("error") == row.label)

    before = counted()
    with gateway.connect() as client:
        client.request(row.path)
    eventually(lambda: counted() > before, f"{row.label} is counted")


def test_nothing_of_the_inside_is_told(gateway: Gateway) -> None:
    """Addresses of endpoints belong into the log, not into answers to strangers."""
    with gateway.connect() as client:
        response = client.request("/refused")
    address = gateway.config["upstreams"][4]["endpoints"][0]
    assert address not in response.text
