"""Demand: requests at a steady rate, whatever becomes of them, and a record of that.

Each stream is one connection on which requests follow one another without waiting for answers (RFC 9112
section 9.3.2), so that a process can ask for thousands a second. A gateway answers those of a connection in
turn: a request that waits holds up those behind it.
"""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

TICK = 0.01
"""Requests of a stream are sent this often, as many as are due."""


class Answer(NamedTuple):
    """What became of a request."""

    time: float
    """When it was asked, in seconds since the demand began."""
    took: float
    """Seconds to its answer."""
    status: int


@dataclass
class Stream:
    """Requests to one gateway."""

    port: int
    target: str
    rate: float
    """Requests a second."""
    name: str = ""
    answers: list[Answer] = field(default_factory=list)

    def admitted(self, begin: float, end: float) -> int:
        """How many were answered with 200 that were asked in that time."""
        return sum(answer.status == 200 and begin <= answer.time < end for answer in self.answers)


class Demand:
    """Streams that run side by side on a thread of their own."""

    def __init__(self, streams: Iterable[Stream]) -> None:
        self.streams = list(streams)
        self.failures: list[str] = []
        self._began = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> "Demand":
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(30)

    @property
    def now(self) -> float:
        """Seconds since the demand began."""
        return time.monotonic() - self._began

    def until(self, seconds: float) -> None:
        """Wait for that time of the demand."""
        self._ends.wait(max(seconds - self.now, 0))

    def statuses(self) -> Counter[int]:
        """How often there was which answer."""
        return Counter(answer.status for stream in self.streams for answer in stream.answers)

    async def _run(self) -> None:
        await asyncio.gather(*map(self._ask, self.streams))

    async def _ask(self, stream: Stream) -> None:
        request = f"GET {stream.target} HTTP/1.1\r\nhost: a.example\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        asked: deque[float] = deque()
        reading = asyncio.create_task(self._read(stream, reader, asked))
        sent = 0
        while not self._ends.is_set() and not reading.done():
            due = int(self.now * stream.rate) - sent
            if due > 0:
                asked.extend([self.now] * due)
                writer.write(request * due)
                sent += due
            await asyncio.sleep(TICK)
        await asyncio.sleep(0.1)
        writer.close()
        reading.cancel()

    async def _read(self, stream: Stream, reader: asyncio.StreamReader, asked: deque[float]) -> None:
        rest = b""
        while data := await reader.read(1 << 18):
            *lines, rest = (rest + data).split(b"\n")
            now = self.now
            for line in lines:
                # A body may end before it without a line of its own.
                at = line.find(b"HTTP/1.1 ")
                if at >= 0:
                    begin = asked.popleft()
                    stream.answers.append(Answer(begin, now - begin, int(line[at + 9 : at + 12])))
        self.failures.append(f"{stream.name}: the gateway closed the connection")
