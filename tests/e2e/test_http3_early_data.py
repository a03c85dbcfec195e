"""Early data (0-RTT): requests that come before their client's handshake is complete."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aioquic.tls import SessionTicket

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.gateway import Gateway
from .harness.h3client import H3Client, Heard
from .harness.message import Echo
from .harness.origin import Origin, Request
from .harness.waiting import eventually

EARLY_DATA = {"early_data": True}


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["listeners"] = [
        quic_listener(authority, http3=EARLY_DATA),
        quic_listener(authority, "hasty", http3=EARLY_DATA, timeouts={"header_read": "500ms"}),
        quic_listener(authority, "off"),
    ]
    with running(config) as gateway:
        yield gateway


def session(gateway: Gateway, name: str = "quic") -> SessionTicket:
    """A session that a client may go on with."""
    sessions: list[SessionTicket] = []
    with H3Client(gateway.port(name), on_session=sessions.append) as client:
        assert client.request("/").status == 200
        client.pump(lambda: bool(sessions), "a session comes")
    return sessions[0]


def back(port: int, ticket: SessionTicket) -> Heard:
    """A client that goes on with a session, and says nothing before its first request."""
    return Heard(port, session_ticket=ticket, early=True, settings=None)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[H3Client]:
    """One that comes again."""
    with back(gateway.port("quic"), session(gateway)) as client:
        yield client


def seen_of(origin: Origin, target: str) -> list[Request]:
    return [request for request in origin.requests if request.target == target]


def early(gateway: Gateway, listener: str = "quic", **labels: str) -> float:
    return gateway.metrics().total("tidegate_quic_early_requests_total", listener=listener, **labels)


def test_a_safe_request_is_served_at_once_and_its_endpoint_is_told(client: H3Client, origin: Origin) -> None:
    """The client reads nothing before the endpoint has the request."""
    stream = client.send_request("/early")
    eventually(lambda: seen_of(origin, "/early"), "it arrives")
    assert not client.shaken
    assert seen_of(origin, "/early")[0].header("early-data") == "1"
    assert client.wait(stream).status == 200
    assert client.took_early
    assert Echo.of(client.request("/late")).header("early-data") is None


def test_what_a_client_says_itself_is_not_said_twice(client: H3Client, origin: Origin) -> None:
    stream = client.send_request("/both", headers=[("early-data", "1"), ("early-data", "1")])
    eventually(lambda: seen_of(origin, "/both"), "it arrives")
    response = client.wait(stream)
    assert [value for name, value in Echo.of(response).headers if name.lower() == "early-data"] == ["1"]


def test_it_is_passed_on_where_nothing_is_early(gateway: Gateway, origin: Origin) -> None:
    """A gateway in front may have taken it so (RFC 8470 §5.1)."""
    with H3Client(gateway.port("off")) as client:
        seen = Echo.of(client.request("/", headers=[("early-data", "1")]))
    assert seen.header("early-data") == "1"


def test_another_request_waits_for_the_handshake(gateway: Gateway, client: H3Client, origin: Origin) -> None:
    held = early(gateway, result="held")
    stream = client.send_request("/change", method="POST")
    eventually(lambda: early(gateway, result="held") > held, "it is held")
    assert not seen_of(origin, "/change")
    response = client.wait(stream)
    assert client.took_early
    assert (response.status, Echo.of(response).header("early-data")) == (200, None)


def test_it_waits_no_longer_than_for_a_head(gateway: Gateway, origin: Origin) -> None:
    def refused() -> float:
        return gateway.metrics().total("tidegate_errors_total", error="too_early")

    before = refused()
    with back(gateway.port("hasty"), session(gateway, "hasty")) as client:
        stream = client.send_request("/change", method="POST")
        eventually(lambda: refused() > before, "it is refused")
        assert client.wait(stream).status == 425
    assert not seen_of(origin, "/change")


def test_an_endpoint_that_says_too_early_is_believed(client: H3Client, origin: Origin) -> None:
    origin.on("/wary", answers.fixed(status=425))
    assert client.request("/wary").status == 425


def test_what_is_sent_again_is_not_served_again(gateway: Gateway, origin: Origin) -> None:
    ticket = session(gateway)
    with back(gateway.port("quic"), ticket) as client:
        stream = client.send_request("/once")
        flight = list(client.heard)
        assert client.wait(stream).status == 200
    begun, served = handshakes(gateway), early(gateway, result="served")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:

        def replay() -> bool:
            for datagram in flight:
                attacker.sendto(datagram, ("127.0.0.1", gateway.port("quic")))
            return handshakes(gateway) > begun

        eventually(replay, "it is taken for a new connection")
    with back(gateway.port("quic"), ticket) as again:
        assert again.request("/twice").status == 200
        assert not again.took_early, "nor is its session given out again"
    assert len(seen_of(origin, "/once")) == 1
    assert early(gateway, result="served") == served


def handshakes(gateway: Gateway) -> float:
    return gateway.metrics().total("tidegate_quic_handshakes_total", listener="quic", stage="begun")


def test_it_is_off_by_default(gateway: Gateway) -> None:
    assert session(gateway, "off").max_early_data_size is None


def test_sessions_live_through_a_reload_and_end_with_the_option(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    config = proxy(module_origin.address, listeners=[quic_listener(authority, http3=EARLY_DATA)])
    gateway = start_gateway(config)
    port, tickets = gateway.port("quic"), [session(gateway) for _ in range(2)]

    def reload(**options: Any) -> None:
        options = {"http3": EARLY_DATA, "address": f"127.0.0.1:{port}", **options}
        config["listeners"] = [{**quic_listener(authority), **options}]
        with gateway.next_generation():
            gateway.write(config)

    for target, options, took in (
        ("/kept", {"timeouts": {"idle": "70s"}}, True),
        ("/ended", {"limits": {"streams": 100}}, False),
    ):
        reload(**options)
        with back(port, tickets.pop()) as client:
            stream = client.send_request(target)
            eventually(lambda: not took or seen_of(module_origin, target), "early data arrives")  # noqa: B023
            seen = Echo.of(client.wait(stream))
            assert seen.header("early-data") == ("1" if took else None)
            assert client.took_early is took
    ticket = session(gateway)
    reload(http3={"early_data": False})
    with back(port, ticket) as client:
        assert Echo.of(client.request("/")).header("early-data") is None
        assert not client.took_early
