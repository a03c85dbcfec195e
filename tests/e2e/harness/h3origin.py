"""A scriptable HTTP/3 origin, over aioquic's QUIC and with frames of its own: they may be anything."""

import asyncio
from pathlib import Path
from typing import Any

import aioquic.quic.events as quic
import pylsqpack
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer
from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

from .certs import Authority, CertFiles
from .configs import proxy
from .h3client import CONTROL, DATA, GOAWAY, HEADERS, SETTINGS, encode, frame, take_no_more, whole_frame
from .message import Fields, RawFields
from .multiplexed_origin import MultiplexedOrigin, Stream

NO_ERROR, INTERNAL_ERROR, REQUEST_REJECTED = 0x100, 0x102, 0x10B
_UNREAD = 1 << 18
"""Bytes of a connection that wait to be acknowledged before no more are sent."""


class H3Stream(Stream):
    """One request and the means to answer it."""

    version = "HTTP/3"

    def __init__(self, protocol: "_Protocol", number: int, headers: Fields) -> None:
        super().__init__(protocol.origin, number, headers)
        self.protocol = protocol

    def send_section(self, fields: RawFields, *, end: bool) -> None:
        """A field section of these very fields."""
        self.send_raw(frame(HEADERS, encode(fields)), end=end)

    async def send_data(self, data: bytes, *, end: bool = False) -> None:
        """Response data, as fast as the peer takes it."""
        parts = [data[at : at + _UNREAD] for at in range(0, len(data), _UNREAD)]
        for part in parts:
            self.send_raw(frame(DATA, part))
            await self.protocol.taken(self.number)
        if end:
            self.send_raw(b"", end=True)

    def send_raw(self, data: bytes, *, end: bool = False) -> None:
        """These very bytes, whatever the protocol says."""
        self.protocol.send(self.number, data, end=end)

    def reset(self) -> None:
        """Break the response off."""
        self._reset(INTERNAL_ERROR)

    def refuse(self) -> None:
        """Say that the request was not carried out."""
        self._reset(REQUEST_REJECTED)

    def _reset(self, code: int) -> None:
        self.protocol.quic.reset_stream(self.number, code)
        self.protocol.transmit()

    def take_no_more(self) -> None:
        """Let the peer send no more than it may already, on any stream."""
        take_no_more(self.protocol.quic)

    def stop(self) -> None:
        """Want no more of the request."""
        self.protocol.quic.stop_stream(self.number, NO_ERROR)
        self.protocol.transmit()

    def send_goaway(self) -> None:
        """GOAWAY: this stream is the last one that is looked at; it may go on."""
        self.protocol.send_control(frame(GOAWAY, encode_uint_var(self.number + 4)))

    def close(self) -> None:
        """End the connection, whatever is under way on it."""
        self.protocol.close(error_code=NO_ERROR)


class H3Origin(MultiplexedOrigin):
    """A listening origin; `on` scripts a path, every other path echoes."""

    def __init__(
        self,
        files: CertFiles,
        name: str = "h3-origin",
        *,
        port: int = 0,
        streams: int = 128,
        extended_connect: bool = False,
        versions: tuple[QuicProtocolVersion, ...] = (QuicProtocolVersion.VERSION_1,),
    ) -> None:
        super().__init__(name)
        self.ended: list[int] = []
        """Why connections ended: their error codes."""
        self._streams = streams
        self.settings = b"\x08\x01" if extended_connect else b""
        """The payload of its SETTINGS: whether it takes extended CONNECT (RFC 9220 §3)."""
        self._configuration = QuicConfiguration(
            is_client=False, alpn_protocols=["h3"], supported_versions=list(versions)
        )
        self._configuration.load_cert_chain(files.cert, files.key)
        self.port = port
        self._server = self._run(self._listen())

    async def _listen(self) -> QuicServer:
        server = QuicServer(configuration=self._configuration, create_protocol=self._protocol)
        await self._loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", self.port))
        self.port = self._transport_of(server).get_extra_info("sockname")[1]
        return server

    def _protocol(self, *arguments: Any, **options: Any) -> "_Protocol":
        return _Protocol(self, self._streams, *arguments, **options)

    def vanish(self) -> None:
        """End without a word, as a process that is killed."""
        self._run(self._vanish())

    async def _vanish(self) -> None:
        self._transport_of(self._server).abort()
        self._server._transport = _Nowhere()
        for protocol in self._server._protocols.values():
            protocol._transport = _Nowhere()

    async def _close(self) -> None:
        self._server.close()

    async def _answer(self, stream: Stream) -> None:
        await self.handler(stream.path)(stream)

    @staticmethod
    def _transport_of(server: QuicServer) -> asyncio.DatagramTransport:
        transport = server._transport
        assert transport is not None
        return transport


