"""Listeners, routes and upstreams one by one: the same operations on all."""

from typing import Any

import pytest

from tests.unit.admin.conftest import Admin, connect
from tests.unit.control.gateways import document, started_gateway
from tidegate.config import member
from tidegate.control.source import Source

NEW: dict[str, dict[str, Any]] = {
    "listeners": {"name": "new", "address": "127.0.0.1:8081"},
    "routes": {"name": "new", "match": {"path": {"prefix": "/new"}}, "upstream": "app"},
    "upstreams": {"name": "new", "endpoints": ["127.0.0.1:9009"]},
    "authenticators": {"name": "new", "api_key": {}},
    "rate_limits": {"name": "new", "windows": [{"quota": 5, "per": "1s"}]},
    "stores": {"name": "new", "valkey": {"address": "127.0.0.1:6379"}},
    "caches": {"name": "new"},
}
PATCHES: dict[str, dict[str, Any]] = {
    "listeners": {"limits": {"connections": 9}},
    "routes": {"timeout": "7s"},
    "upstreams": {"protocol": "http2"},
    "authenticators": {"keep_credentials": True},
    "rate_limits": {"wait": "1s"},
    "stores": {"on_failure": "open"},
    "caches": {"memory": "512MB"},
}
SECTIONS = list(NEW)


def path_of(section: str) -> str:
    """Where the members of a section are."""
    return f"/v1/{section.replace('_', '-')}"


def test_every_section_has_these_operations() -> None:
    assert set(member.SECTIONS) == set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
async def test_one_is_added_shown_changed_replaced_and_removed(admin: Admin, section: str) -> None:
    http, path, new = admin.http, f"{path_of(section)}/new", NEW[section]
    added = await http.post(path_of(section), json=new)
    assert (added.status_code, added.json()["summary"][section]["added"]) == (201, ["new"])
    assert [each["name"] for each in admin.engine.served[section]][-1] == "new"
    shown = await http.get(path)
    assert shown.json()["configured"] == admin.gateway.running.document[section][-1]
    assert shown.headers["ETag"] == added.headers["ETag"]
    patched = await http.patch(path, json=PATCHES[section])
    assert patched.json()["summary"][section]["changed"] == ["new"]
    (option,) = PATCHES[section]
    assert option in (await http.get(path)).json()["configured"]
    replaced = await http.put(path, json=new)
    assert replaced.status_code == 200
    assert option not in (await http.get(path)).json()["configured"]
    removed = await http.delete(path)
    assert removed.json()["summary"][section]["removed"] == ["new"]
    assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize("section", SECTIONS)
async def test_one_that_is_put_where_none_was_is_added(admin: Admin, section: str) -> None:
    nameless = {option: value for option, value in NEW[section].items() if option != "name"}
    answer = await admin.http.put(f"{path_of(section)}/new", json=nameless)
    assert answer.json()["summary"][section]["added"] == ["new"]


@pytest.mark.parametrize("section", SECTIONS)
async def test_what_is_not_there_is_not_found(admin: Admin, section: str) -> None:
    path = f"{path_of(section)}/nowhere"
    assert (await admin.http.get(path)).status_code == 404
    assert (await admin.http.patch(path, json={})).status_code == 404
    assert (await admin.http.delete(path)).status_code == 404


@pytest.mark.parametrize("section", SECTIONS)
async def test_one_is_added_once_and_keeps_its_name(admin: Admin, section: str) -> None:
    await admin.http.post(path_of(section), json=NEW[section])
    assert (await admin.http.post(path_of(section), json=NEW[section])).status_code == 409
    for send in (admin.http.put, admin.http.patch):
        answer = await send(f"{path_of(section)}/new", json={**NEW[section], "name": "other"})
        assert answer.status_code == 422
    assert (await admin.http.post(path_of(section), json={})).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "body", "wrong"),
    [
        ("PATCH", "/v1/routes/all", {"upstream": "apq"}, "routes.0.upstream"),
        ("PATCH", "/v1/routes/all", {"timeuot": "1s"}, "routes.0.timeuot"),
        ("DELETE", "/v1/upstreams/app", None, "routes.0.upstream"),
        ("POST", "/v1/listeners", {"name": "b", "address": "127.0.0.1:8080"}, "listeners.1.address"),
        ("POST", "/v1/routes", {"upstream": "app"}, "routes.1.name"),
    ],
)
async def test_a_mistake_is_named_as_in_the_whole_document(
    admin: Admin, method: str, path: str, body: Any, wrong: str
) -> None:
    answer = await admin.http.request(method, path, json=body)
    assert answer.status_code == 422
    assert [each["path"] for each in answer.json()["errors"]] == [wrong]
    assert admin.engine.commits == 1


async def test_a_change_of_one_is_tried_and_expected_like_any_other(admin: Admin) -> None:
    dry = await admin.http.post("/v1/routes?dry_run=1", json=NEW["routes"])
    assert (dry.status_code, dry.json()["changed"], dry.json()["generation"]) == (200, True, None)
    stale = await admin.http.patch("/v1/routes/all", json={"timeout": "9s"}, headers={"If-Match": '"other"'})
    assert stale.status_code == 412
    assert admin.engine.commits == 1


async def test_only_what_changed_reaches_the_engine(admin: Admin) -> None:
    await admin.http.patch("/v1/routes/all", json={"timeout": "9s"})
    assert admin.engine.sent_whole == ["all"]
    assert admin.engine.served["routes"][0]["timeout"] == 9000


async def test_a_warning_names_the_place_in_the_whole(admin: Admin) -> None:
    answer = await admin.http.post("/v1/routes", json={"name": "late", "upstream": "app"})
    assert [each["path"] for each in answer.json()["warnings"]] == ["routes.1.name"]


async def test_a_secret_stays_hidden_and_is_kept() -> None:
    sticky = {"policy": "round_robin", "sticky": {"cookie": "app", "secret": "a-secret-of-enough-length"}}
    upstream = {"name": "app", "endpoints": ["127.0.0.1:9001"], "balance": sticky}
    gateway, _ = await started_gateway(source=Source(document=document(upstreams=[upstream])))
    async with connect(gateway) as http:
        shown = (await http.get("/v1/upstreams/app")).json()
        assert "enough" not in str(shown)
        configured = {**shown["configured"], "protocol": "http2"}
        assert (await http.put("/v1/upstreams/app", json=configured)).status_code == 200
        await http.patch("/v1/upstreams/app", json={"balance": {"sticky": {"secret": "***", "ttl": "1h"}}})
    kept = gateway.running.document["upstreams"][0]
    assert kept["balance"]["sticky"]["secret"] == "a-secret-of-enough-length"
    assert kept["protocol"] == "http2"
