"""How requests are spread over endpoints."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.message import Echo
from .harness.origin import Origin
from .harness.raw import RawClient
from .harness.spread import NAMES, spread, three_origins
from .harness.waiting import eventually


@pytest.fixture(scope="module")
def origins() -> Iterator[dict[str, Origin]]:
    with three_origins() as servers:
        yield servers


LOOSE = {"load_bound": 100}
"""A bound that one client after another cannot reach, so that the hash alone decides."""

POLICIES: dict[str, Any] = {
    "round-robin": "round_robin",
    "random": "random",
    "least": "least_request",
    "two-choices": {"policy": "least_request", "choices": 2},
    "by-header": {"policy": "ring_hash", "hash": {"header": "X-User"}, **LOOSE},
    "by-maglev": {"policy": "maglev", "hash": {"header": "X-User"}, **LOOSE},
    "by-rendezvous": {"policy": "rendezvous", "hash": {"header": "X-User"}, **LOOSE},
    "by-cookie": {"policy": "ring_hash", "hash": {"cookie": "session"}, **LOOSE},
    "by-path": {"policy": "ring_hash", "hash": {"path": True}, **LOOSE},
    "by-client": {"policy": "ring_hash", "hash": {"client_address": True}, **LOOSE},
}


@pytest.fixture(scope="module")
def gateway(running: Running, origins: dict[str, Origin]) -> Iterator[Gateway]:
    addresses = [origins[name].address for name in NAMES]
    weighted = [{"address": address, "weight": w} for address, w in zip(addresses, (1, 2, 3), strict=True)]
    config = proxy(*addresses)
    for name, policy in POLICIES.items():
        config["routes"].append(route(name, f"/{name}", upstream=name))
        config["upstreams"].append(upstream(name, *addresses, balance=policy))
    config["routes"].append(route("weighted", "/weighted", upstream="weighted"))
    config["upstreams"].append(upstream("weighted", *weighted, balance="round_robin"))
    with running(config) as gateway:
        yield gateway


def test_round_robin_shares_equally(gateway: Gateway) -> None:
    assert spread(gateway, 300, "/round-robin") == {"a": 100, "b": 100, "c": 100}


def test_round_robin_is_shared_by_connections_and_workers(gateway: Gateway) -> None:
    counts: Counter[str] = Counter()
    for _ in range(60):
        counts += spread(gateway, 1, "/round-robin")
    assert counts == {"a": 20, "b": 20, "c": 20}


def test_round_robin_follows_the_weights_smoothly(gateway: Gateway) -> None:
    assert spread(gateway, 600, "/weighted") == {"a": 100, "b": 200, "c": 300}
    with gateway.connect() as client:
        order = "".join(Echo.of(client.request("/weighted")).origin for _ in range(12))
    assert "ccc" not in order, "the heaviest does not get its share in one go"


def test_random_reaches_everybody(gateway: Gateway) -> None:
    counts = spread(gateway, 300, "/random")
    assert set(counts) == set(NAMES)
    assert min(counts.values()) > 50


def test_least_request_shares_what_waits_equally(gateway: Gateway, origins: dict[str, Origin]) -> None:
    """Requests in flight count over all workers."""
    gates = _hold(origins, "/least/hold")
    clients = [gateway.connect() for _ in range(9)]
    for sent, client in enumerate(clients, start=1):
        client.send_request("/least/hold")
        _wait_for(origins, sent)
    assert [len(origins[name].requests) for name in NAMES] == [3, 3, 3]
    _let_go(gates, clients)


@pytest.mark.parametrize("path", ["/least", "/two-choices"])
def test_least_request_passes_over_the_busy_one(
    gateway: Gateway, origins: dict[str, Origin], path: str
) -> None:
    gates = _hold(origins, f"{path}/hold")
    clients = [gateway.connect() for _ in range(12)]
    for client in clients:
        client.send_request(f"{path}/hold")
    _wait_for(origins, len(clients))
    busy = max(NAMES, key=lambda name: len(origins[name].requests))
    for name in NAMES:
        if name != busy:
            gates[name].open()
    counts = spread(gateway, 60, path)
    assert counts[busy] < 20, "a third, had nobody looked at the load"
    _let_go(gates, clients)


def _hold(origins: dict[str, Origin], path: str) -> dict[str, answers.Gate]:
    gates = {name: answers.Gate() for name in origins}
    for name, server in origins.items():
        server.forget()
        server.on(path, gates[name])
    return gates


def _wait_for(origins: dict[str, Origin], count: int) -> None:
    def arrived() -> bool:
        return sum(len(server.requests) for server in origins.values()) == count

    eventually(arrived, f"{count} requests are on their way")


def _let_go(gates: dict[str, answers.Gate], clients: list[RawClient]) -> None:
    for gate in gates.values():
        gate.open()
    for client in clients:
        assert client.read_response().status == 200
        client.close()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/by-header", lambda key: [("X-User", key)]),
        ("/by-maglev", lambda key: [("X-User", key)]),
        ("/by-rendezvous", lambda key: [("X-User", key)]),
        ("/by-cookie", lambda key: [("Cookie", f"other=1; session={key}")]),
    ],
)
def test_the_same_key_comes_to_the_same_endpoint(gateway: Gateway, path: str, fields: Any) -> None:
    seen = {}
    for index in range(60):
        counts = spread(gateway, 3, path, fields(f"user-{index}"))
        assert len(counts) == 1, "one key, one endpoint"
        seen[index] = next(iter(counts))
    assert set(seen.values()) == set(NAMES), "many keys, all endpoints"


def test_the_path_can_be_the_key(gateway: Gateway) -> None:
    seen = set()
    for index in range(60):
        counts = spread(gateway, 2, f"/by-path/{index}?q=1") + spread(gateway, 1, f"/by-path/{index}?q=2")
        assert len(counts) == 1, "the query is no part of the key"
        seen |= set(counts)
    assert seen == set(NAMES)


def test_the_clients_address_can_be_the_key(gateway: Gateway) -> None:
    seen = set()
    for index in range(2, 40):
        counts: Counter[str] = Counter()
        for _ in range(2):
            with gateway.connect(source=f"127.0.0.{index}") as client:
                counts[Echo.of(client.request("/by-client")).origin] += 1
        assert len(counts) == 1
        seen |= set(counts)
    assert seen == set(NAMES)


def test_a_draining_endpoint_gets_no_more(running: Running, origins: dict[str, Origin]) -> None:
    config = proxy(origins["a"].address, {"address": origins["b"].address, "drain": True})
    with running(config) as gateway:
        assert spread(gateway, 20, "/") == {"a": 20}


def test_a_weight_of_zero_gets_nothing(running: Running, origins: dict[str, Origin]) -> None:
    config = proxy(origins["a"].address, {"address": origins["b"].address, "weight": 0})
    for policy in ("round_robin", "random", "least_request"):
        config["upstreams"][0]["balance"] = policy
        with running(config) as gateway:
            assert spread(gateway, 20, "/") == {"a": 20}
