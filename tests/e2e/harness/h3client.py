"""An HTTP/3 client on a UDP socket, over aioquic's QUIC and with frames of its own: they may be anything."""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Self

import aioquic.quic.events as quic
import pylsqpack
from aioquic._buffer import Buffer
from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.tls import SessionTicket

from .message import RawFields, Response
from .multiplexed import MultiplexedClient

DATA, HEADERS, SETTINGS, GOAWAY, PRIORITY_UPDATE = 0x00, 0x01, 0x04, 0x07, 0xF0700
CONTROL, PUSH, ENCODER, DECODER = 0x00, 0x01, 0x02, 0x03
_CANCELLED = 0x10C


def frame(kind: int, payload: bytes) -> bytes:
    """A frame (RFC 9114 §7.1)."""
    return encode_uint_var(kind) + encode_uint_var(len(payload)) + payload


class H3Client(MultiplexedClient):
    """One connection with any number of streams; what arrives is sorted into one Response per stream."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        source: str | None = None,
        server_name: str = "localhost",
        deadline: float = 10.0,
        settings: bytes | None = frame(SETTINGS, b""),
        on_token: Callable[[bytes], None] | None = None,
        on_session: Callable[[SessionTicket], None] | None = None,
        early: bool = False,
        **options: Any,
    ) -> None:
        """`options` are those of aioquic's configuration; `on_token` and `on_session` get what is for later
        connections. With `early` requests do not wait for the handshake, and nothing is sent before."""
        self.deadline = deadline
        self.closed: quic.ConnectionTerminated | None = None
        self.goaways: list[int] = []
        self.settings: dict[int, int] = {}
        self.responses: dict[int, Response] = {}
        self.ended: set[int] = set()
        self.stopped: dict[int, int] = {}
        """Streams that the peer wants no more of, and its error code."""
        self._received: dict[int, bytearray] = {}
        self._decoder = pylsqpack.Decoder(0, 0)
        self._server = (host, port)
        self._scheme, self._authority = "https", f"{server_name}:{port}"
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        if source is not None:
            self.move(source)
        options = {"alpn_protocols": ["h3"], "verify_mode": ssl.CERT_NONE, **options}
        configuration = QuicConfiguration(is_client=True, server_name=server_name, **options)
        self.quic = QuicConnection(
            configuration=configuration, token_handler=on_token, session_ticket_handler=on_session
        )
        self.quic.connect(self._server, now=time.monotonic())
        self.shaken = False
        self.took_early = False
        """Whether the server took early data."""
        if not early:
            self.pump(lambda: self.shaken, "the handshake ends")
        if settings is not None:
            self.open(CONTROL, settings)

    @property
    def was_asked(self) -> bool:
        """Whether it had to show its address, by a Retry packet."""
        return self.quic._retry_source_connection_id is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection in an orderly way."""
        if self.closed is None:
            self.quic.close(error_code=0x100)
            self.flush()
        self.sock.close()

    def move(self, host: str) -> None:
        """Go on from another address, and another port."""
        self.sock.close()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))

    def take_no_more(self) -> None:
        """Let the server send no more than it may already, on any stream."""
        take_no_more(self.quic)

    def flush(self) -> None:
        """Send what the protocol machine has ready."""
        for data, _ in self.quic.datagrams_to_send(now=time.monotonic()):
            self.transmit(data)

    def transmit(self, datagram: bytes) -> None:
        """Send a datagram, whatever it is."""
        self.sock.sendto(datagram, self._server)

    def open(self, kind: int, content: bytes = b"") -> int:
        """Open a unidirectional stream of this type; its id."""
        stream = self.quic.get_next_available_stream_id(is_unidirectional=True)
        self.quic.send_stream_data(stream, encode_uint_var(kind) + content)
        self.flush()
        return stream

    def send(self, stream: int, content: bytes, *, end: bool = False) -> None:
        """Send these very bytes on a stream."""
        self.quic.send_stream_data(stream, content, end)
        self.flush()

    def begin(self, fields: RawFields, *, end: bool) -> int:
        """Begin a request with these very fields, pseudo-header fields among them; the id of its stream."""
        return self.begin_with(frame(HEADERS, encode(fields)), end=end)

    def begin_with(self, content: bytes, *, end: bool) -> int:
        """Open a stream for a request, with these very bytes; its id."""
        stream = self.quic.get_next_available_stream_id()
        self.responses[stream] = Response(0, [], version="HTTP/3")
        self.send(stream, content, end=end)
        return stream

    def send_body(self, stream: int, body: bytes, *, end: bool = True) -> None:
        """Send content."""
        self.send(stream, frame(DATA, body) if body else b"", end=end)

    def end(self, stream: int, trailers: RawFields) -> None:
        """End a request with these very trailers."""
        self.send(stream, frame(HEADERS, encode(trailers)), end=True)

    def cancel(self, stream: int) -> None:
        """Give a request up."""
        self.quic.reset_stream(stream, _CANCELLED)
        self.quic.stop_stream(stream, _CANCELLED)
        self.flush()

    def wait_closed(self) -> int:
        """Wait for the end of the connection; its error code."""
        self.pump(lambda: False, "the connection ends")
        assert self.closed is not None
        return int(self.closed.error_code)

    def is_over(self, stream: int) -> bool:
        return self.closed is not None or stream in self.ended or self.responses[stream].reset is not None

    def pump(self, until: Callable[[], bool], what: str) -> None:
        """Handle what arrives until something is true or the connection ends."""
        end = time.monotonic() + self.deadline
        self.flush()
        while not until() and self.closed is None:
            now = time.monotonic()
            assert now < end, f"not within {self.deadline:g} s: {what}"
            timer = self.quic.get_timer() or end
            self.sock.settimeout(max(0.001, min(timer, end) - now))
            try:
                data, address = self.sock.recvfrom(65_536)
                self.quic.receive_datagram(data, address, now=time.monotonic())
            except TimeoutError:
                self.quic.handle_timer(now=time.monotonic())
            while (event := self.quic.next_event()) is not None:
                self._handle(event)
            self.flush()

    def _handle(self, event: quic.QuicEvent) -> None:
        if isinstance(event, quic.HandshakeCompleted):
            self.shaken, self.took_early = True, event.early_data_accepted
        elif isinstance(event, quic.ConnectionTerminated):
            self.closed = event
        elif isinstance(event, quic.StreamReset):
            self._of(event.stream_id).reset = event.error_code
        elif isinstance(event, quic.StopSendingReceived):
            self.stopped[event.stream_id] = event.error_code
        elif isinstance(event, quic.StreamDataReceived):
            received = self._received.setdefault(event.stream_id, bytearray())
            received += event.data
            self._read(event.stream_id, received)
            if event.end_stream:
                assert not received, f"stream {event.stream_id} ends within a frame"
                self.ended.add(event.stream_id)

    def _read(self, stream: int, received: bytearray) -> None:
        is_unidirectional = stream % 4 == 3
        if is_unidirectional and stream not in self.responses and received:
            assert received[0] == CONTROL, "the server has one unidirectional stream"
            del received[0]
            self._of(stream)
        while (found := whole_frame(received)) is not None:
            kind, payload = found
            if kind == SETTINGS:
                self.settings = _settings(payload)
            elif kind == GOAWAY:
                self.goaways.append(Buffer(data=payload).pull_uint_var())
            elif kind == HEADERS:
                self._head(stream, payload)
            elif kind == DATA:
                self._of(stream).body += payload

    def _head(self, stream: int, section: bytes) -> None:
        _, headers = self._decoder.feed_header(stream, section)
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        response = self._of(stream)
        if response.status:
            response.trailers = fields
            return
        (name, status), *rest = fields
        assert name == ":status"
        if int(status) < 200:
            response.informational.append(Response(int(status), rest, version="HTTP/3"))
        else:
            response.status, response.headers = int(status), rest

    def _of(self, stream: int) -> Response:
        return self.responses.setdefault(stream, Response(0, [], version="HTTP/3"))


