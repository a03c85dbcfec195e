"""Retries: what is sent again, where to, how often, and what is not."""

import hashlib
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Running, Spoken, StartGateway
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin, H2Stream
from .harness.load import Load
from .harness.message import Echo
from .harness.multiplexed_origin import Stream
from .harness.origin import Exchange, Handler, Origin
from .harness.ports import free_port
from .harness.waiting import eventually

FORGIVING = {"percent": 100, "minimum": 1000}
"""A retry budget that is no limit, for tests of other things."""
PATIENT = {"outlier": {"connect_failures": 1000, "gateway_errors": None, "success_rate": None}}
"""Health that learns nothing from failures, which would keep requests from where a test wants them."""

LENIENT = {"retry_budget": FORGIVING, "health": PATIENT}


@pytest.fixture(scope="module")
def good() -> Iterator[Origin]:
    """An origin without faults."""
    with Origin("good") as server:
        yield server


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, good: Origin) -> Iterator[Gateway]:
    """Half of the first tries go to an origin that the tests script, half to a good one."""
    pair = [module_origin.address, good.address]
    config = proxy(*pair)
    config["upstreams"][0].update(balance="round_robin", **LENIENT)
    config["upstreams"] += [
        upstream("alone", module_origin.address, **LENIENT),
        upstream("half-gone", f"127.0.0.1:{free_port()}", good.address, **LENIENT),
    ]
    strip = {"prefix": "/"}
    config["routes"] += [
        route("never", "/never", rewrite=strip, retry={"attempts": 1}),
        route("named", "/named", rewrite=strip, retry={"statuses": [429, 500], "methods": ["POST"]}),
        route("hasty", "/hasty", rewrite=strip, retry={"per_try_timeout": "200ms"}),
        route("small", "/small", rewrite=strip, retry={"buffer": "1KiB"}),
        route("only", "/only", rewrite=strip, retry={"on": ["connect_failure"]}),
        route("alone", "/alone", rewrite=strip, upstream="alone"),
        route("once", "/once", rewrite=strip, upstream="alone", retry={"attempts": 1}),
        route("soon", "/soon", rewrite=strip, upstream="alone", timeout="500ms"),
        route("gone", "/gone", rewrite=strip, upstream="half-gone"),
    ]
    with running(config) as gateway:
        yield gateway


def retries(gateway: Gateway, **labels: str) -> float:
    return gateway.metrics().total("tidegate_upstream_retries_total", **labels)


