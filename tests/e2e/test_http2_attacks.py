"""HTTP/2 as attackers speak it: fields that would become another request in HTTP/1, and floods."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hyperframe.frame import PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import listener, proxy
from .harness.gateway import Gateway
from .harness.h2frames import RST_STREAM, FrameClient, get
from .harness.message import RawFields
from .harness.origin import Origin
from .harness.waiting import eventually

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
GROWTH = 40_000_000
"""Bytes of memory that an attack may cost at the most; each sends or asks for far more."""


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["listeners"].append(
        listener("hasty", timeouts={"header_read": "1s", "request_body": "1s", "write": "1s", "idle": "2s"})
    )
    with running(config) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[FrameClient]:
    with FrameClient(gateway.port()).begin() as client:
        yield client


def serves_others(gateway: Gateway) -> None:
    """A fresh client is answered."""
    with gateway.connect() as client:
        assert client.request("/others").status == 200


REFUSALS = ("400", "reset", "goaway", "closed")

MALFORMED: dict[str, RawFields] = {
    "CR LF in a value": [*get(), (b"x", b"a\r\nTransfer-Encoding: chunked")],
    "LF in a value": [*get(), (b"x", b"a\nb: c")],
    "CR in a value": [*get(), (b"x", b"a\rb")],
    "NUL in a value": [*get(), (b"x", b"a\x00b")],
    "a request in a value": [*get(), (b"x", b"a\r\n\r\n" + SMUGGLED)],
    "CR LF in a name": [*get(), (b"x\r\ny", b"1")],
    "a colon in a name": [*get(), (b"x: y\r\nz", b"1")],
    "a space in a name": [*get(), (b"x y", b"1")],
    "NUL in a name": [*get(), (b"x\x00", b"1")],
    "an upper-case name": [*get(), (b"X-Upper", b"1")],
    "an empty name": [*get(), (b"", b"1")],
    "CR LF in the path": get(b"/ HTTP/1.1\r\nHost: b\r\nX: "),
    "a request in the path": get(b"/x HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED),
    "a space in the path": get(b"/a b"),
    "NUL in the path": get(b"/a\x00b"),
    "an empty path": get(b""),
    "a path without slash": get(b"x"),
    "a query without path": get(b"?x=1"),
    "an asterisk for GET": get(b"*"),
    "CR LF in the method": get(method=b"GET / HTTP/1.1\r\nX: y\r\n\r\nGET"),
    "a space in the method": get(method=b"GET /smuggled HTTP/1.1"),
    "an empty method": get(method=b""),
    "CR LF in the authority": get(authority=b"a\r\nX: y"),
    "a space in the authority": get(authority=b"a b"),
    "user information in the authority": get(authority=b"u:p@a"),
    "a slash in the authority": get(authority=b"a/b"),
    "an empty authority": get(authority=b""),
    "an authority that is a port alone": get(authority=b":80"),
    "an empty host": [f for f in get() if f[0] != b":authority"] + [(b"host", b"")],
    "CR LF in the scheme": [
        (b":method", b"GET"),
        (b":scheme", b"http\r\nX: y"),
        (b":authority", b"a"),
        (b":path", b"/"),
    ],
    "no method": [f for f in get() if f[0] != b":method"],
    "no path": [f for f in get() if f[0] != b":path"],
    "no scheme": [f for f in get() if f[0] != b":scheme"],
    "two methods": [(b":method", b"POST"), *get()],
    "two paths": [(b":path", b"/smuggled"), *get()],
    "two authorities": [(b":authority", b"b"), *get()],
    "an unknown pseudo-header": [*get(), (b":unknown", b"1")],
    "a response's pseudo-header": [(b":status", b"200"), *get()],
    "a pseudo-header after a field": [(b"x", b"1"), *get()],
    "Transfer-Encoding": [*get(method=b"POST"), (b"transfer-encoding", b"chunked")],
    "Connection": [*get(), (b"connection", b"close")],
    "Keep-Alive": [*get(), (b"keep-alive", b"timeout=5")],
    "Proxy-Connection": [*get(), (b"proxy-connection", b"keep-alive")],
    "Upgrade": [*get(), (b"upgrade", b"h2c")],
    "TE other than trailers": [*get(), (b"te", b"gzip")],
    "two lengths": [*get(method=b"POST"), (b"content-length", b"3"), (b"content-length", b"4")],
    "a signed length": [*get(method=b"POST"), (b"content-length", b"+3")],
    "a list of lengths": [*get(method=b"POST"), (b"content-length", b"3, 3")],
    "a Host that is not the authority": [*get(), (b"host", b"other.example")],
    "neither Host nor authority": [f for f in get() if f[0] != b":authority"],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_goes_nowhere(
    gateway: Gateway, client: FrameClient, origin: Origin, name: str
) -> None:
    client.send(client.headers(1, MALFORMED[name]))
    outcome = client.outcome(1)
    assert outcome.startswith(REFUSALS), outcome
    serves_others(gateway)
    assert [request.target for request in origin.requests] == ["/others"]
    assert b"smuggled" not in b"".join(origin.received())


Refuse = Callable[[FrameClient], object]


def _open_one_too_many(client: FrameClient) -> None:
    for stream in range(1, 9, 2):
        client.send(client.headers(stream, [*get(), (b"content-length", b"1")], end_stream=False))


REFUSED_BY_HTTP_2: dict[str, tuple[str, int, Refuse]] = {
    "a malformed request": (
        "malformed_request",
        400,
        lambda client: client.send(client.headers(1, get(b"/a b"))),
    ),
    "a head that is too large": (
        "header_too_large",
        431,
        lambda client: client.send(client.headers(1, [*get(), (b"x", b"y" * 5000)])),
    ),
    "a stream too many": ("stream_limit", 503, _open_one_too_many),
    "a frame of no sense": (
        "malformed_request",
        400,
        lambda client: client.send(struct.pack(">IBII", 4 << 8 | RST_STREAM, 0, 0, 0)),
    ),
    "a flood": (
        "too_many_frames",
        429,
        lambda client: [
            client.send(client.headers(stream, get()), RstStreamFrame(stream, error_code=8))
            for stream in range(1, 3000, 2)
        ],
    ),
}


@pytest.mark.parametrize("name", REFUSED_BY_HTTP_2)
def test_what_http_2_itself_refuses_is_logged_and_counted(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path, name: str
) -> None:
    error, status, refuse = REFUSED_BY_HTTP_2[name]
    path = tmp_path / "access.log"
    config = proxy(origin.address, access_log={"path": str(path)})
    config["listeners"] = [listener("web", limits={"header_bytes": "4KiB", "streams": 3})]
    gateway = start_gateway(config)
    with FrameClient(gateway.port()).begin() as client:
        refuse(client)

        def told() -> list[dict[str, Any]]:
            lines = path.read_text().splitlines() if path.exists() else []
            return [entry for entry in map(json.loads, lines) if entry.get("error") == error]

        first = eventually(told, f"a line with {error}")[0]
    assert (first["status"], first["listener"], first["client"]) == (status, "web", "127.0.0.1")
    assert (first["method"], first["protocol"]) == ("", "HTTP/2.0")
    assert gateway.metrics().total("tidegate_errors_total", error=error) >= 1


def test_spaces_around_a_value_do_not_reach_the_origin(client: FrameClient, origin: Origin) -> None:
    """RFC 9113 §8.2.1: such a value is malformed; stripping it is harmless too."""
    client.send(client.headers(1, [*get(), (b"x-a", b" padded ")]))
    if client.outcome(1) == "200":
        assert origin.requests[0].header("x-a") == "padded"


@pytest.mark.parametrize(("said", "sent"), [(3, b"abcd" + SMUGGLED), (100, b"abc"), (3, b"")])
def test_a_body_that_is_not_as_long_as_said_is_refused(
    gateway: Gateway, client: FrameClient, origin: Origin, said: int, sent: bytes
) -> None:
    fields = [*get(method=b"POST"), (b"content-length", str(said).encode())]
    client.send(client.headers(1, fields, end_stream=False), client.data(1, sent))
    assert client.outcome(1).startswith(REFUSALS)
    serves_others(gateway)
    assert not any(request.target == "/" and request.body_complete for request in origin.requests)
    assert not any(request.path == "/smuggled" for request in origin.requests)


def test_a_pseudo_header_in_trailers_changes_nothing(
    gateway: Gateway, client: FrameClient, origin: Origin
) -> None:
    """RFC 9113 §8.1 calls it malformed; to drop it, as the h2 crate does unseen by its user, is as safe."""
    client.send(client.headers(1, get(b"/x", method=b"POST"), end_stream=False))
    client.send(client.data(1, b"abc", end_stream=False), client.headers(1, [(b":path", b"/smuggled")]))
    outcome = client.outcome(1)
    assert outcome.startswith((*REFUSALS, "200")), outcome
    serves_others(gateway)
    assert {request.target for request in origin.requests} <= {"/x", "/others"}
    assert b"smuggled" not in b"".join(origin.received())


def test_connect_is_not_carried_out(gateway: Gateway, client: FrameClient, origin: Origin) -> None:
    client.send(client.headers(1, [(b":method", b"CONNECT"), (b":authority", b"a:443")], end_stream=False))
    assert client.outcome(1).startswith((*REFUSALS, "405", "501"))
    serves_others(gateway)


# Floods: the attacker goes on until the gateway ends the connection. Each is bounded, so that a gateway
# which endures fails by what it costs, not by never coming back.


@pytest.fixture
def bounded_memory(gateway: Gateway) -> Iterator[None]:
    """The attack costs little memory, and other clients are served at its end."""
    serves_others(gateway)
    before = gateway.rss()
    yield
    serves_others(gateway)
    assert gateway.rss() - before < GROWTH


flood = pytest.mark.usefixtures("bounded_memory")


@flood
def test_rapid_reset_ends_the_connection(gateway: Gateway, client: FrameClient, origin: Origin) -> None:
    """CVE-2023-44487: requests that are cancelled at once, faster than they can be counted as open."""
    gate = answers.Gate()
    origin.on("/", gate)
    number = 1
    for _ in range(400):
        burst = []
        for _ in range(50):
            burst += [client.headers(number, get()), RstStreamFrame(number, error_code=8)]
            number += 2
        if not client.send(*burst):
            break
    gate.open()
    code = client.wait_closed()
    assert code in (None, 11), "ENHANCE_YOUR_CALM or a plain close"
    # What was cancelled must not pile up at the origin.
    assert len(origin.requests) < 10_000


@flood
def test_a_continuation_flood_ends_the_connection(gateway: Gateway, client: FrameClient) -> None:
    """CVE-2024-27316 and its kin: a header that never ends."""
    client.send(client.headers(1, get(), end_headers=False))
    field = client.block([(b"x-flood", b"y" * 8000)])
    for _ in range(10_000):
        if not client.send(client.continuation(1, field)):
            break
    else:
        pytest.fail("80 MB of CONTINUATION were taken")


@flood
def test_a_flood_of_empty_continuations_ends_the_connection(gateway: Gateway, client: FrameClient) -> None:
    client.send(client.headers(1, get(), end_headers=False))
    frames = client.continuation(1, b"").serialize() * 1000
    for _ in range(1000):
        if not client.send(frames):
            break
    else:
        pytest.fail("a million empty CONTINUATION frames were taken")


@flood
@pytest.mark.parametrize("kind", ["ping", "settings"])
def test_a_flood_of_frames_that_want_an_answer_is_survived(
    gateway: Gateway, client: FrameClient, kind: str
) -> None:
    """The attacker never reads, so that the answers pile up somewhere: not in the gateway."""
    frame = PingFrame(0, opaque_data=b"12345678") if kind == "ping" else SettingsFrame(0, settings={3: 100})
    burst = frame.serialize() * 2000
    client.sock.settimeout(3)
    try:
        for _ in range(2000):
            if not client.send(burst):
                return
    except AssertionError:
        return  # the gateway reads no more from who does not read: the answers wait in the kernel


@flood
def test_a_flood_of_empty_data_is_survived(gateway: Gateway, client: FrameClient, origin: Origin) -> None:
    client.send(client.headers(1, get(method=b"POST"), end_stream=False))
    burst = client.data(1, b"", end_stream=False).serialize() * 2000
    for _ in range(500):
        if not client.send(burst):
            break


@flood
def test_a_flood_of_window_updates_is_survived(gateway: Gateway, client: FrameClient) -> None:
    burst = WindowUpdateFrame(0, window_increment=1).serialize() * 2000
    for _ in range(500):
        if not client.send(burst):
            break


@flood
def test_a_decompression_bomb_is_refused(gateway: Gateway, client: FrameClient, origin: Origin) -> None:
    """One large field in the dynamic table, then a byte for each further copy of it (CVE-2016-6581)."""
    client.send(client.headers(1, [*get(), (b"bomb", b"b" * 3900)]))
    client.outcome(1)
    indexed = b"\xbe"  # the newest entry of the dynamic table
    block = client.block(get()) + indexed * 10_000
    length = struct.pack(">I", len(block))[1:]
    client.send(length + b"\x01\x05" + struct.pack(">I", 3) + block)
    assert client.outcome(3).startswith((*REFUSALS, "431"))


@flood
def test_clients_that_take_no_answer_cost_little(gateway: Gateway, origin: Origin) -> None:
    """Zero windows: many streams ask for much and never let a byte of it come."""
    origin.on("/large", answers.download(50_000_000))
    with FrameClient(gateway.port("hasty")).begin(INITIAL_WINDOW_SIZE=0) as client:
        for number in range(1, 201, 2):
            client.send(client.headers(number, get(b"/large")))
        client.wait_closed()
    origin.wait(lambda: origin.open <= 20, "the stalled transfers are given up")


@flood
def test_a_preface_without_anything_after_it_is_closed(gateway: Gateway) -> None:
    with FrameClient(gateway.port("hasty")).begin() as client:
        client.wait_closed()


@flood
def test_a_header_that_never_ends_is_given_up(gateway: Gateway) -> None:
    with FrameClient(gateway.port("hasty")).begin() as client:
        client.send(client.headers(1, get(), end_headers=False))
        client.wait_closed()


@flood
def test_a_body_that_never_comes_is_given_up(gateway: Gateway, origin: Origin) -> None:
    with FrameClient(gateway.port("hasty")).begin() as client:
        client.send(client.headers(1, get(method=b"POST"), end_stream=False))
        assert client.outcome(1).startswith(("408", "reset", "goaway", "closed"))
