"""What a client may cost: each limit has its own answer, and who keeps within it notices nothing."""

import contextlib
from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import listener, proxy, route
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2frames import FrameClient, get
from .harness.message import Echo, Response
from .harness.origin import Origin
from .harness.raw import ClosedError, RawClient
from .harness.waiting import eventually


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["listeners"] += [
        listener("small-head", limits={"header_bytes": "4KiB", "header_count": 10, "uri_length": 200}),
        listener("few", limits={"connections": 5}),
        listener("few-each", limits={"connections_per_client": 3}),
        listener("few-streams", limits={"streams": 4}),
        listener("slow-head", timeouts={"header_read": "500ms"}),
        listener("slow-body", timeouts={"request_body": "500ms"}),
        listener("idle", timeouts={"idle": "500ms"}),
        listener("slow-reader", timeouts={"write": "500ms"}),
        listener("silent", timeouts={"handshake": "500ms"}),
    ]
    config["routes"].append(route("small-body", "/small", limits={"body": 1000}))
    with running(config) as gateway:
        yield gateway


def fails(response: Response, status: int) -> None:
    """The gateway itself answers with this status and says why."""
    assert response.status == status
    assert not response.from_origin
    assert "error=" in (response.header("proxy-status") or "")


# The head


def test_a_head_within_the_limits_passes(gateway: Gateway, origin: Origin) -> None:
    headers = [(f"X-{i}", "a" * 300) for i in range(9)]
    with gateway.connect("small-head") as client:
        assert Echo.of(client.request("/" + "a" * 199, headers=headers)).header("x-8") == "a" * 300


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/", [("X", "a" * 5000)], 431),
        ("/", [(f"X-{i}", "a" * 500) for i in range(9)], 431),
        ("/", [(f"X-{i}", "a") for i in range(11)], 431),
        ("/" + "a" * 200, [], 414),
        ("/" + "a" * 6000, [], 414),
    ],
    ids=[
        "one large field",
        "large fields",
        "many fields",
        "a long target",
        "a target beyond the head's limit",
    ],
)
def test_a_head_beyond_a_limit_is_refused(
    gateway: Gateway, origin: Origin, target: str, fields: list[tuple[str, str]], status: int
) -> None:
    with gateway.connect("small-head") as client:
        response = client.request(target, headers=fields)
        fails(response, status)
        client.wait_closed()
    with H2Client(gateway.port("small-head")) as h2:
        response = h2.request(target, headers=[(name.lower(), value) for name, value in fields])
        assert response.status in (status, 431) or response.reset is not None or h2.closed
    assert not origin.requests


