"""HTTP/3 as attackers speak it: frames that announce much, streams that break the rules, and floods."""

import os
import socket
from collections.abc import Iterator

import pytest
from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from .conftest import Running
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.gateway import Gateway
from .harness.h3client import (
    CONTROL,
    DATA,
    DECODER,
    ENCODER,
    GOAWAY,
    HEADERS,
    PUSH,
    SETTINGS,
    H3Client,
    encode,
    frame,
)
from .harness.message import RawFields
from .harness.origin import Origin
from .harness.waiting import eventually

STREAM_CREATION_ERROR, CLOSED_CRITICAL_STREAM, FRAME_UNEXPECTED = 0x103, 0x104, 0x105
FRAME_ERROR, EXCESSIVE_LOAD, ID_ERROR, SETTINGS_ERROR, MISSING_SETTINGS = range(0x106, 0x10B)
QPACK_FAILED, ENCODER_ERROR = 0x200, 0x201
CANCEL_PUSH, PUSH_PROMISE, MAX_PUSH_ID, PRIORITY_UPDATE_OF_PUSH = 0x03, 0x05, 0x0D, 0xF0701
GROWTH = 40_000_000
"""Bytes of memory that an attack may cost at the most; each sends or announces far more."""
EMPTY_SETTINGS = frame(SETTINGS, b"")


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["listeners"] = [quic_listener(authority)]
    with running(config) as gateway:
        yield gateway


def serves_others(gateway: Gateway) -> None:
    """A fresh client is answered."""
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/others").status == 200


def head(method: bytes = b"GET", *more: tuple[bytes, bytes]) -> RawFields:
    """A request's head."""
    return [
        (b":method", method),
        (b":scheme", b"https"),
        (b":authority", b"a"),
        (b":path", b"/x"),
        *more,
    ]


def announced(kind: int, length: int = (1 << 62) - 1) -> bytes:
    """The header of a frame that is as long as none can be."""
    return encode_uint_var(kind) + encode_uint_var(length)


REQUEST_STREAMS: dict[str, tuple[bytes, int]] = {
    "content before its head": (frame(DATA, b"x"), FRAME_UNEXPECTED),
    "settings on a request's stream": (frame(SETTINGS, b""), FRAME_UNEXPECTED),
    "a goaway on a request's stream": (frame(GOAWAY, b"\0"), FRAME_UNEXPECTED),
    "a promise from a client": (frame(PUSH_PROMISE, b"\0\0\0"), FRAME_UNEXPECTED),
    "a frame of HTTP/2": (frame(0x06, b"12345678"), FRAME_UNEXPECTED),
    "a stream that ends within a frame": (b"\x01\x20\x00", FRAME_ERROR),
    "a section without a prefix": (frame(HEADERS, b""), QPACK_FAILED),
    "a line of a dynamic table": (frame(HEADERS, b"\0\0\x80"), QPACK_FAILED),
    "a section that waits for a dynamic table": (frame(HEADERS, b"\x05\0\xd1"), QPACK_FAILED),
    "an index beyond the static table": (frame(HEADERS, b"\0\0\xff\x80\x01"), QPACK_FAILED),
    "an index of 2^62": (frame(HEADERS, b"\0\0\xff" + b"\xff" * 8 + b"\x3f"), QPACK_FAILED),
    "a text longer than its section": (frame(HEADERS, b"\0\0\x51\x7f\xff\xff\x7f"), QPACK_FAILED),
    "bad padding of Huffman's code": (frame(HEADERS, b"\0\0\x51\x81\x00"), QPACK_FAILED),
    "the end in Huffman's code": (frame(HEADERS, b"\0\0\x51\x84\xff\xff\xff\xff"), QPACK_FAILED),
}


@pytest.mark.parametrize("name", REQUEST_STREAMS)
def test_a_stream_that_breaks_the_protocol_ends_its_connection(gateway: Gateway, name: str) -> None:
    content, code = REQUEST_STREAMS[name]
    with H3Client(gateway.port("quic")) as client:
        client.begin_with(content, end=True)
        assert client.wait_closed() == code
    serves_others(gateway)


