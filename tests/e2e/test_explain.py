"""Explain: what the gateway says about a request that is over."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.message import Response
from .harness.origin import Origin
from .harness.ports import free_port

NOTHING: dict[str, Any] = {"sample": 0, "keep": 64}
EVERYTHING: dict[str, Any] = {"sample": 100, "keep": 64}


@pytest.fixture(scope="module")
def good() -> Iterator[Origin]:
    """An origin without faults."""
    with Origin("good") as server:
        yield server


def configured(bad: Origin, good: Origin, explain: dict[str, Any]) -> dict[str, Any]:
    config = proxy(bad.address, good.address, explain=explain)
    config["upstreams"][0].update(balance="round_robin")
    config["upstreams"] += [
        upstream("gone", f"127.0.0.1:{free_port()}"),
        upstream("drained", {"address": "127.0.0.1:9", "drain": True}),
        upstream("shut", good.address, limits={"requests": 1, "pending": 0}),
        upstream("loaded", good.address, bad.address, balance="least_request"),
    ]
    strip = {"prefix": "/"}
    config["routes"] += [
        route(name, f"/{name}", rewrite=strip, upstream=name)
        for name in ("gone", "drained", "shut", "loaded")
    ]
    config["routes"][0] = route("all", "/", match={"hosts": ["app.test"]})
    return config


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, good: Origin) -> Iterator[Gateway]:
    """A gateway that remembers only what stands out."""
    with running(configured(module_origin, good, NOTHING)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def watchful(running: Running, module_origin: Origin, good: Origin) -> Iterator[Gateway]:
    """A gateway that remembers every request."""
    with running(configured(module_origin, good, EVERYTHING)) as gateway:
        yield gateway


def ask(gateway: Gateway, target: str, host: str = "app.test") -> Response:
    with gateway.connect() as client:
        return client.request(target, headers=[("host", host)])


def test_a_retried_request_is_told_try_by_try(gateway: Gateway, origin: Origin, good: Origin) -> None:
    origin.on("/fault", answers.fixed(503, body=b"no"))
    for _ in range(2):
        response = ask(gateway, "/fault")
        assert response.header("x-origin") == "good"
        if len(origin.requests):
            break
    story = gateway.story(response)
    assert (story["reason"], story["status"], story["route"]) == ("retried", 200, "all")
    first, second = story["tries"]
    assert (first["endpoint"], first["outcome"]) == (origin.address, "status 503")
    assert (second["endpoint"], second["outcome"]) == (good.address, "status 200")
    assert first["choice"] is None, "nothing had gone wrong yet"
    passed_over = {each["endpoint"]: each["passed_over"] for each in second["choice"]["candidates"]}
    assert passed_over == {good.address: None, origin.address: "it was tried before"}
    [said] = story["limits"]
    assert (said["limit"], said["allowed"]) == ("retry_budget", True)


def test_a_request_without_an_endpoint_is_told_with_those_that_there_were(gateway: Gateway) -> None:
    response = ask(gateway, "/drained", "any.test")
    assert response.status == 503
    story = gateway.story(response)
    assert (story["reason"], story["error"], story["tries"]) == ("failed", "no_endpoint", [])
    [candidate] = story["unpicked"]["candidates"]
    assert (candidate["state"], candidate["passed_over"]) == ("draining", "draining")


def test_a_request_whose_endpoint_is_gone_is_told_with_the_failure_of_each_try(gateway: Gateway) -> None:
    story = gateway.story(ask(gateway, "/gone", "any.test"))
    assert (story["reason"], story["status"]) == ("failed", 502)
    assert {each["outcome"] for each in story["tries"]} == {"connect_refused"}
    assert story["upstream"] == "gone"


def test_a_request_without_a_route_is_told_with_the_nearest_routes(gateway: Gateway) -> None:
    story = gateway.story(ask(gateway, "/nowhere?secret=1", "other.test"))
    assert (story["error"], story["route"], story["host"]) == ("no_route", None, "other.test")
    assert story["path"] == "/nowhere", "queries are not kept"
    reasons = {each["route"]: each["reason"] for each in story["considered"]}
    assert "app.test" in reasons["all"]


def test_a_shed_request_is_told_with_the_word_of_its_limit(gateway: Gateway, good: Origin) -> None:
    gate = answers.Gate()
    good.on("/held", gate)
    with gateway.connect() as first:
        before = len(good.requests)
        first.send_request("/shut/held", headers=[("host", "any.test")])
        good.wait(lambda: len(good.requests) > before, "the first request is served")
        story = gateway.story(ask(gateway, "/shut", "any.test"))
        gate.open()
        assert first.read_response().status == 200
    assert (story["error"], story["status"]) == ("queue_full", 503)
    [said] = story["limits"]
    assert (said["limit"], said["allowed"], said["in_flight"], said["most"]) == ("requests", False, 1, 1)


def test_a_slow_request_is_told_with_where_the_time_went(start_gateway: StartGateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/slow", gate)
    gateway = start_gateway(proxy(origin.address, explain={**NOTHING, "slow": "20ms"}))
    with gateway.connect() as client:
        client.send_request("/slow")
        assert client.silent(0.1)
        gate.open()
        story = gateway.story(client.read_response())
    assert (story["reason"], story["status"], story["error"]) == ("slow", 200, None)
    assert [phase["phase"] for phase in story["phases"]][-3:] == ["tried", "head", "end"]
    times = [phase["at_ms"] for phase in story["phases"]]
    assert times == sorted(times)
    [only] = story["tries"]
    assert (only["endpoint"], only["outcome"]) == (origin.address, "status 200")


def test_a_hedged_request_is_told_with_both_tries(
    start_gateway: StartGateway, origin: Origin, good: Origin
) -> None:
    origin.on("/slow", answers.hang())
    config = configured(origin, good, NOTHING)
    config["routes"][0]["hedge"] = {"after": "50ms", "budget": 100}
    gateway = start_gateway(config)
    while not origin.requests:
        response = ask(gateway, "/slow")
        assert response.header("x-origin") == "good"
    story = gateway.story(response)
    assert (story["reason"], story["status"]) == ("retried", 200)
    first, second = story["tries"]
    assert (first["endpoint"], first["outcome"]) == (origin.address, "given_up")
    assert (second["endpoint"], second["outcome"]) == (good.address, "status 200")
    assert second["at_ms"] > first["at_ms"]
    passed_over = {each["endpoint"]: each["passed_over"] for each in second["choice"]["candidates"]}
    assert passed_over == {good.address: None, origin.address: "it was tried before"}


def test_a_sampled_request_is_told_in_full(watchful: Gateway, origin: Origin, good: Origin) -> None:
    story = watchful.story(ask(watchful, "/loaded", "any.test"))
    assert (story["reason"], story["status"], story["error"]) == ("sampled", 200, None)
    assert [phase["phase"] for phase in story["phases"]] == ["routed", "admitted", "tried", "head", "end"]
    times = [phase["at_ms"] for phase in story["phases"]]
    assert times == sorted(times)
    assert (story["rule"]["path"], story["considered"][-1]["matched"]) == ("/loaded/*", True)
    [only] = story["tries"]
    candidates = only["choice"]["candidates"]
    assert {each["endpoint"] for each in candidates} == {origin.address, good.address}
    assert [each["picked"] for each in candidates] == [True, False]
    assert all(each["cost"] > 0 for each in candidates)
    assert story["limits"][0]["allowed"]


def test_what_went_well_is_not_remembered_unless_it_is_sampled(gateway: Gateway, origin: Origin) -> None:
    response = ask(gateway, "/loaded", "any.test")
    answer = gateway.admin.get(f"/v1/explain/{response.header('x-request-id')}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "not sampled" in answer.json()["detail"]


def test_the_latest_that_stood_out_are_listed_first(gateway: Gateway) -> None:
    responses = [ask(gateway, f"/nowhere/{number}", "other.test") for number in range(3)]
    gateway.story(responses[-1])
    listed = gateway.admin.get("/v1/explain", params={"last": 3}).json()
    assert [each["path"] for each in listed] == ["/nowhere/2", "/nowhere/1", "/nowhere/0"]
    assert {each["reason"] for each in listed} == {"failed"}


def test_the_command_tells_people_and_programs(gateway: Gateway) -> None:
    response = ask(gateway, "/gone", "any.test")
    gateway.story(response)
    request_id = response.header("x-request-id") or ""
    text = gateway.says("explain", request_id)
    assert "connect_refused" in text and "Route gone took it to upstream gone." in text
    assert json.loads(gateway.says("explain", request_id, "--json"))["request_id"] == request_id
    assert request_id in gateway.says("explain", "--last", "5")
