"""What a request costs that is answered from the cache, beside nginx and Varnish, in one run.

    python -m bench.cache [--rounds 3] [--seconds 2] [--only hit-100 hit-10k …]

Needs nginx, varnishd, h2load, wrk, openssl and cc (Debian: nginx varnish nghttp2-client wrk gcc). Each proxy
has one worker, pinned to the first core; load generator and origin share the last. Shown is processor time
per request, and its ratio to the better of the two others in the same round (median of the rounds).

bare: what the kernel takes for it, shown by bare.c, which does nothing else. nginx: proxy_cache on /dev/shm
with open_file_cache. Varnish: malloc. tidegate: memory, and its disk for what is asked for under /disk, which
the kernel has in its page cache. A stored miss is a response that is fetched and stored in a cache that is
full, against the same request on a route without a cache.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.configs import listener, proxy, route
from tests.e2e.harness.gateway import Gateway
from tests.e2e.harness.ports import free_port

from bench import wrk
from bench.measure import cpu_seconds, print_table

SIZES = {"100": 100, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
FIRST, LAST = "0", str((os.cpu_count() or 1) - 1)


@dataclass(frozen=True)
class Case:
    """Something that is asked for, in one way."""

    name: str
    path: str
    scheme: str = "http"
    h2: bool = False
    connections: int = 32
    is_plain: bool = False
    """Whether it comes from memory in plain text, so that nothing but the kernel need do anything for it."""


CASES = [
    *(Case(f"hit-{name}", f"/{name}", is_plain=True) for name in SIZES),
    Case("hit-100k-disk", "/disk/100k"),
    Case("hit-10k-tls", "/10k", "https"),
    Case("hit-10k-h2", "/10k", "https", h2=True),
]


@dataclass(frozen=True)
class Peer:
    """A proxy that runs."""

    name: str
    pid: int
    ports: dict[str, int]
    is_cache: bool = True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", nargs="+", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, ExitStack() as stack:
        at = Path(folder)
        # The workers of nginx are another user's.
        at.chmod(0o755)
        origin = stack.enter_context(origin_server(at))
        certificate(at)
        peers = [
            stack.enter_context(_bare(at)),
            stack.enter_context(_nginx(at, origin)),
            stack.enter_context(_varnish(at, origin)),
            stack.enter_context(_tidegate(at, origin)),
        ]
        cases = [case for case in CASES if options.only is None or case.name in options.only]
        rows = [_row(case, peers, options.rounds, options.seconds) for case in cases]
        if options.only is None or "miss" in options.only:
            rows.append(_misses(peers, options.rounds, options.seconds))
        print_table(["us/request", *(peer.name for peer in peers), "ratio", "spread"], rows)
        if options.only is None or "miss" in options.only:
            print(
                f"a stored miss, as a multiple of the same uncached: {_miss(peers[-1], options.rounds):.2f}"
            )
        if options.only is None or "two" in options.only:
            print(f"two workers on one hot key, as a multiple of one's: {_two(at, origin, options):.2f}")


def _row(case: Case, peers: list[Peer], rounds: int, seconds: float) -> list[object]:
    able = [peer for peer in peers if case.scheme in peer.ports and (case.is_plain or peer.is_cache)]
    for peer in able:
        _load(case, peer, 0.5)
    turns = [{peer.name: _load(case, peer, seconds) for peer in able} for _ in range(rounds)]
    return _compared(case.name, peers, turns)


def _misses(peers: list[Peer], rounds: int, seconds: float) -> list[object]:
    """What it costs to fetch a response and to store it."""
    able = [peer for peer in peers if peer.is_cache]
    for peer in able:
        # By then the cache of tidegate is full: each response that is stored takes the place of another one.
        _each_once(peer, "/store/warm/", 2)
    turns = [
        {peer.name: _each_once(peer, f"/store/all/{turn}/", seconds) for peer in able}
        for turn in range(rounds)
    ]
    return _compared("stored miss", peers, turns)


def _compared(name: str, peers: list[Peer], turns: list[dict[str, float]]) -> list[object]:
    """Medians of what each costs, and the ratio to the better of the others in the same turn."""
    others = [
        peer.name for peer in peers if peer.is_cache and peer.name in turns[0] and peer.name != "tidegate"
    ]
    ratios = [turn["tidegate"] / min(turn[name] for name in others) for turn in turns]
    shown = [
        f"{statistics.median(turn[peer.name] for turn in turns):.1f}" if peer.name in turns[0] else ""
        for peer in peers
    ]
    return [name, *shown, f"{statistics.median(ratios):.2f}", f"{max(ratios) - min(ratios):.2f}"]


def _load(case: Case, peer: Peer, seconds: float) -> float:
    """Microseconds of processor time per request."""
    url = f"{case.scheme}://127.0.0.1:{peer.ports[case.scheme]}{case.path}"
    amount = [f"-D{max(1, round(seconds))}"]
    protocol = [] if case.h2 else ["--h1"]
    before = cpu_seconds(peer.pid)
    done = _h2load([f"-c{case.connections}", *amount, *protocol, url])
    return (cpu_seconds(peer.pid) - before) / done * 1e6


def _h2load(words: list[str]) -> int:
    """Requests that were answered; none may fail."""
    command = ["taskset", "-c", LAST, "h2load", *words]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", report)
    if done is None or not int(done[1]) or int(done[2]):
        raise RuntimeError(f"h2load: {report}")
    return int(done[1])


def _miss(tidegate: Peer, rounds: int) -> float:
    """What it costs to fetch and store a response, as a multiple of passing it on."""
    ratios = []
    for prefix in ("/plain/warm/", "/store/warm/"):
        _each_once(tidegate, prefix, 2)
    for turn in range(rounds):
        prefixes = [f"/plain/{turn}/", f"/store/{turn}/"]
        # Neither is always the first.
        order = prefixes if turn % 2 else prefixes[::-1]
        costs = {prefix: _each_once(tidegate, prefix, 2) for prefix in order}
        ratios.append(costs[prefixes[1]] / costs[prefixes[0]])
    return statistics.median(ratios)


def _each_once(peer: Peer, prefix: str, seconds: float) -> float:
    """Microseconds of processor time per request, each for another path."""
    url = f"http://127.0.0.1:{peer.ports['http']}"
    before = cpu_seconds(peer.pid)
    run = wrk.start_each_another(url, prefix, connections=32, seconds=seconds, core=LAST)
    result = wrk.finish(run)
    if result.errors:
        raise RuntimeError(f"{result.errors} requests for {prefix} failed")
    return (cpu_seconds(peer.pid) - before) / result.requests * 1e6


def _two(at: Path, origin: int, options: argparse.Namespace) -> float:
    """Processor time per hit on one key with two workers, as a multiple of that with one."""
    costs = []
    for workers in (1, 2):
        with _tidegate(at, origin, workers=workers, pin=False) as peer:
            case = Case("hot", "/10k", connections=64)
            _load(case, peer, 1)
            loads = [_load(case, peer, options.seconds) for _ in range(options.rounds)]
            costs.append(statistics.median(loads))
    return costs[1] / costs[0]


# What takes part


def certificate(at: Path) -> None:
    """A certificate that signs itself."""
    subject = ["-subj", "/CN=localhost", "-days", "2"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", str(at / "key.pem")]
    command = ["openssl", "req", "-x509", "-nodes", *key, "-out", str(at / "cert.pem"), *subject]
    subprocess.run(command, capture_output=True, check=True)  # noqa: S603


@contextmanager
def run_server(command: list[str], port: int, core: str | None) -> Iterator[int]:
    """The process id of a server that answers /100 on a port, pinned to a core."""
    pinned = ["taskset", "-c", core, *command] if core else command
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(pinned, stdout=quiet, stderr=quiet)  # noqa: S603
    try:
        _await(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _await(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/100", timeout=2).read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


NGINX = """
worker_processes 1; daemon off; pid {at}/{name}.pid; error_log /dev/null; worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
    access_log off; keepalive_requests 100000000; tcp_nodelay on; sendfile on;
    client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;
    uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
    {body}
}}
"""
ORIGIN = """
add_header Cache-Control max-age=3600;
server {{
    listen 127.0.0.1:{port}; root {at}/www; {files}
    location /disk/ {{ alias {at}/www/; }}
    location / {{ return 200 '{rest}'; }}
}}
"""
CACHE = """
proxy_cache_path {at}/cache levels=1:2 keys_zone=z:10m max_size=200m; open_file_cache max=1000 inactive=60s;
ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;
upstream be {{ server 127.0.0.1:{origin}; keepalive 64; }}
server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl http2;
    location / {{
        proxy_pass http://be; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_cache z;
    }}
}}
"""


@contextmanager
def origin_server(at: Path) -> Iterator[int]:
    """The port of an origin that has a file for each of the sizes."""
    port = free_port()
    # Apart from certificates: a gateway that watches their folder would be told of each file that is opened.
    (at / "www").mkdir(exist_ok=True)
    for name, size in SIZES.items():
        (at / "www" / name).write_bytes(b"x" * size)
    files = "".join(f"location = /{name} {{ }} " for name in SIZES)
    body = ORIGIN.format(port=port, at=at, files=files, rest="x" * 100)
    (at / "origin.conf").write_text(NGINX.format(at=at, name="origin", body=body))
    with run_server(["nginx", "-c", str(at / "origin.conf"), "-p", str(at)], port, LAST):
        yield port


@contextmanager
def _bare(at: Path) -> Iterator[Peer]:
    port, program = free_port(), str(at / "bare")
    source = Path(__file__).with_name("bare.c")
    subprocess.run(["cc", "-O2", "-o", program, str(source)], check=True)  # noqa: S603, S607
    with run_server([program, str(port)], port, FIRST) as pid:
        yield Peer("bare", pid, {"http": port}, is_cache=False)


@contextmanager
def _nginx(at: Path, origin: int) -> Iterator[Peer]:
    port, tls = free_port(), free_port()
    body = CACHE.format(at=at, origin=origin, port=port, tls=tls)
    (at / "nginx.conf").write_text(NGINX.format(at=at, name="nginx", body=body))
    with run_server(["nginx", "-c", str(at / "nginx.conf"), "-p", str(at)], port, FIRST) as pid:
        yield Peer("nginx", pid, {"http": port, "https": tls})


@contextmanager
def _varnish(at: Path, origin: int) -> Iterator[Peer]:
    port, folder = free_port(), at / "varnish"
    folder.mkdir(exist_ok=True)
    command = ["varnishd", "-F", "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{origin}", "-s", "malloc,200m"]
    pools = ["-p", "thread_pools=1", "-p", "thread_pool_min=50", "-p", "thread_pool_max=200"]
    with run_server([*command, "-n", str(folder), *pools], port, FIRST) as pid:
        yield Peer("varnish", pid, {"http": port})


@contextmanager
def _tidegate(at: Path, origin: int, *, workers: int = 1, pin: bool = True) -> Iterator[Peer]:
    stack = ExitStack()
    folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))
    # So long for so little memory that it is on disk at once, and stays there.
    disk = {"path": folder, "size": "1GB", "admit": "always"}
    on_disk = {"name": "disk", "memory": "4MB", "max_object": "400KB", "disk": disk}
    caches = [{"name": "main", "memory": "200MB"}, {"name": "small", "memory": "20MB"}, on_disk]
    config = proxy(f"127.0.0.1:{origin}", workers=workers, caches=caches)
    tls = {"certificates": [{"cert": str(at / "cert.pem"), "key": str(at / "key.pem")}]}
    config["listeners"].append(listener("secure", tls=tls))
    config["routes"][0]["cache"] = "main"
    stored = [route("store", "/store", cache="small"), route("disk", "/disk", cache="disk")]
    config["routes"] += [route("plain", "/plain"), *stored]
    gateway = Gateway(at / f"tidegate{free_port()}", config).start()
    stack.callback(gateway.stop)
    if pin:
        pin_it = ["taskset", "-acp", FIRST, str(gateway.pid)]
        subprocess.run(pin_it, capture_output=True, check=True)  # noqa: S603
    with stack:
        yield Peer("tidegate", gateway.pid, {"http": gateway.port(), "https": gateway.port("secure")})


if __name__ == "__main__":
    main()
