"""Much of it: large bodies both ways and thousands of connections, with memory watched."""

import hashlib
import resource
import threading
from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.message import Echo
from .harness.origin import Origin
from .harness.raw import RawClient

pytestmark = pytest.mark.heavy

SIZE = 100_000_000
PART = bytes(range(256)) * 256
GROWTH = 30_000_000
"""Bytes of memory that a hundred megabytes may cost on their way."""
HELD_BACK = 1_500_000
"""Bytes of memory that a client may cost that reads nothing: two reads of an endpoint at most, and what the
allocator keeps of smaller ones before them. What is not held back is of that size after milliseconds."""


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    with running(proxy(module_origin.address)) as gateway:
        for _ in range(10):  # what is taken once and kept is no growth
            with gateway.connect() as client:
                client.request("/", method="POST", body=bytes(100_000))
        yield gateway


def parts() -> Iterator[bytes]:
    """The body, part by part."""
    left = SIZE
    while left:
        yield PART[:left]
        left -= min(left, len(PART))


def digest() -> str:
    """The body's hash."""
    total = hashlib.sha256()
    for part in parts():
        total.update(part)
    return total.hexdigest()


class Peak:
    """Watches the resident memory of a gateway from the side."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._first = self.highest = gateway.rss()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.highest = max(self.highest, self._gateway.rss())

    @property
    def growth(self) -> int:
        """Bytes above the beginning, at the highest."""
        return self.highest - self._first


def test_a_large_upload_passes_in_bounded_memory(gateway: Gateway, origin: Origin) -> None:
    with Peak(gateway) as peak, gateway.connect(deadline=60) as client:
        client.send(f"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")
        for part in parts():
            client.send(part)
        seen = Echo.of(client.read_response())
    assert (seen.length, seen.sha256) == (SIZE, digest())
    assert peak.growth < GROWTH


def test_a_large_chunked_upload_passes_in_bounded_memory(gateway: Gateway, origin: Origin) -> None:
    with Peak(gateway) as peak, gateway.connect(deadline=60) as client:
        client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts():
            client.send(b"%x\r\n%b\r\n" % (len(part), part))
        client.send("0\r\n\r\n")
        seen = Echo.of(client.read_response())
    assert (seen.length, seen.sha256) == (SIZE, digest())
    assert peak.growth < GROWTH


def test_a_large_download_passes_in_bounded_memory(gateway: Gateway, origin: Origin) -> None:
    origin.on("/down", answers.download(SIZE))
    total, length = hashlib.sha256(), 0
    with Peak(gateway) as peak, gateway.connect(deadline=60) as client:
        client.send_request("/down")
        assert client.read_head().header("content-length") == str(SIZE)
        while length < SIZE:
            part = client.read_some()
            assert part, "the transfer broke off"
            total.update(part)
            length += len(part)
    assert (length, total.hexdigest()) == (SIZE, digest())
    assert peak.growth < GROWTH


def test_a_large_http_2_download_passes_in_bounded_memory(gateway: Gateway, origin: Origin) -> None:
    origin.on("/down", answers.download(SIZE))
    with Peak(gateway) as peak, H2Client(gateway.port(), deadline=60) as client:
        stream = client.send_request("/down")
        response, length = client.responses[stream], 0
        while stream not in client.ended:
            client.pump(
                lambda: stream in client.ended or len(response.body) > 1_000_000, "more of the transfer"
            )
            assert response.reset is None
            assert not client.closed
            length += len(response.body)
            response.body = b""
    assert length == SIZE
    assert peak.growth < GROWTH


def test_a_slow_reader_holds_back_the_origin(gateway: Gateway, origin: Origin) -> None:
    """Back-pressure: what nobody takes is not fetched."""
    origin.on("/endless", answers.endless())
    with Peak(gateway) as peak:
        clients = [gateway.connect(receive_buffer=4096) for _ in range(60)]
        for client in clients:
            client.send_request("/endless")
        for client in clients:
            client.read_head()
        with gateway.connect() as other:
            for _ in range(100):
                assert other.request("/").status == 200
        for client in clients:
            client.abort()
    assert peak.growth < HELD_BACK * len(clients)


def test_five_thousand_idle_connections_are_kept_while_others_are_served(
    running: Running, origin: Origin
) -> None:
    count = 5000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * count + 1000:
        pytest.skip(f"this user may open {hard} files only")
    # Before the gateway starts, so that it inherits the limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with running(proxy(origin.address)) as gateway:
        # One loopback address for each thousand, as a gateway bounds what one client may open.
        idle = [
            RawClient(gateway.port(), source=f"127.0.0.{2 + index // 1000}", deadline=30)
            for index in range(count)
        ]
        for client in idle[::10]:
            assert client.request("/").status == 200
        with gateway.connect() as other:
            for _ in range(200):
                assert other.request("/").status == 200
        for client in (idle[0], idle[count // 2], idle[-1]):
            assert client.request("/").status == 200, "a connection that was idle is still there"
        for client in idle:
            client.close()
