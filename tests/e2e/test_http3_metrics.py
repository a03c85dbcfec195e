"""What is counted of QUIC, by listener."""

import os
import socket
from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.gateway import Gateway
from .harness.h3client import H3Client
from .harness.origin import Origin
from .harness.waiting import eventually


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["listeners"] = [
        quic_listener(authority),
        quic_listener(authority, "wary", http3={"retry": "always"}),
        quic_listener(authority, "unused"),
    ]
    with running(config) as gateway:
        yield gateway


class Counts:
    """How much more of each is counted than there was."""

    def __init__(self, gateway: Gateway, listener: str = "quic") -> None:
        self._gateway, self._listener = gateway, listener
        self._before = gateway.metrics()

    def more(self, name: str, **labels: str) -> float:
        labels["listener"] = self._listener
        now, before = self._gateway.metrics(), self._before
        return now.total(f"tidegate_quic_{name}", **labels) - before.total(f"tidegate_quic_{name}", **labels)

    def become(self, count: int, name: str, **labels: str) -> None:
        eventually(lambda: self.more(name, **labels) == count, f"{count} more {name} {labels}")


def test_handshakes_that_begin_that_end_and_that_fail(gateway: Gateway) -> None:
    counts = Counts(gateway)
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/").status == 200
    counts.become(1, "handshakes_total", stage="completed")
    refused = H3Client(gateway.port("quic"), settings=None, alpn_protocols=["other"])
    assert refused.closed is not None
    counts.become(1, "handshakes_total", stage="failed")
    assert counts.more("handshakes_total", stage="begun") == 2


def test_retries(gateway: Gateway) -> None:
    counts = Counts(gateway, "wary")
    with H3Client(gateway.port("wary")):
        counts.become(1, "retries_total")


def test_streams_that_are_open_and_how_they_were_ended(gateway: Gateway, origin: Origin) -> None:
    origin.on("/held", answers.Gate())
    counts = Counts(gateway)
    with H3Client(gateway.port("quic")) as client:
        held = client.send_request("/held")
        counts.become(1, "open_streams")
        client.cancel(held)
        assert client.request("/").status == 200
    counts.become(0, "open_streams")
    for frame in ("reset_stream", "stop_sending"):
        counts.become(1, "stream_resets_total", frame=frame, direction="received")
    assert counts.more("streams_total") == 2
    assert counts.more("packets_total", event="sent") > 0


def test_connections_that_moved(gateway: Gateway) -> None:
    counts = Counts(gateway)
    with H3Client(gateway.port("quic")) as client:
        client.sock.close()
        client.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        assert client.request("/").status == 200
    counts.become(1, "moved_connections_total")


def test_packets_of_no_connection(gateway: Gateway) -> None:
    counts = Counts(gateway)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\x40" + os.urandom(60), ("127.0.0.1", gateway.port("quic")))
        counts.become(1, "stray_packets_total")


def test_a_listener_without_connections_has_no_series(gateway: Gateway) -> None:
    assert gateway.metrics().total("tidegate_quic_handshakes_total", listener="unused") == 0
    assert '_quic_handshakes_total{listener="unused"' not in gateway.admin.get("/metrics").text
