"""More requests than an upstream may have or can serve: they wait, in order, or are told to come back."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from .conftest import StartGateway
from .harness import answers
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.message import Response
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually


class Held:
    """A handler that answers one request for each `release`, and remembers how many it had at a time."""

    def __init__(self, origin: Origin) -> None:
        self.inside = self.most = 0
        self._released = threading.Semaphore(0)
        origin.on_every_path(self)

    async def __call__(self, exchange: Exchange) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        exchange.origin.changed()
        while not self._released.acquire(blocking=False):  # noqa: ASYNC110 - by another thread
            await asyncio.sleep(0.002)
        self.inside -= 1
        await exchange.respond(200, body=b"done")

    def release(self, count: int = 1) -> None:
        self._released.release(count)


Ask = Callable[..., "Future[Response]"]


@contextmanager
def asking(gateway: Gateway) -> Iterator[Ask]:
    """Requests in the background, each on a connection of its own."""

    def one(target: str, headers: list[tuple[str, str]]) -> Response:
        with gateway.connect() as client:
            return client.request(target, headers=headers)

    with ThreadPoolExecutor(100) as pool:
        yield lambda target="/", headers=(): pool.submit(one, target, list(headers))


def gauge(gateway: Gateway, name: str) -> float:
    return gateway.metrics().total(f"tidegate_upstream_requests_{name}", upstream="app")


def queued(gateway: Gateway, count: int) -> None:
    eventually(lambda: gauge(gateway, "queued") == count, f"{count} requests wait")


def told_to_come_back(response: Response, error: str) -> None:
    assert response.status == 503
    assert response.header("retry-after") == "1"
    assert "error=" in (response.header("proxy-status") or "")
    assert error.encode() in response.body


@pytest.fixture
def start(start_gateway: StartGateway) -> Callable[..., Gateway]:
    def start(*endpoints: str, balance: Any = "least_request", **limits: Any) -> Gateway:
        config = proxy(*endpoints)
        config["upstreams"][0] |= {"limits": limits, "balance": balance}
        config["routes"] += [
            {"name": level, "match": {"path": {"prefix": f"/{level}"}}, "upstream": "app", "priority": level}
            for level in ("high", "low")
        ]
        config["routes"] += [
            {
                "name": name,
                "match": {"path": {"prefix": f"/{name}"}},
                "upstream": "app",
                "priority": {"header": "x-priority", "from_anyone": name == "open"},
            }
            for name in ("open", "closed")
        ]
        return start_gateway(config)

    return start


def test_a_burst_waits_and_is_served(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=4)
    with asking(gateway) as ask:
        answers = [ask() for _ in range(40)]
        queued(gateway, 36)
        assert gauge(gateway, "in_flight") == 4
        held.release(40)
        assert [answer.result().status for answer in answers] == [200] * 40
    assert held.most == 4
    queued(gateway, 0)


def test_those_who_wait_are_served_in_their_order(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1)
    with asking(gateway) as ask:
        for number in range(5):
            ask(f"/{number}")
            queued(gateway, number)
        held.release(5)
    assert [request.path for request in origin.requests] == [f"/{number}" for number in range(5)]


def test_a_full_queue_turns_requests_away(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1, pending=1)
    with asking(gateway) as ask:
        first = ask()
        origin.wait(lambda: held.inside == 1, "the first is there")
        second = ask()
        queued(gateway, 1)
        told_to_come_back(ask().result(), "queue_full")
        held.release(2)
        assert [first.result().status, second.result().status] == [200, 200]
    shed = gateway.metrics().total(
        "tidegate_upstream_shed_total", upstream="app", **{"class": "normal"}, reason="queue_full"
    )
    assert shed == 1


def test_nobody_waits_longer_than_allowed(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1, queue={"timeout": "150ms"})
    with asking(gateway) as ask:
        first = ask()
        origin.wait(lambda: held.inside == 1, "the first is there")
        told_to_come_back(ask().result(), "queue_timeout")
        held.release()
        assert first.result().status == 200


def test_who_leaves_the_queue_is_forgotten(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1)
    with asking(gateway) as ask:
        first = ask("/first")
        origin.wait(lambda: held.inside == 1, "the first is there")
        with gateway.connect() as impatient:
            impatient.send_request("/impatient")
            queued(gateway, 1)
        queued(gateway, 0)
        second = ask("/second")
        queued(gateway, 1)
        held.release(2)
        assert [first.result().status, second.result().status] == [200, 200]
    assert [request.path for request in origin.requests] == ["/first", "/second"]


def test_a_client_that_leaves_gives_its_place_back(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1)
    with asking(gateway) as ask:
        with gateway.connect() as impatient:
            impatient.send_request("/impatient")
            origin.wait(lambda: held.inside == 1, "it is there")
            patient = ask("/patient")
            queued(gateway, 1)
        held.release(2)
        assert patient.result().status == 200
    eventually(lambda: gauge(gateway, "in_flight") == 0, "nothing is in flight")


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (("/low", []), ("/high", [])),
        (("/open", [("X-Priority", "low")]), ("/open", [("X-Priority", "High")])),
    ],
)
def test_the_important_go_first_and_take_the_place_of_others(
    start: Callable[..., Gateway], origin: Origin, low: Any, high: Any
) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1, pending=2)
    with asking(gateway) as ask:
        first = ask("/")
        origin.wait(lambda: held.inside == 1, "the first is there")
        lower = [ask(*low)]
        queued(gateway, 1)
        lower.append(ask(*low))
        queued(gateway, 2)
        higher = ask(*high)
        told_to_come_back(lower[1].result(), "overloaded")
        held.release(3)
        assert [each.result().status for each in (first, higher, lower[0])] == [200] * 3
    assert [request.path for request in origin.requests] == ["/", high[0], low[0]]


def test_only_trusted_proxies_name_a_priority(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=1, pending=1)
    with asking(gateway) as ask:
        first = ask("/")
        origin.wait(lambda: held.inside == 1, "the first is there")
        second = ask("/")
        queued(gateway, 1)
        told_to_come_back(ask("/closed", [("X-Priority", "high")]).result(), "queue_full")
        held.release(2)
        assert [first.result().status, second.result().status] == [200, 200]


@pytest.mark.parametrize(
    "balance", ["round_robin", {"policy": "ring_hash", "hash": {"path": True}, "load_bound": 100}]
)
def test_an_endpoint_at_its_limit_leaves_requests_to_the_others(
    start: Callable[..., Gateway], balance: Any
) -> None:
    with Origin("a") as a, Origin("b") as b:
        held = {"a": Held(a), "b": Held(b)}
        gateway = start(a.address, b.address, balance=balance, endpoint_requests=2)
        with asking(gateway) as ask:
            answers = [ask("/same") for _ in range(6)]
            queued(gateway, 2)
            assert (held["a"].inside, held["b"].inside) == (2, 2)
            held["a"].release(6)
            held["b"].release(6)
            assert [answer.result().status for answer in answers] == [200] * 6
        assert (held["a"].most, held["b"].most) == (2, 2)


def test_lasting_overload_is_shed_and_the_upstream_stays_busy(
    start: Callable[..., Gateway], origin: Origin
) -> None:
    """Sixty clients at once for an upstream that does four requests in 50 ms."""
    inside = 0
    most = 0

    async def work(exchange: Exchange) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.05)
        inside -= 1
        await exchange.respond(200, body=b"done")

    origin.on_every_path(work)
    gateway = start(origin.address, requests=4)
    statuses: list[int] = []
    enough = threading.Event()

    def client() -> None:
        with gateway.connect() as connection:
            while not enough.is_set():
                response = connection.request("/")
                statuses.append(response.status)
                if response.status == 503:
                    told_to_come_back(response, "overloaded")
                    enough.wait(0.1)

    with ThreadPoolExecutor(60) as pool:
        clients = [pool.submit(client) for _ in range(60)]
        eventually(
            lambda: statuses.count(503) > 200 and statuses.count(200) > 100, "both kinds of answers", 30
        )
        enough.set()
        for each in clients:
            each.result()
    assert set(statuses) == {200, 503}
    assert most == 4


def test_what_took_too_long_is_not_repeated_while_others_are_sent_away(
    start_gateway: StartGateway, origin: Origin
) -> None:
    held = Held(origin)
    config = proxy(origin.address)
    config["routes"][0]["retry"] = {"attempts": 3, "per_try_timeout": "1s"}
    config["upstreams"][0]["limits"] = {"requests": 1, "queue": {"target": "1ms", "interval": "1ms"}}
    gateway = start_gateway(config)
    with asking(gateway) as ask:
        slow = ask("/slow")
        origin.wait(lambda: held.inside == 1, "the first is there")
        waiting = []
        for number in range(2):
            waiting.append(ask())
            queued(gateway, number + 1)
        waiting.append(ask())
        for each in waiting[:2]:
            told_to_come_back(each.result(), "overloaded")
        assert slow.result().status == 504
        # The last has waited no longer than requests usually stay there.
        held.release(2)
        assert waiting[2].result().status == 200
    assert [request.path for request in origin.requests].count("/slow") == 1


def test_the_status_shows_the_limit_and_who_waits(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, requests=3)
    with asking(gateway) as ask:
        answers = [ask() for _ in range(5)]
        queued(gateway, 2)
        assert gauge(gateway, "limit") == 3
        shown = gateway.admin.get("/v1/upstreams/app").json()
        assert (shown["in_flight"], shown["limit"], shown["queued"]) == (3, 3, 2)
        held.release(5)
        assert [answer.result().status for answer in answers] == [200] * 5


@pytest.mark.parametrize("limit", ["requests", "endpoint_requests"])
def test_a_limit_is_lifted_while_requests_wait(
    start: Callable[..., Gateway], origin: Origin, limit: str
) -> None:
    held = Held(origin)
    gateway = start(origin.address, **{limit: 1})
    with asking(gateway) as ask:
        answers = [ask() for _ in range(4)]
        queued(gateway, 3)
        del gateway.config["upstreams"][0]["limits"][limit]
        with gateway.next_generation():
            gateway.write()
        origin.wait(lambda: held.inside == 4, "all are there")
        held.release(4)
        assert [answer.result().status for answer in answers] == [200] * 4


def test_no_more_retries_are_under_way_than_allowed(start_gateway: StartGateway, origin: Origin) -> None:
    """Each request is tried first where it fails."""
    with Origin("failing") as failing:
        failing.on_every_path(answers.fixed(503))
        gate = answers.Gate()
        origin.on("/held", gate)
        config = proxy(failing.address, origin.address)
        config["upstreams"][0] |= {
            "balance": "first_available",
            "limits": {"retries": 1},
            "retry_budget": {"percent": 100, "minimum": 1000},
            "health": {"outlier": {"gateway_errors": None, "success_rate": None}},
        }
        gateway = start_gateway(config)
        with gateway.connect() as first, gateway.connect() as second:
            first.send_request("/held")
            origin.wait(lambda: origin.requests, "its retry is under way")
            refused = second.request("/other")
            assert (refused.status, refused.header("x-origin")) == (503, "failing")
            gate.open()
            assert first.read_response().status == 200
            assert second.request("/other").status == 200


def test_the_connections_of_an_upstream_are_limited(start: Callable[..., Gateway], origin: Origin) -> None:
    held = Held(origin)
    gateway = start(origin.address, connections=2)
    with asking(gateway) as ask:
        answers = [ask() for _ in range(2)]
        origin.wait(lambda: held.inside == 2, "both are there")
        told_to_come_back(ask().result(), "connection_limit")
        held.release(2)
        assert [answer.result().status for answer in answers] == [200] * 2
