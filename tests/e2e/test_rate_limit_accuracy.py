"""Rate limits under load: how many requests are let go, from many connections and on several workers."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import StartGateway
from .harness.gateway import Gateway
from .harness.limited import limit, limited

RATE, BURST = 40, 20


def load(gateway: Gateway, connections: int, until: threading.Event, pause: float = 0.0) -> Counter[int]:
    """What requests on so many connections are answered, which come one after the other on each."""

    def client(_: int) -> Counter[int]:
        found: Counter[int] = Counter()
        with gateway.connect() as connection:
            while not until.wait(pause):
                found[connection.request("/").status] += 1
        return found

    with ThreadPoolExecutor(connections) as pool:
        return sum(pool.map(client, range(connections)), Counter())


def test_as_many_are_let_go_as_burst_and_rate_say_on_64_connections_and_two_workers(
    start_gateway: StartGateway,
) -> None:
    window = {"quota": RATE, "per": "1s", "burst": BURST}
    gateway = start_gateway(limited(limit("exact", window, key=[]), workers=2))
    over = threading.Event()
    # From before the first request to after the last: so the bound holds however slow this is.
    threading.Timer(10, over.set).start()
    began = time.monotonic()
    # Each of 64 connections asks twice a second: three times the quota together.
    found = load(gateway, 64, over, pause=64 / (3 * RATE))
    took = time.monotonic() - began
    assert found[200] <= BURST + RATE * took + 1
    # Demand was there all the time, so nothing of the rate was lost but what came after the last answer.
    assert found[200] >= BURST + RATE * 10 - RATE * 0.5
    assert found[429] > found[200]


def test_a_client_that_obeys_retry_after_is_refused_once(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit("slow", {"quota": 60, "per": "1m", "burst": 2})))
    with gateway.connect() as connection:
        for _ in range(3):
            while (refused := connection.request("/")).status == 200:
                pass
            time.sleep(int(refused.header("retry-after") or "0"))
            assert connection.request("/").status == 200


def test_one_key_from_all_workers_at_once_is_charged_each_time(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit("all", {"quota": 500, "per": "1h"}, key=[]), workers=4))
    over = threading.Event()
    threading.Timer(2, over.set).start()
    found = load(gateway, 16, over)
    assert found[200] == 500
    total = gateway.metrics().total("tidegate_rate_limit_requests_total", limit="all")
    assert total == found.total()


@pytest.mark.parametrize(
    ("window", "let_go"),
    [({"quota": 1, "per": "1d"}, 1), ({"quota": 10_000_000, "per": "1s"}, 300)],
)
def test_the_smallest_and_the_largest_quota_count_exactly(
    start_gateway: StartGateway, window: dict[str, object], let_go: int
) -> None:
    gateway = start_gateway(limited(limit("extreme", window)))
    with gateway.connect() as connection:
        found = Counter(connection.request("/").status for _ in range(300))
    assert found[200] == let_go


def test_reloads_under_load_that_change_the_quota_lose_nothing_that_was_spent(
    start_gateway: StartGateway,
) -> None:
    config = limited(limit("changed", {"quota": 300, "per": "1h"}, key=[]), workers=2)
    gateway = start_gateway(config)
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load, gateway, 8, over)
        for quota in (400, 350, 600, 500):
            config["rate_limits"] = [limit("changed", {"quota": quota, "per": "1h"}, key=[])]
            with gateway.next_generation():
                gateway.write(config)
        while gateway.metrics().total("tidegate_rate_limit_requests_total", limit="changed") < 1_000:
            time.sleep(0.02)
        over.set()
        found = running.result()
    assert set(found) == {200, 429}
    # What a request spends while a limit takes over may count by either quota: one of each worker at most.
    assert found[200] <= 600 + 2 * 4
    assert found[200] >= 300
