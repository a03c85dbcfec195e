"""How soon the first event of a stream is there, through the gateway and without it.

    python -m bench.first_byte [--rounds 2000] [--pause 5]

Asks for server-sent events of an origin that sends the first at once, the second after a pause (in
milliseconds), and then ends; each way in turns, on a connection that is open. Shown are microseconds from
the request to the first event's last byte, the median and the 99th percentile, how much later than from the
origin itself that is by the median, and the median time between the two events, which is the pause where
nothing waits in a buffer. The clients are in Python: those of HTTP/2 and HTTP/3 take longer over a
response, whatever sends it.
"""

import argparse
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import NamedTuple

from tests.e2e.harness.configs import listener, proxy
from tests.e2e.harness.gateway import Gateway
from tests.e2e.harness.h2client import H2Client
from tests.e2e.harness.h3client import H3Client
from tests.e2e.harness.multiplexed import MultiplexedClient
from tests.e2e.harness.raw import RawClient

from bench.cache import certificate
from bench.measure import print_table

EVENT = b"data: 0123456789\n\n"
REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)


class Times(NamedTuple):
    """Seconds from a request to its first event, and from that to the second."""

    first: float
    second: float


Ask = Callable[[], Times]


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--pause", type=float, default=5.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = stack.enter_context(_origin(options.pause / 1000))
        gateway = stack.enter_context(_gateway(Path(folder), port))
        ways: dict[str, Ask] = {
            "the origin itself": _http1(stack.enter_context(RawClient(port))),
            "HTTP/1 to the gateway": _http1(stack.enter_context(gateway.connect())),
            "HTTP/2 to the gateway": _framed(stack.enter_context(H2Client(gateway.port()))),
            "HTTP/3 to the gateway": _framed(stack.enter_context(H3Client(gateway.port("quic")))),
        }
        turns = [{name: ask() for name, ask in ways.items()} for _ in range(options.rounds)]
    direct = statistics.median(turn["the origin itself"].first for turn in turns)
    rows = [_row(name, [turn[name] for turn in turns], direct) for name in ways]
    print_table(["us to the first event", "median", "p99", "later than direct", "to the second"], rows)


def _row(name: str, times: list[Times], direct: float) -> list[object]:
    firsts = sorted(each.first for each in times)
    median, p99 = statistics.median(firsts), firsts[min(len(firsts) - 1, len(firsts) * 99 // 100)]
    second = statistics.median(each.second for each in times)
    return [name, median * 1e6, p99 * 1e6, (median - direct) * 1e6, second * 1e6]


def _http1(client: RawClient) -> Ask:
    def ask() -> Times:
        begun = time.perf_counter()
        client.send(REQUEST)
        client.read_head()
        client.read_exactly(len(CHUNK))
        first = time.perf_counter()
        client.read_exactly(len(CHUNK))
        second = time.perf_counter()
        client.read_exactly(len(b"0\r\n\r\n"))
        return Times(first - begun, second - first)

    return ask


def _framed(client: MultiplexedClient) -> Ask:
    def ask() -> Times:
        begun = time.perf_counter()
        stream = client.send_request("/events")
        response = client.responses[stream]
        client.pump(lambda: len(response.body) >= len(EVENT), "the first event")
        first = time.perf_counter()
        client.pump(lambda: len(response.body) >= 2 * len(EVENT), "the second event")
        second = time.perf_counter()
        client.wait(stream)
        return Times(first - begun, second - first)

    return ask


@contextmanager
def _origin(pause: float) -> Iterator[int]:
    """A server in a process of its own, which does not wait for the clients' interpreter; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = Process(target=_serve, args=(listening, pause), daemon=True)
        process.start()
        try:
            yield listening.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def _serve(listening: socket.socket, pause: float) -> None:
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(connection, pause), daemon=True).start()


def _answer(connection: socket.socket, pause: float) -> None:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
        if b"\r\n\r\n" in received:
            received = b""
            connection.sendall(HEAD + CHUNK)
            time.sleep(pause)
            connection.sendall(CHUNK + b"0\r\n\r\n")


@contextmanager
def _gateway(at: Path, origin: int) -> Iterator[Gateway]:
    certificate(at)
    tls = {"certificates": [{"cert": str(at / "cert.pem"), "key": str(at / "key.pem")}]}
    config = proxy(f"127.0.0.1:{origin}", workers=1)
    config["listeners"].append(listener("quic", tls=tls, protocols=["http3"]))
    gateway = Gateway(at / "tidegate", config).start()
    try:
        yield gateway
    finally:
        gateway.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
