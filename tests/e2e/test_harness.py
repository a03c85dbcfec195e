"""The harness itself: clients against origins, with no gateway between."""

import asyncio

import pytest

from .harness import answers
from .harness.certs import Authority
from .harness.h2client import H2Client
from .harness.h2frames import FrameClient, get
from .harness.h2origin import H2Origin
from .harness.llhttp import read_vectors
from .harness.message import Echo
from .harness.metrics import Metrics
from .harness.origin import Exchange, Origin
from .harness.raw import ClosedError, RawClient


def test_an_origin_echoes_what_it_received(origin: Origin) -> None:
    with RawClient(origin.port) as client:
        seen = Echo.of(client.request("/a?b", method="POST", headers=[("X-A", "1")], body=b"hello"))
        assert (seen.method, seen.target, seen.length, seen.header("x-a")) == ("POST", "/a?b", 5, "1")
        again = Echo.of(client.request("/c"))
    assert again.target == "/c"
    assert [request.connection for request in origin.requests] == [1, 1]


def test_an_origin_notes_what_breaks_the_protocol() -> None:
    with Origin() as origin, RawClient(origin.port) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.wait_closed()
        assert origin.malformed


def test_a_chunked_answer_with_trailers_is_read(origin: Origin) -> None:
    origin.on("/t", answers.fixed(body=b"abc", chunked=True, trailers=[("X-Sum", "6")]))
    with RawClient(origin.port) as client:
        response = client.request("/t")
    assert (response.body, response.trailers, response.complete) == (b"abc", [("X-Sum", "6")], True)


def test_a_reset_in_the_middle_is_an_incomplete_response(origin: Origin) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    origin.on("/reset", answers.reset(head))
    with RawClient(origin.port) as client:
        response = client.request("/reset")
    assert (response.body, response.complete) == (b"abc", False)


def test_a_close_before_the_head_is_noticed(origin: Origin) -> None:
    origin.on("/nothing", answers.reset())
    with RawClient(origin.port) as client, pytest.raises(ClosedError):
        client.request("/nothing")


def test_a_gate_holds_an_answer_until_it_opens(origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/gate", gate)
    with RawClient(origin.port) as client:
        client.send_request("/gate")
        origin.wait(lambda: origin.requests, "the request arrives")
        assert client.silent(0.05)
        gate.open()
        assert client.read_response().text == "at last"


def test_an_origin_learns_that_its_client_is_gone(origin: Origin) -> None:
    gone = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.gone()
        gone.set()
        origin.changed()

    origin.on("/hang", answer)
    with RawClient(origin.port) as client:
        client.send_request("/hang")
        origin.wait(lambda: origin.requests, "the request arrives")
    origin.wait(gone.is_set, "the client's end is seen")


@pytest.mark.parametrize("secure", [False, True], ids=["h2c", "tls"])
def test_the_http2_client_and_origin_understand_each_other(authority: Authority, secure: bool) -> None:
    tls = authority.server(authority.issue("localhost"), "h2") if secure else None
    with H2Origin(tls=tls) as origin:
        with H2Client(origin.port, tls=authority.client("h2") if secure else None) as client:
            body = bytes(300_000)
            first = client.send_request("/a", method="POST", body=body)
            second = client.send_request("/grpc", method="POST", body=b"frame")
            assert Echo.of(client.wait(first)).length == len(body)
            reply = client.wait(second)
        assert (reply.body, dict(reply.trailers)["grpc-status"]) == (b"frame", "0")
        assert origin.accepted == 1


def test_frames_are_sent_unchecked(h2_origin: H2Origin) -> None:
    with FrameClient(h2_origin.port).begin() as client:
        client.send(client.headers(1, get()))
        assert client.outcome(1) == "200"
        client.send(client.headers(2, get()))
        assert client.outcome(2).startswith("goaway")


def test_metrics_are_read_with_their_labels() -> None:
    metrics = Metrics('# TYPE a counter\na{x="1",y="q\\"z"} 2\na{x="2",y=""} 3\nb 1e3\n')
    assert metrics.total("a") == 5
    assert metrics.total("a", x="2") == 3
    assert metrics.find("b")[0].value == 1000


def test_vectors_are_read_with_their_line_ends() -> None:
    vectors = {vector.name: vector for vector in read_vectors("request")}
    if not vectors:
        pytest.skip("the llhttp vectors are absent")
    plain = vectors["request transfer-encoding: Parse chunks with lowercase size"]
    assert (
        plain.data == b"PUT /url HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"
    )
    assert (plain.refused, plain.heads, plain.messages) == (False, 1, 1)
    assert plain.as_request().startswith(b"PUT /url HTTP/1.1\r\nHost: localhost\r\nTransfer")
    assert vectors["request invalid: Headers separated by CR"].refused


def test_every_vector_is_read() -> None:
    vectors = read_vectors("request") + read_vectors("response")
    if not vectors:
        pytest.skip("the llhttp vectors are absent")
    assert len(vectors) == 251
