"""HTTP/3 to endpoints: by `protocol: http3`, and once an endpoint has announced it.

What it has in common with HTTP/2 is in test_http2, test_retries and wherever a test is of both; messages are
in test_messages.
"""

import asyncio
import hashlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aioquic.buffer import encode_uint_var
from aioquic.quic.packet import QuicProtocolVersion

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h3client import DATA, GOAWAY, HEADERS, SETTINGS, H3Client, encode, frame
from .harness.h3origin import NO_ERROR, H3Origin, H3Stream, trusting
from .harness.message import Echo, Response
from .harness.multiplexed_origin import Stream
from .harness.origin import Exchange, Origin
from .harness.ports import free_port
from .harness.waiting import eventually

LARGE = bytes(range(256)) * 40_000
"""Ten megabytes, which is more than all windows and buffers hold."""


def to(origin: H3Origin, authority: Authority, **options: Any) -> dict[str, Any]:
    """A gateway in front of an origin."""
    config = proxy(origin.address, workers=1)
    config["upstreams"][0].update(trusting(authority.file), **options)
    return config


def endpoint(gateway: Gateway) -> Any:
    """How the one endpoint is."""
    return gateway.admin.get("/v1/upstreams").raise_for_status().json()[0]["endpoints"][0]


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


# Endpoints that come and go


def test_an_endpoint_that_died_and_came_back_is_used_again(
    start_gateway: StartGateway, authority: Authority
) -> None:
    """It died without a word: nothing but its silence tells."""
    files = authority.issue("localhost", file="dies")
    with H3Origin(files, "first") as first:
        config = to(first, authority, timeouts={"idle": "1s", "connect": "1s"})
        config["upstreams"][0]["health"] = {"outlier": {"connect_failures": 100}}
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert Echo.of(client.request("/x")).origin == "first"
            first.vanish()
            with H3Origin(files, "second", port=first.port):
                assert Echo.of(client.request("/x")).origin == "second"


def test_an_endpoint_that_says_goodbye_is_connected_to_again(gateway: Gateway, h3_origin: H3Origin) -> None:
    async def leave(stream: Stream) -> None:
        stream.send_headers(200, end=True)

    h3_origin.on("/leave", leave)
    with gateway.connect() as client:
        assert client.request("/leave").status == 200
        before = h3_origin.accepted
        h3_origin.call(h3_origin.streams[-1].close)
        eventually(lambda: not endpoint(gateway)["connections"], "the goodbye arrives")
        for _ in range(3):
            assert Echo.of(client.request("/pay", method="POST", body=b"x")).length == 1
        assert h3_origin.accepted == before + 1


