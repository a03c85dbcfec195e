"""WebSockets from clients of every version of HTTP to endpoints of every version."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from websockets import http11
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from .conftest import Running, StartGateway
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Config, Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.h3client import H3Client
from .harness.h3origin import H3Origin, trusting
from .harness.message import Fields
from .harness.origin import Origin
from .harness.waiting import eventually
from .harness.websocket import Endpoint, Http1Way, StreamWay, WebSocket, echoing

CLIENTS = ["http1", "http2", "http3"]
ENDPOINTS = ["http1", "http2", "http3"]
pytestmark = pytest.mark.usefixtures("origins_are_well")

each_client = pytest.mark.parametrize("client", CLIENTS)
each_pair = pytest.mark.parametrize(("client", "endpoint"), [(c, e) for c in CLIENTS for e in ENDPOINTS])
over_streams = pytest.mark.parametrize("client", CLIENTS[1:])

LARGE = bytes(range(256)) * 4096
"""1 MiB."""


@dataclass
class Origins:
    """An endpoint of each version, which say the same."""

    http1: Origin
    http2: H2Origin
    http3: H3Origin
    talk: Endpoint

    def config(self, authority: Authority, **options: object) -> Config:
        """A gateway with a route to each, by the first segment of the path; `options` are of the routes."""
        config = proxy(self.http1.address, workers=1)
        certificate = authority.issue("localhost", file="websocket").config()
        quic = {"protocols": ["http3"], "tls": {"certificates": [certificate]}}
        config["listeners"].append(listener("quic", **quic))
        config["upstreams"] += [
            upstream("http1", self.http1.address),
            upstream("http2", self.http2.address, protocol="http2"),
            upstream("http3", self.http3.address, **trusting(authority.file)),
        ]
        strip = {"rewrite": {"prefix": "/"}}
        config["routes"] = [
            route(name, f"/{name}", upstream=name, match={"methods": ["GET"]}, **strip, **options)
            for name in ENDPOINTS
        ]
        return config


@pytest.fixture(scope="module")
def origins(authority: Authority) -> Iterator[Origins]:
    files = authority.issue("localhost", file="websocket-origin")
    with (
        Origin() as http1,
        H2Origin(extended_connect=True) as http2,
        H3Origin(files, extended_connect=True) as http3,
    ):
        talk = Endpoint()
        talk.serve_http1(http1)
        talk.serve_streams(http2)
        talk.serve_streams(http3)
        yield Origins(http1, http2, http3, talk)


@pytest.fixture
def origins_are_well(origins: Origins) -> Iterator[None]:
    """Nothing malformed may reach an endpoint."""
    yield
    assert not origins.http1.malformed


@pytest.fixture(scope="module")
def gateway(running: Running, origins: Origins, authority: Authority) -> Iterator[Gateway]:
    config = origins.config(authority)
    config["explain"] = {"sample": 100}
    config["routes"] += [
        route("fixed", "/fixed", respond={"body": "hello"}),
        route("closed", "/closed", upstream="http1", access={"networks": {"deny": ["127.0.0.0/8"]}}),
        route("rest", "/", upstream="http1"),
    ]
    with running(config) as gateway:
        yield gateway


def connected(gateway: Gateway, client: str) -> H2Client | H3Client:
    """A connection that carries streams."""
    return H2Client(gateway.port()) if client == "http2" else H3Client(gateway.port("quic"))


def dial(gateway: Gateway, client: str, path: str, headers: Fields | None = None) -> WebSocket:
    """Ask for a WebSocket."""
    if client == "http1":
        return WebSocket(Http1Way(gateway.port(), path, headers or []))
    return WebSocket(StreamWay(connected(gateway, client), path, headers or []))


def is_open(socket: WebSocket, client: str) -> bool:
    """Whether the handshake succeeded, as the client's version says it."""
    return socket.response.status == (101 if client == "http1" else 200)


