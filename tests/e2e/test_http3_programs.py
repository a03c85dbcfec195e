"""HTTP/3 with other programs, as Debian has them: ngtcp2's client and server, and Caddy."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener, route
from .harness.gateway import Gateway
from .harness.h3origin import trusting
from .harness.message import Echo, Response
from .harness.origin import Origin
from .harness.ports import free_port
from .harness.waiting import eventually

LARGE = bytes(range(256)) * 400_000
"""A hundred megabytes."""

Run = Callable[..., str]


def program(name: str, package: str) -> str:
    """Where it is; without it the test is skipped."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: {package})")
    return found


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address, workers=2)
    config["listeners"] = [
        quic_listener(authority),
        quic_listener(authority, "asks", http3={"retry": "always"}),
        quic_listener(authority, "early", http3={"early_data": True}),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.fixture
def run(gateway: Gateway, tmp_path: Path) -> Run:
    """Runs ngtcp2's client for a path; what it logged. The content is then in a file of that name."""
    command = program("gtlsclient", "ngtcp2-client")

    def run(path: str, *options: str, listener: str = "quic") -> str:
        port = str(gateway.port(listener))
        words = ["--no-quic-dump", "--exit-on-all-streams-close", "--download", str(tmp_path), *options]
        url = f"https://localhost:{port}/{path}"
        ended = subprocess.run(
            [command, *words, "127.0.0.1", port, url], capture_output=True, text=True, timeout=60, check=True
        )
        return ended.stderr

    return run


def test_its_client_is_served(run: Run, origin: Origin, tmp_path: Path) -> None:
    log = run("x")
    assert "[:status: 200]" in log
    assert '"version": "HTTP/1.1"' in (tmp_path / "x").read_text()


def test_its_client_shows_its_address(run: Run, origin: Origin) -> None:
    log = run("x", listener="asks")
    assert "type=Retry" in log and "[:status: 200]" in log


def test_its_client_resumes_a_session(run: Run, origin: Origin, tmp_path: Path) -> None:
    def certificates() -> int:
        log = run("x", "--disable-early-data", "--session-file", str(tmp_path / "session"))
        assert "[:status: 200]" in log
        return sum(map(int, re.findall(r"frm rx \d+ Handshake CRYPTO\S+ offset=\d+ len=(\d+)", log)))

    assert certificates() > 2 * certificates(), "none is sent again"


def test_its_client_sends_early_data_and_again_what_is_not_taken(
    run: Run, origin: Origin, tmp_path: Path
) -> None:
    """A session of one listener is none of another."""
    kept = ("--session-file", str(tmp_path / "session"), "--tp-file", str(tmp_path / "parameters"))
    for listener, has_session, refused in (
        ("early", False, False),
        ("early", True, False),
        ("quic", True, True),
    ):
        log = run("x", *kept, listener=listener)
        assert "[:status: 200]" in log
        assert ("type=0RTT" in log) == has_session
        assert ("Early data was rejected by server" in log) == refused
    assert [request.target for request in origin.requests] == ["/x", "/x", "/x"]


@pytest.mark.parametrize(
    "options",
    [[], ["--change-local-addr=20ms"], ["--tx-loss=0.01", "--rx-loss=0.001"]],
    ids=["", "while it moves", "while packets are lost"],
)
def test_its_client_is_sent_a_large_response(
    run: Run, origin: Origin, tmp_path: Path, options: list[str]
) -> None:
    origin.on("/down", answers.download(len(LARGE)))
    run("down", "-q", *options)
    assert (tmp_path / "down").read_bytes() == LARGE


def test_its_client_follows_when_keys_change(run: Run, origin: Origin, tmp_path: Path) -> None:
    """The gateway changes them for the first time within a thousand packets."""
    origin.on("/down", answers.download(len(LARGE) // 20))
    assert "key update confirmed" in run("down", "--no-http-dump")
    assert (tmp_path / "down").read_bytes() == LARGE[: len(LARGE) // 20]


def test_its_client_sends_a_large_request(run: Run, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    run("up", "-q", "--http-method=POST", f"--data={tmp_path / 'large'}")
    seen = Echo.of(Response(200, [], body=(tmp_path / "up").read_bytes()))
    assert (seen.length, seen.sha256) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())


@pytest.fixture(params=[[], ["--validate-addr"]], ids=["", "which asks for addresses"])
def server(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[int]:
    """ngtcp2's server, which serves files; its port."""
    command = program("gtlsserver", "ngtcp2-server")
    (tmp_path / "index.html").write_text("hello")
    (tmp_path / "large").write_bytes(LARGE)
    port, files = free_port(), authority.issue("localhost", file="gtlsserver")
    words = ["-q", "-d", str(tmp_path), *request.param, "127.0.0.1", str(port)]
    server = subprocess.Popen([command, *words, files.key, files.cert])
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


def test_its_server_is_an_endpoint(start_gateway: StartGateway, authority: Authority, server: int) -> None:
    config = proxy(f"127.0.0.1:{server}", workers=1)
    config["upstreams"][0].update(trusting(authority.file))
    gateway = start_gateway(config)
    with gateway.connect(deadline=60) as client:
        eventually(lambda: client.request("/").text == "hello", "it listens")
        assert client.request("/index.html", method="HEAD").header("content-length") == "5"
        assert client.request("/none").status == 404
        assert client.request("/large").body == LARGE
        assert client.request("/index.html", method="POST", body=LARGE).text == "hello"


@pytest.fixture
def caddy(tmp_path: Path, authority: Authority) -> Iterator[int]:
    """Caddy, which answers with the protocol, over HTTP/3; its port."""
    command = program("caddy", "caddy")
    port, files = free_port(), authority.issue("localhost", file="caddy")
    config = tmp_path / "Caddyfile"
    config.write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"https://localhost:{port} {{\n tls {files.cert} {files.key}\n"
        f" handle /large {{\n  root * {tmp_path}\n  file_server\n }}\n"
        ' handle {\n  respond "{http.request.proto} {http.request.method}"\n }\n}\n'
    )
    (tmp_path / "large").write_bytes(LARGE[: len(LARGE) // 10])
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    with (tmp_path / "caddy.log").open("wb") as log:
        server = subprocess.Popen(
            [command, "run", "--config", str(config), "--adapter", "caddyfile"],
            stdout=log,
            stderr=log,
            env=env,
        )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens, "caddy listens")
        yield port
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize("options", [{"protocol": "http3"}, {"http3": True}], ids=["http3", "auto"])
def test_caddy_is_spoken_to_by_http3(
    start_gateway: StartGateway, authority: Authority, caddy: int, options: dict[str, Any]
) -> None:
    config = proxy(f"127.0.0.1:{caddy}", workers=1)
    tls = {"ca": str(authority.file), "server_name": "localhost"}
    config["upstreams"][0].update(tls=tls, **options)
    config["routes"] = [route("all", "/", rewrite={"host": f"localhost:{caddy}"})]
    gateway = start_gateway(config)
    with gateway.connect(deadline=60) as client:
        eventually(lambda: client.request("/x").text == "HTTP/3.0 GET", "HTTP/3 is used")
        assert client.request("/x", method="POST", body=b"x").text == "HTTP/3.0 POST"
        assert client.request("/large").body == LARGE[: len(LARGE) // 10]
