"""HTTP/3 to endpoints that have announced it."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy
from .harness.gateway import Gateway
from .harness.h3origin import H3Origin
from .harness.message import Echo
from .harness.origin import Origin
from .harness.waiting import eventually
from .test_http3_endpoint_life import endpoint


class Announcing:
    """An endpoint over TCP that announces HTTP/3 on a port of UDP."""

    def __init__(self, authority: Authority, port: int) -> None:
        tls = authority.server(authority.issue("localhost", file="announcing"))
        self.origin = Origin("tcp", tls=tls)
        self.origin.on_every_path(
            answers.fixed(headers=[("Alt-Svc", f'h3=":{port}"; ma=3600')], body=b"over TCP")
        )

    def config(self, authority: Authority, **options: Any) -> dict[str, Any]:
        """A gateway in front of it."""
        config = proxy(self.origin.address, workers=1)
        tls = {"ca": str(authority.file), "server_name": "localhost"}
        config["upstreams"][0].update(tls=tls, http3=True, **options)
        return config


@pytest.fixture
def announcing(authority: Authority) -> Iterator[Callable[[int], Announcing]]:
    made: list[Announcing] = []

    def make(port: int) -> Announcing:
        made.append(Announcing(authority, port))
        return made[-1]

    yield make
    for each in made:
        each.origin.stop()


def standing(gateway: Gateway) -> Any:
    """What is known of the endpoint's HTTP/3."""
    return endpoint(gateway)["http3"]


def test_http3_is_used_once_it_is_announced(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    h3_origin: H3Origin,
    authority: Authority,
) -> None:
    announcer = announcing(h3_origin.port)
    gateway = start_gateway(announcer.config(authority))
    assert standing(gateway) is None
    with gateway.connect() as client:
        response = client.request("/x")
        assert (response.text, response.header("alt-svc")) == ("over TCP", None)
        eventually(lambda: client.request("/x").header("x-origin") == "h3-origin", "HTTP/3 is used")
        assert Echo.of(client.request("/y")).version == "HTTP/3"
    known = standing(gateway)
    assert (known["port"], known["failures"], known["rests_seconds"]) == (h3_origin.port, 0, 0)
    assert 3500 < known["holds_seconds"] <= 3600
    assert gateway.metrics().total("tidegate_endpoint_connects_total") == 2, "one over TCP, and one over QUIC"


def test_http3_is_not_used_where_it_is_not_asked_for(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    h3_origin: H3Origin,
    authority: Authority,
) -> None:
    config = announcing(h3_origin.port).config(authority)
    del config["upstreams"][0]["http3"]
    gateway, before = start_gateway(config), h3_origin.accepted
    with gateway.connect() as client:
        assert {client.request("/x").text for _ in range(20)} == {"over TCP"}
    assert (standing(gateway), h3_origin.accepted) == (None, before)


@pytest.mark.parametrize("idle", [True, False], ids=["with a connection", "without a connection"])
def test_udp_that_is_blocked_costs_its_head_start_once(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    authority: Authority,
    idle: bool,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as blocked:
        blocked.bind(("127.0.0.1", 0))
        announcer = announcing(blocked.getsockname()[1])
        config = announcer.config(authority, timeouts={"connect": "1s"}, pool={"max_idle": int(idle)})
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert {client.request("/x").text for _ in range(3)} == {"over TCP"}
            eventually(lambda: standing(gateway)["failures"] == 1, "the failure is known")
            assert 0 < standing(gateway)["rests_seconds"] <= 60
            blocked.settimeout(2)  # the last packets of the try are on their way still
            packets = 0
            while True:
                try:
                    blocked.recv(2_000)
                except TimeoutError:
                    break
                packets += 1
            assert packets
            blocked.setblocking(False)
            assert {client.request("/x").text for _ in range(20)} == {"over TCP"}
            with pytest.raises(BlockingIOError):
                blocked.recv(2_000)
        assert standing(gateway)["failures"] == 1
        assert gateway.metrics().total("tidegate_endpoint_connect_failures_total") == 1


def test_http3_alone_serves_where_tcp_has_gone(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    h3_origin: H3Origin,
    authority: Authority,
) -> None:
    announcer = announcing(h3_origin.port)
    gateway = start_gateway(announcer.config(authority, pool={"max_idle": 0}))
    with gateway.connect() as client:
        eventually(lambda: client.request("/x").header("x-origin") == "h3-origin", "HTTP/3 is used")
        announcer.origin.stop()
        h3_origin.call(h3_origin.streams[-1].close)
        assert {client.request("/x").header("x-origin") for _ in range(3)} == {"h3-origin"}


def test_a_gateway_behind_another_is_found_to_speak_http3(
    running: Running, module_origin: Origin, authority: Authority
) -> None:
    certificate = authority.issue("localhost", file="found").config()
    back = proxy(module_origin.address)
    back["listeners"] = [
        listener("web", protocols=["http1", "http2", "http3"], tls={"certificates": [certificate]})
    ]
    with running(back) as behind:
        front = proxy(f"localhost:{behind.port()}", workers=1)
        front["upstreams"][0].update(tls={"ca": str(authority.file)}, http3=True)
        with running(front) as gateway, gateway.connect() as client:

            def way() -> str:
                return Echo.of(client.request("/x")).header("via") or ""

            assert [each.split()[0] for each in way().split(", ")] == ["1.1", "2.0"]
            eventually(lambda: [each.split()[0] for each in way().split(", ")] == ["1.1", "3.0"], "HTTP/3")
