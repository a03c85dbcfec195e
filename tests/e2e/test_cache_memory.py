"""The memory of a cache: what passes through it takes no more than it may."""

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .conftest import StartGateway
from .harness.caches import FRESH
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.origin import Exchange, Origin

MEMORY = 256 << 20
PASSING = 5 << 28
SIZES = (100, 10_000, 300_000, 1_000_000, 5_000_000)
CLIENTS = 4


def resident(gateway: Gateway) -> int:
    """Bytes that the process has in memory, at the most so far."""
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    most = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert most
    return int(most[1]) * 1024


async def as_long_as_asked(exchange: Exchange) -> None:
    """Every path has its own body, of the size that it ends with."""
    await exchange.discard_body()
    path = exchange.request.path
    name, size = path.encode(), int(path.rpartition("/")[2])
    await exchange.respond(200, FRESH, name + bytes(size - len(name)))


def test_what_passes_through_a_cache_takes_no_more_than_its_memory(
    start_gateway: StartGateway, origin: Origin
) -> None:
    """The whole 10 GB through 256 MB are a figure of docs/benchmarks.md."""
    origin.on_every_path(as_long_as_asked)
    cache = {"name": "main", "memory": MEMORY, "max_object": "16MB"}
    config = proxy(origin.address, workers=2, caches=[cache])
    config["routes"][0]["cache"] = "main"
    gateway = start_gateway(config)

    def ask(client_number: int) -> None:
        passed = 0
        with gateway.connect() as client:
            for number, size in enumerate(itertools.cycle(SIZES)):
                response = client.request(f"/{client_number}/{number}/{size}")
                assert response.complete
                passed += len(response.body)
                if passed >= PASSING / CLIENTS:
                    return

    before = resident(gateway)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))
    stored = gateway.admin.get("/v1/cache").raise_for_status().json()[0]["used_bytes"]
    assert MEMORY / 2 < stored <= MEMORY
    assert resident(gateway) - before < MEMORY * 1.25
