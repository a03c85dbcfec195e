"""A request whose content goes, and whose response comes, piece by piece, over any version of HTTP."""

from collections.abc import Callable

from .gateway import Gateway
from .h2client import H2Client
from .h3client import H3Client
from .message import Fields, Response, format_fields
from .multiplexed import MultiplexedClient
from .raw import ClosedError, RawClient

Client = RawClient | MultiplexedClient

CONNECT: dict[str, Callable[[Gateway], RawClient | H2Client | H3Client]] = {
    "http1": lambda gateway: gateway.connect(),
    "http2": lambda gateway: H2Client(gateway.port()),
    "http3": lambda gateway: H3Client(gateway.port("quic")),
}
"""A client of each version, for a gateway whose listener of HTTP/3 is called `quic`."""


class Piecewise:
    """One request, without content where `method` is GET."""

    def __init__(
        self, client: Client, path: str, *, method: str = "GET", headers: Fields | None = None
    ) -> None:
        self._client = client
        self._response: Response | None = None
        self._taken = 0
        """Bytes of the response's content that were read."""
        has_content = method != "GET"
        if isinstance(client, RawClient):
            framing = [("Transfer-Encoding", "chunked")] if has_content else []
            fields = [("Host", "localhost"), *(headers or []), *framing]
            client.send(f"{method} {path} HTTP/1.1\r\n".encode() + format_fields(fields) + b"\r\n")
        else:
            self._stream = client.send_request(path, method=method, headers=headers, end=not has_content)
            self._response = client.responses[self._stream]

    def send(self, piece: bytes) -> None:
        """Send a piece of the request's content."""
        if isinstance(self._client, RawClient):
            self._client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self._client.send_body(self._stream, piece, end=False)

    def end(self) -> None:
        """End the request."""
        if isinstance(self._client, RawClient):
            self._client.send(b"0\r\n\r\n")
        else:
            self._client.send_body(self._stream, b"", end=True)

    def head(self) -> Response:
        """The response, of which the head is there."""
        if self._response is None:
            assert isinstance(self._client, RawClient)
            self._response = self._client.read_head()
        elif isinstance(self._client, MultiplexedClient):
            response = self._response
            self._client.pump(lambda: response.status != 0, "the head of the response")
        return self._response

    def read(self, count: int) -> bytes:
        """That many further bytes of the response's content."""
        response, end = self.head(), self._taken + count
        if isinstance(self._client, RawClient):
            while len(response.body) < end:
                assert self._read_chunk(response), "the content ends"
        else:
            self._client.pump(lambda: len(response.body) >= end, f"{end} bytes of content")
        piece = bytes(response.body[self._taken : end])
        self._taken = end
        return piece

    def rest(self) -> Response:
        """The response to its end, without what was read of its content."""
        if isinstance(self._client, RawClient):
            if self._response is None:
                return self._client.read_response()
            try:
                while self._read_chunk(self._response):
                    pass
            except ClosedError:
                self._response.complete = False
        else:
            self._client.wait(self._stream)
        response = self.head()
        response.body = bytes(response.body[self._taken :])
        return response

    def _read_chunk(self, response: Response) -> bool:
        """Read a chunk of a response over HTTP/1; False: it is the last."""
        assert isinstance(self._client, RawClient)
        size = b""
        while not size.endswith(b"\r\n"):
            size += self._client.read_exactly(1)
        response.body += self._client.read_exactly(int(size, 16))
        assert self._client.read_exactly(2) == b"\r\n"
        return int(size, 16) > 0
