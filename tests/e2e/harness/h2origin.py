"""A scriptable HTTP/2 origin (h2c by prior knowledge, or TLS with ALPN), over the `h2` package."""

import asyncio
import contextlib
import hashlib
import json
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from .h2frames import GOAWAY
from .message import Fields, first


@dataclass
class Stream:
    """One request and the means to answer it."""

    origin: "H2Origin"
    protocol: "_Protocol"
    number: int
    headers: Fields
    body: bytearray = field(default_factory=bytearray)
    trailers: Fields = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    reset_by_peer: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whatever comes."""

    @property
    def path(self) -> str:
        """The path without its query."""
        return (first(self.headers, ":path") or "").partition("?")[0]

    def send_headers(self, status: int, headers: Fields | None = None, *, end: bool = False) -> None:
        """Response header; an informational one when the status is 1xx."""
        self.begin(status, [(name.encode(), value.encode()) for name, value in headers or []], end=end)

    def begin(self, status: int, fields: list[tuple[bytes, bytes]], *, end: bool = False) -> None:
        """Response header of these very fields."""
        own = [(b"x-origin", self.origin.name.encode())] if status >= 200 else []
        self.protocol.connection.send_headers(
            self.number, [(b":status", str(status).encode()), *fields, *own], end_stream=end
        )
        self.protocol.flush()

    async def send_data(self, data: bytes, *, end: bool = False) -> None:
        """Response data, within the peer's window."""
        while data:
            window = await self.protocol.window(self.number)
            size = min(window, len(data), self.protocol.connection.max_outbound_frame_size)
            self.protocol.connection.send_data(self.number, data[:size])
            self.protocol.flush()
            data = data[size:]
        if end:
            self.protocol.connection.end_stream(self.number)
            self.protocol.flush()

    async def read(self) -> bytes:
        """What has come of the body, waiting for at least one byte; empty at its end or after a reset."""
        while not self.body and not self.complete.is_set() and not self.reset_by_peer.is_set():
            self.arrived.clear()
            await self.arrived.wait()
        part = bytes(self.body)
        self.body.clear()
        return part

    def send_trailers(self, trailers: Fields) -> None:
        """Trailers, which end the response."""
        self.end([(name.encode(), value.encode()) for name, value in trailers])

    def end(self, trailers: list[tuple[bytes, bytes]]) -> None:
        """These very trailers."""
        self.protocol.connection.send_headers(self.number, trailers, end_stream=True)
        self.protocol.flush()

    def reset(self, code: int = 2) -> None:
        """RST_STREAM."""
        self.protocol.connection.reset_stream(self.number, code)
        self.protocol.flush()

    def send_goaway(self) -> None:
        """GOAWAY: this stream is the last one that is looked at; it may go on."""
        self.send_raw(struct.pack(">I", 8)[1:] + bytes([GOAWAY, 0]) + struct.pack(">III", 0, self.number, 0))

    def send_raw(self, data: bytes) -> None:
        """These very bytes, whatever the protocol says."""
        self.protocol.write(data)


Handler = Callable[[Stream], Awaitable[None]]


async def echo(stream: Stream) -> None:
    """Answer with what was received, as JSON."""
    await stream.complete.wait()
    seen = {
        "method": first(stream.headers, ":method"),
        "target": first(stream.headers, ":path"),
        "version": "HTTP/2",
        "headers": stream.headers,
        "trailers": stream.trailers,
        "length": len(stream.body),
        "sha256": hashlib.sha256(stream.body).hexdigest(),
        "origin": stream.origin.name,
    }
    stream.send_headers(200, [("content-type", "application/json")])
    await stream.send_data(json.dumps(seen).encode(), end=True)


async def grpc(stream: Stream) -> None:
    """A gRPC-like answer: each part of the body is sent back at once, the status comes in trailers."""
    stream.send_headers(200, [("content-type", "application/grpc")])
    await stream.complete.wait()
    await stream.send_data(bytes(stream.body))
    stream.send_trailers([("grpc-status", "0"), ("grpc-message", "fine")])


class H2Origin:
    """A listening origin; `on` scripts a path, every other path echoes."""

    def __init__(
        self,
        name: str = "h2-origin",
        *,
        tls: ssl.SSLContext | None = None,
        http1: Callable[[], asyncio.Protocol] | None = None,
        extended_connect: bool = False,
    ) -> None:
        self.name = name
        self.extended_connect = extended_connect
        """Whether its settings say that it takes extended CONNECT (RFC 8441 §3)."""
        self.http1 = http1
        """What serves connections on which ALPN has chosen HTTP/1."""
        self.accepted = 0
        self.streams: list[Stream] = []
        self.handlers: dict[str, Handler] = {"/grpc": grpc}
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> "H2Origin":
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def on(self, path: str, handler: Handler) -> None:
        """Answer requests of a path (without query) by `handler`."""
        self.handlers[path] = handler

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Protocol(self), "127.0.0.1", 0, ssl=self._tls)


class _Protocol(asyncio.Protocol):
    def __init__(self, origin: H2Origin) -> None:
        self.origin = origin
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="latin-1",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._windows = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.origin.accepted += 1
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if self.origin.http1 and tls and tls.selected_alpn_protocol() == "http/1.1":
            protocol = self.origin.http1()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            return
        if self.origin.extended_connect:
            self.connection.local_settings = h2.settings.Settings(
                client=False, initial_values={h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}
            )
        self.connection.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        for stream in self._streams.values():
            stream.reset_by_peer.set()
            stream.arrived.set()
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()
            self._transport.close()
            return
        for event in events:
            self._handle(event)
        self.flush()

    def flush(self) -> None:
        """Send what the protocol machine has ready."""
        self.write(self.connection.data_to_send())

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    async def window(self, stream: int) -> int:
        """The room for data on a stream, waiting until there is some."""
        while (room := self.connection.local_flow_control_window(stream)) <= 0:
            self._windows.clear()
            await self._windows.wait()
        return room

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event)
        elif isinstance(event, h2.events.DataReceived):
            assert event.stream_id is not None
            self._streams[event.stream_id].body += event.data or b""
            self._streams[event.stream_id].arrived.set()
            self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            assert event.stream_id is not None
            self._streams[event.stream_id].trailers = _fields(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            assert event.stream_id is not None
            self._streams[event.stream_id].complete.set()
            self._streams[event.stream_id].arrived.set()
        elif isinstance(event, h2.events.StreamReset):
            assert event.stream_id is not None
            self._streams[event.stream_id].reset_by_peer.set()
            self._streams[event.stream_id].arrived.set()
        elif isinstance(event, h2.events.WindowUpdated):
            self._windows.set()

    def _begin(self, event: h2.events.RequestReceived) -> None:
        assert event.stream_id is not None
        stream = Stream(self.origin, self, event.stream_id, _fields(event.headers))
        self._streams[event.stream_id] = stream
        self.origin.streams.append(stream)
        task = asyncio.get_running_loop().create_task(self._answer(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, stream: Stream) -> None:
        # The peer may reset the stream meanwhile.
        with contextlib.suppress(h2.exceptions.ProtocolError):
            await self.origin.handlers.get(stream.path, echo)(stream)


def _fields(headers: object) -> Fields:
    assert isinstance(headers, list)
    return [(str(name), str(value)) for name, value in headers]