CONTROL_STREAMS: dict[str, tuple[list[tuple[int, bytes]], int]] = {
    "no settings first": ([(CONTROL, frame(GOAWAY, b"\0"))], MISSING_SETTINGS),
    "settings twice": ([(CONTROL, EMPTY_SETTINGS * 2)], FRAME_UNEXPECTED),
    "a setting twice": ([(CONTROL, frame(SETTINGS, b"\x06\x01\x06\x01"))], SETTINGS_ERROR),
    "a setting of HTTP/2": ([(CONTROL, frame(SETTINGS, b"\x04\x01"))], SETTINGS_ERROR),
    "settings cut off": ([(CONTROL, frame(SETTINGS, b"\x06"))], FRAME_ERROR),
    "settings without end": ([(CONTROL, announced(SETTINGS))], EXCESSIVE_LOAD),
    "content on the control stream": ([(CONTROL, EMPTY_SETTINGS + frame(DATA, b"x"))], FRAME_UNEXPECTED),
    "a head on the control stream": ([(CONTROL, EMPTY_SETTINGS + frame(HEADERS, b"x"))], FRAME_UNEXPECTED),
    "a priority of a push": (
        [(CONTROL, EMPTY_SETTINGS + frame(PRIORITY_UPDATE_OF_PUSH, b"\0u=1"))],
        ID_ERROR,
    ),
    "a push that is cancelled": ([(CONTROL, EMPTY_SETTINGS + frame(CANCEL_PUSH, b"\0"))], ID_ERROR),
    "a goaway without a number": ([(CONTROL, EMPTY_SETTINGS + frame(GOAWAY, b""))], FRAME_ERROR),
    "a goaway of more than a number": ([(CONTROL, EMPTY_SETTINGS + frame(GOAWAY, b"\0\0"))], FRAME_ERROR),
    "a number of pushes and more": ([(CONTROL, EMPTY_SETTINGS + frame(MAX_PUSH_ID, b"\0\0"))], FRAME_ERROR),
    "a second control stream": ([(CONTROL, EMPTY_SETTINGS), (CONTROL, b"")], STREAM_CREATION_ERROR),
    "a second encoder stream": ([(ENCODER, b""), (ENCODER, b"")], STREAM_CREATION_ERROR),
    "a second decoder stream": ([(DECODER, b""), (DECODER, b"")], STREAM_CREATION_ERROR),
    "a push of a client": ([(PUSH, b"\0")], STREAM_CREATION_ERROR),
    "an insertion into a dynamic table": ([(ENCODER, b"\xc0\x00")], ENCODER_ERROR),
    "a capacity beyond ours": ([(ENCODER, b"\x3f\xe1\x1f")], ENCODER_ERROR),
}


@pytest.mark.parametrize("name", CONTROL_STREAMS)
def test_a_unidirectional_stream_that_breaks_the_protocol_ends_its_connection(
    gateway: Gateway, name: str
) -> None:
    streams, code = CONTROL_STREAMS[name]
    with H3Client(gateway.port("quic"), settings=None) as client:
        for kind, content in streams:
            client.open(kind, content)
        assert client.wait_closed() == code
    serves_others(gateway)


@pytest.mark.parametrize("kind", [CONTROL, ENCODER, DECODER])
def test_a_stream_that_a_connection_needs_is_not_closed(gateway: Gateway, kind: int) -> None:
    with H3Client(gateway.port("quic"), settings=None) as client:
        stream = client.open(kind, EMPTY_SETTINGS if kind == CONTROL else b"")
        client.send(stream, b"", end=True)
        assert client.wait_closed() == CLOSED_CRITICAL_STREAM


def test_what_is_not_known_is_passed_over(gateway: Gateway) -> None:
    with H3Client(gateway.port("quic")) as client:
        client.open(0x21, b"grease")
        client.open(0x21 + 0x1F * 7, b"more of it")
        grease = frame(0x21, b"x" * 100)
        stream = client.begin_with(grease + frame(HEADERS, encode(head())) + grease, end=True)
        assert client.wait(stream).status == 200


def test_a_head_that_announces_a_gigabyte_is_refused_before_it_comes(gateway: Gateway) -> None:
    with H3Client(gateway.port("quic")) as client:
        stream = client.begin_with(announced(HEADERS, 1 << 30), end=False)
        assert client.wait(stream).status == 431
        assert client.request("/").status == 200, "the connection goes on"