@each_pair
def test_messages_of_every_kind_come_back(gateway: Gateway, client: str, endpoint: str) -> None:
    with dial(gateway, client, f"/{endpoint}/echo") as socket:
        assert is_open(socket, client)
        for message in (
            ["hello"],
            [""],
            [b"\x00\xff"],
            [LARGE],
            ["in ", "three ", "parts"],
            [LARGE, b"", LARGE],
        ):
            socket.send(*message)
            assert socket.message() == message
        socket.ping(b"are you there")
        pong = socket.frame()
        assert pong is not None
        assert bytes(pong.data) == b"are you there"
        socket.start_closing()
        assert socket.closed() == 1000
        assert not socket.way.was_reset


@each_client
def test_a_real_server_is_talked_to(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str
) -> None:
    """The server of the `websockets` package."""
    with echoing() as port:
        config = origins.config(authority)
        config["upstreams"][1]["endpoints"] = [f"127.0.0.1:{port}"]
        gateway = start_gateway(config)
        with dial(gateway, client, "/http1") as socket:
            assert is_open(socket, client)
            socket.send("hello")
            assert socket.message() == ["hello"]
            socket.start_closing()
            assert socket.closed() == 1000


@each_pair
def test_the_endpoint_may_close_first(gateway: Gateway, client: str, endpoint: str) -> None:
    with dial(gateway, client, f"/{endpoint}/greet") as socket:
        assert socket.message() == ["hello and good-bye"]
        assert socket.closed() == 1000
        assert not socket.way.was_reset


@each_pair
def test_a_half_that_has_ended_leaves_the_other_open(gateway: Gateway, client: str, endpoint: str) -> None:
    with dial(gateway, client, f"/{endpoint}/late") as socket:
        socket.send("a word")
        socket.way.end()
        assert socket.message() == ["the last word"]
        assert socket.way.read() == b""
        assert not socket.way.was_reset


@each_pair
def test_a_client_that_vanishes_is_noticed_at_the_endpoint(
    gateway: Gateway, origins: Origins, client: str, endpoint: str
) -> None:
    with dial(gateway, client, f"/{endpoint}/echo") as socket:
        socket.send("hello")
        assert socket.message() == ["hello"]
        over = origins.talk.over
        socket.way.vanish()
        eventually(lambda: origins.talk.over > over, "the endpoint notices")


@each_pair
def test_an_endpoint_that_vanishes_is_noticed_at_the_client(
    gateway: Gateway, client: str, endpoint: str
) -> None:
    with dial(gateway, client, f"/{endpoint}/vanish") as socket:
        socket.send("hello")
        assert socket.closed() is None
        assert socket.way.was_reset == (client != "http1")


@each_pair
@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_an_ordinary_answer(gateway: Gateway, client: str, endpoint: str, status: int) -> None:
    with dial(gateway, client, f"/{endpoint}/refuse?{status}") as socket:
        assert (socket.response.status, socket.response.text) == (status, "closed today")
        assert socket.response.header("x-why") == "closed"


@over_streams
@pytest.mark.parametrize("path", ["/http1/refuse?200", "/http1/plain", "/fixed"])
def test_an_answer_that_is_no_websocket_is_not_taken_for_one(
    gateway: Gateway, origins: Origins, client: str, path: str
) -> None:
    """A 2xx to a CONNECT says that the tunnel begins."""
    with dial(gateway, client, path) as socket:
        assert (socket.response.status, "error: not_switched" in socket.response.text) == (502, True)
    with dial(gateway, "http1", path) as socket:
        assert socket.response.status == 200, "over HTTP/1 the status tells it apart"


@over_streams
def test_a_wrong_answer_to_the_key_is_the_endpoints_fault(gateway: Gateway, client: str) -> None:
    with dial(gateway, client, "/http1/wrong") as socket:
        assert (socket.response.status, "error: upstream_protocol" in socket.response.text) == (502, True)


def test_a_client_over_http1_looks_at_the_answer_to_its_key_itself(gateway: Gateway) -> None:
    with dial(gateway, "http1", "/http1/wrong") as socket:
        assert socket.response.status == 101


