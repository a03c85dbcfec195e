"""HTTP/3 to endpoints: bodies, and answers that are early, broken off or malformed.

What it has in common with HTTP/2 is in test_http2, test_retries and wherever a test is of both; messages are
in test_messages.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from aioquic.buffer import encode_uint_var

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h3client import DATA, GOAWAY, HEADERS, SETTINGS, encode, frame
from .harness.h3origin import H3Origin, H3Stream, to, trusting
from .harness.message import Echo, Response
from .harness.multiplexed_origin import Stream
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually

LARGE = bytes(range(256)) * 40_000
"""Ten megabytes, which is more than all windows and buffers hold."""


@pytest.fixture(scope="module")
def gateway(running: Running, h3_origin: H3Origin, authority: Authority) -> Iterator[Gateway]:
    with running(to(h3_origin, authority)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def chain(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    """A gateway whose endpoint is another, which takes two requests of a connection at a time."""
    certificate = authority.issue("localhost", file="chain").config()
    config = proxy(module_origin.address)
    tls = {"certificates": [certificate]}
    config["listeners"] = [listener("quic", protocols=["http3"], tls=tls, limits={"streams": 2})]
    with running(config) as back:
        front = proxy(f"localhost:{back.port('quic')}", workers=1)
        front["upstreams"][0].update(trusting(authority.file))
        with running(front) as gateway:
            yield gateway


# Bodies


@pytest.mark.parametrize("through", ["gateway", "chain"])
def test_large_bodies_pass_both_ways(request: pytest.FixtureRequest, through: str) -> None:
    gateway: Gateway = request.getfixturevalue(through)
    origin: Origin | H3Origin = request.getfixturevalue("origin" if through == "chain" else "h3_origin")

    async def give(stream: Stream) -> None:
        stream.send_headers(200)
        await stream.send_data(LARGE, end=True)

    if isinstance(origin, H3Origin):
        origin.on("/large", give)
    else:
        origin.on("/large", answers.fixed(body=LARGE))
    with gateway.connect(deadline=60) as client:
        seen = Echo.of(client.request("/up", method="POST", body=LARGE))
        assert (seen.length, seen.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
        assert client.request("/large").body == LARGE


def test_an_endpoint_that_reads_nothing_is_sent_no_more_than_buffers_hold(
    chain: Gateway, origin: Origin
) -> None:
    gate = answers.Gate()

    async def wait(exchange: Exchange) -> None:
        await gate(exchange)

    origin.on("/unread", wait)
    before = chain.rss()
    with H2Client(chain.port()) as client:
        stream = client.send_request("/unread", method="POST", end=False)
        origin.wait(lambda: any(r.target == "/unread" for r in origin.requests), "the request arrives")
        client.send_body(stream, LARGE[: 1 << 20], end=False)
        assert Echo.of(client.request("/beside")).target == "/beside"
        client.cancel(stream)
    assert chain.rss() - before < 20_000_000
    gate.open()


def test_more_requests_than_a_connection_takes_get_others(chain: Gateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/held", gate)
    with H2Client(chain.port()) as client:
        streams = [client.send_request("/held") for _ in range(7)]
        held = [request for request in origin.requests if request.target == "/held"]
        origin.wait(
            lambda: sum(request.target == "/held" for request in origin.requests) == 7,
            f"all are under way, beside {held}",
        )
        gate.open()
        assert [client.wait(stream).text for stream in streams] == ["at last"] * 7


# Answers that are early, broken off or malformed


def test_an_early_answer_reaches_the_client_whole(gateway: Gateway, h3_origin: H3Origin) -> None:
    """RFC 9114 §4.1: with NO_ERROR an endpoint stops the request, and its answer is meant all the same."""

    async def refuse(stream: Stream) -> None:
        assert isinstance(stream, H3Stream)
        stream.send_headers(413)
        stream.stop()
        await stream.send_data(b"too large", end=True)

    h3_origin.on("/early", refuse)
    with H2Client(gateway.port()) as client:
        stream = client.send_request("/early", method="POST", end=False)
        client.send_body(stream, b"x" * 10_000, end=False)
        response = client.wait(stream)
        assert (response.status, response.body) == (413, b"too large")
        assert stream in client.ended


def test_an_upload_that_the_endpoint_leaves_standing_does_not_end_as_if_it_were_whole(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    """It ends within a frame, and an endpoint may look at no more than whether it has ended."""

    patience = 1

    async def stall(stream: Stream) -> None:
        assert isinstance(stream, H3Stream)
        stream.take_no_more()
        # Longer than it is waited for that more is taken, of which nobody is told before the answer.
        await asyncio.sleep(2 * patience)
        stream.send_headers(200)
        await stream.send_data(b"enough", end=True)

    h3_origin.on("/stall", stall)
    gateway = start_gateway(to(h3_origin, authority, timeouts={"idle": f"{patience}s"}))
    with H2Client(gateway.port()) as client:
        stream = client.send_request("/stall", method="POST", end=False)
        client.send_body(stream, LARGE, end=False)
        response = client.wait(stream)
        assert (response.status, response.body) == (200, b"enough")
    stalled = h3_origin.streams[-1]
    eventually(stalled.reset_by_peer.is_set, "the endpoint learns that this is not all")
    assert not stalled.complete.is_set()


def test_a_head_that_the_endpoint_does_not_take_is_not_sent(
    start_gateway: StartGateway, authority: Authority
) -> None:
    """RFC 9114 §4.2.2."""
    with H3Origin(authority.issue("localhost", file="small-heads")) as origin:
        origin.settings = b"\x06\x48\x00"  # 2048 bytes
        gateway = start_gateway(to(origin, authority))
        with gateway.connect() as client:
            assert client.request("/x").status == 200

            def longer() -> Response:
                return client.request("/longer", headers=[("X-A", "a" * 2048)])

            eventually(lambda: longer().status == 431, "its settings are known")
            before = len(origin.streams)
            assert "error: header_too_large" in longer().text
            assert len(origin.streams) == before
            assert client.request("/x").status == 200
        assert gateway.metrics().total("tidegate_health_changes_total") == 0


@pytest.mark.parametrize("head", [True, False], ids=["after its head", "before its head"])
def test_an_endpoint_that_closes_within_an_answer_breaks_it_off(
    gateway: Gateway, h3_origin: H3Origin, head: bool
) -> None:
    async def close(stream: Stream) -> None:
        if head:
            stream.send_headers(200)
            await stream.send_data(b"some")
            await gone.wait()
        stream.close()

    gone = asyncio.Event()
    h3_origin.on("/close", close)
    with H2Client(gateway.port()) as client:
        stream = client.send_request("/close", method="POST", body=b"once")
        if head:
            client.pump(lambda: client.responses[stream].body == b"some", "the answer's beginning")
            h3_origin.call(gone.set)
        response = client.wait(stream)
        assert (response.status, response.complete) == ((200, False) if head else (502, True))
        assert client.request("/x").status == 200


MALFORMED: dict[str, bytes] = {
    "content before its head": frame(DATA, b"x"),
    "a push that none allowed": frame(0x05, b"\0" + encode([(b":status", b"200")])),
    "a frame of HTTP/2": frame(0x06, b"12345678"),
    "settings on a stream of a request": frame(0x04, b""),
    "a section that is none": frame(HEADERS, b"\0\0\xff\xff\xff"),
    "a line of a dynamic table": frame(HEADERS, b"\0\0\x80"),
    "no status": frame(HEADERS, encode([(b"x-a", b"1")])),
    "a head of a gigabyte": b"\x01\xc0\0\0\0\x40\0\0\0" + bytes(1000),
    "a head longer than may be": frame(HEADERS, encode([(b":status", b"200"), (b"x-a", b"x" * 70_000)])),
    "an end without an answer": b"",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_refused_and_others_go_on(
    gateway: Gateway, h3_origin: H3Origin, name: str
) -> None:
    async def break_it(stream: Stream) -> None:
        assert isinstance(stream, H3Stream)
        stream.send_raw(MALFORMED[name], end=not MALFORMED[name])
        await stream.reset_by_peer.wait()

    h3_origin.on("/malformed", break_it)
    with gateway.connect() as client:
        response = client.request("/malformed", method="POST", body=b"x")
        assert (response.status, response.from_origin) == (502, False)
        assert client.request("/x").status == 200


BROKEN_CONTROL: dict[str, bytes] = {
    "a GOAWAY of no stream": frame(GOAWAY, encode_uint_var(3)),
    "a GOAWAY that takes back another": frame(GOAWAY, encode_uint_var(400))
    + frame(GOAWAY, encode_uint_var(404)),
    "a GOAWAY of more than a number": frame(GOAWAY, encode_uint_var(400) + b"\0"),
    "settings again": frame(SETTINGS, b""),
    "a push that is cancelled": frame(0x03, b"\0"),
    "what a client says alone": frame(0x0D, b"\0"),
    "a request's frame": frame(DATA, b"x"),
    "a frame of a gigabyte": encode_uint_var(GOAWAY) + encode_uint_var(1 << 30),
}


@pytest.mark.parametrize("name", BROKEN_CONTROL)
def test_an_endpoint_that_breaks_its_control_stream_loses_the_connection_alone(
    gateway: Gateway, h3_origin: H3Origin, name: str
) -> None:
    async def break_it(stream: Stream) -> None:
        assert isinstance(stream, H3Stream)
        stream.protocol.send_control(BROKEN_CONTROL[name])
        await stream.reset_by_peer.wait()

    h3_origin.on("/control", break_it)
    with gateway.connect() as client:
        assert client.request("/control", method="POST", body=b"x").status == 502
        assert client.request("/x").status == 200


# Mistakes


@pytest.mark.parametrize(
    ("options", "address", "told"),
    [
        ({"protocol": "http3"}, "127.0.0.1:1", "HTTP/3 needs `tls`"),
        ({"http3": True}, "127.0.0.1:1", "HTTP/3 needs `tls`"),
        ({"http3": True, "protocol": "http2", "tls": {}}, "127.0.0.1:1", "is an option of `protocol: auto`"),
        ({"protocol": "http3", "tls": {}}, "unix:/run/app.sock", "is a Unix socket, which carries no HTTP/3"),
    ],
)
def test_what_cannot_be_is_a_mistake(
    gateway: Gateway, options: dict[str, Any], address: str, told: str
) -> None:
    config = {**gateway.config, "upstreams": [upstream("app", address, **options)]}
    refused = gateway.admin.put("/v1/config", json=config)
    assert refused.status_code == 422
    assert told in refused.text
