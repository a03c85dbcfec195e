"""Requests that can be read in two ways are refused; what reaches the origin is one request, no more."""

from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.message import Echo
from .harness.origin import Origin
from .harness.raw import ClosedError

SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    with running(proxy(module_origin.address)) as gateway:
        yield gateway


def refuse(gateway: Gateway, origin: Origin, data: str | bytes, statuses: tuple[int, ...] = (400,)) -> None:
    """The request is answered with 400, the connection closed, and no origin ever sees it whole."""
    with gateway.connect() as client:
        client.send(data)
        response = client.read_response()
        assert response.status in statuses, response
        assert not response.from_origin
        assert (response.header("connection") or "").lower() == "close"
        client.wait_closed()
    assert not any(request.body_complete for request in origin.requests)
    assert not any("smuggled" in request.target for request in origin.requests)


def head(*lines: str, body: str = "") -> str:
    """A POST with these field lines after Host."""
    return "\r\n".join(["POST /x HTTP/1.1", "Host: a", *lines, "", body])


TWO_READINGS = {
    "CL.TE": head("Content-Length: 6", "Transfer-Encoding: chunked", body="0\r\n\r\nG"),
    "TE.CL": head(
        "Transfer-Encoding: chunked", "Content-Length: 4", body="1c\r\n" + SMUGGLED + "\r\n0\r\n\r\n"
    ),
    "CL.TE with a whole request": head(
        f"Content-Length: {5 + len(SMUGGLED)}", "Transfer-Encoding: chunked", body="0\r\n\r\n" + SMUGGLED
    ),
    "two lengths": head("Content-Length: 3", "Content-Length: 4", body="abcd"),
    "two equal lengths in two lines": head(
        "Content-Length: 3", "Content-Length: 4", "Content-Length: 3", body="abc"
    ),
    "a list of lengths": head("Content-Length: 3, 4", body="abcd"),
    "a signed length": head("Content-Length: +3", body="abc"),
    "a negative length": head("Content-Length: -1", body="abc"),
    "a hexadecimal length": head("Content-Length: 0x3", body="abc"),
    "a length with a space within": head("Content-Length: 1 1", body="abc"),
    "an empty length": head("Content-Length:", body=""),
    "a length beyond 64 bits": head("Content-Length: 18446744073709551617", body="a"),
    "a length with letters": head("Content-Length: 3abc", body="abc"),
    "an unknown coding": head("Transfer-Encoding: xchunked", body=SMUGGLED),
    "identity": head("Transfer-Encoding: identity", body=SMUGGLED),
    "chunked twice": head("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"),
    "chunked not last": head("Transfer-Encoding: chunked, gzip", body="0\r\n\r\n"),
    "chunked in two lines": head(
        "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="0\r\n\r\n"
    ),
    "chunked, then identity": head(
        "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body="0\r\n\r\n"
    ),
    "chunked, then another": head("Transfer-Encoding: chunked", "Transfer-Encoding: x", body="0\r\n\r\n"),
    "chunked in quotes": head('Transfer-Encoding: "chunked"', body="0\r\n\r\n"),
    "chunked with a vertical tab": head("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"),
    "chunked with a parameter": head("Transfer-Encoding: chunked;x=1", body="0\r\n\r\n"),
    "a folded coding": head("Transfer-Encoding:", " chunked", body="0\r\n\r\n"),
    "a space before the colon": head("Transfer-Encoding : chunked", body="0\r\n\r\n"),
    "a tab before the colon": head("Content-Length\t: 3", body="abc"),
    "a bare LF hides a field": head("X: y\nTransfer-Encoding: chunked", body="0\r\n\r\n"),
    "a bare CR hides a field": head("X: y\rTransfer-Encoding: chunked", body="0\r\n\r\n"),
    "an empty coding": head("Transfer-Encoding:", body="0\r\n\r\n"),
    "a comma for a coding": head("Transfer-Encoding: ,", body="0\r\n\r\n"),
}


@pytest.mark.parametrize("name", TWO_READINGS)
def test_framing_that_can_be_read_in_two_ways_is_refused(gateway: Gateway, origin: Origin, name: str) -> None:
    refuse(gateway, origin, TWO_READINGS[name], (400, 501))


