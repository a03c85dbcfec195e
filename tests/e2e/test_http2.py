"""HTTP/2 on both sides: to clients by prior knowledge and ALPN, to upstreams in plain text and over TLS.

What holds of it holds of HTTP/3, too, with clients and with endpoints.
"""

import asyncio
import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .conftest import Running
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.h3client import H3Client
from .harness.h3origin import H3Origin, trusting
from .harness.message import Echo
from .harness.multiplexed import MultiplexedClient
from .harness.multiplexed_origin import MultiplexedOrigin, Stream
from .harness.origin import Exchange, Origin
from .harness.raw import RawClient


@pytest.fixture(scope="module")
def h2_tls_origin(authority: Authority) -> Iterator[H2Origin]:
    files = authority.issue("127.0.0.1", "localhost", file="h2-origin")
    with H2Origin("h2-tls", tls=authority.server(files, "h2")) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    running: Running,
    module_origin: Origin,
    h2_origin: H2Origin,
    h2_tls_origin: H2Origin,
    h3_origin: H3Origin,
    authority: Authority,
) -> Iterator[Gateway]:
    certificate = authority.issue("localhost", file="http2-front").config()
    config = proxy(module_origin.address)
    config["listeners"] += [
        listener("tls", tls={"certificates": [certificate]}),
        listener("quic", tls={"certificates": [certificate]}, protocols=["http3"]),
        listener("only1", tls={"certificates": [certificate]}, protocols=["http1"]),
    ]
    config["routes"] += [
        route("h2", "/h2", upstream="h2", rewrite={"prefix": "/"}),
        route("h2s", "/h2s", upstream="h2s", rewrite={"prefix": "/"}),
        route("h3", "/h3", upstream="h3", rewrite={"prefix": "/"}),
    ]
    config["upstreams"] += [
        upstream("h2", h2_origin.address, protocol="http2"),
        upstream("h2s", h2_tls_origin.address, protocol="http2", tls={"ca": str(authority.file)}),
        upstream("h3", h3_origin.address, **trusting(authority.file)),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.fixture(params=["h2c", "tls", "quic"])
def client(
    request: pytest.FixtureRequest, gateway: Gateway, authority: Authority
) -> Iterator[MultiplexedClient]:
    """An HTTP/2 connection, by prior knowledge on the port of HTTP/1 or over TLS, or one of HTTP/3."""
    connection: H2Client | H3Client
    if request.param == "h2c":
        connection = H2Client(gateway.port("web"))
    elif request.param == "tls":
        connection = H2Client(gateway.port("tls"), tls=authority.client("h2", "http/1.1"))
    else:
        connection = H3Client(gateway.port("quic"))
    with connection:
        yield connection


@dataclass(frozen=True)
class Behind:
    """An origin whose connections carry many requests, and where the gateway has it."""

    origin: MultiplexedOrigin
    prefix: str
    version: str


@pytest.fixture(params=["http2", "http3"])
def behind(request: pytest.FixtureRequest, h2_origin: H2Origin, h3_origin: H3Origin) -> Behind:
    if request.param == "http2":
        return Behind(h2_origin, "/h2", "HTTP/2")
    return Behind(h3_origin, "/h3", "HTTP/3")


def test_a_request_reaches_an_http_1_origin(client: MultiplexedClient, origin: Origin) -> None:
    seen = Echo.of(client.request("/a?b=1", method="POST", headers=[("x-a", "1")], body=b"hello"))
    assert (seen.method, seen.target, seen.version) == ("POST", "/a?b=1", "HTTP/1.1")
    assert (seen.length, seen.header("x-a")) == (5, "1")
    assert (seen.header("host") or "").startswith("localhost:")


BEHIND = pytest.mark.parametrize(
    ("prefix", "version"),
    [("/h2", "HTTP/2"), ("/h2s", "HTTP/2"), ("/h3", "HTTP/3")],
    ids=["plain", "tls", "quic"],
)


@BEHIND
def test_a_request_reaches_an_origin_of_many_streams(
    client: MultiplexedClient, prefix: str, version: str
) -> None:
    path = f"{prefix}/a?b=1"
    seen = Echo.of(client.request(path, method="POST", headers=[("x-a", "1")], body=b"hello"))
    assert (seen.method, seen.target, seen.version) == ("POST", "/a?b=1", version)
    assert (seen.length, seen.header("x-a")) == (5, "1")
    assert (seen.header(":authority") or "").startswith("localhost")


@BEHIND
def test_an_http_1_request_reaches_an_origin_of_many_streams(
    gateway: Gateway, prefix: str, version: str
) -> None:
    with gateway.connect() as client:
        seen = Echo.of(client.request(f"{prefix}/a", method="POST", body=b"hello"))
        assert (seen.version, seen.length, seen.header(":authority")) == (version, 5, "localhost")
        assert seen.header("host") is None
        assert Echo.of(client.request(f"{prefix}/a")).length == 0


def test_many_streams_share_upstream_connections_fairly(client: MultiplexedClient, origin: Origin) -> None:
    streams = [client.send_request(f"/{i}") for i in range(50)]
    assert [Echo.of(client.wait(stream)).target for stream in streams] == [f"/{i}" for i in range(50)]


def test_upstream_connections_are_shared(gateway: Gateway, client: MultiplexedClient, behind: Behind) -> None:
    client.request(f"{behind.prefix}/warm")
    before = behind.origin.accepted
    streams = [client.send_request(f"{behind.prefix}/{i}") for i in range(50)]
    for stream in streams:
        assert client.wait(stream).status == 200
    assert behind.origin.accepted - before <= gateway.config["workers"]


def test_a_slow_stream_does_not_hold_up_others(client: MultiplexedClient, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/slow", gate)
    slow = client.send_request("/slow")
    assert Echo.of(client.request("/quick")).target == "/quick"
    assert client.responses[slow].status == 0
    gate.open()
    assert client.wait(slow).text == "at last"


def test_large_bodies_pass_within_the_windows(client: MultiplexedClient, origin: Origin) -> None:
    origin.on("/big", answers.download(3_000_000))
    body = bytes(range(256)) * 8000
    seen = Echo.of(client.request("/up", method="POST", body=body))
    assert seen.sha256 == hashlib.sha256(body).hexdigest()
    response = client.request("/big")
    assert (len(response.body), response.complete) == (3_000_000, True)


def test_content_length_is_kept(client: MultiplexedClient, origin: Origin) -> None:
    origin.on("/five", answers.fixed(body=b"12345"))
    assert client.request("/five").header("content-length") == "5"
    head = client.request("/five", method="HEAD")
    assert (head.status, head.header("content-length"), head.body) == (200, "5", b"")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
def test_a_length_without_content_may_be_said(
    client: MultiplexedClient, behind: Behind, method: str, status: int
) -> None:
    """RFC 9110 §8.6: it is that of the content which a GET would have had."""

    async def say(stream: Stream) -> None:
        stream.send_headers(status, [("content-length", "5")], end=True)

    behind.origin.on("/said", say)
    response = client.request(f"{behind.prefix}/said", method=method)
    assert (response.status, response.header("content-length"), response.body) == (status, "5", b"")
    assert response.complete


def test_grpc_passes_end_to_end(client: MultiplexedClient, behind: Behind) -> None:
    headers = [("content-type", "application/grpc"), ("te", "trailers")]
    response = client.request(
        f"{behind.prefix}/grpc", method="POST", headers=headers, body=b"\x00\x00\x00\x00\x01x"
    )
    assert (response.status, response.body) == (200, b"\x00\x00\x00\x00\x01x")
    assert dict(response.trailers) == {"grpc-status": "0", "grpc-message": "fine"}


def test_te_trailers_reaches_an_origin(client: MultiplexedClient, behind: Behind) -> None:
    """gRPC servers refuse requests without it (gRPC over HTTP2, "Requests")."""
    seen = Echo.of(client.request(f"{behind.prefix}/x", headers=[("te", "trailers")]))
    assert seen.header("te") == "trailers"


def test_a_grpc_stream_goes_both_ways_at_once(client: MultiplexedClient, behind: Behind) -> None:
    async def bounce(stream: Stream) -> None:
        stream.send_headers(200)
        await stream.send_data(b"first")
        await stream.complete.wait()
        await stream.send_data(bytes(stream.body))
        stream.send_trailers([("grpc-status", "0")])

    behind.origin.on("/bounce", bounce)
    stream = client.send_request(f"{behind.prefix}/bounce", method="POST", end=False)
    client.pump(lambda: client.responses[stream].body == b"first", "the answer's beginning")
    client.send_body(stream, b"second")
    response = client.wait(stream)
    assert (response.body, response.trailers) == (b"firstsecond", [("grpc-status", "0")])


def test_an_answer_of_trailers_alone_passes(client: MultiplexedClient, behind: Behind) -> None:
    """gRPC answers an error with one HEADERS frame that ends the stream."""

    async def refuse(stream: Stream) -> None:
        stream.send_headers(200, [("grpc-status", "12")], end=True)

    behind.origin.on("/unimplemented", refuse)
    response = client.request(f"{behind.prefix}/unimplemented", method="POST", body=b"x")
    assert (response.status, response.header("grpc-status"), response.body) == (200, "12", b"")
    assert response.complete


def test_request_trailers_pass(client: MultiplexedClient, behind: Behind) -> None:
    for path in (f"{behind.prefix}/x", "/x"):
        stream = client.send_request(path, method="POST", end=False, headers=[("te", "trailers")])
        client.send_body(stream, b"abc", end=False)
        client.send_trailers(stream, [("x-sum", "6")])
        seen = Echo.of(client.wait(stream))
        assert [(name.lower(), value) for name, value in seen.trailers] == [("x-sum", "6")]


def test_trailers_of_an_http_1_origin_pass(client: MultiplexedClient, origin: Origin) -> None:
    origin.on("/trailers", answers.fixed(body=b"abc", chunked=True, trailers=[("X-Sum", "6")]))
    response = client.request("/trailers", headers=[("te", "trailers")])
    assert (response.body, response.trailers) == (b"abc", [("x-sum", "6")])


def test_trailers_carry_nothing_that_frames_or_judges_the_message(
    gateway: Gateway, client: MultiplexedClient, behind: Behind
) -> None:
    """RFC 9110 §6.5.1: who merges trailers into the header would take them for it."""
    wrong = [("content-length", "0"), ("host", "b"), ("authorization", "x"), ("set-cookie", "a=b")]

    async def trail(stream: Stream) -> None:
        stream.send_headers(200)
        await stream.send_data(b"page")
        stream.send_trailers([*wrong, ("x-sum", "6")])

    behind.origin.on("/trail", trail)
    assert client.request(f"{behind.prefix}/trail").trailers == [("x-sum", "6")]
    with gateway.connect() as old:
        assert old.request(f"{behind.prefix}/trail").trailers == [("x-sum", "6")]
    for path in (f"{behind.prefix}/x", "/x"):
        stream = client.send_request(path, method="POST", end=False, headers=[("te", "trailers")])
        client.send_body(stream, b"abc", end=False)
        client.send_trailers(stream, [*wrong, ("x-sum", "6")])
        seen = Echo.of(client.wait(stream))
        assert [(name.lower(), value) for name, value in seen.trailers] == [("x-sum", "6")]


def test_an_origin_of_many_streams_cannot_switch_protocols(
    gateway: Gateway, client: MultiplexedClient, behind: Behind
) -> None:
    """RFC 9113 §8.6. An HTTP/1 client would take what follows for another protocol."""

    async def switch(stream: Stream) -> None:
        stream.send_headers(101)
        stream.send_headers(200, end=True)

    behind.origin.on("/switch", switch)
    with gateway.connect() as old:
        response = old.request(f"{behind.prefix}/switch")
        assert (response.status, response.informational) == (502, [])
    response = client.request(f"{behind.prefix}/switch")
    assert (response.status, response.informational) == (502, [])


def test_early_hints_are_passed_on(client: MultiplexedClient, origin: Origin, behind: Behind) -> None:
    async def hint(exchange: Exchange) -> None:
        await exchange.send_head(103, [("Link", "</a.css>")], length=None)
        await exchange.respond(200, body=b"page")

    async def hint2(stream: Stream) -> None:
        stream.send_headers(103, [("link", "</a.css>")])
        stream.send_headers(200)
        await stream.send_data(b"page", end=True)

    origin.on("/hint", hint)
    behind.origin.on("/hint", hint2)
    for path in ("/hint", f"{behind.prefix}/hint"):
        response = client.request(path)
        assert [(r.status, r.header("link")) for r in response.informational] == [(103, "</a.css>")], path
        assert response.body == b"page"


def test_interim_answers_without_end_of_an_origin_are_given_up(
    client: MultiplexedClient, behind: Behind
) -> None:
    async def hint(stream: Stream) -> None:
        while not stream.reset_by_peer.is_set():
            for _ in range(100):
                stream.send_headers(103, [("link", "</a.css>")])
            await asyncio.sleep(0)

    behind.origin.on("/hints", hint)
    assert client.request(f"{behind.prefix}/hints").status == 502
    assert client.request(f"{behind.prefix}/x").status == 200


def test_a_reset_of_the_origins_stream_reaches_the_client(client: MultiplexedClient, behind: Behind) -> None:
    """Over QUIC a reset may overtake what came before it, so it waits until that has arrived."""
    arrived = asyncio.Event()

    async def fail(stream: Stream) -> None:
        stream.send_headers(200)
        await stream.send_data(b"some")
        await arrived.wait()
        stream.reset()

    behind.origin.on("/fail", fail)
    stream = client.send_request(f"{behind.prefix}/fail")
    client.pump(lambda: client.responses[stream].body == b"some", "the answer's beginning")
    behind.origin.call(arrived.set)
    response = client.wait(stream)
    assert (response.status, response.body, response.complete) == (200, b"some", False)
    assert response.reset is not None


def test_a_reset_by_the_client_cancels_the_origins_stream(client: MultiplexedClient, behind: Behind) -> None:
    async def wait(stream: Stream) -> None:
        stream.send_headers(200)
        await stream.reset_by_peer.wait()

    behind.origin.on("/wait", wait)
    stream = client.send_request(f"{behind.prefix}/wait")
    client.pump(lambda: client.responses[stream].status == 200, "the answer begins")
    client.cancel(stream)
    served = behind.origin.streams[-1]
    for _ in range(500):
        if served.reset_by_peer.is_set():
            break
        client.request(f"{behind.prefix}/x")  # an awaited event each time, so that this does not spin
    assert served.reset_by_peer.is_set()


def test_cookie_crumbs_are_joined_for_http_1(client: MultiplexedClient, origin: Origin) -> None:
    """RFC 9113 §8.2.3."""
    seen = Echo.of(client.request("/x", headers=[("cookie", "a=1"), ("cookie", "b=2")]))
    assert seen.values("cookie") == ["a=1; b=2"]


def test_a_stopped_reader_stops_the_origin(gateway: Gateway, origin: Origin) -> None:
    """Back-pressure: a client that grants no window lets the origin send no more than buffers hold."""
    origin.on("/endless", answers.endless())
    before = gateway.rss()
    with H2Client(gateway.port(), grant=False) as client:
        stream = client.send_request("/endless")
        client.pump(lambda: len(client.responses[stream].body) >= 65_535, "the window is used up")
        other = client.send_request("/x")
        # The connection's window is used up too, so that only the head of another answer can come.
        client.pump(lambda: client.responses[other].status == 200, "another stream's head")
    assert gateway.rss() - before < 20_000_000


# ALPN


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), (("http/1.1", "h2"), "h2"), ((), None)],
)
def test_alpn_chooses_the_protocol(
    gateway: Gateway, authority: Authority, offer: tuple[str, ...], chosen: str | None
) -> None:
    with gateway.connect("tls", tls=authority.client(*offer)) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() == chosen
        if chosen != "h2":
            assert client.request("/x").status == 200


def test_a_listener_offers_only_its_protocols(gateway: Gateway, authority: Authority) -> None:
    with RawClient(gateway.port("only1"), tls=authority.client("h2", "http/1.1")) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() == "http/1.1"
        assert client.request("/x").status == 200