def test_a_head_bomb_costs_no_more_than_a_head(gateway: Gateway) -> None:
    """Each byte of it becomes a field of the static table."""
    before = gateway.rss()
    with H3Client(gateway.port("quic")) as client:
        bomb = encode(head()) + b"\xdd" * 60_000
        streams = [client.begin_with(frame(HEADERS, bomb), end=True) for _ in range(50)]
        assert {client.wait(stream).status for stream in streams} == {431}
    assert gateway.rss() - before < GROWTH


def test_frames_of_no_meaning_are_not_kept(gateway: Gateway) -> None:
    before = gateway.rss()
    with H3Client(gateway.port("quic")) as client:
        stream = client.begin_with(announced(0x21), end=False)
        for _ in range(100):
            client.send(stream, b"x" * 200_000)
            client.pump(lambda: client.quic._events is not None, "it is read")
    assert gateway.rss() - before < GROWTH
    serves_others(gateway)


def test_streams_that_are_opened_and_reset_by_the_thousand_disturb_no_others(gateway: Gateway) -> None:
    before = gateway.rss()
    with H3Client(gateway.port("quic")) as client:
        for _ in range(2_000):
            stream = client.begin(head(), end=False)
            client.quic.reset_stream(stream, 0x10C)
            client.quic.stop_stream(stream, 0x10C)
            client.flush()
            if stream % 400 == 0:
                client.pump(lambda: True, "what came is read")
    serves_others(gateway)
    assert gateway.rss() - before < GROWTH


def test_datagrams_that_are_no_packets_are_dropped(gateway: Gateway) -> None:
    port = gateway.port("quic")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for length in (0, 1, 2, 5, 6, 20, 21, 100, 1200, 1452, 9000):
            for first in (0x00, 0x40, 0x7F, 0x80, 0xC0, 0xD0, 0xE0, 0xF0, 0xFF):
                sock.sendto(bytes([first])[:length] + os.urandom(max(0, length - 1)), ("127.0.0.1", port))
                version = bytes([first, 0, 0, 0, 1, 8])
                sock.sendto(version[:length] + os.urandom(max(0, length - 6)), ("127.0.0.1", port))
    serves_others(gateway)


def test_a_version_that_is_not_known_is_answered_with_version_1(gateway: Gateway) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        packet = b"\xc0\x1a\x2a\x3a\x4a\x08" + b"serverid" + b"\x08" + b"clientid"
        sock.sendto(packet.ljust(1200, b"\0"), ("127.0.0.1", gateway.port("quic")))
        answer = sock.recv(2000)
    assert answer[1:5] == b"\0\0\0\0", "a version negotiation packet (RFC 8999 §6)"
    versions = answer[7 + answer[5] + answer[6 + answer[5]] :]
    assert b"\0\0\0\1" in [versions[at : at + 4] for at in range(0, len(versions), 4)]


def test_an_initial_of_fewer_bytes_than_it_must_have_is_not_answered(gateway: Gateway) -> None:
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/").status == 200
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        packet = b"\xc0\0\0\0\1\x08" + os.urandom(8) + b"\x08" + os.urandom(8) + b"\0" + b"\x41\x00"
        sock.sendto(packet.ljust(600, b"\0"), ("127.0.0.1", gateway.port("quic")))
        with pytest.raises(TimeoutError):
            sock.recv(2000)


def test_half_open_handshakes_by_the_thousand_are_bounded(gateway: Gateway) -> None:
    """Initials of clients that never go on: many at first, then each must show its address."""
    before = gateway.rss()
    address = ("127.0.0.1", gateway.port("quic"))
    retries = 0
    for _ in range(600):
        configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name="localhost")
        connection = QuicConnection(configuration=configuration)
        connection.connect(address, now=0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            for data, _ in connection.datagrams_to_send(now=0):
                sock.sendto(data, address)
            retries += sock.recv(2000)[0] & 0xF0 == 0xF0
    assert retries > 100
    serves_others(gateway)
    assert gateway.rss() - before < GROWTH


def test_a_client_that_vanishes_is_let_go(gateway: Gateway) -> None:
    def connections() -> float:
        return gateway.metrics().total("tidegate_listener_open_connections", listener="quic")

    before = connections()
    client = H3Client(gateway.port("quic"))
    assert connections() > before
    client.sock.close()
    eventually(lambda: connections() <= before, "it is gone", deadline=45)
