"""What origins have in common whose connections carry many requests at once."""

import asyncio
import hashlib
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Self, TypeVar

from .message import Fields, RawFields, first

_T = TypeVar("_T")


class Stream(ABC):
    """One request and the means to answer it."""

    version: ClassVar[str]

    def __init__(self, origin: "MultiplexedOrigin", number: int, headers: Fields) -> None:
        self.origin = origin
        self.number = number
        self.headers = headers
        self.body = bytearray()
        self.trailers: Fields = []
        self.complete = asyncio.Event()
        self.reset_by_peer = asyncio.Event()
        self.arrived = asyncio.Event()
        """Set by whatever comes."""

    @property
    def path(self) -> str:
        """The path without its query."""
        return (first(self.headers, ":path") or "").partition("?")[0]

    def take(self, data: bytes) -> None:
        """More of the body came."""
        self.body += data
        self.arrived.set()

    async def received(self, count: int) -> None:
        """Wait for that many bytes of the body."""
        while len(self.body) < count:
            self.arrived.clear()
            await self.arrived.wait()

    def send_headers(self, status: int, headers: Fields | None = None, *, end: bool = False) -> None:
        """Response header; an informational one when the status is 1xx."""
        self.begin(status, _raw(headers or []), end=end)

    def begin(self, status: int, fields: RawFields, *, end: bool = False) -> None:
        """Response header of these very fields."""
        own = [(b"x-origin", self.origin.name.encode())] if status >= 200 else []
        self.send_section([(b":status", str(status).encode()), *fields, *own], end=end)

    def send_trailers(self, trailers: Fields) -> None:
        """Trailers, which end the response."""
        self.end(_raw(trailers))

    def end(self, trailers: RawFields) -> None:
        """These very trailers."""
        self.send_section(trailers, end=True)

    async def read(self) -> bytes:
        """What has come of the body, waiting for at least one byte; empty at its end or after a reset."""
        while not self.body and not self.complete.is_set() and not self.reset_by_peer.is_set():
            self.arrived.clear()
            await self.arrived.wait()
        part = bytes(self.body)
        self.body.clear()
        return part

    @abstractmethod
    def send_section(self, fields: RawFields, *, end: bool) -> None:
        """A field section of these very fields."""

    @abstractmethod
    async def send_data(self, data: bytes, *, end: bool = False) -> None:
        """Response data."""

    @abstractmethod
    def reset(self) -> None:
        """Break the response off."""

    @abstractmethod
    def refuse(self) -> None:
        """Say that the request was not carried out."""

    @abstractmethod
    def send_goaway(self) -> None:
        """This stream is the last one that is looked at; it may go on."""

    @abstractmethod
    def close(self) -> None:
        """End the connection, whatever is under way on it."""


Handler = Callable[[Stream], Awaitable[None]]


async def echo(stream: Stream) -> None:
    """Answer with what was received, as JSON."""
    await stream.complete.wait()
    seen = {
        "method": first(stream.headers, ":method"),
        "target": first(stream.headers, ":path"),
        "version": stream.version,
        "headers": stream.headers,
        "trailers": stream.trailers,
        "length": len(stream.body),
        "sha256": hashlib.sha256(stream.body).hexdigest(),
        "origin": stream.origin.name,
    }
    stream.send_headers(200, [("content-type", "application/json")])
    await stream.send_data(json.dumps(seen).encode(), end=True)


async def grpc(stream: Stream) -> None:
    """A gRPC-like answer: the body is sent back, the status comes in trailers."""
    stream.send_headers(200, [("content-type", "application/grpc")])
    await stream.complete.wait()
    await stream.send_data(bytes(stream.body))
    stream.send_trailers([("grpc-status", "0"), ("grpc-message", "fine")])


class MultiplexedOrigin(ABC):
    """A listening origin; `on` scripts a path, every other path echoes."""

    port: int

    def __init__(self, name: str) -> None:
        self.name = name
        self.accepted = 0
        self.streams: list[Stream] = []
        self.handlers: dict[str, Handler] = {"/grpc": grpc}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def address(self) -> str:
        """As an endpoint's address in a configuration."""
        return f"127.0.0.1:{self.port}"

    def on(self, path: str, handler: Handler) -> None:
        """Answer requests of a path (without query) by `handler`."""
        self.handlers[path] = handler

    def call(self, what: Callable[[], object]) -> None:
        """Do something on the origin's own thread, from another."""

        async def call() -> None:
            what()

        self._run(call())

    def handler(self, path: str) -> Handler:
        """What answers requests of a path."""
        return self.handlers.get(path, echo)

    def serve(self, stream: Stream) -> asyncio.Task[None]:
        """Answer a request that came."""
        self.streams.append(stream)
        task = self._loop.create_task(self._answer(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @abstractmethod
    async def _answer(self, stream: Stream) -> None:
        """Answer a request, which its client may give up meanwhile."""

    async def _stop(self) -> None:
        await self._close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @abstractmethod
    async def _close(self) -> None:
        """Accept no more connections."""

    def _run(self, what: Coroutine[Any, Any, _T]) -> _T:
        """Do something on the origin's own thread."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)


def _raw(fields: Fields) -> RawFields:
    return [(name.encode(), value.encode()) for name, value in fields]
