"""Streams of events and long polls: what an endpoint sends is with the client before it sends more."""

import asyncio
import queue
from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2origin import H2Origin
from .harness.h3origin import H3Origin, trusting
from .harness.multiplexed_origin import Stream
from .harness.origin import Exchange, Origin
from .harness.piecewise import CONNECT, Client, Piecewise

EVENTS = [
    f"id: {number}\ndata: {'x' * size}\n\n".encode() for number, size in enumerate((0, 1, 3000, 20_000))
]
FIELDS = [("content-type", "text/event-stream"), ("cache-control", "max-age=60")]
WAYS = {
    "http1-origin": "/http1",
    "http2-origin": "/http2",
    "http3-origin": "/http3",
    "cached": "/cached",
    "timed": "/timed",
}
"""What the content goes through, by the route's prefix."""


class Turns:
    """Lets an origin go on, from the test's thread."""

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[None] = queue.SimpleQueue()

    def give(self) -> None:
        """The next turn is there."""
        self._given.put(None)

    async def come(self) -> None:
        """Wait for the next turn."""
        await asyncio.to_thread(self._given.get, timeout=10)


@pytest.fixture(scope="module")
def gateway(
    running: Running,
    module_origin: Origin,
    h2_origin: H2Origin,
    h3_origin: H3Origin,
    authority: Authority,
) -> Iterator[Gateway]:
    tls = {"certificates": [authority.issue("localhost", file="events").config()]}
    config = proxy(module_origin.address, caches=[{"name": "main"}])
    config["listeners"].append(listener("quic", tls=tls, protocols=["http3"]))
    config["routes"] += [
        route("http2", "/http2", upstream="http2"),
        route("http3", "/http3", upstream="http3"),
        route("cached", "/cached", cache="main"),
        route("timed", "/timed", timeout="1m", limits={"body": "1MiB"}),
    ]
    config["upstreams"] += [
        upstream("http2", h2_origin.address, protocol="http2"),
        upstream("http3", h3_origin.address, **trusting(authority.file)),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.fixture(params=CONNECT)
def client(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Client]:
    with CONNECT[request.param](gateway) as client:
        yield client


@pytest.mark.parametrize("way", WAYS)
def test_each_event_is_there_before_the_next_is_sent(
    client: Client, origin: Origin, h2_origin: H2Origin, h3_origin: H3Origin, way: str, path: str
) -> None:
    turns, target = Turns(), f"{WAYS[way]}{path}"

    async def send(exchange: Exchange) -> None:
        await exchange.send_head(200, FIELDS, length=None)
        for event in EVENTS:
            await turns.come()
            await exchange.send_chunk(event)
        await exchange.send(b"0\r\n\r\n")

    async def send_framed(stream: Stream) -> None:
        stream.send_headers(200, FIELDS)
        for event in EVENTS:
            await turns.come()
            await stream.send_data(event)
        await stream.send_data(b"", end=True)

    origin.on(target, send)
    for framed in (h2_origin, h3_origin):
        framed.on(target, send_framed)
    stream = Piecewise(client, target)
    assert stream.head().header("content-type") == "text/event-stream"
    for event in EVENTS:
        turns.give()
        assert stream.read(len(event)) == event
    assert stream.rest().body == b""


def test_a_long_poll_is_answered_when_there_is_something_to_say(
    client: Client, origin: Origin, path: str
) -> None:
    turns = Turns()

    async def answer(exchange: Exchange) -> None:
        await turns.come()
        await exchange.respond(200, body=b"news")

    origin.on(path, answer)
    poll = Piecewise(client, path)
    origin.wait(lambda: any(request.path == path for request in origin.requests), "the poll waits there")
    turns.give()
    assert poll.rest().body == b"news"
