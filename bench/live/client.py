"""An open-loop client: it sends at the instants of a plan, whether or not earlier requests were answered.

Latency counts from the planned instant, not from the actual sending, so that a stall of the proxy or of
the client itself is not left out of the figures (coordinated omission).
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from bench.live.workload import Arrival

TIMEOUT = 10.0
"""Seconds that the client waits for an answer."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after:", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """How a request went."""

    at: float
    """When it was to be sent, in seconds after the measurement's start."""
    kind: str
    latency: float
    """Seconds from `at` to the whole answer, or to the failure."""
    result: str
    """`ok`; `told` to come back (503 or 429 with Retry-After); or a failure: status, `closed`, `timeout`."""


class Client:
    """Keep-alive connections to one port, as many as it takes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []

    async def run(self, plan: Iterable[Arrival], zero: float) -> list[Outcome]:
        """Send a plan whose instant 0 is `zero` of the loop's clock; what became of it, in order."""
        loop = asyncio.get_running_loop()
        asked = []
        for arrival in plan:
            await asyncio.sleep(zero + arrival.at - loop.time())
            asked.append(asyncio.create_task(self._ask(arrival, zero)))
        outcomes = await asyncio.gather(*asked)
        for connection in self._idle:
            connection.close()
        return outcomes

    async def _ask(self, arrival: Arrival, zero: float) -> Outcome:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(zero + arrival.at + TIMEOUT):
                result = await self._exchange(arrival)
        except TimeoutError:
            result = "timeout"
        except ConnectionError:
            result = "closed"
        return Outcome(arrival.at, arrival.kind, loop.time() - zero - arrival.at, result)

    async def _exchange(self, arrival: Arrival) -> str:
        connection = await self._connection()
        try:
            # The path tells the class, as in most services; how much work it is, no proxy looks at.
            head = await connection.request(f"/{arrival.kind}", f"Work-Ms: {arrival.work_ms:.3f}")
        except asyncio.CancelledError:
            connection.close()
            raise
        if _CLOSE.search(head):
            connection.close()
        else:
            self._idle.append(connection)
        status = int(head[9:12])
        if status == HTTPStatus.OK:
            return "ok"
        if status in (429, 503) and _RETRY_AFTER.search(head):
            return "told"
        return str(status)

    async def _connection(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return connection


class _Connection(asyncio.Protocol):
    """Sends a request and waits for the answer's end, which its Content-Length tells."""

    def __init__(self) -> None:
        self.open = True
        self._input = b""
        self._answer: asyncio.Future[bytes] | None = None

    def request(self, target: str, field: str) -> "asyncio.Future[bytes]":
        """The head of the answer."""
        self._input = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {target} HTTP/1.1\r\nHost: bench\r\n{field}\r\n\r\n".encode())
        return self._answer

    def close(self) -> None:
        """Close it; a request on it is given up."""
        self.open = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._input += data
        head, found, body = self._input.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and length and len(body) >= int(length[1]) and self._answer and not self._answer.done():
            self._answer.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())
