"""A client that sends HTTP/1 exactly as told and reads the answers strictly."""

import re
import socket
import ssl
import struct
import time

from .connection import Connection
from .message import Fields, Response, format_fields, parse_field

_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:;.*)?")
BODILESS = (204, 304)


class ClosedError(Exception):
    """The peer closed or reset the connection where more was due."""


def abort(sock: socket.socket) -> None:
    """Close with a reset (SO_LINGER 0) instead of an orderly end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class RawClient(Connection):
    """One connection. Reads fail with AssertionError when nothing comes before the deadline."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        source: str | None = None,
        tls: ssl.SSLContext | None = None,
        server_name: str = "localhost",
        session: ssl.SSLSession | None = None,
        receive_buffer: int | None = None,
        deadline: float = 10.0,
    ) -> None:
        self.deadline = deadline
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        plain = socket.socket(family)
        plain.settimeout(deadline)
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            plain.bind((source, 0))
        plain.connect((host, port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = plain
        if tls is not None:
            self.sock = tls.wrap_socket(plain, server_hostname=server_name, session=session)
        self._buffer = bytearray()

    def abort(self) -> None:
        """End the connection with a reset."""
        abort(self.sock)

    def send(self, data: bytes | str) -> None:
        """Send bytes (text as Latin-1) as they are."""
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def try_send(self, data: bytes) -> bool:
        """Send; False when the peer has closed the connection."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def request(
        self, target: str = "/", *, method: str = "GET", headers: Fields | None = None, body: bytes = b""
    ) -> Response:
        """Send a well-formed request and read its response."""
        self.send_request(target, method=method, headers=headers, body=body)
        return self.read_response(method)

    def send_request(
        self, target: str = "/", *, method: str = "GET", headers: Fields | None = None, body: bytes = b""
    ) -> None:
        """Send a well-formed request; `Host` and `Content-Length` are added where they are missing."""
        fields = list(headers or [])
        names = {name.lower() for name, _ in fields}
        if "host" not in names:
            fields.insert(0, ("Host", "localhost"))
        if body and not names & {"content-length", "transfer-encoding"}:
            fields.append(("Content-Length", str(len(body))))
        self.send(
            f"{method} {target} HTTP/1.1\r\n".encode("latin-1") + format_fields(fields) + b"\r\n" + body
        )

    def read_response(self, method: str = "GET") -> Response:
        """The next final response, with the informational ones before it.

        Raises ClosedError when the connection ends before a final response's head is complete.
        """
        informational: list[Response] = []
        while True:
            response = self.read_head()
            if response.status >= 200 or response.status == 101:
                break
            informational.append(response)
        response.informational = informational
        if method != "HEAD" and response.status not in BODILESS and response.status != 101:
            try:
                self._read_body(response)
            except ClosedError:
                response.complete = False
        return response

    def read_head(self) -> Response:
        """The next response's head alone."""
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        status = _STATUS_LINE.fullmatch(lines[0])
        assert status is not None, f"malformed status line {lines[0]!r}"
        version, code, _ = status.groups()
        return Response(int(code), _fields(lines[1:]), version=version.decode())

    def _read_body(self, response: Response) -> None:
        body = bytearray()
        response.body = b""
        coding, length = response.header("transfer-encoding"), response.header("content-length")
        try:
            if coding is not None:
                assert length is None, "both Transfer-Encoding and Content-Length"
                assert coding.lower() == "chunked", coding
                response.trailers = self._read_chunks(body)
            elif length is not None:
                self._exactly(int(length), body)
            else:
                body += self.read_to_end()
        finally:
            response.body = bytes(body)

    def _read_chunks(self, body: bytearray) -> Fields:
        while True:
            size = _CHUNK.fullmatch(self._until(b"\r\n"))
            assert size is not None, "malformed chunk size"
            length = int(size[1], 16)
            if length == 0:
                break
            self._exactly(length, body)
            assert self.read_exactly(2) == b"\r\n", "a chunk must end with CR LF"
        lines = []
        while line := self._until(b"\r\n"):
            lines.append(line)
        return _fields(lines)

    def _exactly(self, count: int, into: bytearray) -> None:
        while count:
            if not self._buffer and not self._more():
                raise ClosedError
            part = self._take(min(count, len(self._buffer)))
            into += part
            count -= len(part)

    def read_exactly(self, count: int) -> bytes:
        """That many bytes. Raises ClosedError when the connection ends before."""
        into = bytearray()
        self._exactly(count, into)
        return bytes(into)

    def read_some(self) -> bytes:
        """What is there, waiting for at least one byte; empty at the connection's end."""
        if not self._buffer:
            self._more()
        return self._take(len(self._buffer))

    def read_to_end(self) -> bytes:
        """Everything until the peer closes or resets the connection."""
        while self._more():
            pass
        return self._take(len(self._buffer))

    def wait_closed(self) -> None:
        """Wait until the peer closes; AssertionError when it sends more or stays."""
        rest = self.read_to_end()
        assert not rest, f"the peer sent more before it closed: {rest[:200]!r}"

    def silent(self, seconds: float) -> bool:
        """Whether nothing arrives for a while, the connection staying open."""
        self.sock.settimeout(seconds)
        try:
            part = self.sock.recv(65536)
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(self.deadline)
        self._buffer += part
        return False

    def _until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            if not self._more():
                raise ClosedError(bytes(self._buffer[:200]))
        line = self._take(at + len(mark))
        return line[: -len(mark)]

    def _take(self, count: int) -> bytes:
        part = bytes(self._buffer[:count])
        del self._buffer[:count]
        return part

    def _more(self) -> bytes:
        """Read from the socket into the buffer; empty at the end."""
        started = time.monotonic()
        try:
            part = self.sock.recv(1 << 18)
        except TimeoutError:
            waited = time.monotonic() - started
            raise AssertionError(
                f"nothing came for {waited:.1f} s; so far {bytes(self._buffer[:200])!r}"
            ) from None
        except (ConnectionError, ssl.SSLEOFError):
            return b""
        self._buffer += part
        return part


def refuses(port: int) -> bool:
    """Whether nobody listens on a port of this host."""
    try:
        RawClient(port).close()
    except OSError:
        return True
    return False


def _fields(lines: list[bytes]) -> Fields:
    fields = []
    for line in lines:
        parsed = parse_field(line)
        assert parsed is not None, f"malformed field line {line!r}"
        fields.append(parsed)
    return fields
