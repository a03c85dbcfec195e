"""Rate limits under load: how many requests are let go, from many connections and on several workers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import pytest

from .conftest import StartGateway
from .harness.gateway import Gateway
from .harness.limited import limit, limited

RATE, BURST = 40, 100


@dataclass(frozen=True)
class Answered:
    """A request's status, and when it was sent and answered."""

    status: int
    sent: float
    answered: float


def load(gateway: Gateway, connections: int, until: threading.Event, pause: float = 0.0) -> list[Answered]:
    """What requests on so many connections are answered, which come one after the other on each."""

    def client(_: int) -> list[Answered]:
        found = []
        with gateway.connect() as connection:
            while not until.wait(pause):
                sent = time.monotonic()
                found.append(Answered(connection.request("/").status, sent, time.monotonic()))
        return found

    with ThreadPoolExecutor(connections) as pool:
        return list(chain.from_iterable(pool.map(client, range(connections))))


def let_go(found: list[Answered]) -> int:
    return sum(each.status == 200 for each in found)


def test_as_many_are_let_go_as_burst_and_rate_say_on_64_connections_and_two_workers(
    start_gateway: StartGateway,
) -> None:
    window = {"quota": RATE, "per": "1s", "burst": BURST}
    gateway = start_gateway(limited(limit("exact", window, key=[]), workers=2))
    over = threading.Event()
    threading.Timer(10, over.set).start()
    # Three times the quota, all connections together.
    found = load(gateway, 64, over, pause=64 / (3 * RATE))
    refused = [each for each in found if each.status == 429]
    first = min(found, key=lambda each: each.sent)
    # What is refused last finds the bucket empty: all that came back until then was let go, but for one.
    # When a request was decided is known as exactly as its answer was quick.
    last = max(refused, key=lambda each: each.sent)
    at_least = BURST + RATE * (last.sent - first.answered) - 1
    at_most = BURST + RATE * (max(each.answered for each in found) - first.sent) + 1
    assert at_least <= let_go(found) <= at_most
    assert len(refused) > let_go(found) - BURST


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
    assert let_go(found) == 500
    total = gateway.metrics().total("tidegate_rate_limit_requests_total", limit="all")
    assert total == len(found)


@pytest.mark.parametrize(
    ("window", "expected"),
    [({"quota": 1, "per": "1d"}, 1), ({"quota": 10_000_000, "per": "1s"}, 300)],
)
def test_the_smallest_and_the_largest_quota_count_exactly(
    start_gateway: StartGateway, window: dict[str, object], expected: int
) -> None:
    gateway = start_gateway(limited(limit("extreme", window)))
    with gateway.connect() as connection:
        statuses = [connection.request("/").status for _ in range(300)]
    assert statuses.count(200) == expected


def test_reloads_under_load_that_change_the_quota_lose_nothing_that_was_spent(
    start_gateway: StartGateway,
) -> None:
    config = limited(limit("changed", {"quota": 300, "per": "1h"}, key=[]), workers=2)
    gateway = start_gateway(config)
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load, gateway, 8, over)
        for quota in (350, 400, 600, 500):
            config["rate_limits"] = [limit("changed", {"quota": quota, "per": "1h"}, key=[])]
            with gateway.next_generation():
                gateway.write(config)
        while gateway.metrics().total("tidegate_rate_limit_requests_total", limit="changed") < 1_000:
            time.sleep(0.02)
        over.set()
        found = running.result()
    assert {each.status for each in found} == {200, 429}
    # What a request spends while a limit takes over may count by either quota: one of each worker at most.
    assert 300 <= let_go(found) <= 600 + 2 * 4