FAULTS: dict[str, tuple[Handler, str]] = {
    "a reset": (answers.reset(), "reset"),
    "a close": (answers.raw(b"", close=True), "reset"),
    "an answer that is none": (answers.raw(b"SSH-2.0-x\r\n\r\n", close=True), "reset"),
    "status 502": (answers.fixed(502, body=b"no"), "gateway_error"),
    "status 503": (answers.fixed(503, body=b"no"), "gateway_error"),
    "status 504": (answers.fixed(504, body=b"no"), "gateway_error"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_idempotent_request_is_answered_by_another_endpoint(
    gateway: Gateway, origin: Origin, good: Origin, name: str
) -> None:
    handler, reason = FAULTS[name]
    origin.on("/fault", handler)
    before = retries(gateway, upstream="app", reason=reason)
    with gateway.connect() as client:
        for method in ("GET", "PUT", "DELETE", "GET"):
            body = b"content" if method == "PUT" else b""
            assert client.request("/fault", method=method, body=body).header("x-origin") == "good"
    assert origin.requests, "the bad one was asked too"
    assert retries(gateway, upstream="app", reason=reason) - before == len(origin.requests)


@pytest.mark.parametrize("name", FAULTS)
def test_a_request_that_may_have_been_carried_out_is_not_repeated(
    gateway: Gateway, origin: Origin, good: Origin, name: str
) -> None:
    origin.on("/fault", FAULTS[name][0])
    good.forget()
    with gateway.connect() as client:
        statuses = [client.request("/fault", method="POST", body=b"pay 100").status for _ in range(4)]
    posts = [r for r in (*origin.requests, *good.requests) if r.method == "POST"]
    assert len(posts) == 4
    assert sum(status >= 500 for status in statuses) == len(origin.requests) > 0


def test_a_post_is_sent_elsewhere_where_no_connection_came_about(gateway: Gateway) -> None:
    with gateway.connect() as client:
        for _ in range(4):
            echo = Echo.of(client.request("/gone", method="POST", body=b"pay 100"))
            assert (echo.origin, echo.length) == ("good", 7)


def test_what_the_route_does_not_name_is_not_repeated(gateway: Gateway, origin: Origin) -> None:
    origin.on("/fault", answers.fixed(503, [("X-Why", "mine")], b"no"))
    with gateway.connect() as client:
        for path in ("/never/fault", "/only/fault"):
            seen = [client.request(path) for _ in range(4)]
            assert any((r.status, r.header("x-why"), r.body) == (503, "mine", b"no") for r in seen)


def test_named_statuses_and_methods_are_repeated(gateway: Gateway, origin: Origin) -> None:
    origin.on("/fault", answers.fixed(429))
    with gateway.connect() as client:
        for _ in range(4):
            assert client.request("/named/fault", method="POST", body=b"x").status == 200
        assert {client.request("/named/fault").status for _ in range(4)} == {200, 429}


def test_a_try_that_takes_too_long_is_repeated_elsewhere(gateway: Gateway, origin: Origin) -> None:
    origin.on("/fault", answers.hang())
    with gateway.connect() as client:
        for _ in range(4):
            assert client.request("/hasty/fault").header("x-origin") == "good"
    assert origin.requests


def test_no_endpoint_is_tried_twice_while_another_is_left(
    start_gateway: StartGateway, origin: Origin
) -> None:
    others = [Origin(f"bad-{i}") for i in range(3)]
    everyone = [origin, *others]
    for server in everyone:
        server.on("/fault", answers.fixed(503))
    config = proxy(*(server.address for server in everyone))
    config["upstreams"][0].update(LENIENT)
    config["routes"][0]["retry"] = {"attempts": 4}
    gateway = start_gateway(config)
    with gateway.connect() as client:
        for count in range(1, 11):
            assert client.request("/fault").status == 503
            assert [len(server.requests) for server in everyone] == [count] * 4
    for server in others:
        server.stop()


def test_the_only_endpoint_is_tried_again(gateway: Gateway, origin: Origin) -> None:
    async def works_at_third(exchange: Exchange) -> None:
        await exchange.respond(200 if len(origin.requests) == 3 else 503)

    origin.on("/moody", works_at_third)
    with gateway.connect() as client:
        assert client.request("/alone/moody").status == 200
    assert len(origin.requests) == 3


def test_an_interim_response_shows_that_the_request_was_taken(gateway: Gateway, origin: Origin) -> None:
    """A used connection that is closed without a word may have been idle for too long; this one was not."""
    origin.on("/hint", answers.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", close=True))
    with gateway.connect() as client:
        assert client.request("/once/warm").status == 200
        assert client.request("/once/hint").status == 502
    assert [(request.target, request.connection) for request in origin.requests] == [
        ("/warm", origin.requests[0].connection),
        ("/hint", origin.requests[0].connection),
    ]


def test_the_answer_says_how_often_it_was_tried(gateway: Gateway, origin: Origin) -> None:
    origin.on("/fault", answers.reset())
    with gateway.connect() as client:
        response = client.request("/alone/fault")
        assert response.status == 502
        assert 'details="3 tries"' in (response.header("proxy-status") or "")
        response = client.request("/alone/fault", method="POST", body=b"x")
        assert "details" not in (response.header("proxy-status") or "")


# Retry-After


@pytest.mark.parametrize(("asked", "tries"), [("0", 3), ("60", 1), ("Sun, 06 Nov 1994 08:49:37 GMT", 3)])
def test_retry_after_decides_whether_there_is_another_try(
    gateway: Gateway, origin: Origin, asked: str, tries: int
) -> None:
    origin.on("/busy", answers.fixed(503, [("Retry-After", asked)]))
    with gateway.connect() as client:
        response = client.request("/alone/busy")
    assert (response.status, response.header("retry-after")) == (503, asked)
    assert len(origin.requests) == tries


def test_a_retry_after_beyond_the_deadline_ends_retrying(gateway: Gateway, origin: Origin) -> None:
    origin.on("/busy", answers.fixed(503, [("Retry-After", "1")]))
    with gateway.connect() as client:
        assert client.request("/soon/busy").status == 503
    assert len(origin.requests) == 1


# Bodies


async def read_then_fail(exchange: Exchange) -> None:
    await exchange.discard_body()
    exchange.reset()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_was_sent_is_sent_again(gateway: Gateway, origin: Origin, chunked: bool) -> None:
    origin.on("/upload", read_then_fail)
    body = bytes(range(256)) * 200
    headers = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")] if chunked else []
    wire = b"%x\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(body), body) if chunked else body
    with gateway.connect() as client:
        for _ in range(4):
            echo = Echo.of(client.request("/upload", method="PUT", headers=headers, body=wire))
            assert (echo.origin, echo.sha256) == ("good", hashlib.sha256(body).hexdigest())
            assert echo.trailers == ([("x-sum", "1")] if chunked else [])
    assert [r.length for r in origin.requests] == [len(body)] * len(origin.requests) != []


def test_a_body_beyond_the_buffer_is_not_sent_again(gateway: Gateway, origin: Origin) -> None:
    origin.on("/upload", read_then_fail)
    with gateway.connect() as client:
        statuses = [
            client.request("/small/upload", method="PUT", body=b"x" * 100_000).status for _ in range(4)
        ]
    assert sorted(set(statuses)) == [200, 502]


def test_a_body_that_is_still_coming_is_sent_on_to_the_next_endpoint(
    gateway: Gateway, origin: Origin, good: Origin
) -> None:
    """The first endpoint fails after half of the body; the client sends the rest only then."""

    async def fail_at_once(exchange: Exchange) -> None:
        await exchange.reader.readexactly(5)
        exchange.reset()

    origin.on("/upload", fail_at_once)
    good.forget()
    for _ in range(2):
        with gateway.connect() as client:
            client.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
            good.wait(lambda: any(r.target == "/upload" for r in good.requests), "the request goes on")
            client.send("world")
            echo = Echo.of(client.read_response())
            assert echo.sha256 == hashlib.sha256(b"helloworld").hexdigest()
            good.forget()
    assert origin.requests


def test_a_long_body_passes_with_little_memory(gateway: Gateway, origin: Origin) -> None:
    body = b"x" * 64_000_000
    before = gateway.rss()
    with gateway.connect() as client:
        assert Echo.of(client.request("/big", method="PUT", body=body)).length == len(body)
    assert gateway.rss() - before < 32_000_000


# HTTP/2 and gRPC upstreams


def test_a_refused_stream_is_sent_again_whatever_the_method(
    start_gateway: StartGateway, spoken: Spoken
) -> None:
    async def refuse(stream: Stream) -> None:
        await stream.complete.wait()
        stream.refuse()

    with spoken.origin("one") as one, spoken.origin("other") as other:
        one.on("/refused", refuse)
        config = proxy(one.address, other.address)
        config["upstreams"][0].update(balance="round_robin", **spoken.options, **LENIENT)
        gateway = start_gateway(config)
        with gateway.connect() as client:
            for _ in range(6):
                echo = Echo.of(client.request("/refused", method="POST", body=b"pay 100"))
                assert (echo.origin, echo.length) == ("other", 7)
        assert retries(gateway, reason="refused_stream") > 0


def test_a_refused_stream_is_not_sent_again_where_there_is_one_attempt(
    start_gateway: StartGateway, spoken: Spoken
) -> None:
    async def refuse(stream: Stream) -> None:
        await stream.complete.wait()
        stream.refuse()

    with spoken.origin("one") as one:
        one.on("/refused", refuse)
        config = proxy(one.address)
        config["upstreams"][0].update(**spoken.options, **LENIENT)
        config["routes"][0]["retry"] = {"attempts": 1}
        gateway = start_gateway(config)
        with gateway.connect() as client:
            statuses = [client.request("/refused", method=method).status for method in ("GET", "POST")]
        assert (statuses, len(one.streams)) == ([502, 502], 2)


def test_a_session_that_was_told_to_go_away_gets_no_new_request(
    start_gateway: StartGateway, spoken: Spoken
) -> None:
    async def leave(stream: Stream) -> None:
        stream.send_goaway()
        stream.send_headers(200)
        await stream.complete.wait()
        await stream.send_data(bytes(stream.body), end=True)

    with spoken.origin("one") as one:
        one.on("/leave", leave)
        config = proxy(one.address, workers=1)
        config["upstreams"][0].update(**spoken.options, **LENIENT)
        config["routes"][0]["retry"] = {"attempts": 1}
        gateway = start_gateway(config)
        with H2Client(gateway.port()) as client:
            held = client.send_request("/leave", method="POST", end=False)
            client.pump(lambda: client.responses[held].status == 200, "the head of the first response comes")
            for _ in range(3):
                assert Echo.of(client.request("/pay", method="POST", body=b"pay 100")).length == 7
            client.send_body(held, b"the rest")
            assert client.wait(held).body == b"the rest"
        assert one.accepted == 2


def test_requests_that_come_too_late_for_a_session_are_sent_again_whatever_the_method(
    start_gateway: StartGateway, spoken: Spoken
) -> None:
    """What a GOAWAY does not name was not carried out (RFC 9113 §6.8, RFC 9114 §5.2)."""
    late: list[Stream] = []

    async def pay(stream: Stream) -> None:
        late.append(stream)
        if len(late) == 1:
            first.send_goaway()
            await stream.reset_by_peer.wait()
        else:
            stream.send_headers(200, end=True)

    with spoken.origin("one") as one:
        one.on("/pay", pay)
        config = proxy(one.address, workers=1)
        config["upstreams"][0].update(**spoken.options, **LENIENT)
        gateway = start_gateway(config)
        with H2Client(gateway.port()) as client:
            assert client.request("/x").status == 200
            first = one.streams[0]
            assert client.request("/pay", method="POST", body=b"pay 100").status == 200
        assert (len(late), one.accepted) == (2, 2)


def test_a_post_that_an_endpoint_took_is_not_sent_again_when_it_breaks_the_protocol(
    start_gateway: StartGateway,
) -> None:
    """The gateway's own GOAWAY ends the stream; that is no word of the endpoint that it did nothing."""

    async def break_off(stream: Stream) -> None:
        await stream.complete.wait()
        assert isinstance(stream, H2Stream)
        stream.send_raw(b"\0\0\1\0\0\0\0\0\0x")  # DATA of no stream

    with H2Origin("one") as one, H2Origin("two") as two:
        for origin in (one, two):
            origin.on("/pay", break_off)
        config = proxy(one.address, two.address)
        config["upstreams"][0].update(protocol="http2", **LENIENT)
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert client.request("/pay", method="POST", body=b"pay 100").status == 502
        assert len(one.streams) + len(two.streams) == 1


def test_named_grpc_statuses_are_repeated(start_gateway: StartGateway, spoken: Spoken) -> None:
    async def unavailable(stream: Stream) -> None:
        await stream.complete.wait()
        stream.send_headers(200, [("content-type", "application/grpc"), ("grpc-status", "14")], end=True)

    with spoken.origin("one") as one, spoken.origin("other") as other:
        one.on("/call", unavailable)
        other.on("/call", other.handlers["/grpc"])
        config = proxy(one.address, other.address)
        config["upstreams"][0].update(balance="round_robin", **spoken.options, **LENIENT)
        config["routes"][0]["retry"] = {"grpc": ["unavailable"]}
        gateway = start_gateway(config)
        with H2Client(gateway.port()) as client:
            for _ in range(6):
                headers = [("content-type", "application/grpc"), ("te", "trailers")]
                response = client.request("/call", method="POST", headers=headers, body=b"message")
                assert response.body == b"message"
                assert ("grpc-status", "0") in response.trailers
        assert retries(gateway, reason="grpc") > 0


# The budget


def test_a_dead_service_sees_its_load_and_a_fifth_more(start_gateway: StartGateway, origin: Origin) -> None:
    origin.on("/dead", answers.fixed(503))
    config = proxy(origin.address)
    config["upstreams"][0]["retry_budget"] = {"minimum": 0}
    config["routes"][0]["retry"] = {"backoff": {"base": 0, "max": 0}}
    gateway = start_gateway(config)
    with gateway.connect() as client:
        for _ in range(1000):
            assert client.request("/dead").status == 503
    assert 1100 <= len(origin.requests) <= 1200
    denied = gateway.metrics().total("tidegate_upstream_retries_denied_total", upstream="app")
    assert denied > 0


def test_a_reload_does_not_fill_the_budget_up(start_gateway: StartGateway, origin: Origin) -> None:
    origin.on("/dead", answers.fixed(503))
    config = proxy(origin.address)
    config["upstreams"][0]["retry_budget"] = {"minimum": 0.5}
    gateway = start_gateway(config)
    with gateway.connect() as client:
        for _ in range(10):
            client.request("/dead")
        spent = len(origin.requests)
        config["upstreams"][0]["timeouts"] = {"connect": "4s"}
        with gateway.next_generation():
            gateway.write(gateway.config | {"upstreams": config["upstreams"]})
        origin.forget()
        for _ in range(3):
            client.request("/dead")
    assert spent > 10, "there was a budget at first"
    assert len(origin.requests) <= 3 + 3, "and it was not filled up again"


# Endpoints that die under load


SERVER = """
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write a response: a process that ends between two has sent half of it
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        def log_message(self, *args): pass
    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 256
        allow_reuse_address = True
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    print("ready", flush=True)
    server.serve_forever()
"""


class Server:
    """A process that serves; the test ends and starts it."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [sys.executable, str(self._script), str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def restart(self) -> None:
        """Start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it, whatever its state."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    """Three processes that serve."""
    script = tmp_path / "server.py"
    script.write_text(textwrap.dedent(SERVER))
    started = [Server(script) for _ in range(3)]
    yield started
    for server in started:
        server.stop()


def wait_for_health(gateway: Gateway, server: Server, available: int) -> None:
    """Wait until the gateway has found out how a server is."""
    eventually(
        lambda: gateway.metrics().total("tidegate_endpoint_available", endpoint=server.address) == available,
        f"{server.address} is found to be {'up' if available else 'down'}",
        20,
    )


CHECKED = {"http": {"path": "/"}, "interval": "200ms", "timeout": "500ms", "rise": 1, "fall": 2}
"""Health checks that notice soon."""


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_no_get_fails_when_an_endpoint_dies_under_load(
    start_gateway: StartGateway, servers: list[Server], fault: signal.Signals
) -> None:
    config = proxy(*(server.address for server in servers))
    config["upstreams"][0]["health"] = CHECKED
    gateway = start_gateway(config)
    victim = servers[0]
    with Load(gateway.port(), connections=8) as load:
        load.wait_for(50)
        victim.signal(fault)
        wait_for_health(gateway, victim, 0)
        load.wait_for(100)
    assert load.failures == []


def test_no_get_fails_in_a_rolling_restart(start_gateway: StartGateway, servers: list[Server]) -> None:
    config = proxy(*(server.address for server in servers))
    config["upstreams"][0]["health"] = CHECKED
    gateway = start_gateway(config)
    with Load(gateway.port(), connections=8) as load:
        for server in servers:
            load.wait_for(20)
            server.signal(signal.SIGTERM)
            wait_for_health(gateway, server, 0)
            server.restart()
            wait_for_health(gateway, server, 1)
        load.wait_for(20)
    assert load.failures == []


def test_no_get_fails_when_an_endpoint_answers_errors(
    start_gateway: StartGateway, servers: list[Server], origin: Origin
) -> None:
    origin.on_every_path(answers.fixed(503))
    gateway = start_gateway(proxy(*(server.address for server in servers), origin.address))
    with Load(gateway.port(), connections=8) as load:
        load.wait_for(100)
    assert load.failures == []
    assert origin.requests