@each_client
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_handshake_is_complete_in_every_version(
    gateway: Gateway, origins: Origins, client: str, endpoint: str
) -> None:
    with dial(gateway, client, f"/{endpoint}/echo", [("x-a", "1"), ("cookie", "b=2")]) as socket:
        head = dict(socket.response.headers)
        names = {"upgrade", "sec-websocket-accept", "connection"}
        expected = names if client == "http1" else set()
        assert {name.lower() for name in head} & (names | {"content-length", "transfer-encoding"}) == expected
        seen = {name.lower(): value for name, value in origins.talk.heads[-1]}
        assert (seen["x-a"], seen["cookie"], seen["sec-websocket-version"]) == ("1", "b=2", "13")
        assert ("sec-websocket-key" in seen) == (endpoint == "http1")


@each_client
def test_every_step_of_a_request_is_taken(gateway: Gateway, client: str) -> None:
    """It is routed as a GET, and refused as one."""
    with dial(gateway, client, "/closed/echo") as socket:
        assert (socket.response.status, "error: forbidden" in socket.response.text) == (403, True)
    with dial(gateway, client, "/http1/echo", [("x-request-id", f"asked-by-{client}")]) as socket:
        assert is_open(socket, client)
        socket.start_closing()
        assert socket.closed() == 1000
    assert "GET" in eventually(lambda: gateway.says("explain", f"asked-by-{client}"), "it is explained")


def connect(client: H2Client | H3Client, fields: dict[str, str], *more: tuple[str, str]) -> int | None:
    """The status that a CONNECT is answered with; None where its stream is reset or its connection ended."""
    raw = [(f":{name}".encode(), value.encode()) for name, value in fields.items()]
    raw += [(name.encode(), value.encode()) for name, value in more]
    stream = client.begin(raw, end=False)
    response = client.responses[stream]
    client.pump(lambda: bool(response.status) or client.is_over(stream), "it is answered")
    return response.status or None


EXTENDED = {"method": "CONNECT", "scheme": "https", "authority": "localhost", "path": "/http1/echo"}


@over_streams
def test_other_tunnels_are_not_opened(gateway: Gateway, client: str) -> None:
    with connected(gateway, client) as connection:
        assert connect(connection, {"method": "CONNECT", "authority": "localhost:443"}) == 501
        for protocol in ("connect-udp", "webtransport", "h2c"):
            assert connect(connection, EXTENDED | {"protocol": protocol}) == 501
        assert connection.request("/http1/plain").status == 200


@over_streams
@pytest.mark.parametrize(
    "fields",
    [
        EXTENDED | {"method": "GET", "protocol": "websocket"},
        {name: value for name, value in EXTENDED.items() if name != "path"} | {"protocol": "websocket"},
        {name: value for name, value in EXTENDED.items() if name != "scheme"} | {"protocol": "websocket"},
        EXTENDED | {"path": "*", "protocol": "websocket"},
    ],
    ids=["another method", "no path", "no scheme", "no path but an asterisk"],
)
def test_what_is_no_extended_connect_is_malformed(
    gateway: Gateway, client: str, fields: dict[str, str]
) -> None:
    """RFC 8441 §4."""
    with connected(gateway, client) as connection:
        assert connect(connection, fields) in (None, 400)


@over_streams
def test_a_websocket_has_no_length(gateway: Gateway, client: str) -> None:
    """It would go on to the endpoint, which would take what follows for content."""
    with connected(gateway, client) as connection:
        fields = EXTENDED | {"protocol": "websocket"}
        assert connect(connection, fields, ("content-length", "5")) in (None, 400)


# How long it lasts


@each_pair
@pytest.mark.parametrize("limit", ["idle", "max"])
def test_a_tunnel_ends_when_its_time_is_over(
    start_gateway: StartGateway,
    origins: Origins,
    authority: Authority,
    client: str,
    endpoint: str,
    limit: str,
) -> None:
    gateway = start_gateway(origins.config(authority, tunnel={limit: "1s"}))
    with dial(gateway, client, f"/{endpoint}/echo") as socket:
        socket.send("hello")
        assert socket.message() == ["hello"]
        over = origins.talk.over
        assert socket.closed() == 1001
        eventually(lambda: origins.talk.over > over, "the endpoint has learnt of it")


