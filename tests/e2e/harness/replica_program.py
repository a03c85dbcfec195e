"""The process that `replica.py` runs: an HTTP/1.1 service whose work is a wait.

    python replica_program.py PORT WORKERS

`GET /work/MS`, or any request with a field `Work-Ms: MS`, occupies one of WORKERS workers for MS
milliseconds, divided by the replica's speed, and is answered with 200; requests that find all workers busy
wait in one queue, first come, first served. As in most services, work goes on when the caller has left. Every
other request is answered at once, whatever the mode of the workers; so a health check of `/healthz` sees that
the process lives, and no more.

Commands come on standard input, a line each, and are acknowledged on standard output by the number of
requests for work so far:

    speed FACTOR    how fast the workers are; 1 at the start
    serve           work, as at the start
    fail STATUS     answer work with this status, at once
    reset           reset the connection of every request, health checks too

SIGTERM ends it in good order: it stops listening, closes idle connections, finishes what it has. It also
ends when its standard input does, so that it never outlives the one who started it.
"""

import asyncio
import re
import signal
import socket
import struct
import sys
from collections import deque
from http import HTTPStatus

END = b"\r\n\r\n"
WORK = re.compile(rb"^GET /work/([0-9.]+) |\r\nwork-ms: *([0-9.]+)", re.IGNORECASE)


class Replica:
    """The workers, their queue, and what is wrong with them."""

    def __init__(self, workers: int) -> None:
        self.idle = workers
        self.speed = 1.0
        self.status = HTTPStatus.OK
        self.resets = False
        self.closing = False
        self.requests = 0
        self.ended = asyncio.Event()
        self._connections: set[Connection] = set()
        self._queue: deque[tuple[Connection, float]] = deque()

    def obey(self, command: str) -> None:
        """Carry out a line of standard input."""
        match command.split():
            case ["speed", factor]:
                self.speed = float(factor)
            case ["serve"]:
                self.status, self.resets = HTTPStatus.OK, False
            case ["fail", status]:
                self.status = HTTPStatus(int(status))
            case ["reset"]:
                self.resets = True
            case _:
                raise ValueError(f"no such command: {command!r}")

    def work(self, connection: "Connection", seconds: float) -> None:
        """Let a worker work for the connection's request, now or when one is free."""
        self.requests += 1
        if self.status is not HTTPStatus.OK:
            connection.answer(self.status)
        elif self.idle:
            self.idle -= 1
            self._begin(connection, seconds)
        else:
            self._queue.append((connection, seconds))

    def _begin(self, connection: "Connection", seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds / self.speed, self._finish, connection)

    def _finish(self, connection: "Connection") -> None:
        connection.answer(HTTPStatus.OK)
        if self._queue:
            self._begin(*self._queue.popleft())
        else:
            self.idle += 1

    def close(self) -> None:
        """End when the last request is answered."""
        self.closing = True
        for connection in self._connections:
            connection.close_if_idle()
        self._end_if_done()

    def opened(self, connection: "Connection") -> None:
        """Note that a connection is there."""
        self._connections.add(connection)

    def closed(self, connection: "Connection") -> None:
        """Note that a connection is gone."""
        self._connections.remove(connection)
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self.closing and not self._connections:
            self.ended.set()


class Connection(asyncio.Protocol):
    """A client's connection: one request at a time."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._input = b""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._replica.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.closed(self)

    def data_received(self, data: bytes) -> None:
        self._input += data
        if not self._busy and END in self._input:
            self._next()

    def _next(self) -> None:
        head, _, self._input = self._input.partition(END)
        self._busy = True
        work = WORK.search(head)
        if self._replica.resets:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        elif work:
            self._replica.work(self, float(work[1] or work[2]) / 1000)
        else:
            self.answer(HTTPStatus.OK)

    def answer(self, status: HTTPStatus) -> None:
        """Answer the request, unless the client has left."""
        closing = "Connection: close\r\n" if self._replica.closing else ""
        head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Length: {len(status.phrase)}\r\n{closing}\r\n"
        self._transport.write(f"{head}{status.phrase}".encode())
        self._busy = False
        if self._replica.closing:
            self._transport.close()
        elif END in self._input:
            self._next()

    def close_if_idle(self) -> None:
        """Close the connection unless it waits for an answer."""
        if not self._busy:
            self._transport.close()


async def main(port: int, workers: int) -> None:
    """Serve until told to end."""
    loop = asyncio.get_running_loop()
    replica = Replica(workers)
    server = await loop.create_server(lambda: Connection(replica), "127.0.0.1", port, backlog=1024)

    def close() -> None:
        server.close()
        replica.close()

    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, close)

    async def obey() -> None:
        while line := await commands.readline():
            replica.obey(line.decode())
            print(replica.requests, flush=True)
        replica.ended.set()

    obeying = asyncio.create_task(obey())
    print("ready", flush=True)
    await replica.ended.wait()
    obeying.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
