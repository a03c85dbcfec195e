"""Connections over QUIC where listeners give way to others."""

import socket

import pytest

from .conftest import StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.gateway import Config, Gateway
from .harness.h3client import H3Client
from .harness.origin import Origin
from .harness.waiting import eventually
from .test_quic import CLIENTS, PART, PARTS, transfer


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"name": "renamed"}),
        ({}, {"protocols": ["http3"]}),
        ({"protocols": ["http3"]}, {"protocols": ["http2", "http3"]}),
    ],
    ids=["a new name", "TCP goes", "TCP comes"],
)
def test_connections_live_on_when_another_listener_takes_their_address_over(
    start_gateway: StartGateway, origin: Origin, authority: Authority, before: Config, after: Config
) -> None:
    origin.on("/down", answers.download(len(PART) * PARTS))
    listener = quic_listener(authority, **before)
    config = proxy(origin.address, listeners=[listener], drain_timeout="30s")
    gateway = start_gateway(config)
    port = gateway.port("quic")

    def take_over(turn: int) -> None:
        if turn == 1:
            listener.update(after)
            with gateway.next_generation():
                gateway.write(config)
        if turn > 0:
            assert_served(port)

    with H3Client(port) as client:
        transfer(client, take_over)
    assert strays(gateway) == 0, "no packet went astray"


@pytest.mark.parametrize("name", ["quic", "renamed"])
@pytest.mark.parametrize("leaves", ["http3", "the listener"])
def test_clients_are_served_by_a_listener_that_comes_back_before_its_last_connections_have_ended(
    start_gateway: StartGateway, origin: Origin, authority: Authority, name: str, leaves: str
) -> None:
    gate = answers.Gate()
    origin.on("/ends-later", gate)
    listener, other = quic_listener(authority), quic_listener(authority, "other", protocols=["http1"])
    config = proxy(origin.address, listeners=[listener, other], drain_timeout="30s")
    gateway, left = start_gateway(config), {**listener, "protocols": ["http1", "http2"]}
    port = gateway.port("quic")
    with H3Client(port) as client:
        last = client.send_request("/ends-later")
        eventually(lambda: [r for r in origin.requests if r.target == "/ends-later"], "it arrives")
        for there in ([left] if leaves == "http3" else [], [{**listener, "name": name}]):
            config["listeners"] = [*there, other]
            with gateway.next_generation():
                gateway.write(config)
        assert_served(port)
        gate.open()
        assert client.wait(last).text == "at last"
    assert_served(port)
    assert strays(gateway) == 0, "no packet went astray"


def test_a_port_is_let_go_of_with_the_last_connection(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    gate = answers.Gate()
    origin.on("/ends-later", gate)
    listener, other = quic_listener(authority), quic_listener(authority, "other", protocols=["http1"])
    config = proxy(origin.address, listeners=[listener, other], drain_timeout="30s")
    gateway = start_gateway(config)
    port = gateway.port("quic")
    with H3Client(port) as client:
        last = client.send_request("/ends-later")
        eventually(lambda: [r for r in origin.requests if r.target == "/ends-later"], "it arrives")
        config["listeners"] = [other]
        with gateway.next_generation():
            gateway.write(config)
        assert not is_free(port)
        gate.open()
        assert client.wait(last).text == "at last"
    eventually(lambda: is_free(port), "the port is free")


def assert_served(port: int) -> None:
    """So many new clients that each worker has some."""
    for _ in range(2 * CLIENTS):
        with H3Client(port) as new:
            assert new.request("/").status == 200


def strays(gateway: Gateway) -> float:
    """Packets that came to a worker and were of none of its connections."""
    return gateway.metrics().total("tidegate_quic_stray_packets_total")


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