@each_client
@pytest.mark.parametrize("talk", ["silent", "stuck", "flood"])
@pytest.mark.parametrize("limit", ["idle", "max"])
def test_a_client_that_has_ended_its_half_does_not_keep_a_tunnel_open(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str, talk: str, limit: str
) -> None:
    """The endpoint says nothing, or stops within a frame, or says more than the client reads."""
    gateway = start_gateway(origins.config(authority, tunnel={limit: "1s"}))

    def tunnels(which: str) -> float:
        return gateway.metrics().total(f"tidegate_{which}")

    with contextlib.ExitStack() as stack:
        for endpoint in ENDPOINTS:
            socket = stack.enter_context(dial(gateway, client, f"/{endpoint}/{talk}"))
            socket.way.end()
        eventually(lambda: tunnels("tunnels_total") == len(ENDPOINTS), "all tunnels are counted")
        eventually(lambda: tunnels("open_tunnels") == 0, "all tunnels are over")


@each_client
def test_the_idle_time_of_the_upstream_does_not_concern_tunnels(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str
) -> None:
    config = origins.config(authority)
    for each in config["upstreams"]:
        each["timeouts"] = {"idle": "1s"}
    # The one tells when the other has been silent for longer than that.
    config["routes"][0]["tunnel"] = {"idle": "2s"}
    gateway = start_gateway(config)
    with dial(gateway, client, "/http1/echo") as socket, dial(gateway, client, "/http2/echo") as other:
        assert socket.closed() == 1001
        other.send("still here?")
        assert other.message() == ["still here?"]


@each_pair
def test_a_drain_lets_websockets_close(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str, endpoint: str
) -> None:
    config = origins.config(authority) | {"drain_timeout": "1s"}
    gateway = start_gateway(config)
    with dial(gateway, client, f"/{endpoint}/echo") as socket:
        socket.send("hello")
        assert socket.message() == ["hello"]
        gateway.signal(signal.SIGTERM)
        over = origins.talk.over
        assert socket.closed() == 1001
        assert not socket.way.was_reset
        eventually(lambda: origins.talk.over > over, "the endpoint has learnt of it")
    assert gateway.wait() == 0


@each_client
def test_the_close_frame_of_a_drain_stands_between_two_frames(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str
) -> None:
    gateway = start_gateway(origins.config(authority) | {"drain_timeout": "0s"})
    origins.talk.go_on.clear()
    with dial(gateway, client, "/http1/drip") as socket:
        assert socket.way.read()[:2] == b"\x81\x0d"
        gateway.signal(signal.SIGTERM)
        eventually(lambda: "stopping" in gateway.log, "it is told to stop")
        origins.talk.go_on.set()
        rest = b""
        while data := socket.way.read():
            rest += data
    assert gateway.wait() == 0
    # The drain may be a moment later than its word in the log.
    whole = [b"", b"\x81\x0band no more"]
    begun = [b"half and half"[at:] for at in range(14)]
    assert rest in [begin + more + b"\x88\x02\x03\xe9" for begin in begun for more in whole]


@each_pair
def test_a_reload_leaves_tunnels_alone(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str, endpoint: str
) -> None:
    """One of its own route, one that takes its route and its upstream away, and one of others."""
    config = origins.config(authority) | {"drain_timeout": "1s"}
    gateway = start_gateway(config)
    with dial(gateway, client, f"/{endpoint}/echo") as socket:
        for change in ("the route changes", "the route is gone"):
            if change == "the route changes":
                for each in config["routes"]:
                    each["tunnel"] = {"idle": "1s", "max": "1s"}
            else:
                config["routes"] = [route("fixed", "/", respond={"body": "other"})]
                config["upstreams"] = []
            with gateway.next_generation():
                gateway.write(config)
            socket.send(change)
            assert socket.message() == [change]


# What is told of it


