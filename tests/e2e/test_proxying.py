"""What passes through over HTTP/1: messages of every shape, both ways, unharmed."""

import hashlib
from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.message import Echo
from .harness.origin import Exchange, Origin


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    with running(proxy(module_origin.address)) as gateway:
        yield gateway


@pytest.mark.parametrize(("method", "length"), [("POST", "0"), ("PUT", "0"), ("PATCH", "0"), ("GET", None)])
def test_a_request_that_may_have_content_says_that_it_has_none(
    gateway: Gateway, origin: Origin, method: str, length: str | None
) -> None:
    """RFC 9110 §8.6: servers answer 411 to a POST that says nothing."""
    with gateway.connect() as client, H2Client(gateway.port()) as client2:
        responses = [client.request("/x", method=method), client2.request("/x", method=method)]
    assert [Echo.of(response).header("content-length") for response in responses] == [length, length]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"])
def test_a_request_reaches_the_origin_as_it_was(gateway: Gateway, origin: Origin, method: str) -> None:
    body = b"" if method in ("GET", "OPTIONS") else b"some content"
    with gateway.connect() as client:
        seen = Echo.of(client.request("/a%20b/c?q=1&r", method=method, body=body))
    assert (seen.method, seen.target) == (method, "/a%20b/c?q=1&r")
    assert seen.sha256 == hashlib.sha256(body).hexdigest()


def test_a_head_response_has_the_length_and_no_body(gateway: Gateway, origin: Origin) -> None:
    origin.on("/head", answers.fixed(body=b"12345"))
    with gateway.connect() as client:
        response = client.request("/head", method="HEAD")
        assert (response.status, response.header("content-length")) == (200, "5")
        assert client.request("/head").body == b"12345"


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_content_stays_so(gateway: Gateway, origin: Origin, status: int) -> None:
    origin.on("/none", answers.fixed(status, [("ETag", '"1"')]))
    with gateway.connect() as client:
        response = client.request("/none")
        assert (response.status, response.body, response.header("etag")) == (status, b"", '"1"')
        assert response.header("transfer-encoding") is None
        assert Echo.of(client.request("/next")).target == "/next"


@pytest.mark.parametrize("status", [200, 201, 302, 404, 418, 500, 503, 599])
def test_statuses_of_the_origin_pass(gateway: Gateway, origin: Origin, status: int) -> None:
    reply = f"HTTP/1.1 {status} Any\r\nContent-Length: 2\r\nX-Origin: o\r\n\r\nok"
    origin.on("/status", answers.raw(reply.encode()))
    with gateway.connect() as client:
        response = client.request("/status")
    assert (response.status, response.body, response.from_origin) == (status, b"ok", True)