def test_an_ordinary_end_of_a_connection_is_no_breach(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    config = to(h3_origin, authority)
    tls = {"certificates": [authority.issue("localhost", file="ordinary").config()]}
    config["listeners"].append(listener("quic", protocols=["http3"], tls=tls))
    gateway = start_gateway(config)
    gateway.admin.put("/v1/log", json={"level": "debug"}).raise_for_status()
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/x").status == 200
    h3_origin.call(h3_origin.streams[-1].close)
    eventually(lambda: "HTTP/3 connection to an endpoint ended" in gateway.log, "it has ended")
    gateway.stop()
    assert "breaks HTTP/3" not in gateway.log


def test_endpoints_are_told_when_the_gateway_ends(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    async def check(stream: Stream) -> None:
        stream.send_headers(200, end=True)

    h3_origin.on("/healthz", check)
    health = {"http": {"path": "/healthz"}, "interval": "50ms", "initial": "unhealthy", "rise": 1}
    gateway, before = start_gateway(to(h3_origin, authority, health=health)), len(h3_origin.ended)
    with gateway.connect() as client:
        eventually(lambda: client.request("/x").status == 200, "a check passes")
    gateway.stop()
    eventually(lambda: h3_origin.ended[before:] == [NO_ERROR] * 2, "worker and checker say goodbye")


def test_an_endpoint_that_speaks_another_version_of_quic_alone_is_not_waited_for(
    start_gateway: StartGateway, authority: Authority
) -> None:
    """It says so (RFC 9000 §6), and nothing else of HTTP/3 can be tried."""
    files = authority.issue("localhost", file="v2")
    with H3Origin(files, versions=(QuicProtocolVersion.VERSION_2,)) as origin:
        config = to(origin, authority, timeouts={"connect": "60s"})
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert client.request("/x").status == 502
        assert gateway.metrics().total("tidegate_errors_total", error="connect_failed") == 1


def test_an_endpoint_that_cannot_be_trusted_gets_no_request(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    config = to(h3_origin, authority)
    config["upstreams"][0]["tls"] = {"ca": str(authority.file), "server_name": "other.example"}
    gateway = start_gateway(config)
    before = len(h3_origin.streams)
    with gateway.connect() as client:
        assert client.request("/x").status == 502
    assert gateway.metrics().total("tidegate_errors_total", error="upstream_tls") == 1
    assert len(h3_origin.streams) == before
    assert "TLS with the endpoint does not come about" in gateway.log and "not valid for name" in gateway.log


def test_checks_go_by_http3_too(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    statuses = {"now": 200}

    async def check(stream: Stream) -> None:
        stream.send_headers(statuses["now"], end=True)

    h3_origin.on("/healthz", check)
    health = {"http": {"path": "/healthz"}, "interval": "50ms", "interval_down": "50ms", "rise": 1, "fall": 1}
    gateway = start_gateway(to(h3_origin, authority, health={**health, "initial": "unhealthy"}))

    eventually(lambda: endpoint(gateway)["state"] == "healthy", "a check passes")
    statuses["now"] = 503
    eventually(lambda: endpoint(gateway)["state"] == "unhealthy", "a check fails")


# HTTP/3 that is announced


class Announcing:
    """An endpoint over TCP that announces HTTP/3 on a port of UDP."""

    def __init__(self, authority: Authority, port: int) -> None:
        tls = authority.server(authority.issue("localhost", file="announcing"))
        self.origin = Origin("tcp", tls=tls)
        self.origin.on_every_path(
            answers.fixed(headers=[("Alt-Svc", f'h3=":{port}"; ma=3600')], body=b"over TCP")
        )

    def config(self, authority: Authority, **options: Any) -> dict[str, Any]:
        """A gateway in front of it."""
        config = proxy(self.origin.address, workers=1)
        tls = {"ca": str(authority.file), "server_name": "localhost"}
        config["upstreams"][0].update(tls=tls, http3=True, **options)
        return config


@pytest.fixture
def announcing(authority: Authority) -> Iterator[Callable[[int], Announcing]]:
    made: list[Announcing] = []

    def make(port: int) -> Announcing:
        made.append(Announcing(authority, port))
        return made[-1]

    yield make
    for each in made:
        each.origin.stop()


def standing(gateway: Gateway) -> Any:
    """What is known of the endpoint's HTTP/3."""
    return endpoint(gateway)["http3"]


def test_http3_is_used_once_it_is_announced(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    h3_origin: H3Origin,
    authority: Authority,
) -> None:
    announcer = announcing(h3_origin.port)
    gateway = start_gateway(announcer.config(authority))
    assert standing(gateway) is None
    with gateway.connect() as client:
        response = client.request("/x")
        assert (response.text, response.header("alt-svc")) == ("over TCP", None)
        eventually(lambda: client.request("/x").header("x-origin") == "h3-origin", "HTTP/3 is used")
        assert Echo.of(client.request("/y")).version == "HTTP/3"
    known = standing(gateway)
    assert (known["port"], known["failures"], known["rests_seconds"]) == (h3_origin.port, 0, 0)
    assert 3500 < known["holds_seconds"] <= 3600
    assert gateway.metrics().total("tidegate_endpoint_connects_total") == 2, "one over TCP, and one over QUIC"


def test_http3_is_not_used_where_it_is_not_asked_for(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    h3_origin: H3Origin,
    authority: Authority,
) -> None:
    config = announcing(h3_origin.port).config(authority)
    del config["upstreams"][0]["http3"]
    gateway, before = start_gateway(config), h3_origin.accepted
    with gateway.connect() as client:
        assert {client.request("/x").text for _ in range(20)} == {"over TCP"}
    assert (standing(gateway), h3_origin.accepted) == (None, before)


@pytest.mark.parametrize("idle", [True, False], ids=["with a connection", "without a connection"])
def test_udp_that_is_blocked_costs_its_head_start_once(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    authority: Authority,
    idle: bool,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as blocked:
        blocked.bind(("127.0.0.1", 0))
        announcer = announcing(blocked.getsockname()[1])
        config = announcer.config(authority, timeouts={"connect": "1s"}, pool={"max_idle": int(idle)})
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert {client.request("/x").text for _ in range(3)} == {"over TCP"}
            eventually(lambda: standing(gateway)["failures"] == 1, "the failure is known")
            assert 0 < standing(gateway)["rests_seconds"] <= 60
            blocked.settimeout(2)  # the last packets of the try are on their way still
            packets = 0
            while True:
                try:
                    blocked.recv(2_000)
                except TimeoutError:
                    break
                packets += 1
            assert packets
            blocked.setblocking(False)
            assert {client.request("/x").text for _ in range(20)} == {"over TCP"}
            with pytest.raises(BlockingIOError):
                blocked.recv(2_000)
        assert standing(gateway)["failures"] == 1
        assert gateway.metrics().total("tidegate_endpoint_connect_failures_total") == 1


def test_http3_alone_serves_where_tcp_has_gone(
    announcing: Callable[[int], Announcing],
    start_gateway: StartGateway,
    h3_origin: H3Origin,
    authority: Authority,
) -> None:
    announcer = announcing(h3_origin.port)
    gateway = start_gateway(announcer.config(authority, pool={"max_idle": 0}))
    with gateway.connect() as client:
        eventually(lambda: client.request("/x").header("x-origin") == "h3-origin", "HTTP/3 is used")
        announcer.origin.stop()
        h3_origin.call(h3_origin.streams[-1].close)
        assert {client.request("/x").header("x-origin") for _ in range(3)} == {"h3-origin"}


def test_a_gateway_behind_another_is_found_to_speak_http3(
    running: Running, module_origin: Origin, authority: Authority
) -> None:
    certificate = authority.issue("localhost", file="found").config()
    back = proxy(module_origin.address)
    back["listeners"] = [
        listener("web", protocols=["http1", "http2", "http3"], tls={"certificates": [certificate]})
    ]
    with running(back) as behind:
        front = proxy(f"localhost:{behind.port()}", workers=1)
        front["upstreams"][0].update(tls={"ca": str(authority.file)}, http3=True)
        with running(front) as gateway, gateway.connect() as client:

            def way() -> str:
                return Echo.of(client.request("/x")).header("via") or ""

            assert [each.split()[0] for each in way().split(", ")] == ["1.1", "2.0"]
            eventually(lambda: [each.split()[0] for each in way().split(", ")] == ["1.1", "3.0"], "HTTP/3")


# Another server


@pytest.fixture
def caddy(tmp_path: Path, authority: Authority) -> Iterator[int]:
    """Caddy, which answers with the protocol, over HTTP/3; its port."""
    command = shutil.which("caddy")
    if command is None:
        pytest.skip("caddy is not installed (Debian: caddy)")
    port, files = free_port(), authority.issue("localhost", file="caddy")
    config = tmp_path / "Caddyfile"
    config.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"https://localhost:{port} {{\n tls {files.cert} {files.key}\n"
        f" handle /large {{\n  root * {tmp_path}\n  file_server\n }}\n"
        ' handle {\n  respond "{http.request.proto} {http.request.method}"\n }\n}\n'
    )
    (tmp_path / "large").write_bytes(LARGE)
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    with (tmp_path / "caddy.log").open("wb") as log:
        server = subprocess.Popen(
            [command, "run", "--config", str(config), "--adapter", "caddyfile"],
            stdout=log,
            stderr=log,
            env=env,
        )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens, "caddy listens")
        yield port
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("options", [{"protocol": "http3"}, {"http3": True}], ids=["http3", "auto"])
def test_caddy_is_spoken_to_by_http3(
    start_gateway: StartGateway, authority: Authority, caddy: int, options: dict[str, Any]
) -> None:
    config = proxy(f"127.0.0.1:{caddy}", workers=1)
    tls = {"ca": str(authority.file), "server_name": "localhost"}
    config["upstreams"][0].update(tls=tls, **options)
    config["routes"] = [route("all", "/", rewrite={"host": f"localhost:{caddy}"})]
    gateway = start_gateway(config)
    with gateway.connect(deadline=60) as client:
        eventually(lambda: client.request("/x").text == "HTTP/3.0 GET", "HTTP/3 is used")
        assert client.request("/x", method="POST", body=b"x").text == "HTTP/3.0 POST"
        assert client.request("/large").body == LARGE


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
