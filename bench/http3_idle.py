"""What a new connection over HTTP/3 costs, and the memory of one that is idle, beside Envoy, nginx and Caddy.

    ENVOY=path/of/envoy NGINX=path/of/nginx python -m bench.http3_idle [--connections 5000]
        [--peers tidegate envoy nginx caddy]

Needs what `bench.http3` needs. The connections are opened one after the other, with one request on each, and
held. Shown is by how much the resident memory of the proxy (all its processes) grows and the time that it
takes of a processor, each divided by the number of connections; what the first hundred take is left out.
"""

import argparse
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.cache import LAST, certificate, origin_server
from bench.http3 import PEERS, add_peers, generator, there
from bench.measure import cpu_seconds, print_table, rss

WARM = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=5000)
    add_peers(parser)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    program, rows = generator(), []
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, ExitStack() as stack:
        at = Path(folder)
        at.chmod(0o755)
        origin = stack.enter_context(origin_server(at))
        certificate(at)
        for name in there(options.peers):
            with PEERS[name].running(at, origin) as peer, held(program, peer.ports["https"], WARM):
                memory, time = rss(peer.pid), cpu_seconds(peer.pid)
                with held(program, peer.ports["https"], options.connections):
                    memory, time = rss(peer.pid) - memory, cpu_seconds(peer.pid) - time
            rows.append([name, memory / options.connections / 1024, time / options.connections * 1e6])
    print_table(["", "KiB/connection", "us/connection"], rows)


@contextmanager
def held(program: Path, port: int, connections: int) -> Iterator[None]:
    """So many connections, each of which was asked on once."""
    words = ["taskset", "-c", LAST, str(program), "hold", f"127.0.0.1:{port}", "/100", str(connections)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:  # noqa: S603
        assert holder.stdin is not None and holder.stdout is not None
        told = holder.stdout.readline()
        assert told == f"held {connections}\n", f"not all connections came about: {told!r}"
        yield
        holder.stdin.close()


if __name__ == "__main__":
    main()
