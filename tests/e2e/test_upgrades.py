"""Upgrades over HTTP/1.1: WebSocket, other tunnels, and the one that is not let through."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.message import Echo
from .harness.origin import Exchange, Origin
from .harness.raw import ClosedError
from .harness.waiting import eventually


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, websocket_server: int) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["routes"].append(route("websocket", "/ws", upstream="websocket"))
    config["upstreams"].append(upstream("websocket", f"127.0.0.1:{websocket_server}"))
    with running(config) as gateway:
        yield gateway


def test_a_websocket_talks_through_the_gateway(gateway: Gateway) -> None:
    with connect(gateway.url("/ws", scheme="ws"), max_size=None) as client:
        for message in ("hello", b"\x00\xff" * 500_000, ""):
            client.send(message)
            assert client.recv() == message
        client.ping().wait(10)
    assert client.close_code == 1000


_TO_SHOUT = [("Connection", "Upgrade"), ("Upgrade", "shout")]
_SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n"


async def _shout(exchange: Exchange) -> None:
    await exchange.send(_SWITCHED)
    while part := await exchange.reader.read(65536):
        await exchange.send(part.upper())
    exchange.close()


def test_an_upgraded_connection_is_a_tunnel(gateway: Gateway, origin: Origin) -> None:
    origin.on("/shout", _shout)
    with gateway.connect() as client:
        response = client.request("/shout", headers=_TO_SHOUT)
        assert response.status == 101
        assert (response.header("upgrade") or "").lower() == "shout"
        assert "upgrade" in (response.header("connection") or "").lower()
        for words in (b"one", b"get / http/1.1\r\n\r\n", bytes(100_000)):
            client.send(words)
            assert client.read_exactly(len(words)) == words.upper()


def test_an_endpoint_cannot_switch_in_the_middle_of_a_request(gateway: Gateway, origin: Origin) -> None:
    origin.on("/shout", _shout)
    with gateway.connect() as client:
        client.send("POST /shout HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n")
        client.send("Connection: upgrade\r\nUpgrade: shout\r\n\r\nha")
        response = client.read_response()
    assert (response.status, "error: upstream_protocol" in response.text) == (502, True)


def test_the_end_of_one_side_of_a_tunnel_ends_the_other(gateway: Gateway, origin: Origin) -> None:
    origin.on("/shout", _shout)
    with gateway.connect() as client:
        client.request("/shout", headers=_TO_SHOUT)
        before = origin.open
    origin.wait(lambda: origin.open < before, "the tunnel's upstream connection ends")


def test_an_upgrade_is_a_good_answer_to_the_endpoints_health(
    start_gateway: StartGateway, origin: Origin
) -> None:
    origin.on("/shout", _shout)
    origin.on("/fails", answers.fixed(503))
    config = proxy(origin.address)
    config["upstreams"][0]["health"] = {"outlier": {"gateway_errors": 2, "ejection": "60s"}}
    gateway = start_gateway(config)
    for _ in range(3):
        with gateway.connect() as client:
            # Nothing that could be tried again.
            assert client.request("/fails", method="POST", body=b"x").status == 503
        with gateway.connect() as tunnel:
            assert tunnel.request("/shout", headers=_TO_SHOUT).status == 101
    assert gateway.metrics().total("tidegate_health_changes_total") == 0


@pytest.mark.parametrize("limit", ["listener", "endpoint", "upstream"])
def test_a_tunnel_is_a_connection_until_it_ends(
    start_gateway: StartGateway, origin: Origin, limit: str
) -> None:
    origin.on("/shout", _shout)
    config = proxy(origin.address, workers=1)
    if limit == "listener":
        config["listeners"][0]["limits"] = {"connections": 1}
    elif limit == "endpoint":
        config["upstreams"][0]["pool"] = {"max_connections": 1}
    else:
        config["upstreams"][0]["limits"] = {"connections": 1}
    gateway = start_gateway(config)

    def other() -> int | None:
        with gateway.connect() as client, contextlib.suppress(ClosedError, OSError):
            return client.request("/x").status
        return None

    refused = None if limit == "listener" else 503
    with gateway.connect() as tunnel:
        assert tunnel.request("/shout", headers=_TO_SHOUT).status == 101
        assert other() == refused
        tunnel.send(b"still here")
        assert tunnel.read_exactly(10) == b"STILL HERE"
    eventually(lambda: other() == 200, "the place of the tunnel is free again")


class _Shouter(asyncio.Protocol):
    """Changes over to shouting on every request over HTTP/1."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head: bytes | None = b""

    def data_received(self, data: bytes) -> None:
        if self._head is None:
            self._transport.write(data.upper())
            return
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            asked = b"\r\nupgrade: shout\r\n" in self._head.lower()
            self._transport.write(_SWITCHED if asked else b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self._head = None


def test_an_upgrade_reaches_an_endpoint_that_prefers_http_2(
    start_gateway: StartGateway, authority: Authority
) -> None:
    """A connection over HTTP/2 cannot be switched: for an upgrade HTTP/1 alone is offered."""
    tls = authority.server(authority.issue("127.0.0.1", file="upgrade-either"), "h2", "http/1.1")
    with H2Origin(tls=tls, http1=_Shouter) as either:
        config = proxy(either.address, workers=1)
        config["upstreams"][0]["tls"] = {"ca": str(authority.file)}
        gateway = start_gateway(config)
        for _ in range(2):
            with gateway.connect() as client:
                assert Echo.of(client.request("/x")).version == "HTTP/2"
                assert client.request("/shout", headers=_TO_SHOUT).status == 101
                client.send(b"hello")
                assert client.read_exactly(5) == b"HELLO"
        assert either.accepted == 3, "one connection for all requests, and one for each upgrade"


def test_a_refused_upgrade_is_an_ordinary_answer(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        response = client.request("/x", headers=_TO_SHOUT)
        assert response.status == 200
        assert Echo.of(client.request("/next")).target == "/next"


@pytest.mark.parametrize("connection", ["Connection: upgrade\r\n", ""])
def test_a_required_upgrade_is_named(gateway: Gateway, origin: Origin, connection: str) -> None:
    """RFC 9110 §15.5.22: a 426 without Upgrade tells a client nothing."""
    head = f"HTTP/1.1 426 Upgrade Required\r\n{connection}Upgrade: websocket\r\nContent-Length: 0\r\n\r\n"
    origin.on("/required", answers.raw(head.encode()))
    with gateway.connect() as client:
        response = client.request("/required")
        assert (response.status, response.values("upgrade")) == (426, ["websocket"])
        assert response.values("connection") == ["upgrade"]
        assert client.request("/next").status == 200
    with H2Client(gateway.port()) as client2:
        response = client2.request("/required")
        assert (response.status, response.header("upgrade")) == (426, None)


def test_an_upgrade_to_h2c_is_not_passed_on(gateway: Gateway, origin: Origin) -> None:
    """A tunnel for h2c would carry requests past every rule of the gateway."""
    headers = [
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ]
    with gateway.connect() as client:
        seen = Echo.of(client.request("/x", headers=headers))
    assert seen.header("upgrade") is None
    assert seen.header("http2-settings") is None


def test_an_upgrade_to_tls_is_not_passed_on(gateway: Gateway, origin: Origin) -> None:
    """RFC 2817: it is between two neighbours, and the gateway is the next of both."""
    with gateway.connect() as client:
        headers = [("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")]
        assert Echo.of(client.request("/x", headers=headers)).header("upgrade") is None


def test_an_upgrade_in_an_http_1_0_request_is_ignored(gateway: Gateway, origin: Origin) -> None:
    """RFC 9110 §7.8."""
    with gateway.connect() as client:
        client.send("GET /x HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n")
        assert Echo.of(client.read_response()).header("upgrade") is None


def test_an_upgrade_that_its_client_does_not_hear_of_is_given_up(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    """The answer before it fills the way to the client, to the last byte for some of these sizes."""

    async def download(exchange: Exchange) -> None:
        await exchange.respond(200, body=bytes(int(exchange.request.target.partition("?")[2])))

    origin.on("/download", download)
    origin.on("/shout", _shout)
    config = proxy(origin.address)
    local = {"name": "local", "address": f"unix:{tmp_path}/local.sock", "timeouts": {"write": "1s"}}
    config["listeners"].append(local)
    config["routes"][0]["tunnel"] = {"idle": "1s"}
    gateway = start_gateway(config)
    with contextlib.ExitStack() as stack:
        for size in range(100_000, 260_000, 3000):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(f"{tmp_path}/local.sock")
            client.sendall(f"GET /download?{size} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            client.sendall(b"GET /shout HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n")
        eventually(lambda: len(origin.requests) > 54, "upgrades are asked for")

        def in_flight() -> float:
            return gateway.metrics().total("tidegate_upstream_requests_in_flight", upstream="app")

        eventually(lambda: in_flight() == 0, "all of them are given up")
