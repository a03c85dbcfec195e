"""HTTP messages as they were received."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

Fields = list[tuple[str, str]]
RawFields = list[tuple[bytes, bytes]]

_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")


def parse_field(line: bytes) -> tuple[str, str] | None:
    """Name and value of a field line (RFC 9112 §5); None when it is malformed."""
    match = _FIELD_LINE.fullmatch(line)
    return match and (match[1].decode(), match[2].decode("latin-1"))


def format_fields(fields: Fields) -> bytes:
    """Field lines, each with its CR LF."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")


def first(fields: Fields, name: str) -> str | None:
    """The first value of a field, whatever the case of its name."""
    return next(iter(every(fields, name)), None)


def every(fields: Fields, name: str) -> list[str]:
    """All values of a field, in order."""
    return [value for key, value in fields if key.lower() == name.lower()]


@dataclass
class Response:
    """A response as it came, whichever the version of HTTP."""

    status: int
    headers: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    informational: list["Response"] = field(default_factory=list)
    complete: bool = True
    """Whether the message ended as its framing says: False after a close or reset in the middle."""
    version: str = "HTTP/1.1"
    reset: int | None = None
    """The error code of an HTTP/2 RST_STREAM."""

    def header(self, name: str) -> str | None:
        """The first value of a field."""
        return first(self.headers, name)

    def values(self, name: str) -> list[str]:
        """All values of a field."""
        return every(self.headers, name)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def from_origin(self) -> bool:
        """Whether a scriptable origin made this response, not the gateway."""
        return self.header("x-origin") is not None


@dataclass
class Echo:
    """What an origin says it received: its echo's JSON, typed."""

    method: str
    target: str
    version: str
    headers: Fields
    trailers: Fields
    length: int
    sha256: str
    origin: str

    @classmethod
    def of(cls, response: Response) -> "Echo":
        """Read an origin's echo from its response."""
        assert response.status == 200, (response.status, response.body)
        seen = response.json()
        for part in ("headers", "trailers"):
            seen[part] = [(name, value) for name, value in seen[part]]
        return cls(**seen)

    def header(self, name: str) -> str | None:
        """The first value of a field."""
        return first(self.headers, name)

    def values(self, name: str) -> list[str]:
        """All values of a field."""
        return every(self.headers, name)
