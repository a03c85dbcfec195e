"""What clients have in common whose connections carry many requests at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from .message import Fields, RawFields, Response


class MultiplexedClient(ABC):
    """One connection with any number of streams; what arrives is sorted into one Response per stream."""

    responses: dict[int, Response]
    ended: set[int]
    _scheme: str
    _authority: str

    @abstractmethod
    def begin(self, fields: RawFields, *, end: bool) -> int:
        """Begin a request with these very fields, pseudo-header fields among them; the id of its stream."""

    @abstractmethod
    def send_body(self, stream: int, body: bytes, *, end: bool = True) -> None:
        """Send content."""

    @abstractmethod
    def end(self, stream: int, trailers: RawFields) -> None:
        """End a request with these very trailers."""

    @abstractmethod
    def cancel(self, stream: int) -> None:
        """Give a request up."""

    @abstractmethod
    def pump(self, until: Callable[[], bool], what: str) -> None:
        """Handle what arrives until something is true or the connection ends."""

    @abstractmethod
    def is_over(self, stream: int) -> bool:
        """Whether nothing more comes on a stream."""

    def send_request(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Fields | None = None,
        body: bytes | None = None,
        end: bool = True,
        pseudo: dict[str, str] | None = None,
    ) -> int:
        """Begin a request; the id of its stream. Without `end` the stream stays open for more data."""
        values = {
            "method": method,
            "scheme": self._scheme,
            "authority": self._authority,
            "path": path,
            **(pseudo or {}),
        }
        fields = [(f":{name}", value) for name, value in values.items()] + list(headers or [])
        raw = [(name.encode(), value.encode()) for name, value in fields]
        stream = self.begin(raw, end=end and not body)
        if body:
            self.send_body(stream, body, end=end)
        return stream

    def send_trailers(self, stream: int, trailers: Fields) -> None:
        """End a request with trailers."""
        self.end(stream, [(name.encode(), value.encode()) for name, value in trailers])

    def request(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Fields | None = None,
        body: bytes | None = None,
    ) -> Response:
        """A whole request and its response."""
        return self.wait(self.send_request(path, method=method, headers=headers, body=body))

    def wait(self, stream: int) -> Response:
        """Wait for the end of a stream."""
        self.pump(lambda: self.is_over(stream), f"stream {stream} ends")
        response = self.responses[stream]
        response.complete = stream in self.ended and response.reset is None and response.status != 0
        return response
