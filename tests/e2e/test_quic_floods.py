"""What attackers send over UDP: handshakes without an end, noise, what was heard before, false resets."""

import itertools
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.counts import Counts
from .harness.crowd import Crowd, Initials
from .harness.gateway import Gateway
from .harness.h3client import H3Client, Heard
from .harness.h3origin import H3Origin, H3Stream, trusting
from .harness.origin import Origin
from .harness.waiting import eventually

CLIENTS = 10_000
BATCH = 100
FEW = 20
"""Connections that a listener may have."""
GROWTH = 80_000_000
"""Bytes of memory that a flood may cost at the most: a tenth of what as many handshakes would take."""
AMPLIFICATION = 3
"""Bytes for each that a client sent, before its address is known to be its own (RFC 9000 §8.1)."""
DATAGRAM = 1200
"""Bytes of a datagram in a handshake."""
REQUEST_CANCELLED = 0x10C


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address, workers=2)
    config["listeners"] = [
        quic_listener(authority),
        quic_listener(authority, "at-once", http3={"retry": "never"}, timeouts={"handshake": "2s"}),
        quic_listener(
            authority,
            "few",
            http3={"retry": "never"},
            limits={"connections": FEW},
            timeouts={"handshake": "60s"},
        ),
        quic_listener(authority, "hasty", timeouts={"write": "1s"}),
    ]
    with running(config) as gateway:
        serves_others(gateway)
        yield gateway


def serves_others(gateway: Gateway) -> None:
    """A fresh client is answered."""
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/others").status == 200


def handshakes(counts: Counts) -> float:
    """Those that began, that must show their addresses first and that are refused."""
    begun, asked = counts.more("quic_handshakes_total", stage="begun"), counts.more("quic_retries_total")
    return begun + asked + counts.more("listener_connections_refused_total")


def flood(
    crowd: Crowd,
    make: Callable[[], bytes],
    handled: Callable[[], float],
    enough: int,
    between: Callable[[], None],
) -> list[bytes]:
    """Send datagrams from many addresses until so many are handled; what is answered.

    Four times something is done between them. What the gateway had no room for is made up for by others.
    """
    clients, received = itertools.count(), list[bytes]()

    def send_until(wanted: float) -> bool:
        for client in itertools.islice(clients, BATCH):
            crowd.send(make(), client)
        received.extend(crowd.received())
        return handled() >= wanted

    for part in range(1, 5):
        eventually(lambda: send_until(enough * part / 4), "they are handled", deadline=60)  # noqa: B023
        between()
    return received + crowd.received()


# Handshakes


def test_of_handshakes_that_never_end_some_wait_and_the_others_must_show_their_address(
    gateway: Gateway,
) -> None:
    before, counts = gateway.rss(), Counts(gateway, "quic")
    with Crowd(gateway.port("quic")) as crowd:
        received = flood(
            crowd, Initials().make, lambda: handshakes(counts), CLIENTS, lambda: serves_others(gateway)
        )
        waiting = gateway.metrics().total("tidegate_listener_open_connections", listener="quic")
        assert 0 < waiting < CLIENTS // 10
    retries = sum(datagram[0] & 0xF0 == 0xF0 for datagram in received)
    assert retries > CLIENTS // 2
    assert sum(map(len, received)) < crowd.sent, "a Retry is small"
    assert gateway.rss() - before < GROWTH


def test_connections_beyond_the_limit_are_refused_before_a_handshake_and_counted(gateway: Gateway) -> None:
    counts = Counts(gateway, "few")
    with Crowd(gateway.port("few")) as crowd:
        flood(
            crowd, Initials().make, lambda: handshakes(counts), CLIENTS // 10, lambda: serves_others(gateway)
        )
        assert counts.more("listener_open_connections") == FEW
    assert counts.more("listener_connections_total") == FEW
    assert counts.more("listener_connections_refused_total") > CLIENTS // 20


def test_who_never_answers_is_sent_little(gateway: Gateway) -> None:
    received: list[bytes] = []
    initial, counts = Initials().make(), Counts(gateway, "at-once")

    def is_begun() -> bool:
        crowd.send(initial, 1)
        return counts.more("quic_handshakes_total", stage="begun") == 1

    def is_given_up() -> bool:
        received.extend(crowd.received())
        return counts.more("listener_tls_handshakes_total", result="failed") == 1

    with Crowd(gateway.port("at-once")) as crowd:
        eventually(is_begun, "the handshake begins")
        eventually(is_given_up, "the handshake ends")
    # The datagram that reaches the bound is sent whole (quinn's issue 1082).
    assert 0 < sum(map(len, received)) < AMPLIFICATION * crowd.sent + DATAGRAM


# Noise


