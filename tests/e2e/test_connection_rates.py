"""Rate limits of listeners: how often clients may connect."""

import socket
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.certs import Authority
from .harness.configs import listener
from .harness.gateway import Config, Gateway
from .harness.limited import HOUR, limit, limited
from .harness.waiting import eventually


def rated(*limits: dict[str, Any], **options: Any) -> Config:
    """The listener `web` lets connections in by these limits; requests have none."""
    config = limited()
    config["rate_limits"] = list(limits)
    config["listeners"] = [listener("web", rate=[each["name"] for each in limits], **options)]
    return config


def is_let_in(gateway: Gateway) -> bool:
    """Whether a connection is answered; one that is not is closed at once, before anything is sent."""
    with socket.create_connection(("127.0.0.1", gateway.port()), timeout=10) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            return connection.recv(1) != b""
        except ConnectionError:
            return False


def refused(gateway: Gateway) -> float:
    return gateway.metrics().total("tidegate_listener_connections_refused_total", listener="web")


def test_connections_over_the_rate_are_closed_counted_and_told_in_the_log(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(rated(limit("connects")))
    assert [is_let_in(gateway) for _ in range(6)] == [True] * 3 + [False] * 3
    assert refused(gateway) == 3
    metrics = gateway.metrics()
    assert metrics.total("tidegate_rate_limit_requests_total", limit="connects", result="denied") == 3
    eventually(lambda: "connections are refused" in gateway.log, "the refusals are told")
    assert gateway.log.count("connections are refused") == 1, "however many they are"


def test_requests_of_a_connection_that_was_let_in_are_not_counted(start_gateway: StartGateway) -> None:
    gateway = start_gateway(rated(limit("connects")))
    with gateway.connect() as connection:
        assert [connection.request("/").status for _ in range(5)] == [200] * 5
    assert is_let_in(gateway)


def test_a_connection_is_refused_before_its_tls_handshake(
    start_gateway: StartGateway, authority: Authority
) -> None:
    config = rated(limit("connects", {"quota": 1, "per": "1h"}))
    config["listeners"][0]["tls"] = {
        "certificates": [authority.issue("localhost", file="tls-rates").config()]
    }
    gateway = start_gateway(config)
    with socket.create_connection(("127.0.0.1", gateway.port())):
        eventually(lambda: gateway.metrics().total("tidegate_listener_connections_total") == 1, "one is in")
        with socket.create_connection(("127.0.0.1", gateway.port()), timeout=10) as second:
            assert second.recv(1) == b""
    assert refused(gateway) == 1


def test_a_limit_in_shadow_lets_all_connections_in(start_gateway: StartGateway) -> None:
    gateway = start_gateway(rated(limit("connects", mode="shadow")))
    assert all(is_let_in(gateway) for _ in range(5))
    metrics = gateway.metrics()
    assert metrics.total("tidegate_rate_limit_requests_total", limit="connects", result="would_deny") == 2


def test_routes_and_listeners_that_name_one_limit_share_its_buckets(start_gateway: StartGateway) -> None:
    config = rated(limit("both", {"quota": 4, "per": "1h"}))
    config["routes"][0]["limits"] = {"rate": ["both"]}
    gateway = start_gateway(config)
    with gateway.connect() as connection:
        assert [connection.request("/").status for _ in range(4)] == [200] * 3 + [429]


def test_a_reload_changes_how_often_clients_may_connect(start_gateway: StartGateway) -> None:
    config = rated(limit("connects"))
    gateway = start_gateway(config)
    assert [is_let_in(gateway) for _ in range(4)] == [True] * 3 + [False]
    config["listeners"][0]["rate"] = []
    with gateway.next_generation():
        gateway.write(config)
    assert all(is_let_in(gateway) for _ in range(4))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"key": [{"header": "x-user"}]}, "of its key only client and listener are known"),
        ({"windows": [], "in_flight": 3}, "it has no windows"),
        ({"in_flight": 3}, "in_flight and bandwidth are about requests"),
        ({"wait": "1s"}, "a connection does not wait for its turn"),
        ({"cost": {"status": [401]}}, "what it costs is known only when a request has come"),
    ],
)
def test_a_limit_of_what_only_requests_have_is_refused_with_the_reason(
    start_gateway: StartGateway, options: dict[str, Any], reason: str
) -> None:
    gateway = start_gateway(limited())
    wrong = rated({**limit("connects", HOUR), **options})
    answer = gateway.admin.patch(
        "/v1/config", json={"rate_limits": wrong["rate_limits"], "listeners": wrong["listeners"]}
    )
    assert answer.status_code == 422
    assert reason in answer.text
    assert "listeners.0.rate.0" in answer.text
