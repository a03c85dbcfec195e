"""Health: checks of every kind, ejection by what requests tell, panic, drain and maintenance."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .conftest import Spoken, StartGateway
from .harness import answers
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.message import Echo
from .harness.multiplexed_origin import Stream
from .harness.origin import Exchange, Origin
from .harness.ports import free_port
from .harness.spread import spread
from .harness.waiting import eventually

QUICK = {"interval": "100ms", "interval_down": "50ms", "timeout": "500ms"}


@pytest.fixture
def origins() -> Iterator[list[Origin]]:
    """Two origins of this test alone."""
    with ExitStack() as stack:
        yield [stack.enter_context(Origin(name)) for name in ("one", "two")]


def state(gateway: Gateway, address: str) -> str:
    """An endpoint's state."""
    return str(health(gateway, address)["state"])


def health(gateway: Gateway, address: str) -> dict[str, Any]:
    """How an endpoint came to be as it is."""
    answer = gateway.admin.get(f"/v1/upstreams/app/endpoints/{address}/health").raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def becomes(gateway: Gateway, address: str, wanted: str) -> str:
    """Wait for a state; its cause."""
    eventually(lambda: state(gateway, address) == wanted, f"{address} is {wanted}\n{gateway.log}")
    return str(health(gateway, address)["cause"])


def served_by(gateway: Gateway, count: int = 20) -> set[str | None]:
    """Names of the origins that answer some requests."""
    with gateway.connect() as client:
        responses = [client.request("/x") for _ in range(count)]
        assert {response.status for response in responses} == {200}
        return {response.header("x-origin") for response in responses}


def checked(*addresses: str, **options: Any) -> dict[str, Any]:
    """A configuration whose endpoints are checked quickly, in turn."""
    config = proxy(*addresses)
    config["upstreams"][0].update(balance="round_robin", health={**QUICK, **options})
    return config


# Checks


