"""WebSockets over every version of HTTP: clients, and what endpoints say, over the `websockets` package."""

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Protocol, Self

from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, SERVER
from websockets.protocol import Protocol as Frames
from websockets.sync.server import ServerConnection, serve
from websockets.utils import accept_key

from .h2client import H2Client
from .h3client import H3Client
from .message import Fields, Response
from .multiplexed_origin import MultiplexedOrigin, Stream
from .origin import Exchange, Origin
from .raw import RawClient

_DATA = {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}
_KEY = base64.b64encode(b"0123456789abcdef").decode()


class Way(ABC):
    """How a client asks for a WebSocket, and the bytes that follow."""

    response: Response

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send bytes."""

    @abstractmethod
    def read(self) -> bytes:
        """What is there, waiting for at least one byte; empty at the end."""

    @abstractmethod
    def end(self) -> None:
        """Send nothing more, and go on reading."""

    @abstractmethod
    def vanish(self) -> None:
        """Break off, without a word in WebSocket."""

    @abstractmethod
    def close(self) -> None:
        """End the connection."""

    @property
    @abstractmethod
    def was_reset(self) -> bool:
        """Whether the peer broke off."""


class Http1Way(Way):
    """An upgrade."""

    def __init__(self, port: int, path: str, headers: Fields, tls: ssl.SSLContext | None = None) -> None:
        self.client = RawClient(port, tls=tls)
        self.was_closed = False
        fields = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", _KEY)]
        self.response = self.client.request(
            path, headers=[*fields, ("Sec-WebSocket-Version", "13"), *headers]
        )

    def write(self, data: bytes) -> None:
        self.client.send(data)

    def read(self) -> bytes:
        return self.client.read_some()

    def end(self) -> None:
        self.client.sock.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        self.client.abort()

    def close(self) -> None:
        self.client.close()

    @property
    def was_reset(self) -> bool:
        return False  # a close is all that a proxy over HTTP/1 can do here


class StreamWay(Way):
    """An extended CONNECT (RFC 8441, RFC 9220)."""

    def __init__(self, client: H2Client | H3Client, path: str, headers: Fields) -> None:
        self.client = client
        self.stream = client.send_request(
            path,
            method="CONNECT",
            headers=[("sec-websocket-version", "13"), *headers],
            pseudo={"protocol": "websocket"},
            end=False,
        )
        self.response = client.responses[self.stream]
        client.pump(lambda: bool(self.response.status) or self._is_over(), "the answer comes")
        if self.response.status != 200:
            client.wait(self.stream)

    def _is_over(self) -> bool:
        return self.client.is_over(self.stream)

    def write(self, data: bytes) -> None:
        self.client.send_body(self.stream, data, end=False)

    def read(self) -> bytes:
        self.client.pump(lambda: bool(self.response.body) or self._is_over(), "bytes come")
        data, self.response.body = bytes(self.response.body), b""
        return data

    def end(self) -> None:
        self.client.send_body(self.stream, b"", end=True)

    def vanish(self) -> None:
        self.client.cancel(self.stream)

    def close(self) -> None:
        self.client.close()

    @property
    def was_reset(self) -> bool:
        return self.response.reset is not None


class WebSocket:
    """A client's end."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.frames = Frames(CLIENT, max_size=None)
        self._received: deque[Frame] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.way.close()

    @property
    def response(self) -> Response:
        """The answer to the handshake."""
        return self.way.response

    def _flush(self) -> None:
        for data in self.frames.data_to_send():
            self.way.write(data) if data else self.way.end()

    def send(self, *parts: str | bytes) -> None:
        """A message, in as many frames as there are parts."""
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            data = part.encode() if isinstance(part, str) else part
            if number:
                self.frames.send_continuation(data, fin=is_last)
            elif isinstance(part, str):
                self.frames.send_text(data, fin=is_last)
            else:
                self.frames.send_binary(data, fin=is_last)
        self._flush()

    def ping(self, data: bytes) -> None:
        """A ping."""
        self.frames.send_ping(data)
        self._flush()

    def start_closing(self, code: int = 1000) -> None:
        """A Close frame."""
        self.frames.send_close(code)
        self._flush()

    def frame(self) -> Frame | None:
        """The next frame; None at the end."""
        while not self._received:
            data = self.way.read()
            if not data:
                self.frames.receive_eof()
                return None
            self.frames.receive_data(data)
            assert self.frames.parser_exc is None, self.frames.parser_exc
            self._received.extend(
                event for event in self.frames.events_received() if isinstance(event, Frame)
            )
            self._flush_quietly()
        return self._received.popleft()

    def _flush_quietly(self) -> None:
        with contextlib.suppress(OSError):
            self._flush()

    def message(self) -> list[str | bytes]:
        """The next message, in its parts."""
        parts: list[bytes] = []
        kind = None
        while True:
            frame = self.frame()
            assert frame is not None, "a message comes"
            assert frame.opcode in _DATA, frame
            kind = kind or frame.opcode
            parts.append(bytes(frame.data))
            if frame.fin:
                return [part.decode() for part in parts] if kind is Opcode.TEXT else list(parts)

    def closed(self) -> int | None:
        """The code that the peer closes with; None where it breaks off. Nothing else comes before."""
        frame = self.frame()
        assert frame is None or frame.opcode is Opcode.CLOSE, frame
        assert self.frame() is None, "nothing comes after it"
        return None if self.frames.close_rcvd is None else self.frames.close_rcvd.code