def test_chunked_bodies_pass_both_ways(gateway: Gateway, origin: Origin) -> None:
    async def back(exchange: Exchange) -> None:
        await exchange.send_head(200, length=None)
        async for part in exchange.body():
            await exchange.send_chunk(part)
        await exchange.send(b"0\r\n\r\n")

    origin.on("/chunks", back)
    with gateway.connect() as client:
        client.send("POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("5\r\nhello\r\n")
        head = client.read_head()
        assert head.header("transfer-encoding") == "chunked"
        assert client.read_exactly(10) == b"5\r\nhello\r\n"
        client.send("6\r\n world\r\n0\r\n\r\n")
        assert client.read_exactly(11 + 5) == b"6\r\n world\r\n0\r\n\r\n"
        assert Echo.of(client.request("/after")).target == "/after"


def test_a_chunk_is_passed_on_before_the_next_one_comes(gateway: Gateway, origin: Origin) -> None:
    gate = answers.Gate()

    async def slowly(exchange: Exchange) -> None:
        await exchange.send_head(200, length=None)
        await exchange.send_chunk(b"first")
        await gate(exchange)

    origin.on("/slowly", slowly)
    with gateway.connect() as client:
        client.send_request("/slowly")
        client.read_head()
        assert client.read_exactly(10) == b"5\r\nfirst\r\n"
        gate.open()


def test_trailers_pass_both_ways(gateway: Gateway, origin: Origin) -> None:
    origin.on("/trailers", answers.fixed(body=b"abc", chunked=True, trailers=[("X-Sum", "6")]))
    with gateway.connect() as client:
        response = client.request("/trailers", headers=[("TE", "trailers")])
        assert (response.body, response.trailers) == (b"abc", [("x-sum", "6")]) or response.trailers == [
            ("X-Sum", "6")
        ]
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        client.send("3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n")
        seen = Echo.of(client.read_response())
    assert [(name.lower(), value) for name, value in seen.trailers] == [("x-sum", "6")]


def test_a_body_ended_by_close_arrives_whole(gateway: Gateway, origin: Origin) -> None:
    origin.on("/until-close", answers.raw(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True))
    with gateway.connect() as client:
        response = client.request("/until-close")
    assert (response.body, response.complete) == (b"all of it", True)


def test_an_http_1_0_client_gets_no_chunks(gateway: Gateway, origin: Origin) -> None:
    origin.on("/chunked", answers.fixed(body=b"abc", chunked=True))
    with gateway.connect() as client:
        client.send("GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n")
        response = client.read_response()
        assert response.header("transfer-encoding") is None
        assert response.body == b"abc"
        client.wait_closed()


def test_an_http_1_0_client_without_host_is_served(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("GET /old HTTP/1.0\r\n\r\n")
        response = client.read_response()
        seen = Echo.of(response)
        client.wait_closed()
    assert (seen.target, seen.version) == ("/old", "HTTP/1.1")


def test_an_http_1_0_client_may_keep_its_connection(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        for _ in range(2):
            client.send("GET /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            response = client.read_response()
            assert (response.header("connection") or "").lower() == "keep-alive"


def test_the_connection_closes_when_the_client_asks(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        response = client.request("/", headers=[("Connection", "close")])
        assert (response.header("connection") or "").lower() == "close"
        client.wait_closed()
        assert Echo.of(response).header("connection") is None


def test_pipelined_requests_are_answered_in_order(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("".join(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(20)))
        targets = [Echo.of(client.read_response()).target for _ in range(20)]
    assert targets == [f"/{i}" for i in range(20)]


def test_pipelined_requests_with_bodies_are_answered_in_order(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send(
            "".join(f"POST /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" for i in range(5))
        )
        seen = [Echo.of(client.read_response()) for _ in range(5)]
    assert [(echo.target, echo.length) for echo in seen] == [(f"/{i}", 2) for i in range(5)]


def test_a_request_in_single_bytes_is_understood(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        for byte in b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
            client.send(bytes([byte]))
        assert Echo.of(client.read_response()).length == 3


def test_upstream_connections_are_reused(gateway: Gateway, origin: Origin) -> None:
    before = origin.accepted
    with gateway.connect() as client:
        for _ in range(50):
            client.request("/")
    for _ in range(10):
        with gateway.connect() as client:
            client.request("/")
    # One pool per worker: a connection each at the most, besides those that are there already.
    assert origin.accepted - before <= gateway.config["workers"]


def test_an_empty_line_before_a_request_is_skipped(gateway: Gateway, origin: Origin) -> None:
    """RFC 9112 §2.2: a server should ignore at least one empty line before the request line."""
    with gateway.connect() as client:
        client.send("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert Echo.of(client.read_response()).target == "/x"


def test_an_absolute_target_is_taken_for_its_host(gateway: Gateway, origin: Origin) -> None:
    """RFC 9112 §3.2.2: the target's authority replaces the Host field."""
    with gateway.connect() as client:
        client.send("GET http://b.example/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n")
        seen = Echo.of(client.read_response())
    assert (seen.target, seen.header("host")) == ("/x?y", "b.example")


def test_options_of_the_server_itself_is_carried(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        assert Echo.of(client.request("*", method="OPTIONS")).target == "*"


# Expect and informational responses


def test_continue_is_asked_for_when_the_body_is_wanted(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send("hello")
        assert Echo.of(client.read_response()).length == 5


def test_an_http_1_0_client_is_not_told_to_continue(gateway: Gateway, origin: Origin) -> None:
    """RFC 9110 §10.1.1: it would take the interim response for the final one."""
    with gateway.connect() as client:
        client.send("POST /x HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        origin.wait(lambda: origin.requests, "the request arrives")
        client.send("hello")
        response = client.read_response()
        assert (response.status, response.informational) == (200, [])


def test_a_final_answer_comes_instead_of_continue(gateway: Gateway, origin: Origin) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.respond(401, body=b"no")
        exchange.close()

    origin.on("/refuse", refuse)
    with gateway.connect() as client:
        client.send("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        head = client.read_head()
        assert head.status in (100, 401)
        if head.status == 100:  # the gateway may ask for the body before the origin has decided
            head = client.read_head()
        assert head.status == 401


def test_another_expectation_is_refused(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 200-maybe\r\n\r\n")
        response = client.read_response()
    assert (response.status, response.informational) == (417, [])
    assert not origin.requests


def test_early_hints_are_passed_on(gateway: Gateway, origin: Origin) -> None:
    link = ("Link", "</style.css>; rel=preload")

    async def hint(exchange: Exchange) -> None:
        await exchange.send_head(103, [link], length=None)
        await exchange.send_head(103, [("Link", "</b.js>")], length=None)
        await exchange.respond(200, body=b"page")

    origin.on("/hint", hint)
    with gateway.connect() as client:
        response = client.request("/hint")
        assert [(r.status, r.header("link")) for r in response.informational] == [
            (103, link[1]),
            (103, "</b.js>"),
        ]
        assert response.body == b"page"
        client.send("GET /hint HTTP/1.0\r\nHost: a\r\n\r\n")
        assert client.read_response().informational == []


def test_a_length_of_content_that_cannot_come_is_not_passed_on(gateway: Gateway, origin: Origin) -> None:
    """RFC 9110 §8.6: neither an interim response nor 204 has one; some clients would wait for the content."""
    hint = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nLink: </x>\r\n\r\n"
    origin.on("/none", answers.raw(hint + b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"))
    with gateway.connect() as client:
        response = client.request("/none")
        assert (response.status, response.header("content-length")) == (204, None)
        assert [(r.status, r.header("content-length")) for r in response.informational] == [(103, None)]


def test_an_answer_before_the_requests_end_is_passed_on(gateway: Gateway, origin: Origin) -> None:
    async def early(exchange: Exchange) -> None:
        await exchange.respond(413, body=b"enough")
        exchange.close()

    origin.on("/early", early)
    with gateway.connect() as client:
        client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nthe beginning")
        response = client.read_response()
    assert (response.status, response.body) == (413, b"enough")


def test_both_directions_stream_at_once(gateway: Gateway, origin: Origin) -> None:
    """A response may begin while the request is still being sent, and both go on."""

    async def mirror(exchange: Exchange) -> None:
        await exchange.send_head(200, length=None)
        async for part in exchange.body():
            await exchange.send_chunk(part.upper())
        await exchange.send(b"0\r\n\r\n")

    origin.on("/mirror", mirror)
    with gateway.connect() as client:
        client.send("POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        client.read_head()
        assert client.read_exactly(7) == b"2\r\nAB\r\n"
        client.send("cd")
        assert client.read_exactly(12) == b"2\r\nCD\r\n0\r\n\r\n"