def test_an_endpoint_with_the_wrong_status_gets_no_requests(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, two = origins
    one.on("/healthz", answers.fixed(302))
    two.on("/healthz", answers.fixed(302))
    http = {"path": "/healthz", "statuses": [200, "300-303"], "headers": {"x-check": "yes"}}
    gateway = start_gateway(checked(one.address, two.address, http=http))
    one.wait(lambda: any(r.path == "/healthz" for r in one.requests), "a check arrives")
    check = next(request for request in one.requests if request.path == "/healthz")
    assert (check.method, check.header("host"), check.header("x-check")) == ("GET", one.address, "yes")
    assert served_by(gateway) == {"one", "two"}
    one.on("/healthz", answers.fixed(503))
    assert becomes(gateway, one.address, "unhealthy") == (
        "the health check failed 3 times in a row: status 503"
    )
    assert served_by(gateway) == {"two"}
    one.on("/healthz", answers.fixed(200))
    becomes(gateway, one.address, "healthy")
    assert served_by(gateway) == {"one", "two"}
    metrics = gateway.metrics()
    assert metrics.total("tidegate_health_checks_total", upstream="app", result="failed") >= 3
    assert metrics.total("tidegate_health_check_seconds_count", upstream="app") > 3
    assert metrics.total("tidegate_health_changes_total", upstream="app", state="unhealthy") == 1
    assert gateway.log.count("endpoint health changed") == 2


@pytest.mark.parametrize("body", [{"contains": "status: ok"}, {"regex": "status: (ok|fine)$"}])
def test_the_body_must_hold_what_is_expected(
    start_gateway: StartGateway, origins: list[Origin], body: dict[str, str]
) -> None:
    one, two = origins
    for origin in origins:
        origin.on("/healthz", answers.fixed(200, body=b"status: ok", chunked=True))
    http = {"path": "/healthz", "body": body}
    gateway = start_gateway(checked(one.address, two.address, http=http))
    assert served_by(gateway) == {"one", "two"}
    one.on("/healthz", answers.fixed(200, body=b"status: broken"))
    assert "the body does not hold" in becomes(gateway, one.address, "unhealthy")
    assert state(gateway, two.address) == "healthy"


def test_checks_use_one_connection_and_survive_its_end(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, _ = origins
    start_gateway(checked(one.address, http={"path": "/healthz"}))
    one.wait(lambda: len(one.requests) >= 5, "checks come")
    assert {request.connection for request in one.requests} == {1}
    one.on("/healthz", answers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", close=True))
    seen = len(one.requests)
    one.wait(lambda: len(one.requests) >= seen + 5, "checks go on, on new connections")


def test_an_endpoint_that_hangs_is_found(start_gateway: StartGateway, origins: list[Origin]) -> None:
    one, two = origins
    gateway = start_gateway(checked(one.address, two.address, http={"path": "/healthz"}, timeout="100ms"))
    one.on("/healthz", answers.hang())
    assert "no answer within 100ms" in becomes(gateway, one.address, "unhealthy")
    assert served_by(gateway) == {"two"}


def test_a_flapping_endpoint_is_neither_well_nor_ill_by_single_checks(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, _ = origins
    one.on("/healthz", answers.every_other(503))
    gateway = start_gateway(checked(one.address, http={"path": "/healthz"}, fall=2))
    one.wait(lambda: len(one.requests) >= 10, "checks come")
    assert health(gateway, one.address)["changes"][0]["cause"] == "added"


def test_a_tcp_check_connects_to_another_port(start_gateway: StartGateway, origins: list[Origin]) -> None:
    one, two = origins
    gateway = start_gateway(checked(one.address, tcp={}, port=two.port))
    two.wait(lambda: two.accepted >= 3, "connections for checks come")
    assert state(gateway, one.address) == "healthy"
    assert not one.accepted
    two.stop()
    assert "connect refused" in becomes(gateway, one.address, "unhealthy")


def test_a_grpc_check_asks_for_the_service(start_gateway: StartGateway, spoken: Spoken) -> None:
    serving = 1

    async def check(stream: Stream) -> None:
        await stream.complete.wait()
        assert bytes(stream.body) == b"\0\0\0\0\x0d\x0a\x0bshop.Orders"
        stream.send_headers(200, [("content-type", "application/grpc")])
        await stream.send_data(b"\0\0\0\0\x02\x08" + bytes([serving]))
        stream.send_trailers([("grpc-status", "0")])

    with spoken.origin("one") as origin:
        origin.on("/grpc.health.v1.Health/Check", check)
        config = checked(origin.address, grpc={"service": "shop.Orders"}, initial="unhealthy")
        config["upstreams"][0] |= spoken.options
        gateway = start_gateway(config)
        assert "passed" in becomes(gateway, origin.address, "healthy")
        eventually(lambda: len(origin.streams) >= 5, "checks come")
        assert origin.accepted == 1, "they use one connection"
        serving = 2
        assert "NOT_SERVING" in becomes(gateway, origin.address, "unhealthy")


def test_an_endpoint_that_begins_unhealthy_waits_for_its_first_check(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, two = origins
    gate = answers.Gate()
    one.on("/healthz", gate)
    config = checked(one.address, two.address, http={"path": "/healthz"}, initial="unhealthy", timeout="60s")
    gateway = start_gateway(config)
    becomes(gateway, two.address, "healthy")
    assert served_by(gateway) == {"two"}
    gate.open()
    becomes(gateway, one.address, "healthy")


# What requests tell


def test_a_burst_of_errors_ejects_and_a_good_answer_readmits(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, two = origins
    config = proxy(one.address, two.address)
    outlier = {"ejection": "200ms", "max_ejection": "200ms"}
    config["upstreams"][0].update(balance="round_robin", health={"outlier": outlier})
    gateway = start_gateway(config)
    one.on_every_path(answers.fixed(503))
    with gateway.connect() as client:
        for _ in range(10):
            client.request("/x")
        changes = health(gateway, one.address)["changes"]
        assert (changes[0]["to"], changes[0]["from"]) == ("ejected", "healthy")
        assert changes[0]["cause"] == "requests failed 5 times in a row; ejected for 200ms"

        def longer() -> bool:
            client.request("/x")
            return str(health(gateway, one.address)["changes"][0]["from"]) == "ejected"

        eventually(longer, "a trial fails")
        one.on_every_path(answers.fixed(200))

        def back() -> bool:
            client.request("/x")
            return state(gateway, one.address) == "healthy"

        eventually(back, "a trial succeeds")
    assert gateway.metrics().total("tidegate_health_changes_total", state="ejected") >= 2


def test_no_more_endpoints_are_ejected_than_allowed(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    config = proxy(*(origin.address for origin in origins))
    config["upstreams"][0].update(balance="round_robin", health={"outlier": {"ejection": "60s"}})
    gateway = start_gateway(config)
    for origin in origins:
        origin.on_every_path(answers.fixed(503))
    with gateway.connect() as client:
        for _ in range(40):
            assert client.request("/x").status == 503
    assert sorted(state(gateway, origin.address) for origin in origins) == ["ejected", "healthy"]


def test_an_endpoint_that_fails_more_than_its_peers_is_ejected(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, two = origins
    one.on_every_path(answers.every_other(500))
    config = proxy(one.address, two.address, f"localhost:{two.port}")
    rule = {"requests": 5, "endpoints": 3}
    outlier = {"interval": "500ms", "ejection": "60s", "success_rate": rule}
    config["upstreams"][0].update(balance="round_robin", health={"outlier": outlier})
    gateway = start_gateway(config)
    with gateway.connect() as client:

        def ejected() -> bool:
            for _ in range(10):
                client.request("/x")
            return state(gateway, one.address) == "ejected"

        eventually(ejected, "it is ejected")
    assert "of its answers were good" in health(gateway, one.address)["cause"]


def test_an_endpoint_that_is_far_slower_than_its_peers_is_ejected(
    start_gateway: StartGateway, origins: list[Origin]
) -> None:
    one, two = origins

    async def slow(exchange: Exchange) -> None:
        await exchange.discard_body()
        await asyncio.sleep(0.1)
        await exchange.respond(200)

    one.on_every_path(slow)
    config = proxy(one.address, two.address, f"localhost:{two.port}")
    rule = {"requests": 2, "endpoints": 3}
    outlier = {"interval": "500ms", "ejection": "60s", "latency": rule}
    config["upstreams"][0].update(balance="round_robin", health={"outlier": outlier})
    gateway = start_gateway(config)
    with gateway.connect() as client:

        def ejected() -> bool:
            for _ in range(6):
                client.request("/x")
            return state(gateway, one.address) == "ejected"

        eventually(ejected, "it is ejected")
    assert "its mean latency was" in health(gateway, one.address)["cause"]
    assert served_by(gateway) == {"two"}


# Panic


def test_below_the_threshold_requests_go_to_all(start_gateway: StartGateway, origins: list[Origin]) -> None:
    one, two = origins
    one.on("/healthz", answers.fixed(503))
    config = checked(one.address, two.address, http={"path": "/healthz"}, panic_threshold=40)
    gateway = start_gateway(config)
    becomes(gateway, one.address, "unhealthy")
    assert served_by(gateway) == {"two"}
    config["upstreams"][0]["health"]["panic_threshold"] = 60
    with gateway.next_generation():
        gateway.write({**gateway.config, "upstreams": config["upstreams"]})
    assert state(gateway, one.address) == "unhealthy"
    assert served_by(gateway) == {"one", "two"}


def test_panic_mode_is_told_wherever_one_looks(start_gateway: StartGateway, origins: list[Origin]) -> None:
    one, two = origins
    one.on("/healthz", answers.fixed(503))
    config = checked(one.address, two.address, http={"path": "/healthz"}, panic_threshold=60)
    gateway = start_gateway(config | {"explain": {"sample": 100}})

    def told() -> tuple[list[str], bool, float]:
        status, shown = (gateway.admin.get(path).json() for path in ("/v1/status", "/v1/upstreams/app"))
        metric = gateway.metrics().total("tidegate_upstream_panic_mode", upstream="app")
        return status["panic_mode"], shown["panic_mode"], metric

    becomes(gateway, one.address, "unhealthy")
    eventually(lambda: told() == (["app"], True, 1), "panic mode is told, though no request has come yet")
    name = _served_in_panic_by(gateway, "one")
    choice = gateway.story(name)["tries"][0]["choice"]
    assert (choice["panic_mode"], choice["candidates"][0]["state"]) == (True, "unhealthy")
    why = "picked by round_robin, though it is unhealthy; too few endpoints are healthy (panic mode)"
    assert why in gateway.says("explain", name)
    assert "Upstream app is in panic mode" in gateway.says("status")
    one.on("/healthz", answers.fixed(200))
    becomes(gateway, one.address, "healthy")
    eventually(lambda: told() == ([], False, 0), "it is over")


def _served_in_panic_by(gateway: Gateway, name: str) -> str:
    """The id of a request that this endpoint answered, and that is remembered."""
    while True:
        with gateway.connect() as client:
            response = client.request("/")
        if response.header("x-origin") == name:
            break
    request_id = response.header("x-request-id") or ""
    path = f"/v1/explain/{request_id}"
    eventually(lambda: gateway.admin.get(path).status_code == 200, "the request is remembered")
    return request_id


# Slow start


@pytest.mark.parametrize("how", ["added", "recovered"])
def test_an_endpoint_that_is_new_or_has_recovered_starts_slowly(
    start_gateway: StartGateway, origins: list[Origin], how: str
) -> None:
    """A tenth of its weight, for the first minute of ten; then, without slow start, all of it."""
    old, new = origins
    config = checked(old.address, *([new.address] if how == "recovered" else []), http={"path": "/healthz"})
    slow_start = {"window": "10m", "curve": "linear", "min_weight_percent": 10}
    config["upstreams"][0]["balance"] = {"policy": "round_robin", "slow_start": slow_start}
    gateway = start_gateway(config)
    path = "/v1/upstreams/app/endpoints"
    if how == "added":
        gateway.admin.post(path, json={"address": new.address}).raise_for_status()
    else:
        assert spread(gateway, 20) == {"one": 10, "two": 10}, "at the start none is spared"
        for status, wanted in ((503, "unhealthy"), (200, "healthy")):
            new.on("/healthz", answers.fixed(status))
            becomes(gateway, new.address, wanted)
    assert gateway.admin.get(path).json()[1]["effective_weight"] == pytest.approx(0.1)
    assert 5 <= spread(gateway, 110)["two"] <= 15
    upstreams = gateway.admin.get("/v1/config").json()["upstreams"]
    upstreams[0]["balance"] = "round_robin"
    gateway.admin.patch("/v1/config", json={"upstreams": upstreams}).raise_for_status()
    assert spread(gateway, 20) == {"one": 10, "two": 10}


# The operator's will


@pytest.mark.parametrize("way", ["drain", "maintenance"])
def test_what_leaves_service_finishes_its_requests_and_closes_its_connections(
    start_gateway: StartGateway, origins: list[Origin], way: str
) -> None:
    one, two = origins
    config = proxy(one.address, two.address)
    config["upstreams"][0]["balance"] = "round_robin"
    gateway = start_gateway(config)
    gates = [answers.Gate() for _ in origins]
    for origin, gate in zip(origins, gates, strict=True):
        origin.on("/slow", gate)
    path = f"/v1/upstreams/app/endpoints/{one.address}"
    with gateway.connect() as client, gateway.connect() as other:
        for waiting in (client, other):
            waiting.send_request("/slow")
        one.wait(lambda: len(one.requests) == 1, "one has a request")
        two.wait(lambda: len(two.requests) == 1, "two has a request")
        if way == "drain":
            gateway.admin.patch(path, json={"drain": True}).raise_for_status()
        else:
            gateway.admin.post(f"{path}/maintenance", json={"reason": "a new disk"}).raise_for_status()
        assert served_by(gateway) == {"two"}
        for gate in gates:
            gate.open()
        for waiting in (client, other):
            assert waiting.read_response().status == 200
    one.wait(lambda: one.open == 0, "its connections are closed")
    cause = health(gateway, one.address)["cause"]
    assert cause == ("the operator lets it drain" if way == "drain" else "maintenance: a new disk")
    assert state(gateway, one.address) == ("draining" if way == "drain" else "maintenance")
    if way == "drain":
        gateway.admin.patch(path, json={"drain": None}).raise_for_status()
    else:
        gateway.admin.delete(f"{path}/maintenance").raise_for_status()
    assert served_by(gateway) == {"one", "two"}
    assert state(gateway, one.address) == "healthy"


def test_what_is_in_maintenance_is_not_checked(start_gateway: StartGateway, origins: list[Origin]) -> None:
    one, _ = origins
    gateway = start_gateway(checked(one.address, http={"path": "/healthz"}))
    one.wait(lambda: len(one.requests) >= 2, "checks come")
    path = f"/v1/upstreams/app/endpoints/{one.address}/maintenance"
    gateway.admin.post(path, json={"reason": "a new disk"}).raise_for_status()
    one.wait(lambda: one.open == 0, "the connection of the checks is closed")
    assert state(gateway, one.address) == "maintenance"
    assert [word["reason"] for word in health(gateway, one.address)["words"]] == ["a new disk"]
    seen = len(one.requests)
    gateway.admin.delete(path).raise_for_status()
    one.wait(lambda: len(one.requests) > seen, "checks come again")


def test_the_history_survives_a_reload(start_gateway: StartGateway, origins: list[Origin]) -> None:
    one, two = origins
    dead = f"127.0.0.1:{free_port()}"
    config = checked(one.address, dead, tcp={})
    gateway = start_gateway(config)
    becomes(gateway, dead, "unhealthy")
    before = [change["cause"] for change in health(gateway, dead)["changes"]]
    config["upstreams"][0]["endpoints"].append(two.address)
    with gateway.next_generation():
        gateway.write({**gateway.config, "upstreams": config["upstreams"]})
    assert [change["cause"] for change in health(gateway, dead)["changes"]] == before
    with gateway.connect() as client:
        assert Echo.of(client.request("/x")).origin in ("one", "two")
