"""A connection to the admin API. Its file is loaded with the first request: pages of help need none of it."""

import getpass
import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tidegate._engine import version
from tidegate.cli import exits

TIMEOUT_SECONDS = 60


class TlsFiles(NamedTuple):
    """What the command line says of TLS."""

    ca: Path | None
    cert: Path | None
    key: Path | None


class Connection:
    """Sends requests to the admin API at a URL, which is connected to with the first of them."""

    def __init__(self, url: str, token: str | None, files: TlsFiles) -> None:
        """Raises CommandError if there can be no such connection."""
        self._url = url
        self._base = "" if url.startswith("unix:") else urlsplit(url).path.rstrip("/")
        self._headers = {"User-Agent": f"tidegate-cli/{version()}", "From": _person()}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        with self.reached():
            self._http = _UnixConnection(url) if url.startswith("unix:") else _tcp(url, files)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Tell where the admin API cannot be reached. Raises CommandError."""
        try:
            yield
        except (OSError, HTTPException, ValueError) as error:
            raise exits.CommandError(
                exits.UNREACHABLE,
                f"the admin API at {self._url} cannot be reached: {_reason(error)}\n"
                "start tidegate, or say where its admin API is with --admin",
            ) from None

    def send(
        self, method: str, path: str, body: Any = None, media_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """The status and the content of the answer. Raises CommandError."""
        with self.reached():
            response = self.open(method, path, body, media_type=media_type)
            return response.status, response.read()

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        accept: str = "application/json",
        media_type: str = "application/json",
    ) -> HTTPResponse:
        """The answer, whose content is still to be read. To be called, and read from, within `reached`.

        A body of bytes is sent as it is, and any other as JSON.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body)
        kind = {} if body is None else {"Content-Type": media_type}
        self._http.request(method, self._base + path, content, {**self._headers, "Accept": accept, **kind})
        return self._http.getresponse()


class _UnixConnection(HTTPConnection):
    def __init__(self, url: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = url.removeprefix("unix:")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _tcp(url: str, files: TlsFiles) -> HTTPConnection:
    """The connection to an http or https URL. Raises ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected a URL like http://127.0.0.1:9090 or https://gateway.example.com:9090")
    if parts.scheme == "http":
        return HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    return HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS, context=_tls(files))


def _tls(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.ca)
        if files.cert:
            context.load_cert_chain(files.cert, files.key)
    except OSError as error:
        message = f"the certificates for the admin API cannot be used: {error}"
        raise exits.CommandError(exits.USAGE, message) from None
    return context


def _person() -> str:
    """Who runs the command, in the characters that a field may have."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}".encode("ascii", "replace").decode()


def _reason(error: Exception) -> str:
    """What the system says of it, without numbers and classes."""
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return text[:1].lower() + text[1:] or type(error).__name__
