"""An HTTP/2 client of single frames, for what no well-behaved client would send."""

import socket
import ssl
import struct
import time
from collections.abc import Iterator

import hpack
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, SettingsFrame

from .connection import Connection
from .message import RawFields

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


class ReceivedFrame:
    """A frame as it came."""

    def __init__(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    @property
    def error(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int(struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload[:4])[0])


def get(path: bytes = b"/", *, authority: bytes = b"localhost", method: bytes = b"GET") -> RawFields:
    """The pseudo-header fields of a plain request."""
    return [(b":method", method), (b":scheme", b"http"), (b":authority", authority), (b":path", path)]


class FrameClient(Connection):
    """One connection; nothing that is sent is checked, nothing is answered by itself."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, deadline: float = 10.0) -> None:
        self.deadline = deadline
        plain = socket.create_connection(("127.0.0.1", port), timeout=deadline)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = plain
        if tls is not None:
            self.sock = tls.wrap_socket(plain, server_hostname="localhost")
        self._buffer = bytearray()
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()

    def begin(self, **settings: int) -> "FrameClient":
        """Send the preface and the first SETTINGS (by name, as `INITIAL_WINDOW_SIZE=0`)."""
        values = {getattr(SettingsFrame, name): value for name, value in settings.items()}
        self.sock.sendall(PREFACE + SettingsFrame(0, settings=values).serialize())
        return self

    def send(self, *frames: Frame | bytes) -> bool:
        """Send frames or bytes; False when the peer has closed the connection."""
        data = b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames)
        try:
            self.sock.sendall(data)
        except TimeoutError:
            raise AssertionError("the peer reads no more, yet keeps the connection") from None
        except OSError:
            return False
        return True

    def block(self, fields: RawFields) -> bytes:
        """A header block."""
        return bytes(self._encoder.encode(fields))

    def headers(
        self, stream: int, fields: RawFields, *, end_stream: bool = True, end_headers: bool = True
    ) -> Frame:
        """A HEADERS frame."""
        flags = ["END_STREAM"] * end_stream + ["END_HEADERS"] * end_headers
        return HeadersFrame(stream, data=self.block(fields), flags=flags)

    @staticmethod
    def continuation(stream: int, data: bytes, *, end_headers: bool = False) -> Frame:
        """A CONTINUATION frame."""
        return ContinuationFrame(stream, data=data, flags=["END_HEADERS"] * end_headers)

    @staticmethod
    def data(stream: int, data: bytes, *, end_stream: bool = True) -> Frame:
        """A DATA frame."""
        return DataFrame(stream, data=data, flags=["END_STREAM"] * end_stream)

    def frames(self) -> Iterator[ReceivedFrame]:
        """The frames that arrive, until the connection ends; AssertionError when nothing comes in time."""
        while True:
            while len(self._buffer) < 9 or len(self._buffer) < 9 + self._length():
                if not self._more():
                    return
            length = self._length()
            kind, flags = self._buffer[3], self._buffer[4]
            stream = struct.unpack(">I", self._buffer[5:9])[0] & 0x7FFFFFFF
            payload = bytes(self._buffer[9 : 9 + length])
            del self._buffer[: 9 + length]
            yield ReceivedFrame(kind, flags, stream, payload)

    def _length(self) -> int:
        return int.from_bytes(self._buffer[:3], "big")

    def _more(self) -> bool:
        started = time.monotonic()
        try:
            data = self.sock.recv(1 << 16)
        except TimeoutError:
            raise AssertionError(f"no frame for {time.monotonic() - started:.1f} s") from None
        except (ConnectionError, ssl.SSLEOFError):
            return False
        self._buffer += data
        return bool(data)

    def outcome(self, stream: int = 1) -> str:
        """What became of a stream: `200` (a status), `reset 1`, `goaway 1` or `closed`."""
        for frame in self.frames():
            if frame.kind == HEADERS:
                fields = self._decoder.decode(frame.payload)
                if frame.stream == stream:
                    return _status(fields)
            elif frame.kind == RST_STREAM and frame.stream == stream:
                return f"reset {frame.error}"
            elif frame.kind == GOAWAY:
                return f"goaway {frame.error}"
        return "closed"

    def wait_closed(self) -> int | None:
        """Wait for the connection's end; the last GOAWAY's error code, None without one."""
        code = None
        for frame in self.frames():
            if frame.kind == GOAWAY:
                code = frame.error
        return code


def _status(fields: object) -> str:
    assert isinstance(fields, list)
    for name, value in fields:
        if name in (":status", b":status"):
            return value.decode() if isinstance(value, bytes) else str(value)
    raise AssertionError(f"a response without :status: {fields}")
