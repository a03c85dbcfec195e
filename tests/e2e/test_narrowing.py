"""Which endpoints a policy gets to choose from: tiers, zones, subsets, sticky cookies."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.message import Echo, Response
from .harness.origin import Origin
from .harness.spread import NAMES, spread, three_origins
from .harness.waiting import eventually


@pytest.fixture(scope="module")
def origins() -> Iterator[dict[str, Origin]]:
    with three_origins() as servers:
        yield servers


def endpoints(origins: dict[str, Origin], **options: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"address": origins[name].address, **options.get(name, {})} for name in NAMES]


def test_the_next_tier_takes_over_when_the_first_is_killed(start_gateway: StartGateway) -> None:
    with Origin("backup") as backup:
        primary = Origin("primary")
        config = proxy(primary.address, {"address": backup.address, "priority": 1})
        gateway = start_gateway(config)
        assert spread(gateway, 1, clients=20) == {"primary": 20}
        primary.stop()
        assert spread(gateway, 1, clients=20) == {"backup": 20}, "not one request fails"


def test_the_first_available_takes_all_up_to_its_limit(running: Running, origins: dict[str, Origin]) -> None:
    options = {"balance": "first_available", "limits": {"endpoint_requests": 8}}
    config = proxy()
    config["upstreams"] = [upstream("app", *endpoints(origins), **options)]
    gate = answers.Gate()
    with running(config) as gateway, contextlib.ExitStack() as stack:
        assert spread(gateway, 1, clients=10) == {"a": 10}
        first = origins["a"]
        first.forget()
        first.on("/hold", gate)
        held = [stack.enter_context(gateway.connect()) for _ in range(8)]
        for client in held:
            client.send_request("/hold")
        eventually(lambda: len(first.requests) == 8, "the first endpoint is full")
        assert spread(gateway, 1, clients=5) == {"b": 5}
        gate.open()
        assert [client.read_response().status for client in held] == [200] * 8


def test_the_gateways_own_zone_is_preferred(running: Running, origins: dict[str, Origin]) -> None:
    config = proxy(*endpoints(origins, a={"zone": "west"}, b={"zone": "east"}, c={"zone": "west"}))
    config["zone"] = "west"
    config["upstreams"][0]["balance"] = {"policy": "round_robin", "zone_aware": {"minimum_endpoints": 2}}
    with running(config) as gateway:
        assert spread(gateway, 1, clients=20) == {"a": 10, "c": 10}


@pytest.fixture
def canaries(running: Running, origins: dict[str, Origin]) -> Iterator[Gateway]:
    stable, canary = {"version": "stable"}, {"version": "canary"}
    labelled = endpoints(origins, a={"labels": stable}, b={"labels": canary}, c={"labels": stable})
    config = proxy(*labelled)
    config["upstreams"][0]["balance"] = "round_robin"
    config["routes"] = [
        route("canary", "/canary", upstream="app", subset=canary),
        route("nowhere", "/nowhere", upstream="app", subset={"version": "none such"}),
        route(
            "split",
            "/split",
            split=[
                {"upstream": "app", "subset": stable, "weight": 0},
                {"upstream": "app", "subset": canary, "weight": 1},
            ],
        ),
        route("all", "/", upstream="app"),
    ]
    with running(config) as gateway:
        yield gateway


def test_a_route_asks_for_labels(canaries: Gateway) -> None:
    assert spread(canaries, 10, "/canary") == {"b": 10}
    assert spread(canaries, 10, "/split") == {"b": 10}
    assert spread(canaries, 30) == {"a": 10, "b": 10, "c": 10}


def test_labels_that_no_endpoint_carries_mean_any(canaries: Gateway) -> None:
    assert spread(canaries, 30, "/nowhere") == {"a": 10, "b": 10, "c": 10}


def test_labels_that_no_endpoint_carries_can_be_an_error(
    running: Running, origins: dict[str, Origin]
) -> None:
    config = proxy(*endpoints(origins))
    config["upstreams"][0]["balance"] = {"subset_fallback": "none"}
    config["routes"][0] |= {"upstream": "app", "subset": {"version": "canary"}}
    with running(config) as gateway, gateway.connect() as client:
        response = client.request("/")
        assert response.status == 503
        assert "no_endpoint" in response.text


STICKY = {"policy": "round_robin", "sticky": {"cookie": "app", "ttl": "1h"}}


def ask(gateway: Gateway, cookie: str | None = None) -> tuple[Response, str]:
    with gateway.connect() as client:
        response = client.request("/", headers=[("Cookie", f"other=1; {cookie}")] if cookie else None)
        return response, Echo.of(response).origin


def cookie_of(response: Response) -> str:
    (field,) = response.values("Set-Cookie")
    return field.split(";")[0]


def test_a_client_stays_with_its_endpoint(running: Running, origins: dict[str, Origin]) -> None:
    config = proxy(*endpoints(origins))
    config["upstreams"][0]["balance"] = STICKY
    with running(config) as gateway:
        seen = set()
        for _ in range(6):
            first, name = ask(gateway)
            (field,) = first.values("Set-Cookie")
            assert field.endswith("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax")
            assert str(origins[name].port) not in field, "the address is not told"
            for _ in range(4):
                again, same = ask(gateway, cookie_of(first))
                assert (same, again.values("Set-Cookie")) == (name, []), "nothing new to tell"
            seen.add(name)
        assert seen == set(NAMES)


def test_a_forged_cookie_is_replaced(running: Running, origins: dict[str, Origin]) -> None:
    config = proxy(*endpoints(origins))
    config["upstreams"][0]["balance"] = STICKY
    with running(config) as gateway:
        good = cookie_of(ask(gateway)[0])
        for forged in ("app=", "app=a", f"{good[:-1]}{'B' if good[-1] == 'A' else 'A'}", f"app={'A' * 32}"):
            response, _ = ask(gateway, forged)
            assert cookie_of(response).startswith("app="), forged


def test_sessions_outlive_a_reload_and_move_only_from_endpoints_that_leave(
    start_gateway: StartGateway, origins: dict[str, Origin]
) -> None:
    config = proxy(*endpoints(origins))
    config["upstreams"][0]["balance"] = STICKY
    gateway = start_gateway(config)
    cookies = _first_visits(gateway, len(NAMES))
    config["upstreams"][0]["endpoints"] = endpoints(origins)[:0:-1]
    with gateway.next_generation():
        gateway.write(config)
    for name in ("b", "c"):
        response, same = ask(gateway, cookies[name])
        assert (same, response.values("Set-Cookie")) == (name, [])
    response, moved = ask(gateway, cookies["a"])
    assert moved != "a"
    assert cookie_of(response) == cookies[moved]


@pytest.mark.parametrize("word", [{"drain": True}, {"weight": 0}])
def test_clients_stay_with_an_endpoint_that_gets_no_new_ones_while_it_can_serve(
    start_gateway: StartGateway, origins: dict[str, Origin], word: dict[str, object]
) -> None:
    with Origin("leaving") as leaving:
        config = proxy(leaving.address, origins["a"].address)
        config["upstreams"][0]["balance"] = STICKY
        gateway = start_gateway(config)
        cookies = _first_visits(gateway, 2)
        path = f"/v1/upstreams/app/endpoints/{leaving.address}"
        gateway.admin.patch(path, json=word).raise_for_status()
        for _ in range(4):
            response, name = ask(gateway, cookies["leaving"])
            assert (name, response.values("Set-Cookie")) == ("leaving", [])
            assert ask(gateway)[1] == "a"
    for _ in range(4):
        response, name = ask(gateway, cookies["leaving"])
        assert (name, cookie_of(response)) == ("a", cookies["a"])


def test_maintenance_sends_clients_away_and_any_of_their_cookies_counts(
    start_gateway: StartGateway, origins: dict[str, Origin]
) -> None:
    config = proxy(*endpoints(origins))
    config["upstreams"][0]["balance"] = STICKY
    gateway = start_gateway(config)
    cookies = _first_visits(gateway, len(NAMES))
    both = f"app=; {cookies['a']}; {cookies['b']}"
    assert ask(gateway, both)[1] == "a"
    path = f"/v1/upstreams/app/endpoints/{origins['a'].address}/maintenance"
    gateway.admin.post(path, json={"reason": "a disk"}).raise_for_status()
    for _ in range(4):
        response, name = ask(gateway, both)
        assert (name, response.values("Set-Cookie")) == ("b", []), "the client knows it already"


def _first_visits(gateway: Gateway, endpoints: int) -> dict[str, str]:
    """The cookie of each endpoint, by its name."""
    cookies: dict[str, str] = {}
    while len(cookies) < endpoints:
        response, name = ask(gateway)
        cookies[name] = cookie_of(response)
    return cookies


def test_gateways_with_one_secret_share_sessions(
    start_gateway: StartGateway, origins: dict[str, Origin]
) -> None:
    gateways = []
    for _ in range(2):
        config = proxy(*endpoints(origins))
        config["upstreams"][0]["balance"] = {**STICKY, "sticky": {"secret": "of-both-of-the-gateways"}}
        gateways.append(start_gateway(config))
    response, name = ask(gateways[0])
    again, same = ask(gateways[1], cookie_of(response))
    assert (same, again.values("Set-Cookie")) == (name, [])


def test_the_status_tells_tiers_zones_and_weights_but_no_secret(
    running: Running, origins: dict[str, Origin]
) -> None:
    config = proxy(*endpoints(origins, b={"priority": 1, "zone": "east"}, c={"weight": 3, "drain": True}))
    config["upstreams"][0]["balance"] = {"sticky": {"secret": "of-this-gateway-alone"}}
    with running(config) as gateway:
        shown = gateway.admin.get("/v1/upstreams/app").json()
        told = [
            (each["priority"], each["zone"], each["weight"], each["effective_weight"])
            for each in shown["endpoints"]
        ]
        assert told == [(0, None, 1, 1.0), (1, "east", 1, 1.0), (0, None, 3, 0.0)]
        assert shown["options"]["balance"]["sticky"]["secret"] == "***"
        for path in ("/v1/config", "/v1/status", "/v1/generations"):
            assert "of-this-gateway-alone" not in gateway.admin.get(path).text
