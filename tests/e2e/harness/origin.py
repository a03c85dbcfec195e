"""A scriptable HTTP/1.1 origin: raw sockets on an event loop in a thread of its own.

It reads requests strictly: whatever breaks RFC 9112 is kept in `malformed`, so that a test
notices at once when a gateway lets something through that could be read in two ways.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, SupportsIndex

from .message import Fields, every, first, format_fields, parse_field

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) (HTTP/1\.[01])")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_KEPT = 1 << 18
"""Bytes of a connection's input that are kept for inspection."""


class MalformedError(Exception):
    """A request that breaks RFC 9112."""


@dataclass
class Request:
    """A request as it reached the origin."""

    method: str
    target: str
    version: str
    headers: Fields
    connection: int
    trailers: Fields = field(default_factory=list)
    length: int = 0
    digest: str = ""
    body_complete: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first value of a field."""
        return first(self.headers, name)

    def values(self, name: str) -> list[str]:
        """All values of a field."""
        return every(self.headers, name)


class _Reader(asyncio.StreamReader):
    """Remembers the beginning of what it was fed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=1 << 20, loop=loop)
        self.seen = bytearray()

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if len(self.seen) < _KEPT:
            self.seen += bytes(data)[:_KEPT]
        super().feed_data(data)


class Exchange:
    """One request and the means to answer it, well or badly."""

    def __init__(
        self, origin: "Origin", request: Request, reader: _Reader, writer: asyncio.StreamWriter
    ) -> None:
        self.origin = origin
        self.request = request
        self.reader = reader
        self.writer = writer
        self._body_begun = False

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body, part by part; afterwards its length, hash and trailers are in `request`."""
        if self._body_begun:
            return
        self._body_begun = True
        digest = hashlib.sha256()
        async for part in self._parts():
            digest.update(part)
            self.request.length += len(part)
            yield part
        self.request.digest = digest.hexdigest()
        self.request.body_complete = True
        self.origin.changed()

    async def _parts(self) -> AsyncIterator[bytes]:
        if self.request.header("transfer-encoding") is not None:
            while size := await self._chunk_size():
                async for part in self._exactly(size):
                    yield part
                if await self.reader.readexactly(2) != b"\r\n":
                    raise MalformedError("a chunk that does not end with CR LF")
            while line := await self._line():
                self.request.trailers.append(_field(line))
        else:
            async for part in self._exactly(int(self.request.header("content-length") or 0)):
                yield part

    async def _exactly(self, count: int) -> AsyncIterator[bytes]:
        while count:
            part = await self.reader.read(min(count, 1 << 18))
            if not part:
                raise asyncio.IncompleteReadError(b"", count)
            count -= len(part)
            yield part

    async def _chunk_size(self) -> int:
        line = await self._line()
        if _CHUNK_SIZE.fullmatch(line) is None:
            raise MalformedError(f"chunk size {line!r}")
        return int(line, 16)

    async def _line(self) -> bytes:
        return (await self.reader.readuntil(b"\r\n"))[:-2]

    async def read_body(self) -> bytes:
        """The whole body."""
        return b"".join([part async for part in self.body()])

    async def discard_body(self) -> None:
        """Read the body and keep only its length and hash."""
        async for _ in self.body():
            pass

    async def send(self, data: bytes) -> None:
        """Send bytes as they are, waiting while the peer is slow."""
        self.writer.write(data)
        await self.writer.drain()

    async def respond(
        self,
        status: int = 200,
        headers: Fields | None = None,
        body: bytes = b"",
        *,
        chunked: bool = False,
        trailers: Fields | None = None,
    ) -> None:
        """A well-formed response."""
        await self.send_head(status, headers, length=None if chunked else len(body))
        if self.request.method == "HEAD":
            return
        if not chunked:
            await self.send(body)
            return
        if body:
            await self.send_chunk(body)
        await self.send(b"0\r\n" + format_fields(trailers or []) + b"\r\n")

    async def send_head(self, status: int, headers: Fields | None = None, *, length: int | None) -> None:
        """A response's head; a `length` of None announces chunks."""
        fields = list(headers or [])
        if status >= 200 and status not in (204, 304):
            framing = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
            fields.append(framing)
        if status >= 200:
            fields.append(("X-Origin", self.origin.name))
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
        await self.send(line + format_fields(fields) + b"\r\n")

    async def send_chunk(self, data: bytes) -> None:
        """One chunk."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def reset(self) -> None:
        """Reset the connection (SO_LINGER 0)."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """Close the connection in an orderly way."""
        self.writer.close()

    async def gone(self) -> None:
        """Wait until the peer has closed the connection."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass


Handler = Callable[[Exchange], Awaitable[None]]


