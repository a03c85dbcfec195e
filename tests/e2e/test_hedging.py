"""Hedging: a second endpoint is asked where the first takes long."""

from collections.abc import Iterator

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import proxy, route
from .harness.gateway import Gateway
from .harness.message import Echo
from .harness.origin import Exchange, Origin

HEDGED = {"after": "50ms", "budget": 100}


@pytest.fixture(scope="module")
def quick() -> Iterator[Origin]:
    """An origin that answers at once."""
    with Origin("quick") as server:
        yield server


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, quick: Origin) -> Iterator[Gateway]:
    """Half of the first tries go to an origin that the tests script, half to a quick one."""
    config = proxy(module_origin.address, quick.address)
    config["upstreams"][0]["balance"] = "round_robin"
    config["routes"][0]["hedge"] = HEDGED
    config["routes"] += [
        route("learned", "/learned", rewrite={"prefix": "/"}, hedge={"percentile": 95, "budget": 100}),
        route(
            "mean", "/mean", rewrite={"prefix": "/"}, hedge={"after": "50ms", "budget": 0}, timeout="300ms"
        ),
    ]
    with running(config) as gateway:
        yield gateway


def count(gateway: Gateway, name: str) -> float:
    return gateway.metrics().total(f"tidegate_upstream_{name}_total", upstream="app")


def test_the_quick_answer_wins_and_the_slow_try_is_cancelled(gateway: Gateway, origin: Origin) -> None:
    origin.on("/slow", answers.hang())
    sent, won = count(gateway, "hedges"), count(gateway, "hedges_won")
    with gateway.connect() as client:
        for _ in range(6):
            assert client.request("/slow").header("x-origin") == "quick"
    for request in origin.requests:
        origin.wait_for_end(request.connection)
    hedged = len(origin.requests)
    assert hedged > 0
    assert (count(gateway, "hedges") - sent, count(gateway, "hedges_won") - won) == (hedged, hedged)
    in_flight = gateway.metrics().total("tidegate_endpoint_requests_in_flight")
    assert in_flight == 0


def test_a_body_is_sent_to_both(gateway: Gateway, origin: Origin) -> None:
    async def swallow(exchange: Exchange) -> None:
        await exchange.discard_body()
        await exchange.gone()

    origin.on("/slow", swallow)
    with gateway.connect() as client:
        for _ in range(4):
            echo = Echo.of(client.request("/slow", method="PUT", body=b"content"))
            assert (echo.origin, echo.length) == ("quick", 7)
    assert origin.requests
    assert all(request.length == 7 for request in origin.requests)


def test_the_first_try_may_still_win(gateway: Gateway, origin: Origin, quick: Origin) -> None:
    """Both hang until the first is asked to answer, after the second was sent."""
    gate = answers.Gate(b"first")
    origin.on("/both", gate)
    quick.on("/both", answers.hang())
    quick.forget()
    with gateway.connect() as client:
        client.send_request("/both")
        origin.wait(lambda: origin.requests, "one is asked")
        quick.wait(lambda: quick.requests, "and then the other")
        gate.open()
        assert client.read_response().body == b"first"
    quick.wait_for_end(quick.requests[0].connection)


def test_an_error_does_not_win(gateway: Gateway, origin: Origin, quick: Origin) -> None:
    gate = answers.Gate(b"late but good")
    origin.on("/error", gate)
    quick.on("/error", answers.fixed(503))
    with gateway.connect() as client:
        for _ in range(2):  # one of them is sent to the slow one first
            client.send_request("/error")
            origin.wait(lambda: origin.requests, "the slow one is asked")
            gate.open()
            response = client.read_response()
            assert (response.status, response.body) == (200, b"late but good")
            origin.forget()


def test_a_request_that_may_not_be_repeated_is_not_hedged(gateway: Gateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/pay", gate)
    before = count(gateway, "hedges")
    with gateway.connect() as client:
        for _ in range(2):
            client.send_request("/pay", method="POST", body=b"100")
            client.silent(0.2)
            gate.open()
            assert client.read_response().status == 200
    assert origin.requests
    assert count(gateway, "hedges") == before


def test_a_percentile_is_learned_from_the_routes_own_requests(gateway: Gateway, origin: Origin) -> None:
    origin.on("/slow", answers.hang())
    before = count(gateway, "hedges")
    with gateway.connect() as client:
        for _ in range(200):
            assert client.request("/learned/quick").status == 200
        for _ in range(4):
            assert client.request("/learned/slow").header("x-origin") == "quick"
    assert count(gateway, "hedges") > before


def test_hedges_end_with_their_budget(gateway: Gateway, origin: Origin) -> None:
    """Without a share of the requests, there are two in ten seconds."""
    origin.on("/slow", answers.hang())
    before = count(gateway, "hedges")
    with gateway.connect() as client:
        statuses = [client.request("/mean/slow").status for _ in range(8)]
    hedges = count(gateway, "hedges") - before
    assert 0 < hedges < len(origin.requests)
    assert statuses.count(504) == len(origin.requests) - hedges


def test_the_only_endpoint_is_not_asked_twice_at_once(start_gateway: StartGateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/slow", gate)
    config = proxy(origin.address)
    config["routes"][0]["hedge"] = HEDGED
    gateway = start_gateway(config)
    with gateway.connect() as client:
        client.send_request("/slow")
        client.silent(0.2)
        gate.open()
        assert client.read_response().status == 200
    assert len(origin.requests) == 1