def test_a_chunked_http_1_0_request_is_refused(gateway: Gateway, origin: Origin) -> None:
    """RFC 9112 §6.1: the framing of such a message is faulty."""
    refuse(gateway, origin, "POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


def test_equal_lengths_are_one_length_or_refused(gateway: Gateway, origin: Origin) -> None:
    """RFC 9110 §8.6 lets a recipient take either way; the origin fixture sees that one field is passed on."""
    with gateway.connect() as client:
        client.send(head("Content-Length: 3", "Content-Length: 3", body="abc"))
        response = client.read_response()
    assert response.status == 400 or Echo.of(response).length == 3


BROKEN_HEADS: dict[str, str | bytes] = {
    "a folded field": head("X: one", " two"),
    "a folded field by tab": head("X: one", "\ttwo"),
    "a folded first field": "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "bare LF line ends": "GET / HTTP/1.1\nHost: a\n\n",
    "a bare LF in the middle": "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "a bare CR in a value": head("X: a\rb"),
    "a bare CR as line end": "GET / HTTP/1.1\rHost: a\r\r",
    "a NUL in a value": head("X: a\x00b"),
    "a control character in a value": head("X: a\x01b"),
    "DEL in a value": head("X: a\x7fb"),
    "a space in a name": head("X Y: z"),
    "an empty name": head(": z"),
    "a field without colon": head("nonsense"),
    "a slash in a name": head("X/Y: z"),
    "brackets in a name": head("X[Y]: z"),
    "a NUL in a name": head("X\x00: z"),
    "a byte above ASCII in a name": head("X\xe9: z"),
    "a control character in the method": "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a separator in the method": "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty method": " / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no target": "GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty target": "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab in the target": "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "a NUL in the target": "GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bare CR in the target": "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n",
    "DEL in the target": "GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without slash": "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "an asterisk for GET": "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces in the request line": "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space after the version": "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "a lower-case version": "GET / http/1.1\r\nHost: a\r\n\r\n",
    "no version": "GET /\r\nHost: a\r\n\r\n",
    "a broken version": "GET / HTTP/1\r\nHost: a\r\n\r\n",
    "a longer version": "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    "no Host": "GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "two Hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two equal Hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two Hosts in HTTP/1.0": "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "a list of Hosts": "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a space in Host": "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a slash in Host": "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "user information in Host": "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "an empty Host": "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host that is a port alone": "GET / HTTP/1.1\r\nHost: :80\r\n\r\n",
    "a port that is no number": "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "binary rubbish": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_HEADS)
def test_a_broken_head_is_refused(gateway: Gateway, origin: Origin, name: str) -> None:
    refuse(gateway, origin, BROKEN_HEADS[name])
    assert not origin.requests


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9"])
def test_another_major_version_is_refused(gateway: Gateway, origin: Origin, version: str) -> None:
    refuse(gateway, origin, f"GET / {version}\r\nHost: a\r\n\r\n", (400, 505))


def test_a_later_minor_version_is_served_as_http_1_1(gateway: Gateway, origin: Origin) -> None:
    """RFC 9110 §2.5."""
    with gateway.connect() as client:
        client.send("GET /x HTTP/1.2\r\nHost: a\r\n\r\n")
        response = client.read_response()
        assert (response.version, Echo.of(response).version) == ("HTTP/1.1", "HTTP/1.1")
        assert client.request("/next").status == 200


def test_an_empty_host_of_http_1_0_is_none(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("GET /x HTTP/1.0\r\nHost:\r\n\r\n")
        assert Echo.of(client.read_response()).header("host") == "app"


def test_connect_is_not_carried_out_and_what_follows_is_no_request(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n" + SMUGGLED)
        response = client.read_response()
        client.read_to_end()
    assert response.status in (400, 405, 501)
    assert not origin.requests


BROKEN_CHUNKS = {
    "no size": "\r\nabc\r\n0\r\n\r\n",
    "no hexadecimal digit": "g\r\nabc\r\n0\r\n\r\n",
    "0x": "0x3\r\nabc\r\n0\r\n\r\n",
    "a sign": "+3\r\nabc\r\n0\r\n\r\n",
    "a negative size": "-3\r\nabc\r\n0\r\n\r\n",
    "a space before the size": " 3\r\nabc\r\n0\r\n\r\n",
    "a size beyond 64 bits": "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "a bare LF after the size": "3\nabc\r\n0\r\n\r\n",
    "a bare CR after the size": "3\rabc\r\n0\r\n\r\n",
    "more data than the size": "3\r\nabcd\r\n0\r\n\r\n",
    "a bare LF after the data": "3\r\nabc\n0\r\n\r\n",
    "a bare LF in an extension": "3;x\nyz\r\nabc\r\n0\r\n\r\n",
    "a bare CR in an extension": "3;x\ryz\r\nabc\r\n0\r\n\r\n",
    "a NUL in an extension": "3;x\x00y\r\nabc\r\n0\r\n\r\n",
    "an extension whose name is no token": "3;x y\r\nabc\r\n0\r\n\r\n",
    "an extension without a name": "3;=x\r\nabc\r\n0\r\n\r\n",
    "an extension whose value is no token": "3;x=(y)\r\nabc\r\n0\r\n\r\n",
    "a trailer without colon": "3\r\nabc\r\n0\r\nnonsense\r\n\r\n",
    "a folded trailer": "3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n",
    "a bare LF in the trailers": "3\r\nabc\r\n0\r\nX: a\nY: b\r\n\r\n",
    "an endless extension": "3;" + "x" * 200_000 + "\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_broken_chunks_are_refused(gateway: Gateway, origin: Origin, name: str) -> None:
    """The head may be on its way already; but the origin must never take the body for complete."""
    with gateway.connect() as client:
        client.try_send(head("Transfer-Encoding: chunked", body=BROKEN_CHUNKS[name]).encode("latin-1"))
        client.try_send(SMUGGLED.encode())
        try:
            response = client.read_response()
            assert response.status == 400
            assert not response.from_origin
        except ClosedError:
            pass
        else:
            client.read_to_end()
    assert not any(request.body_complete for request in origin.requests)
    assert not any("smuggled" in request.target for request in origin.requests)


@pytest.mark.parametrize("extension", [";a", ";a=b", ';a="b;c"', ";a=b;c=d"])
def test_chunk_extensions_are_read_and_dropped(gateway: Gateway, origin: Origin, extension: str) -> None:
    with gateway.connect() as client:
        client.send(head("Transfer-Encoding: chunked", body=f"3{extension}\r\nabc\r\n0{extension}\r\n\r\n"))
        assert Echo.of(client.read_response()).length == 3
    assert extension.encode() not in origin.received()[-1]


@pytest.mark.parametrize("field", ["Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie"])
def test_trailers_may_not_change_what_the_head_said(gateway: Gateway, origin: Origin, field: str) -> None:
    """RFC 9110 §6.5.1: fields for framing, routing and authentication do not belong in trailers."""
    with gateway.connect() as client:
        client.send(head("Transfer-Encoding: chunked", body=f"3\r\nabc\r\n0\r\n{field}: 1\r\n\r\n"))
        response = client.read_response()
    assert response.status == 400 or not [
        n for n, _ in Echo.of(response).trailers if n.lower() == field.lower()
    ]


def test_what_follows_a_body_is_another_request(gateway: Gateway, origin: Origin) -> None:
    """The plain case that all of the above must not be confused with: two requests, judged one by one."""
    with gateway.connect() as client:
        client.send(head("Content-Length: 3", body="abc" + "GET /second HTTP/1.1\r\nHost: b\r\n\r\n"))
        assert Echo.of(client.read_response()).target == "/x"
        assert Echo.of(client.read_response()).target == "/second"


def test_a_broken_request_after_a_good_one_closes_the_connection(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\nG\x00T / HTTP/1.1\r\n\r\n" + SMUGGLED)
        assert Echo.of(client.read_response()).target == "/good"
        assert client.read_response().status == 400
        client.wait_closed()
    assert [request.target for request in origin.requests] == ["/good"]