@contextlib.contextmanager
def echoing() -> Iterator[int]:
    """A server of the `websockets` package that sends back what it gets; its port."""

    def talk(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(talk, "127.0.0.1", 0, max_size=None, ping_interval=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


class Peer(Protocol):
    """An endpoint's end of a WebSocket, as bytes."""

    async def read(self) -> bytes:
        """What is there, waiting for at least one byte; empty at the end."""

    async def write(self, data: bytes) -> None:
        """Send bytes."""

    async def end(self) -> None:
        """Send nothing more."""

    def vanish(self) -> None:
        """Break off."""


class _Http1Peer:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def read(self) -> bytes:
        try:
            return await self._exchange.reader.read(1 << 16)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        await self._exchange.send(data)

    async def end(self) -> None:
        self._exchange.writer.write_eof()

    def vanish(self) -> None:
        self._exchange.reset()


class _StreamPeer:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        return await self._stream.read()

    async def write(self, data: bytes) -> None:
        await self._stream.send_data(data)

    async def end(self) -> None:
        await self._stream.send_data(b"", end=True)

    def vanish(self) -> None:
        self._stream.reset()


class Endpoint:
    """Talks on the paths below, and refuses on others."""

    def __init__(self) -> None:
        self.begun = 0
        self.over = 0
        self.heads: list[Fields] = []
        self.go_on = threading.Event()
        """What `/drip` waits for in the middle of a frame."""

    def serve_http1(self, origin: Origin) -> None:
        """Talk at an origin of HTTP/1."""
        for path in self._talks():
            origin.on(path, self._http1)
        origin.on("/refuse", self._refuse_http1)
        origin.on("/wrong", self._wrong_http1)

    def serve_streams(self, origin: MultiplexedOrigin) -> None:
        """Talk at an origin of HTTP/2 or HTTP/3."""
        for path in self._talks():
            origin.on(path, self._stream)
        origin.on("/refuse", self._refuse_stream)

    @staticmethod
    def _talks() -> list[str]:
        return ["/echo", "/greet", "/vanish", "/late", "/drip", "/silent", "/stuck", "/flood"]

    async def _http1(self, exchange: Exchange) -> None:
        request = exchange.request
        assert request.method == "GET" and (request.header("upgrade") or "").lower() == "websocket"
        self.heads.append(request.headers)
        await self._switch(exchange, accept_key(request.header("sec-websocket-key") or ""))
        await self._talk(_Http1Peer(exchange), request.path)
        exchange.close()

    async def _switch(self, exchange: Exchange, accept: str) -> None:
        fields = f"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        await exchange.send(f"HTTP/1.1 101 Switching Protocols\r\n{fields}".encode())

    async def _wrong_http1(self, exchange: Exchange) -> None:
        await self._switch(exchange, accept_key("another"))
        await exchange.gone()

    async def _refuse_http1(self, exchange: Exchange) -> None:
        status = int(exchange.request.target.partition("?")[2])
        await exchange.respond(status, [("X-Why", "closed")], b"closed today")

    async def _stream(self, stream: Stream) -> None:
        fields = dict(stream.headers)
        assert (fields[":method"], fields[":protocol"]) == ("CONNECT", "websocket")
        assert "sec-websocket-key" not in fields
        self.heads.append(stream.headers)
        stream.send_headers(200)
        await self._talk(_StreamPeer(stream), stream.path)

    async def _refuse_stream(self, stream: Stream) -> None:
        status = int(dict(stream.headers)[":path"].partition("?")[2])
        stream.send_headers(status, [("x-why", "closed")])
        await stream.send_data(b"closed today", end=True)

    async def _talk(self, peer: Peer, path: str) -> None:
        self.begun += 1
        try:
            with contextlib.suppress(ConnectionError):
                await getattr(self, "_" + path.removeprefix("/"))(peer, Frames(SERVER, max_size=None))
        finally:
            self.over += 1

    async def _flush(self, peer: Peer, frames: Frames) -> None:
        for data in frames.data_to_send():
            await (peer.write(data) if data else peer.end())

    async def _converse(self, peer: Peer, frames: Frames) -> None:
        """Send each frame of data back, to the end of the conversation."""
        await self._flush(peer, frames)
        while data := await peer.read():
            frames.receive_data(data)
            for frame in frames.events_received():
                assert isinstance(frame, Frame)
                if frame.opcode in _DATA:
                    send = {Opcode.TEXT: frames.send_text, Opcode.BINARY: frames.send_binary}
                    send.get(frame.opcode, frames.send_continuation)(frame.data, frame.fin)
            await self._flush(peer, frames)
        if not frames.eof_sent:
            await peer.end()

    async def _echo(self, peer: Peer, frames: Frames) -> None:
        await self._converse(peer, frames)

    async def _greet(self, peer: Peer, frames: Frames) -> None:
        frames.send_text(b"hello and good-bye")
        frames.send_close(1000)
        await self._converse(peer, frames)

    async def _vanish(self, peer: Peer, frames: Frames) -> None:
        await peer.read()
        peer.vanish()

    async def _late(self, peer: Peer, frames: Frames) -> None:
        """Speak after the other side has ended its half."""
        while await peer.read():
            pass
        frames.send_text(b"the last word")
        await self._flush(peer, frames)
        await peer.end()

    async def _drip(self, peer: Peer, frames: Frames) -> None:
        """Stop in the middle of a frame, and go on when told."""
        frames.send_text(b"half and half")
        [data] = frames.data_to_send()
        await peer.write(data[:5])
        await asyncio.to_thread(self.go_on.wait, 10)
        frames.send_text(b"and no more")
        await peer.write(data[5:] + b"".join(frames.data_to_send()))
        await self._converse(peer, frames)

    async def _silent(self, peer: Peer, frames: Frames) -> None:
        """Never speak, nor end."""
        while await peer.read():
            pass
        await asyncio.Event().wait()

    async def _stuck(self, peer: Peer, frames: Frames) -> None:
        """Stop within a frame for good."""
        await peer.write(b"\x81\x0dhalf")
        await self._silent(peer, frames)

    async def _flood(self, peer: Peer, frames: Frames) -> None:
        """Send more than all windows and buffers on the way hold."""
        frames.send_binary(bytes(32 << 20))
        await self._flush(peer, frames)
