"""One message over each version of HTTP: clients that send it, and endpoints that answer with it."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from .gateway import Gateway
from .h2client import H2Client
from .h3client import H3Client
from .message import Fields, RawFields, Response, format_fields
from .multiplexed_origin import MultiplexedOrigin, Stream
from .origin import Exchange, Origin
from .raw import ClosedError, RawClient

CLOSED = Response(0, [], complete=False)
"""What a client sees of a connection that is closed without an answer."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, whatever the version. Text is Latin-1, and what is None is not sent."""

    method: str = "GET"
    scheme: str | None = "http"
    authority: str | None = "a.example"
    """HTTP/1: `Host`, or the target's where `host` is given too."""
    host: str | None = None
    """`Host`, beside the authority or in its place."""
    path: str | None = "/x"
    fields: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()
    """Pairs, which HTTP/2 and HTTP/3 send in fields of their own."""
    body: bytes | None = None
    """In HTTP/1 it is chunked, unless the fields say a length."""
    trailers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An endpoint's answer, whatever the version. Text is Latin-1."""

    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """In HTTP/1 it is chunked, unless the fields say a length."""
    trailers: tuple[tuple[str, str], ...] = ()
    interim: tuple[tuple[str, str], ...] | None = None
    """Fields of an answer 103 before it."""


class Client(Protocol):
    """Sends requests over one version of HTTP."""

    def __call__(self, port: int, request: Request) -> Response:
        """The response, `CLOSED` where there is none."""


def http1(port: int, request: Request) -> Response:
    """Over HTTP/1.1."""
    with RawClient(port) as client:
        client.try_send(_http1_request(request))
        try:
            return client.read_response(request.method)
        except ClosedError:
            return CLOSED


def _http1_request(request: Request) -> bytes:
    fields = list(request.fields)
    target, host = request.path or "", request.host or request.authority
    if request.host is not None:
        host = request.host
        if request.authority is not None:
            target = f"{request.scheme}://{request.authority}{target}"
    if host is not None:
        fields.insert(0, ("Host", host))
    if request.cookies:
        fields.append(("Cookie", "; ".join(request.cookies)))
    body, framing = _http1_body(fields, request.body, request.trailers)
    line = f"{request.method} {target} HTTP/1.1\r\n".encode("latin-1")
    return line + format_fields(fields + framing) + b"\r\n" + body


def _http1_body(
    fields: Fields, body: bytes | None, trailers: tuple[tuple[str, str], ...]
) -> tuple[bytes, Fields]:
    """The bytes of a body, and the field that frames it."""
    framed = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in fields)
    if body is None or framed:
        return body or b"", []
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n" + format_fields(list(trailers)) + b"\r\n", [("Transfer-Encoding", "chunked")]


def http2(port: int, request: Request) -> Response:
    """Over HTTP/2, by prior knowledge."""
    with H2Client(port) as client:
        return _send_framed(client, request)


def http3(port: int, request: Request) -> Response:
    """Over HTTP/3."""
    with H3Client(port) as client:
        return _send_framed(client, request)


def _send_framed(client: H2Client | H3Client, request: Request) -> Response:
    pseudo = {
        "method": request.method,
        "scheme": request.scheme,
        "authority": request.authority,
        "path": request.path,
    }
    fields = [(f":{name}", value) for name, value in pseudo.items() if value is not None]
    if request.host is not None:
        fields.append(("host", request.host))
    fields += [*request.fields, *(("cookie", pair) for pair in request.cookies)]
    stream = client.begin(_raw(fields), end=request.body is None)
    if request.body is not None:
        client.send_body(stream, request.body, end=not request.trailers)
    if request.trailers:
        client.end(stream, _raw(request.trailers))
    response = client.wait(stream)
    return response if response.status else CLOSED


def _raw(fields: Fields | tuple[tuple[str, str], ...]) -> RawFields:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


class Endpoint(Protocol):
    """A server of one version of HTTP, which echoes."""

    address: str
    options: dict[str, Any]
    """Of its upstream."""

    def taken(self) -> int:
        """How many requests came to it whole."""

    def answer(self, path: str, answer: Answer) -> None:
        """Answer requests of a path so."""


class Http1Endpoint:
    """Over HTTP/1.1."""

    options: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def __init__(self, origin: Origin) -> None:
        self.origin, self.address = origin, origin.address

    def taken(self) -> int:
        """How many requests came to it whole."""
        return sum(request.body_complete for request in self.origin.requests)

    def answer(self, path: str, answer: Answer) -> None:
        """Answer requests of a path so."""

        async def send(exchange: Exchange) -> None:
            await exchange.discard_body()
            body, framing = _http1_body(list(answer.fields), answer.body, answer.trailers)
            fields = format_fields([*answer.fields, *framing, ("X-Origin", self.origin.name)])
            line = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n".encode()
            if answer.interim is not None:
                await exchange.send(
                    b"HTTP/1.1 103 Early Hints\r\n" + format_fields(list(answer.interim)) + b"\r\n"
                )
            await exchange.send(line + fields + b"\r\n" + body)
            exchange.close()

        self.origin.on(path, send)


class MultiplexedEndpoint:
    """Over HTTP/2 by prior knowledge, or over HTTP/3."""

    def __init__(self, origin: MultiplexedOrigin, options: dict[str, Any]) -> None:
        self.origin, self.address, self.options = origin, origin.address, options

    def taken(self) -> int:
        """How many requests came to it whole."""
        return sum(stream.complete.is_set() for stream in self.origin.streams)

    def answer(self, path: str, answer: Answer) -> None:
        """Answer requests of a path so."""

        async def send(stream: Stream) -> None:
            await stream.complete.wait()
            if answer.interim is not None:
                stream.begin(103, _raw(answer.interim))
            stream.begin(answer.status, _raw(answer.fields), end=not answer.body and not answer.trailers)
            if answer.body:
                await stream.send_data(answer.body, end=not answer.trailers)
            if answer.trailers:
                stream.end(_raw(answer.trailers))

        self.origin.on(path, send)


CLIENTS: dict[str, Client] = {"http1": http1, "http2": http2, "http3": http3}
"""A version that is added here is judged by every case."""


def send(gateway: Gateway, client: str, endpoint: str, request: Request) -> Response:
    """Send a request from a client of one version to an endpoint of another, by the listener named so."""
    way = "quic-to" if client == "http3" else "to"
    return CLIENTS[client](gateway.port(f"{way}-{endpoint}"), request)
