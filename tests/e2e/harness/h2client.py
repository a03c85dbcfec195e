"""A well-behaved HTTP/2 client on a plain socket, over the `h2` package."""

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events

from .connection import Connection
from .h2frames import GOAWAY
from .message import Fields, RawFields, Response
from .multiplexed import MultiplexedClient

_CANCEL = 8


class Goaway(NamedTuple):
    """The content of a GOAWAY frame (RFC 9113 §6.8)."""

    last_stream: int
    error: int


class H2Client(Connection, MultiplexedClient):
    """One connection with any number of streams; what arrives is sorted into one Response per stream."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        server_name: str = "localhost",
        deadline: float = 10.0,
        grant: bool = True,
    ) -> None:
        self.deadline = deadline
        self.closed = False
        self.goaway: Goaway | None = None
        self._received = bytearray()
        self.responses: dict[int, Response] = {}
        self.ended: set[int] = set()
        self._grant = grant
        self._authority = f"{server_name}:{port}"
        self._scheme = "http" if tls is None else "https"
        plain = socket.create_connection((host, port), timeout=deadline)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = plain
        if tls is not None:
            self.sock = tls.wrap_socket(plain, server_hostname=server_name)
            assert self.sock.selected_alpn_protocol() == "h2"
        # What is sent is the test's business, so it is not checked; what is received is checked strictly.
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(
                header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
            )
        )
        self.connection.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what the protocol machine has ready."""
        if data := self.connection.data_to_send():
            self.sock.sendall(data)

    def begin(self, fields: RawFields, *, end: bool) -> int:
        """Begin a request with these very fields, pseudo-header fields among them; the id of its stream."""
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, fields, end_stream=end)
        self.responses[stream] = Response(0, [], version="HTTP/2")
        self.flush()
        return stream

    def end(self, stream: int, trailers: RawFields) -> None:
        """End a request with these very trailers, unless it was reset."""
        if not self.is_over(stream):
            self.connection.send_headers(stream, trailers, end_stream=True)
            self.flush()

    def cancel(self, stream: int) -> None:
        """Give a request up."""
        self.connection.reset_stream(stream, _CANCEL)
        self.flush()

    def send_body(self, stream: int, body: bytes, *, end: bool = True) -> None:
        """Send data, waiting for the peer's window where it is full; stops when the stream was reset."""
        view = memoryview(body)
        while view:
            self.pump(lambda: self._writable(stream) > 0, "the peer opens its window")
            if self.is_over(stream):
                return
            size = min(self._writable(stream), self.connection.max_outbound_frame_size, len(view))
            self.connection.send_data(stream, bytes(view[:size]))
            view = view[size:]
            self.flush()
        if end and not self.is_over(stream):
            self.connection.end_stream(stream)
            self.flush()

    def is_over(self, stream: int) -> bool:
        return self.closed or stream in self.ended or self.responses[stream].reset is not None

    def _writable(self, stream: int) -> int:
        return 1 if self.is_over(stream) else self.connection.local_flow_control_window(stream)

    def pump(self, until: Callable[[], bool], what: str) -> None:
        """Handle what arrives until something is true or the connection ends."""
        end = time.monotonic() + self.deadline
        while not until() and not self.closed:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.sock.recv(1 << 18)
            except TimeoutError:
                raise AssertionError(f"not within {self.deadline:g} s: {what}") from None
            except (ConnectionError, ssl.SSLEOFError):
                data = b""
            if not data:
                self.closed = True
                return
            self._received += data
            for event in self.connection.receive_data(self._whole_frames()):
                self._handle(event)
            self.flush_quietly()
        self.sock.settimeout(self.deadline)

    def flush_quietly(self) -> None:
        """Flush; a peer that has closed is noticed by the next read."""
        with contextlib.suppress(OSError):
            self.flush()

    def _whole_frames(self) -> bytes:
        """What has arrived whole, but for GOAWAY.

        After one the h2 package takes nothing more, though streams that were begun go on (RFC 9113 §6.8).
        """
        frames = bytearray()
        while len(self._received) >= 9:
            size = 9 + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                break
            frame = bytes(self._received[:size])
            del self._received[:size]
            if frame[3] == GOAWAY:
                self.goaway = Goaway(*struct.unpack_from(">II", frame, 9))
            else:
                frames += frame
        return bytes(frames)

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.InformationalResponseReceived):
            self._of(event).informational.append(_head(event.headers or []))
        elif isinstance(event, h2.events.ResponseReceived):
            head = _head(event.headers or [])
            response = self._of(event)
            response.status, response.headers = head.status, head.headers
        elif isinstance(event, h2.events.DataReceived):
            self._of(event).body += event.data or b""
            if self._grant and event.flow_controlled_length:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)
        elif isinstance(event, h2.events.TrailersReceived):
            self._of(event).trailers = _texts(event.headers or [])
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id or 0)
        elif isinstance(event, h2.events.StreamReset):
            self._of(event).reset = int(event.error_code or 0)

    def _of(self, event: object) -> Response:
        stream: int = getattr(event, "stream_id")  # noqa: B009 - every event handled here has one
        return self.responses.setdefault(stream, Response(0, [], version="HTTP/2"))


def _texts(headers: object) -> Fields:
    assert isinstance(headers, list)
    return [(_text(name), _text(value)) for name, value in headers]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _head(headers: object) -> Response:
    fields = _texts(headers)
    status = next(value for name, value in fields if name == ":status")
    return Response(int(status), [f for f in fields if not f[0].startswith(":")], version="HTTP/2")
