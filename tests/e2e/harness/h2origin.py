"""A scriptable HTTP/2 origin (h2c by prior knowledge, or TLS with ALPN), over the `h2` package."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Callable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .h2frames import GOAWAY
from .message import Fields, RawFields
from .multiplexed_origin import MultiplexedOrigin, Stream


class H2Stream(Stream):
    """One request and the means to answer it."""

    version = "HTTP/2"

    def __init__(self, protocol: "_Protocol", number: int, headers: Fields) -> None:
        super().__init__(protocol.origin, number, headers)
        self.protocol = protocol

    def send_section(self, fields: RawFields, *, end: bool) -> None:
        """A field section of these very fields."""
        self.protocol.connection.send_headers(self.number, fields, end_stream=end)
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

    def reset(self) -> None:
        """Break the response off."""
        self._reset(h2.errors.ErrorCodes.INTERNAL_ERROR)

    def refuse(self) -> None:
        """Say that the request was not carried out."""
        self._reset(h2.errors.ErrorCodes.REFUSED_STREAM)

    def _reset(self, code: int) -> None:
        self.protocol.connection.reset_stream(self.number, code)
        self.protocol.flush()

    def send_goaway(self) -> None:
        """GOAWAY: this stream is the last one that is looked at; it may go on."""
        self.send_raw(struct.pack(">I", 8)[1:] + bytes([GOAWAY, 0]) + struct.pack(">III", 0, self.number, 0))

    def send_raw(self, data: bytes) -> None:
        """These very bytes, whatever the protocol says."""
        self.protocol.write(data)

    def close(self) -> None:
        """End the connection, whatever is under way on it."""
        self.protocol.close()


class H2Origin(MultiplexedOrigin):
    """A listening origin; `on` scripts a path, every other path echoes."""

    def __init__(
        self,
        name: str = "h2-origin",
        *,
        tls: ssl.SSLContext | None = None,
        http1: Callable[[], asyncio.Protocol] | None = None,
        extended_connect: bool = False,
    ) -> None:
        super().__init__(name)
        self.extended_connect = extended_connect
        """Whether its settings say that it takes extended CONNECT (RFC 8441 §3)."""
        self.http1 = http1
        """What serves connections on which ALPN has chosen HTTP/1."""
        self._tls = tls
        self._server = self._run(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Protocol(self), "127.0.0.1", 0, ssl=self._tls)

    async def _close(self) -> None:
        self._server.close()

    async def _answer(self, stream: Stream) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):
            await self.handler(stream.path)(stream)


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
        self._streams: dict[int, H2Stream] = {}
        self._tasks: list[asyncio.Task[None]] = []
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

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

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
            self._streams[event.stream_id].take(event.data or b"")
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
        stream = H2Stream(self, event.stream_id, _fields(event.headers))
        self._streams[event.stream_id] = stream
        self._tasks.append(self.origin.serve(stream))


def _fields(headers: object) -> Fields:
    assert isinstance(headers, list)
    return [(str(name), str(value)) for name, value in headers]
