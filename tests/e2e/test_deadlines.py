"""Deadlines: read from the client, told to endpoints, shortened on the way, and what happens at their end."""

from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.message import Echo
from .harness.origin import Exchange, Origin

FIELD = "x-request-deadline-ms"


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, h2_origin: H2Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    strip = {"prefix": "/"}
    config["upstreams"] += [upstream("h2", h2_origin.address, protocol="http2")]
    config["routes"] += [
        route("told", "/told", rewrite=strip, deadline_header=FIELD, timeout="10s"),
        route("open", "/open", rewrite=strip, deadline_header=FIELD),
        route("h2", "/h2", rewrite=strip, upstream="h2"),
        route("h2-short", "/h2-short", rewrite=strip, upstream="h2", timeout="5s"),
    ]
    with running(config) as gateway:
        yield gateway


def told(response_echo: Echo, field: str = FIELD) -> str | None:
    return response_echo.header(field)


def test_an_endpoint_is_told_what_is_left_of_the_routes_timeout(gateway: Gateway) -> None:
    with gateway.connect() as client:
        left = told(Echo.of(client.request("/told/x")))
    assert left is not None
    assert 0 < int(left) <= 10_000


@pytest.mark.parametrize(("path", "asked", "most"), [("/told/x", 500, 500), ("/told/x", 99_000, 10_000)])
def test_a_client_can_only_shorten_it(gateway: Gateway, path: str, asked: int, most: int) -> None:
    with gateway.connect() as client:
        left = told(Echo.of(client.request(path, headers=[(FIELD, str(asked))])))
    assert left is not None
    assert 0 < int(left) <= most


def test_without_any_deadline_nothing_is_told(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert told(Echo.of(client.request("/open/x"))) is None


def test_the_clients_deadline_ends_the_request(gateway: Gateway, origin: Origin) -> None:
    origin.on("/hang", answers.hang())
    with gateway.connect() as client:
        response = client.request("/open/hang", headers=[(FIELD, "200")])
    assert response.status == 504
    assert "http_response_timeout" in (response.header("proxy-status") or "")
    origin.wait_for_end(origin.requests[-1].connection)


def test_each_try_is_told_less(gateway: Gateway, origin: Origin) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.respond(503, [("Retry-After", "1")])

    origin.on("/fail", fail)
    with gateway.connect() as client:
        client.request("/told/fail")
    lefts = [int(request.header(FIELD) or "") for request in origin.requests]
    assert len(lefts) == 3
    assert lefts[0] >= lefts[1] + 1000 >= lefts[2] + 2000


def grpc_timeout(gateway: Gateway, path: str, value: str) -> str | None:
    headers = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", value)]
    with H2Client(gateway.port()) as client:
        return Echo.of(client.request(path, method="POST", headers=headers, body=b"x")).header("grpc-timeout")


@pytest.mark.parametrize(("path", "most"), [("/h2/x", 30_000_000), ("/h2-short/x", 5_000_000)])
def test_a_grpc_timeout_is_passed_on_shortened(gateway: Gateway, path: str, most: int) -> None:
    left = grpc_timeout(gateway, path, "30S")
    assert left is not None
    assert left.endswith("u")
    assert 0 < int(left[:-1]) < most


def test_a_grpc_timeout_that_is_none_is_left_alone(gateway: Gateway) -> None:
    assert grpc_timeout(gateway, "/h2/x", "soon") == "soon"


def test_a_request_is_cancelled_when_its_client_leaves(gateway: Gateway, origin: Origin) -> None:
    origin.on("/hang", answers.hang())
    with gateway.connect() as client:
        client.send_request("/hang")
        origin.wait(lambda: origin.requests, "the request arrives")
    origin.wait_for_end(origin.requests[-1].connection)