async def echo(exchange: Exchange) -> None:
    """Answer with what was received, as JSON."""
    await exchange.discard_body()
    request = exchange.request
    seen = {
        "method": request.method,
        "target": request.target,
        "version": request.version,
        "headers": request.headers,
        "trailers": request.trailers,
        "length": request.length,
        "sha256": request.digest,
        "origin": exchange.origin.name,
    }
    await exchange.respond(200, [("Content-Type", "application/json")], json.dumps(seen).encode())


class Origin:
    """A listening origin; `on` scripts a path, every other path echoes."""

    def __init__(
        self,
        name: str = "origin",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        unix: str | None = None,
        tls: ssl.SSLContext | None = None,
        backlog: int = 4096,
    ) -> None:
        self.name = name
        self.requests: list[Request] = []
        self.malformed: list[str] = []
        self.accepted = 0
        self.open = 0
        self._ended: set[int] = set()
        self._host, self._port, self._unix, self._tls, self._backlog = host, port, unix, tls, backlog
        self._handlers: dict[str, Handler] = {}
        self._default: Handler = echo
        self._readers: list[_Reader] = []
        self._state = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name=f"origin-{name}", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def __enter__(self) -> "Origin":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """As an endpoint's address in a configuration."""
        if self._unix:
            return f"unix:{self._unix}"
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    def on(self, path: str, handler: Handler) -> None:
        """Answer requests of a path (without query) by `handler`."""
        self._handlers[path] = handler

    def on_every_path(self, handler: Handler) -> None:
        """Answer every request without a handler of its own by `handler`."""
        self._default = handler

    def wait(self, true: Callable[[], Any], what: str, deadline: float = 10.0) -> None:
        """Wait until something about this origin is true; checked whenever anything happens here."""
        end = time.monotonic() + deadline
        with self._state:
            if not self._state.wait_for(true, timeout=max(0.0, end - time.monotonic())):
                raise AssertionError(
                    f"not within {deadline:g} s: {what}; {self.open} open of {self.accepted} accepted "
                    f"connections, {len(self.requests)} requests"
                )

    def wait_for_end(self, connection: int) -> None:
        """Wait until a connection, by its number in a request, is closed on this side."""
        self.wait(lambda: connection in self._ended, f"connection {connection} is closed")

    def changed(self) -> None:
        """Wake those who wait."""
        with self._state:
            self._state.notify_all()

    def received(self) -> list[bytes]:
        """What came in on each connection, byte by byte (the beginning of it)."""
        return [bytes(reader.seen) for reader in self._readers]

    def forget(self) -> None:
        """Start the records afresh."""
        self.requests.clear()
        self.malformed.clear()
        for reader in self._readers:
            reader.seen.clear()

    def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    async def _listen(self) -> None:
        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(_Reader(self._loop), self._accept, self._loop)

        if self._unix:
            self._server = await self._loop.create_unix_server(protocol, self._unix, ssl=self._tls)
            return
        self._server = await self._loop.create_server(
            protocol, self._host, self._port, ssl=self._tls, backlog=self._backlog
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        self._readers.append(reader)
        number = self.accepted
        self.changed()
        try:
            while not writer.is_closing():
                request = await _read_head(reader, number)
                if request is None:
                    break
                self.requests.append(request)
                self.changed()
                exchange = Exchange(self, request, reader, writer)
                await self._handlers.get(request.path, self._default)(exchange)
                await exchange.discard_body()
                if request.header("connection") == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (MalformedError, asyncio.LimitOverrunError) as problem:
            self.malformed.append(str(problem))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            self.open -= 1
            self._ended.add(number)
            self.changed()


async def _read_head(reader: _Reader, connection: int) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise MalformedError(f"an incomplete head: {end.partial[:200]!r}") from None
        return None
    first_line, *lines = head[:-4].split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first_line)
    if line is None:
        raise MalformedError(f"request line {first_line[:200]!r}")
    method, target, version = (part.decode("latin-1") for part in line.groups())
    request = Request(method, target, version, [_field(text) for text in lines], connection)
    if len(request.values("host")) != 1:
        raise MalformedError(f"{len(request.values('host'))} Host fields in {head[:300]!r}")
    lengths, codings = request.values("content-length"), request.values("transfer-encoding")
    if len(lengths) + len(codings) > 1 or (codings and codings[0] != "chunked"):
        raise MalformedError(f"framing that can be read in two ways: {head[:300]!r}")
    if lengths and not re.fullmatch(r"\d{1,18}", lengths[0]):
        raise MalformedError(f"Content-Length {lengths[0]!r}")
    return request


def _field(line: bytes) -> tuple[str, str]:
    parsed = parse_field(line)
    if parsed is None:
        raise MalformedError(f"field line {line[:200]!r}")
    return parsed