def test_a_head_without_an_end_is_refused_while_it_is_sent(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(100):
            if not client.try_send(b"a" * 10_000):
                break
        # What was sent after the answer may have reset the connection before it was read.
        with contextlib.suppress(ClosedError):
            fails(client.read_response(), 431)
    assert not origin.requests


# The body


def test_a_body_within_the_limit_passes(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        assert Echo.of(client.request("/small", method="POST", body=b"a" * 1000)).length == 1000


def test_a_body_said_to_be_too_large_is_refused_unseen(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
        fails(client.read_response(), 413)
    assert not origin.requests


def test_a_body_said_to_be_too_large_is_not_asked_for(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        response = client.read_response()
        fails(response, 413)
        assert response.informational == []


def test_a_chunked_body_that_grows_too_large_is_refused(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        client.send("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1f4\r\n" + b"a" * 500 + b"\r\n")
        client.try_send(b"1f5\r\n" + b"a" * 501 + b"\r\n")
        client.try_send(b"0\r\n\r\n")
        fails(client.read_response(), 413)
    assert not any(request.body_complete for request in origin.requests)


def test_an_http_2_body_that_grows_too_large_is_refused(gateway: Gateway, origin: Origin) -> None:
    with H2Client(gateway.port()) as client:
        stream = client.send_request("/small", method="POST", end=False)
        client.send_body(stream, b"a" * 1001)
        fails(client.wait(stream), 413)
        assert client.request("/other").status == 200
    assert not any(request.target == "/small" and request.body_complete for request in origin.requests)


# Connections


@pytest.mark.parametrize(("name", "limit"), [("few", 5), ("few-each", 3)])
def test_connections_beyond_the_limit_are_turned_away(
    gateway: Gateway, origin: Origin, name: str, limit: int
) -> None:
    clients = [gateway.connect(name) for _ in range(limit)]
    for client in clients:
        assert client.request("/").status == 200
    assert _turned_away(gateway, name)
    for client in clients:
        assert client.request("/").status == 200, "those within the limit are not disturbed"
    clients.pop().close()
    eventually(lambda: not _turned_away(gateway, name), "a place that was left can be taken")
    for client in clients:
        client.close()


def _turned_away(gateway: Gateway, name: str) -> bool:
    """Whether a further connection gets no service: closed at once, or told so."""
    try:
        with gateway.connect(name) as client:
            return client.request("/").status in (429, 503)
    except (ClosedError, ConnectionError):
        return True


def test_the_limit_per_client_is_per_client(gateway: Gateway, origin: Origin) -> None:
    first = [gateway.connect("few-each", source="127.0.0.3") for _ in range(3)]
    for client in first:
        assert client.request("/").status == 200
    with gateway.connect("few-each", source="127.0.0.4") as other:
        assert other.request("/").status == 200
    for client in first:
        client.close()


def test_streams_beyond_the_limit_are_refused(gateway: Gateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/gate", gate)
    with FrameClient(gateway.port("few-streams")).begin() as client:
        for number in range(1, 13, 2):
            client.send(client.headers(number, get(b"/gate")))
        outcome = client.outcome(11)
        assert outcome in ("reset 7", "goaway 1", "goaway 11", "reset 1"), outcome
    gate.open()
    assert sum(request.path == "/gate" for request in origin.requests) <= 4


# Time


def test_a_head_that_comes_too_slowly_is_given_up(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect("slow-head") as client:
        client.send("GET /slow-head HTTP/1.1\r\nHost: a\r\nX: ")
        _ended_with(client, 408)
    assert not any(request.path == "/slow-head" for request in origin.requests)


def test_a_head_in_drops_does_not_buy_time(gateway: Gateway, origin: Origin) -> None:
    """Slowloris: the clock runs for the whole head and is not set back by a byte."""
    with gateway.connect("slow-head") as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
        while client.try_send(b"a") and client.silent(0.05):
            pass
    assert not origin.requests


def test_a_second_head_that_comes_too_slowly_is_given_up(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect("slow-head") as client:
        assert client.request("/").status == 200
        client.send("GET / HTTP/1.1\r\nHo")
        _ended_with(client, 408)


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_stops_is_given_up(gateway: Gateway, origin: Origin, framing: str) -> None:
    part = "5\r\nhello\r\n" if "chunked" in framing else "hello"
    with gateway.connect("slow-body") as client:
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{part}")
        _ended_with(client, 408)
    assert not any(request.body_complete for request in origin.requests)


def _ended_with(client: RawClient, status: int) -> None:
    """The connection ends, with an answer of this status or, before any request was whole, without one."""
    try:
        response = client.read_response()
    except ClosedError:
        return
    fails(response, status)
    client.wait_closed()


def test_an_idle_connection_is_closed(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect("idle") as client:
        assert client.request("/").status == 200
        client.wait_closed()


def test_a_slow_answer_is_no_idleness(gateway: Gateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/gate", gate)
    with gateway.connect("idle") as waiting, gateway.connect("idle") as idle:
        assert idle.request("/").status == 200
        waiting.send_request("/gate")
        idle.wait_closed()
        gate.open()
        assert waiting.read_response().status == 200


def test_an_idle_http_2_connection_is_closed(gateway: Gateway, origin: Origin) -> None:
    with H2Client(gateway.port("idle")) as client:
        assert client.request("/").status == 200
        client.pump(lambda: client.closed, "the idle connection is closed")
        assert client.goaway is not None
        assert client.goaway.error == 0


def test_a_connection_that_says_nothing_is_closed(gateway: Gateway) -> None:
    with gateway.connect("silent", deadline=5) as client:
        client.wait_closed()


def test_a_client_that_takes_nothing_is_given_up(gateway: Gateway, origin: Origin) -> None:
    origin.on("/endless", answers.endless())
    before = origin.open
    with gateway.connect("slow-reader", receive_buffer=4096) as client:
        client.send_request("/endless")
        origin.wait(lambda: origin.requests, "the transfer begins")
        origin.wait(lambda: origin.open <= before, "the transfer is given up", 20)


def test_slow_clients_do_not_hold_up_others(gateway: Gateway, origin: Origin) -> None:
    slow = [gateway.connect() for _ in range(100)]
    for client in slow:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
    with gateway.connect() as quick:
        for _ in range(20):
            assert quick.request("/").status == 200
    for client in slow:
        client.close()
