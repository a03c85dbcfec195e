"""Answers that come before the end of their request, and what becomes of the connection."""

import asyncio
import hashlib
import http.client
import threading
from collections.abc import Iterator

import pytest

from .conftest import Running, StartGateway
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.origin import Exchange, Origin
from .harness.raw import ClosedError, RawClient

LARGE = 30 << 20
"""More than the buffers of any socket."""


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    certificates = [authority.issue("localhost").config()]
    config = {
        "listeners": [
            listener("web"),
            listener("short", limits={"linger_bytes": "64KiB"}),
            listener("secure", tls={"certificates": certificates}),
        ],
        "routes": [
            route("small", "/small", limits={"body": 1000}),
            route("fixed", "/fixed", respond={"status": 404}),
            route("all", "/"),
        ],
        "upstreams": [upstream("app", module_origin.address)],
    }
    with running(config) as gateway:
        yield gateway


def post(target: str, *fields: str) -> str:
    """The head of a POST with these field lines."""
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: a", *fields, "", ""])


def goes_on(client: RawClient) -> bool:
    """Whether the connection takes another request."""
    return client.request("/next").status == 200


@pytest.mark.parametrize("size", [8 << 20, LARGE])
def test_a_client_that_sends_all_of_a_large_body_first_reads_the_refusal(gateway: Gateway, size: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", gateway.port(), timeout=20)
    client.request("POST", "/small", body=b"a" * size)
    response = client.getresponse()
    assert (response.status, response.getheader("connection")) == (413, "close")
    client.close()


def test_a_client_that_sends_all_of_a_large_body_first_reads_an_endpoints_early_answer(
    gateway: Gateway, origin: Origin
) -> None:
    async def unauthorized(exchange: Exchange) -> None:
        await exchange.respond(401, body=b"who are you?")
        exchange.close()

    origin.on("/private", unauthorized)
    with gateway.connect() as client:
        client.send(post("/private", f"Content-Length: {LARGE}"))
        client.send(b"a" * LARGE)
        response = client.read_response()
        assert (response.status, response.body) == (401, b"who are you?")
        assert response.header("connection") == "close"
        client.wait_closed()


def test_a_client_that_sends_all_of_a_large_body_first_reads_the_refusal_over_tls(
    gateway: Gateway, authority: Authority
) -> None:
    with gateway.connect("secure", tls=authority.client()) as client:
        client.send(post("/small", f"Content-Length: {LARGE}"))
        client.send(b"a" * LARGE)
        assert client.read_response().status == 413


@pytest.mark.parametrize("target", ["/small", "/fixed"])
def test_a_small_rest_of_a_request_is_read_and_the_connection_goes_on(
    gateway: Gateway, origin: Origin, target: str
) -> None:
    with gateway.connect() as client:
        client.send(post(target, "Content-Length: 100000"))
        response = client.read_response()
        assert (response.status, response.header("connection")) in [(413, None), (404, None)]
        client.send(b"a" * 100_000)
        assert goes_on(client)


def test_a_chunked_body_that_has_arrived_is_skipped_and_the_connection_goes_on(
    gateway: Gateway, origin: Origin
) -> None:
    with gateway.connect() as client:
        client.send(post("/fixed", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n")
        response = client.read_response()
        assert (response.status, response.header("connection")) == (404, None)
        assert goes_on(client)


@pytest.mark.parametrize(
    "fields",
    [
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 10000000",),
        ("Content-Length: 10", "Expect: 100-continue"),
    ],
)
def test_a_connection_that_will_be_closed_is_said_to_be(gateway: Gateway, fields: tuple[str, ...]) -> None:
    with gateway.connect() as client:
        client.send(post("/fixed", *fields))
        response = client.read_response()
        assert (response.status, response.header("connection")) == (404, "close")
        client.wait_closed()


def test_no_more_is_read_than_the_listener_allows(gateway: Gateway) -> None:
    with gateway.connect("short") as client:
        client.send(post("/small", f"Content-Length: {LARGE}"))
        assert client.read_response().status == 413
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            client.send(b"a" * LARGE)


def test_a_client_that_goes_on_slowly_is_closed_in_time(start_gateway: StartGateway, origin: Origin) -> None:
    config = proxy(origin.address, listeners=[listener("web", timeouts={"linger": "300ms"})])
    config["routes"] = [route("fixed", "/", respond={"status": 404})]
    gateway = start_gateway(config)
    with gateway.connect() as client:
        client.send(post("/", "Content-Length: 1000"))
        response = client.read_response()
        assert (response.status, response.header("connection")) == (404, None)
        while client.try_send(b"a") and client.silent(0.01):
            pass
        with pytest.raises((ClosedError, OSError)):
            client.read_exactly(1)


def test_a_body_that_is_still_passed_on_is_not_cut_by_an_early_answer(
    gateway: Gateway, origin: Origin
) -> None:
    """An endpoint may answer while chunks of the request wait here for its socket to take them."""
    blocked = threading.Event()

    async def answer_first(exchange: Exchange) -> None:
        await asyncio.get_running_loop().run_in_executor(None, blocked.wait, 20)
        await exchange.send_head(200, length=None)
        await exchange.discard_body()
        await exchange.send_chunk(exchange.request.digest.encode())
        await exchange.send(b"0\r\n\r\n")

    origin.on("/first", answer_first)
    piece = bytes(range(256)) * 4
    chunk = b"400\r\n" + piece + b"\r\n"
    chunks = 64 << 10
    wire = memoryview(chunk * chunks + b"0\r\n\r\n")
    with gateway.connect() as client:
        client.send(post("/first", "Transfer-Encoding: chunked"))
        client.sock.settimeout(0.5)
        sent = 0
        try:
            while sent < len(wire):
                sent += client.sock.send(wire[sent : sent + (1 << 16)])
        except TimeoutError:
            blocked.set()
        assert blocked.is_set(), "all of the body went through: it is too small to be held up"
        client.sock.settimeout(client.deadline)
        sender = threading.Thread(target=client.sock.sendall, args=(wire[sent:],))
        sender.start()
        response = client.read_response()
        sender.join(20)
    assert response.body.decode() == hashlib.sha256(piece * chunks).hexdigest()
