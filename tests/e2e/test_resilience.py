"""Replicas that die, hang, fail and restart under load: no idempotent request fails."""

import contextlib
from collections.abc import Iterator

import pytest

from .conftest import StartGateway
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.load import Load
from .harness.replica import Replica
from .harness.waiting import eventually

WORK = "/work/2"


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Replica()) for _ in range(4)]


@pytest.fixture
def gateway(start_gateway: StartGateway, replicas: list[Replica]) -> Gateway:
    """One that has the health checks of the readme's first configuration, and the defaults."""
    config = proxy(*(replica.address for replica in replicas))
    config["upstreams"][0]["health"] = {"http": {"path": "/healthz"}, "interval": "200ms"}
    return start_gateway(config)


@contextlib.contextmanager
def unharmed(gateway: Gateway) -> Iterator[Load]:
    """Load that goes on from before a fault until after it, none of which may fail."""
    with Load(gateway.port(), WORK, connections=8) as load:
        yield load
        load.wait_for(20)
    assert load.failures == []


def notices(gateway: Gateway, replica: Replica, *, well: bool) -> None:
    """Wait until the gateway knows of a replica's fall or return."""
    eventually(lambda: (state(gateway, replica) == "healthy") is well, f"the replica is known {well=}", 20)


def state(gateway: Gateway, replica: Replica) -> str:
    """What a replica is in the gateway's eyes."""
    endpoints = gateway.admin.get("/v1/upstreams/app/endpoints").raise_for_status().json()
    return str(next(e["state"] for e in endpoints if e["address"] == replica.address))


def test_no_request_fails_when_a_replica_is_killed_and_comes_back(
    gateway: Gateway, replicas: list[Replica]
) -> None:
    with unharmed(gateway) as load:
        replicas[0].kill()
        notices(gateway, replicas[0], well=False)
        load.wait_for(20)
        replicas[0].start()
        notices(gateway, replicas[0], well=True)


def test_no_request_fails_when_a_replica_hangs(gateway: Gateway, replicas: list[Replica]) -> None:
    """Requests that wait for a replica when its checks fail are sent to another."""
    with unharmed(gateway) as load:
        replicas[0].hang()
        notices(gateway, replicas[0], well=False)
        load.wait_for(20)
        replicas[0].resume()
        notices(gateway, replicas[0], well=True)


def test_no_request_fails_in_a_rolling_restart(gateway: Gateway, replicas: list[Replica]) -> None:
    with unharmed(gateway) as load:
        for replica in replicas:
            replica.stop()
            load.wait_for(5)
            replica.start()
            notices(gateway, replica, well=True)


@pytest.mark.parametrize("fault", ["fail", "reset"])
def test_no_request_fails_when_a_replica_breaks(
    gateway: Gateway, replicas: list[Replica], fault: str
) -> None:
    """It answers 503 at once, or resets every connection: the others answer instead."""
    with unharmed(gateway) as load:
        getattr(replicas[0], fault)()
        load.wait_for(50)
        replicas[0].serve()


def test_a_replica_that_fails_fast_is_not_the_most_attractive_one(
    gateway: Gateway, replicas: list[Replica]
) -> None:
    """It never has requests in flight; still it gets few of them, and no more than its fair share."""
    with unharmed(gateway) as load:
        before = replicas[0].fail(503)
        answered = load.answered
        load.wait_for(50)
        tried = replicas[0].fail(503) - before
        assert tried <= (load.answered - answered) / len(replicas)
