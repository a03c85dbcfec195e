"""What is counted of QUIC, by listener."""

import os
import socket
from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.counts import Counts
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


@pytest.fixture
def counts(gateway: Gateway) -> Counts:
    """From when no connection of another test is left: most is counted when one ends."""
    eventually(lambda: is_quiet(gateway), "the earlier connections are over")
    return Counts(gateway)


def is_quiet(gateway: Gateway) -> bool:
    now, open_now = gateway.metrics(), ("listener_open_connections", "quic_open_streams")
    return not any(now.total(f"tidegate_{name}", listener="quic") for name in open_now)


def test_handshakes_that_begin_that_end_and_that_fail(gateway: Gateway, counts: Counts) -> None:
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/").status == 200
    counts.become(1, "quic_handshakes_total", stage="completed")
    refused = H3Client(gateway.port("quic"), settings=None, alpn_protocols=["other"])
    assert refused.closed is not None
    counts.become(1, "quic_handshakes_total", stage="failed")
    assert counts.more("quic_handshakes_total", stage="begun") == 2


def test_retries(gateway: Gateway) -> None:
    counts = Counts(gateway, "wary")
    with H3Client(gateway.port("wary")):
        counts.become(1, "quic_retries_total")


def test_streams_that_are_open_and_how_they_were_ended(
    gateway: Gateway, counts: Counts, origin: Origin
) -> None:
    origin.on("/held", answers.Gate())
    with H3Client(gateway.port("quic")) as client:
        held = client.send_request("/held")
        counts.become(1, "quic_open_streams")
        client.cancel(held)
        assert client.request("/").status == 200
    counts.become(0, "quic_open_streams")
    for frame in ("reset_stream", "stop_sending"):
        counts.become(1, "quic_stream_resets_total", frame=frame, direction="received")
    assert counts.more("quic_streams_total") == 2
    assert counts.more("quic_packets_total", event="sent") > 0


def test_connections_that_moved(gateway: Gateway, counts: Counts) -> None:
    with H3Client(gateway.port("quic")) as client:
        client.sock.close()
        client.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        assert client.request("/").status == 200
    counts.become(1, "quic_moved_connections_total")


def test_packets_of_no_connection(gateway: Gateway, counts: Counts) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\x40" + os.urandom(60), ("127.0.0.1", gateway.port("quic")))
        counts.become(1, "quic_stray_packets_total", of="no_connection")
    assert counts.more("quic_stray_packets_total") == 1, "it is of no other worker's connection either"


def test_a_listener_without_connections_has_no_series(gateway: Gateway) -> None:
    assert gateway.metrics().total("tidegate_quic_handshakes_total", listener="unused") == 0
    assert '_quic_handshakes_total{listener="unused"' not in gateway.admin.get("/metrics").text
