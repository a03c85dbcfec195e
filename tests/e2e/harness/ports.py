"""Free ports on loopback."""

import itertools
import os
import random
import socket

# Below the kernel's range for outgoing connections (32768 and up), so that no client socket takes one
# between its choice and its use; each pytest-xdist worker has a slice of its own.
FIRST, LAST, SLICES = 12_000, 32_000, 8


def _candidates() -> itertools.chain[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SLICES
    size = (LAST - FIRST) // SLICES
    ports = range(FIRST + worker * size, FIRST + (worker + 1) * size)
    start = random.randrange(size)
    return itertools.chain(ports[start:], ports[:start])


_ports = _candidates()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on; never the same one twice in a process."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in _ports:
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port is left in this worker's slice")