@each_pair
def test_tunnels_are_counted_and_logged(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str, endpoint: str
) -> None:
    config = origins.config(authority) | {"access_log": {"path": "stdout"}}
    gateway = start_gateway(config)

    def metric(name: str, **labels: str) -> float:
        return gateway.metrics().total(f"tidegate_{name}", route=endpoint, **labels)

    with dial(gateway, client, f"/{endpoint}/echo", [("x-request-id", "the-tunnel")]) as socket:
        socket.send(LARGE)
        assert socket.message() == [LARGE]
        assert (metric("open_tunnels"), metric("tunnels_total")) == (1, 1)
        for to in ("client", "endpoint"):
            assert len(LARGE) < metric("tunnel_bytes_total", to=to) < len(LARGE) + 1000
        socket.start_closing()
        assert socket.closed() == 1000
    eventually(lambda: metric("open_tunnels") == 0, "it is over")
    assert metric("tunnel_seconds_total") > 0
    assert metric("request_body_bytes_total") == metric("tunnel_bytes_total", to="endpoint")
    assert metric("response_body_bytes_total") == metric("tunnel_bytes_total", to="client")


# Endpoints that take no extended CONNECT


class _Http1Server(asyncio.Protocol):
    """A WebSocket server over HTTP/1, where ALPN has chosen that; it echoes text."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server = ServerProtocol()

    def data_received(self, data: bytes) -> None:
        self._server.receive_data(data)
        for event in self._server.events_received():
            if isinstance(event, http11.Request):
                self._server.send_response(self._server.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._server.send_text(event.data)
        for answer in self._server.data_to_send():
            self._transport.write(answer)


@pytest.fixture
def picky(authority: Authority) -> Iterator[Callable[[bool], H2Origin]]:
    tls = authority.server(authority.issue("127.0.0.1", file="websocket-either"), "h2", "http/1.1")
    begun: list[H2Origin] = []

    def begin(extended_connect: bool) -> H2Origin:
        server = H2Origin(tls=tls, http1=_Http1Server, extended_connect=extended_connect)
        Endpoint().serve_streams(server)
        begun.append(server)
        return server

    yield begin
    for server in begun:
        server.__exit__()


@each_client
@pytest.mark.parametrize("extended_connect", [True, False])
def test_an_endpoint_is_asked_as_its_settings_allow(
    start_gateway: StartGateway,
    origins: Origins,
    authority: Authority,
    picky: Callable[[bool], H2Origin],
    client: str,
    extended_connect: bool,
) -> None:
    server = picky(extended_connect)
    config = origins.config(authority)
    tls = {"ca": str(authority.file)}
    config["upstreams"][1] = upstream("http1", server.address, tls=tls)
    gateway = start_gateway(config)
    for _ in range(2):
        with dial(gateway, client, "/http1/echo") as socket:
            assert is_open(socket, client)
            socket.send("hello")
            assert socket.message() == ["hello"]
    assert server.accepted == (1 if extended_connect else 3), "one for all streams, and one for each upgrade"


@each_client
@pytest.mark.parametrize("endpoint", ENDPOINTS[1:])
def test_an_upstream_that_speaks_no_http1_is_not_asked_otherwise(
    start_gateway: StartGateway, origins: Origins, authority: Authority, client: str, endpoint: str
) -> None:
    """Nor does it speak against an endpoint that it takes no extended CONNECT."""
    files = authority.issue("localhost", file="websocket-old")
    with H2Origin() if endpoint == "http2" else H3Origin(files) as server:
        config = origins.config(authority)
        config["upstreams"][ENDPOINTS.index(endpoint) + 1]["endpoints"] = [server.address]
        gateway = start_gateway(config)
        for _ in range(10):
            with dial(gateway, client, f"/{endpoint}/echo") as socket:
                assert (socket.response.status, "error: not_switched" in socket.response.text) == (502, True)
        assert server.accepted == 1
        assert not server.streams
        assert gateway.metrics().total("tidegate_health_changes_total", upstream=endpoint) == 0