class Heard(H3Client):
    """A client whose datagrams an attacker hears."""

    def __init__(self, port: int, **options: Any) -> None:
        self.heard: list[bytes] = []
        super().__init__(port, **options)

    def transmit(self, datagram: bytes) -> None:
        """Send it, and have it heard."""
        self.heard.append(datagram)
        super().transmit(datagram)


def take_no_more(connection: QuicConnection) -> None:
    """Let the peer of a connection send no more than it may already, on any stream."""
    for grant in ("_write_connection_limits", "_write_stream_limits"):
        setattr(connection, grant, lambda **_: None)


def encode(fields: RawFields) -> bytes:
    """A field section of these very fields: each a literal with a literal name (RFC 9204 §4.5.6)."""
    lines = (
        _prefixed(len(name), 3, 0x20) + name + _prefixed(len(value), 7) + value for name, value in fields
    )
    return b"\0\0" + b"".join(lines)


def _prefixed(value: int, bits: int, flags: int = 0) -> bytes:
    """An integer in the low bits of its first byte (RFC 7541 §5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([flags | value])
    value -= most
    encoded = bytearray([flags | most])
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def whole_frame(received: bytearray) -> tuple[int, bytes] | None:
    """The first frame, taken off, if all of it is there."""
    buffer = Buffer(data=bytes(received[:16]))
    try:
        kind, length = buffer.pull_uint_var(), buffer.pull_uint_var()
    except ValueError:
        return None
    begin = buffer.tell()
    if len(received) < begin + length:
        return None
    payload = bytes(received[begin : begin + length])
    del received[: begin + length]
    return kind, payload


def _settings(payload: bytes) -> dict[int, int]:
    buffer, settings = Buffer(data=payload), {}
    while not buffer.eof():
        setting = buffer.pull_uint_var()
        settings[setting] = buffer.pull_uint_var()
    return settings