def test_noise_is_dropped(gateway: Gateway) -> None:
    before, noise, counts = gateway.rss(), random.Random(7), Counts(gateway, "quic")
    with Crowd(gateway.port("quic")) as crowd, H3Client(gateway.port("quic")) as client:

        def make() -> bytes:
            return noise.randbytes(noise.choice((1, 20, 21, 42, 100, 1200, 1452)))

        def serves_all() -> None:
            assert client.request("/").status == 200
            serves_others(gateway)

        received = flood(
            crowd, make, lambda: counts.more("quic_stray_packets_total"), CLIENTS // 2, serves_all
        )
        assert client.request("/").status == 200
    assert sum(map(len, received)) < crowd.sent // 10, "it is not worth an attacker's while"
    assert gateway.rss() - before < GROWTH


def test_what_was_heard_is_of_no_use_again(gateway: Gateway, origin: Origin) -> None:
    """Replayed by itself and others, cut, joined and spoilt, while the connection is open and after it."""
    noise = random.Random(7)
    with Heard(gateway.port("quic")) as client, Crowd(gateway.port("quic")) as crowd:
        assert client.request("/once", method="POST", body=b"x" * 3_000).status == 200
        heard = list(client.heard)

        def spoilt(datagram: bytes) -> bytes:
            at = noise.randrange(len(datagram))
            return datagram[:at] + bytes([datagram[at] ^ 1 << noise.randrange(8)]) + datagram[at + 1 :]

        again = [
            *heard,
            *reversed(heard),
            *(datagram[:length] for datagram in heard for length in range(1, len(datagram), 97)),
            *(one + other for one, other in itertools.pairwise(heard)),
            *(spoilt(datagram) for datagram in heard * 20),
        ]
        for turn, datagram in enumerate(again):
            client.sock.sendto(datagram, ("127.0.0.1", gateway.port("quic")))
            crowd.send(datagram, turn)
        assert client.request("/").status == 200
    with Crowd(gateway.port("quic")) as crowd:
        for turn, datagram in enumerate(again):
            crowd.send(datagram, turn)
        serves_others(gateway)
    assert [request.target for request in origin.requests].count("/once") == 1


# False resets


def false_resets(connection_id: bytes) -> Iterator[bytes]:
    """What looks like stateless resets, without knowing a token."""
    for length in (21, 22, 38, 39, 100, 1200):
        yield b"\x40" + os.urandom(length - 1)
        yield b"\x40" + connection_id + os.urandom(length)


def test_a_client_cannot_be_cut_off_by_others(gateway: Gateway) -> None:
    port = gateway.port("quic")
    with Crowd(port) as crowd, H3Client(port) as client:
        assert client.request("/").status == 200
        for turn, datagram in enumerate(false_resets(client.quic._peer_cid.cid)):
            crowd.send(datagram, turn)
            client.sock.sendto(datagram, ("127.0.0.1", port))
        assert client.request("/").status == 200
        assert client.closed is None


@pytest.mark.parametrize("real", [False, True], ids=["false", "real"])
def test_an_endpoint_can_cut_its_connection_off_and_others_cannot(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority, real: bool
) -> None:
    config = proxy(h3_origin.address, workers=1)
    config["upstreams"][0].update(trusting(authority.file))
    gateway = start_gateway(config)
    with gateway.connect() as client:
        assert client.request("/").status == 200
        protocol: Any = cast(H3Stream, h3_origin.streams[-1]).protocol
        quic, before = protocol.quic, h3_origin.accepted
        path = quic._network_paths[0].addr
        datagrams = list(false_resets(quic._peer_cid.cid))
        if real:
            token = quic._host_cids[0].stateless_reset_token
            datagrams = [b"\x40" + os.urandom(40) + token]
        h3_origin.call(lambda: [protocol._transport.sendto(datagram, path) for datagram in datagrams])
        eventually(
            lambda: client.request("/").status == 200 and h3_origin.accepted == before + real, "it goes on"
        )
        for _ in range(5):
            assert client.request("/").status == 200
        assert h3_origin.accepted == before + real


# Clients that read nothing


def test_windows_that_are_never_opened_hold_up_only_what_waits_for_them(
    gateway: Gateway, origin: Origin
) -> None:
    origin.on("/big", answers.download(4_000_000))
    before = gateway.rss()
    with H3Client(gateway.port("hasty")) as client:
        client.take_no_more()
        streams = [client.send_request("/big") for _ in range(90)]
        client.pump(lambda: sum(len(client.responses[stream].body) for stream in streams) > 0, "it begins")
        serves_others(gateway)
        for stream in streams:
            assert client.wait(stream).reset == REQUEST_CANCELLED, "its time to write is over"
        assert client.closed is None
    assert gateway.rss() - before < GROWTH
