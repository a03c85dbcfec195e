"""The connection to the admin API: over TCP and Unix sockets, and what is said where there is none."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidegate.cli.client import Client
from tidegate.cli.exits import UNREACHABLE, CommandError


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        heard = {"path": self.path, "body": json.loads(body), **self.headers}
        self._answer(json.dumps(heard).encode())

    def do_GET(self) -> None:
        """Answer with two events."""
        self._answer(b'id: 1\ndata: {"kind": "a"}\n\n: still here\n\ndata: {"kind": "b"}\n\n')

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def address_string(self) -> str:
        """Nothing that a Unix socket has."""
        return ""


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """The server, serving."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_requests_go_over_tcp_with_who_asks_and_a_token_below_the_urls_path() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server, serving(server):
        client = Client(f"http://127.0.0.1:{server.server_port}/below/", token="secret")
        for _ in range(2):
            heard = client.post("/v1/x", {"a": [1]})
            assert (heard["path"], heard["body"]) == ("/below/v1/x", {"a": [1]})
        assert heard["Authorization"] == "Bearer secret"
        assert heard["User-Agent"].startswith("tidegate-cli/")
        assert "@" in heard["From"]
        assert heard["Content-Type"] == "application/json"


def test_requests_go_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Echo) as server, serving(server):
        assert Client(f"unix:{path}").post("/v1/x", {})["path"] == "/v1/x"


def test_events_are_given_as_they_come() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server, serving(server):
        client = Client(f"http://127.0.0.1:{server.server_port}")
        assert [event["kind"] for event in client.follow("/v1/events")] == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("unix:/nowhere/admin.sock", "no such file or directory"),
        ("127.0.0.1:9090", "expected a URL like http://127.0.0.1:9090"),
        ("ftp://127.0.0.1", "expected a URL like http://127.0.0.1:9090"),
        ("http://127.0.0.1:many", "port could not be cast"),
        ("http://a..b:1", "label empty or too long"),
    ],
)
def test_it_is_said_why_there_is_no_connection(url: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason) as refused:
        Client(url).get("/v1/status")
    assert refused.value.code == UNREACHABLE
