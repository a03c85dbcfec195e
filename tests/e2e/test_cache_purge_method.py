"""The method PURGE: which clients may, what it takes, and what it is where no route lets any client."""

import json
from pathlib import Path

import pytest

from .conftest import StartGateway
from .harness.caches import FRESH, Held, cached, numbered
from .harness.configs import listener, route
from .harness.gateway import Config, Gateway
from .harness.h2client import H2Client
from .harness.message import Fields, Response
from .harness.origin import Origin

TOKEN = "0123456789abcdef"
SHOWN: Fields = [("Authorization", f"Bearer {TOKEN}")]
LOCAL = ["127.0.0.0/8"]


def ask(gateway: Gateway, path: str, headers: Fields | None = None, method: str = "GET") -> Response:
    with gateway.connect() as client:
        return client.request(path, headers=headers, method=method)


def purge(gateway: Gateway, path: str, headers: Fields | None = None) -> Response:
    return ask(gateway, path, headers, "PURGE")


def by_token(tmp_path: Path, origin: Origin) -> Config:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return cached(origin.address, purge_token_file=str(file))


def test_a_client_in_one_of_the_networks_purges_a_url(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    origin.on(path, numbered())
    gateway = start_gateway(cached(origin.address, purge_from=LOCAL))
    assert [ask(gateway, path).body, ask(gateway, path).body] == [b"1", b"1"]
    answer = purge(gateway, path)
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert json.loads(answer.body) == {"url": f"http://localhost{path}", "cache": "main", "soft": False}
    assert ask(gateway, path).body == b"2"
    assert "PURGE" not in {request.method for request in origin.requests}, "it is not forwarded"


def test_it_takes_every_variant_on_every_route_and_nothing_else(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = cached(origin.address, purge_from=LOCAL, key={"query": {"deny": ["utm_*"]}})
    config["routes"].append(
        route("other", path, cache={"name": "main", "key": {"headers": ["x-tenant"], "route": True}})
    )
    config["routes"][-1]["match"]["headers"] = [{"name": "x-tenant", "present": True}]
    origin.on_every_path(numbered([*FRESH, ("Vary", "Accept-Language")]))
    gateway = start_gateway(config)
    target = f"{path}?a=1"
    asked: list[Fields] = [[], [("Accept-Language", "de")], [("X-Tenant", "one")]]
    before = [ask(gateway, target, fields).body for fields in asked]
    beside = ask(gateway, f"{path}?a=2").body
    assert purge(gateway, f"{target}&utm_source=mail").status == 200
    assert not {*before} & {ask(gateway, target, fields).body for fields in asked}
    assert ask(gateway, f"{path}?a=2").body == beside


@pytest.mark.parametrize("shown", [None, "Bearer ", "Bearer 0123456789abcdeX", f"Basic {TOKEN}", TOKEN])
def test_without_the_right_token_it_is_refused(
    start_gateway: StartGateway, origin: Origin, path: str, tmp_path: Path, shown: str | None
) -> None:
    origin.on(path, numbered())
    config = by_token(tmp_path, origin)
    config["routes"][0]["cache"]["purge_from"] = ["192.0.2.0/24"]
    gateway = start_gateway(config)
    ask(gateway, path)
    refused = purge(gateway, path, [("Authorization", shown)] if shown else None)
    assert refused.status == 403
    assert "cache.purge_from" in refused.text and "cache.purge_token_file" in refused.text
    assert ask(gateway, path).body == b"1"
    story = gateway.story(refused)
    assert story["error"] == "purge_forbidden"


def test_the_token_lets_a_client_from_anywhere(
    start_gateway: StartGateway, origin: Origin, path: str, tmp_path: Path
) -> None:
    origin.on(path, numbered())
    gateway = start_gateway(by_token(tmp_path, origin))
    ask(gateway, path)
    assert purge(gateway, path, SHOWN).status == 200
    assert ask(gateway, path).body == b"2"
    assert TOKEN not in gateway.admin.get("/v1/config").text + gateway.log


def test_a_file_with_another_token_holds_after_a_reload(
    start_gateway: StartGateway, origin: Origin, path: str, tmp_path: Path
) -> None:
    gateway = start_gateway(by_token(tmp_path, origin))
    with gateway.next_generation():
        (tmp_path / "token").write_text("fedcba9876543210")
        gateway.says("reload")
    assert purge(gateway, path, SHOWN).status == 403
    assert purge(gateway, path, [("Authorization", "Bearer fedcba9876543210")]).status == 200


def test_streams_of_http2_purge_too(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    origin.on(path, numbered())
    gateway = start_gateway(cached(origin.address, purge_from=LOCAL))
    with H2Client(gateway.port()) as client:
        assert [client.request(path).body, client.request(path).body] == [b"1", b"1"]
        assert client.request(path, method="PURGE").status == 200
        assert client.request(path).body == b"2"


def test_it_holds_for_every_worker_when_it_is_answered(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    """Also for what is on its way from the origin, and for the copies that workers have of their own."""
    origin.on(path, numbered())
    config = {**cached(origin.address, purge_from=LOCAL), "workers": 4}
    gateway = start_gateway(config)
    clients = [gateway.connect() for _ in range(24)]
    for number in range(1, 20):
        assert {client.request(path).body for client in clients * 2} == {str(number).encode()}
        assert purge(gateway, path).status == 200
    for client in clients:
        client.close()
    held = Held(origin, path)
    with gateway.connect() as client:
        client.send(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
        held.wait_for(1)
        purge(gateway, path)
        held.let_go(1)
        assert client.read_response().body == b"1"
    origin.on(path, numbered())
    assert ask(gateway, path).header("cache-status") == "tidegate; fwd=uri-miss; stored; ttl=3600"


def test_behind_a_trusted_proxy_the_client_is_the_one_that_it_tells_of(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = cached(origin.address, purge_from=["198.51.100.0/24"])
    config["listeners"] = [listener("web", trusted_proxies=["127.0.0.1"]), listener("open")]
    gateway = start_gateway(config)
    told: Fields = [("X-Forwarded-For", "198.51.100.7")]
    assert purge(gateway, path, told).status == 200
    assert purge(gateway, path, [("X-Forwarded-For", "203.0.113.9")]).status == 403
    with gateway.connect("open") as client:
        assert client.request(path, headers=told, method="PURGE").status == 403, "any client can say so"


def test_a_soft_purge_has_it_validated(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    origin.on(path, numbered([*FRESH, ("ETag", '"1"')]))
    gateway = start_gateway(cached(origin.address, purge_from=LOCAL))
    ask(gateway, path)
    assert json.loads(purge(gateway, path, [("Fastly-Soft-Purge", "1")]).body)["soft"] is True
    assert ask(gateway, path).body == b"2"
    assert origin.requests[1].header("if-none-match") == '"1"'


def test_it_is_seen_in_metrics_events_log_and_explain(
    start_gateway: StartGateway, origin: Origin, path: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    config = {**cached(origin.address, purge_from=LOCAL), "access_log": {"path": str(log)}}
    gateway = start_gateway({**config, "explain": {"sample": 100}})
    story = gateway.story(purge(gateway, path))
    assert (story["cache"]["result"], story["tries"]) == ("purged", [])
    metrics = gateway.metrics()
    assert metrics.total("tidegate_cache_purges_total", cache="main", kind="url") == 1
    assert metrics.total("tidegate_cache_requests_total", result="purged") == 1
    gateway.stop()
    (line,) = map(json.loads, log.read_text().splitlines())
    assert (line["method"], line["cache"], line["status"]) == ("PURGE", "purged", 200)
    assert "stored responses are purged" in gateway.log and "PURGE from 127.0.0.1" in gateway.log


def test_limits_and_authentication_come_first(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    config = cached(origin.address, purge_from=LOCAL)
    config["rate_limits"] = [{"name": "few", "key": [], "windows": [{"quota": 2, "per": "1h"}]}]
    config["routes"][0]["limits"] = {"rate": ["few"]}
    gateway = start_gateway(config)
    assert [purge(gateway, path).status for _ in range(3)] == [200, 200, 429]


def test_it_is_a_method_like_any_other_where_no_client_may(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    origin.on(path, numbered())
    gateway = start_gateway(cached(origin.address))
    ask(gateway, path)
    assert purge(gateway, path, SHOWN).body == b"2"
    assert origin.requests[-1].method == "PURGE"
