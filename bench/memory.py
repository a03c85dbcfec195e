"""Memory of an idle keep-alive connection after one request, in plain text and over TLS.

    python -m bench.memory [--connections 4000] [--peers]

One worker, one origin. A separate process opens the connections, sends one request on each, reads the
answer and holds them. The figure is the growth of the gateway's resident memory (all its processes)
divided by the number of connections; what the first hundred connections cost is paid before, so that
one-time costs are left out. With --peers, nginx and HAProxy are measured in the same way.
"""

import argparse
import contextlib
import multiprocessing
import resource
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from tests.e2e.harness.certs import Authority, CertFiles
from tests.e2e.harness.configs import listener, proxy
from tests.e2e.harness.gateway import Gateway
from tests.e2e.harness.origin import Origin
from tests.e2e.harness.ports import free_port
from tests.e2e.harness.raw import RawClient
from tests.e2e.harness.waiting import eventually

from bench.measure import print_table, rss

WARM = 100


class Server:
    """A proxy under measurement: its process, its ports."""

    def __init__(self, pid: int, plain: int, tls: int) -> None:
        self.pid, self.plain, self.tls = pid, plain, tls


@contextlib.contextmanager
def tidegate(folder: Path, origin: Origin, files: CertFiles) -> Iterator[Server]:
    """tidegate with one worker."""
    listeners = [listener("web"), listener("tls", tls={"certificates": [files.config()]})]
    gateway = Gateway(folder, proxy(origin.address, workers=1, listeners=listeners))
    for entry in gateway.config["listeners"]:
        entry["limits"] = {"connections_per_client": 65536}
    gateway.write()
    try:
        gateway.start()
        yield Server(gateway.pid, gateway.port("web"), gateway.port("tls"))
    finally:
        gateway.stop()


@contextlib.contextmanager
def nginx(folder: Path, origin: Origin, files: CertFiles) -> Iterator[Server]:
    """nginx with one worker."""
    plain, tls = free_port(), free_port()
    file = folder / "nginx.conf"
    file.write_text(f"""
worker_processes 1; worker_rlimit_nofile 20000; daemon off;
pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_timeout 300s;
 upstream be {{ server {origin.address}; keepalive 64; }}
 server {{ listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{tls} ssl backlog=4096;
  ssl_certificate {files.cert}; ssl_certificate_key {files.key};
  location / {{ proxy_pass http://be; proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}""")
    with _running(["nginx", "-c", str(file), "-p", str(folder)], plain) as pid:
        yield Server(pid, plain, tls)


@contextlib.contextmanager
def haproxy(folder: Path, origin: Origin, files: CertFiles) -> Iterator[Server]:
    """HAProxy with one thread."""
    plain, tls = free_port(), free_port()
    both = folder / "both.pem"
    both.write_text(files.cert.read_text() + files.key.read_text())
    file = folder / "haproxy.cfg"
    file.write_text(f"""
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 60s
frontend f
  bind 127.0.0.1:{plain} backlog 4096
  bind 127.0.0.1:{tls} ssl crt {both} backlog 4096
  default_backend b
backend b
  server s1 {origin.address}
""")
    with _running(["haproxy", "-f", str(file)], plain) as pid:
        yield Server(pid, plain, tls)


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        eventually(lambda: _answers(port), f"{command[0]} answers")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with RawClient(port) as client:
            return client.request("/").status == 200
    except OSError:
        return False


def hold(pipe: Connection, port: int, count: int, ca: Path | None) -> None:
    """Open connections, use each once, and hold them until told to end."""
    context = ssl.create_default_context(cafile=str(ca)) if ca else None
    clients = [RawClient(port, tls=context, deadline=60) for _ in range(count)]
    for client in clients:
        assert client.request("/").status == 200
    pipe.send(len(clients))
    pipe.recv()


def growth(server: Server, port: int, count: int, ca: Path | None) -> float:
    """Bytes per connection."""
    with _held(port, WARM, ca):
        before = rss(server.pid)
        with _held(port, count, ca):
            return (rss(server.pid) - before) / count


@contextlib.contextmanager
def _held(port: int, count: int, ca: Path | None) -> Iterator[None]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=hold, args=(there, port, count, ca))
    process.start()
    try:
        here.recv()
        yield
    finally:
        here.send(None)
        process.join()


Start = Callable[[Path, Origin, CertFiles], contextlib.AbstractContextManager[Server]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=4000)
    parser.add_argument("--peers", action="store_true", help="measure nginx and HAProxy too")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    starts: dict[str, Start] = {"tidegate": tidegate}
    if options.peers:
        starts |= {
            name: start for name, start in (("nginx", nginx), ("haproxy", haproxy)) if shutil.which(name)
        }
    rows = []
    for name, start in starts.items():
        figures = []
        for secure in (False, True):  # each in a fresh process, so that one does not use the other's memory
            with tempfile.TemporaryDirectory() as folder, Origin() as origin:
                authority = Authority(Path(folder))
                with start(Path(folder), origin, authority.issue("localhost")) as server:
                    port, ca = (server.tls, authority.file) if secure else (server.plain, None)
                    figures.append(growth(server, port, options.connections, ca) / 1024)
        rows.append([name, *figures])
    print_table(["KiB per idle connection", "plain", "TLS"], rows)


if __name__ == "__main__":
    main()