class _Nowhere(asyncio.DatagramTransport):
    """Where what is sent is lost."""

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Lose a datagram."""

    def close(self) -> None:
        """There is nothing to close."""


class _Protocol(QuicConnectionProtocol):
    def __init__(self, origin: H3Origin, streams: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.origin, self.quic = origin, self._quic
        self.quic._local_max_streams_bidi.value = streams
        self._decoder = pylsqpack.Decoder(0, 0)
        self._received: dict[int, bytearray] = {}
        self._streams: dict[int, H3Stream] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._control = -1
        self._moved = asyncio.Event()

    def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Send bytes on a stream, unless its peer gave it up."""
        stream = self._streams.get(number)
        if stream is None or not stream.reset_by_peer.is_set():
            self.quic.send_stream_data(number, data, end)
            self.transmit()

    def send_control(self, data: bytes) -> None:
        """Send bytes on the control stream."""
        self.send(self._control, data)

    async def taken(self, number: int) -> None:
        """Wait until the peer has most of what was sent on a stream."""
        sender = self.quic._streams[number].sender
        while len(sender._buffer) > _UNREAD:
            self._moved.clear()
            await self._moved.wait()

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        """Handle a datagram, which may acknowledge what was sent."""
        super().datagram_received(data, addr)
        self._moved.set()

    def quic_event_received(self, event: quic.QuicEvent) -> None:
        """Handle what arrives."""
        if isinstance(event, quic.HandshakeCompleted):
            self.origin.accepted += 1
            self._control = self.quic.get_next_available_stream_id(is_unidirectional=True)
            self.send(self._control, encode_uint_var(CONTROL) + frame(SETTINGS, self.origin.settings))
        elif isinstance(event, quic.StreamDataReceived) and event.stream_id % 4 == 0:
            received = self._received.setdefault(event.stream_id, bytearray())
            received += event.data
            self._read(event.stream_id, received)
            if event.end_stream:
                self._streams[event.stream_id].complete.set()
                self._streams[event.stream_id].arrived.set()
        elif isinstance(event, quic.StreamReset | quic.StopSendingReceived):
            if event.stream_id in self._streams:
                self._streams[event.stream_id].reset_by_peer.set()
                self._streams[event.stream_id].arrived.set()
        elif isinstance(event, quic.ConnectionTerminated):
            self.origin.ended.append(event.error_code)
            for stream in self._streams.values():
                stream.reset_by_peer.set()
                stream.arrived.set()
            for task in self._tasks:
                task.cancel()

    def _read(self, number: int, received: bytearray) -> None:
        while (found := whole_frame(received)) is not None:
            kind, payload = found
            if kind == HEADERS:
                self._section(number, payload)
            elif kind == DATA:
                self._streams[number].take(payload)

    def _section(self, number: int, section: bytes) -> None:
        _, headers = self._decoder.feed_header(number, section)
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        if stream := self._streams.get(number):
            stream.trailers = fields
            return
        stream = self._streams[number] = H3Stream(self, number, fields)
        self._tasks.append(self.origin.serve(stream))


def trusting(file: Path) -> dict[str, Any]:
    """Options of an upstream of such origins, whose certificates come from this authority."""
    return {"protocol": "http3", "tls": {"ca": str(file), "server_name": "localhost"}}


def to(origin: H3Origin, authority: Authority, **options: Any) -> dict[str, Any]:
    """A gateway in front of such an origin; `options` are of its upstream."""
    config = proxy(origin.address, workers=1)
    config["upstreams"][0].update(trusting(authority.file), **options)
    return config
