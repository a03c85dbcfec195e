"""/v1/cache: what is stored, and purging it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.admin.conftest import Admin, connect
from tests.unit.control.gateways import document, started_gateway
from tidegate.control.source import Source

URL = "http://shop.example/p/42?size=m"


@pytest.fixture
async def caching() -> AsyncIterator[Admin]:
    """The admin API of a gateway with two caches."""
    caches = [{"name": "main"}, {"name": "images"}]
    gateway, engine = await started_gateway(source=Source(document={**document(), "caches": caches}))
    async with connect(gateway) as http:
        yield Admin(http, gateway, engine)


async def test_the_caches_are_told_there_and_as_members(caching: Admin) -> None:
    told = (await caching.http.get("/v1/cache")).json()
    assert [each["name"] for each in told] == ["main", "images"]
    assert (await caching.http.get("/v1/caches")).json() == told


async def test_what_is_stored_of_a_url_is_told_of_all_caches_or_of_one(caching: Admin) -> None:
    everywhere = (await caching.http.get("/v1/cache/entries", params={"url": URL})).json()
    assert [each["cache"] for each in everywhere] == ["main", "images"]
    assert (everywhere[0]["url"], everywhere[0]["vary"]) == (URL, {"accept-encoding": "gzip"})
    in_one = await caching.http.get("/v1/cache/entries", params={"url": URL, "cache": "images"})
    assert [each["cache"] for each in in_one.json()] == ["images"]


@pytest.mark.parametrize(
    "of",
    [
        {"url": URL},
        {"key": "0" * 32},
        {"tag": "p42"},
        {"prefix": "http://shop.example/p/"},
        {"host": "shop.example"},
        {"all": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("beside", [{}, {"soft": True}, {"cache": "images"}], ids=str)
async def test_a_purge_reaches_the_engine_and_is_an_event_with_its_author(
    caching: Admin, of: dict[str, Any], beside: dict[str, Any]
) -> None:
    answer = await caching.http.post("/v1/cache/purge", json={**of, **beside}, headers={"from": "ann"})
    assert answer.status_code == 200
    soft, cache = beside.get("soft", False), beside.get("cache")
    assert caching.engine.purges == [(cache or "", {**of, "soft": soft})]
    event = caching.gateway.events.read(0).events[-1]
    assert event.kind == "purged"
    author = event.about.pop("author")
    assert author.startswith("ann from")
    assert event.about == {"cache": cache, **of, "soft": soft}


async def test_caches_of_which_other_gateways_are_not_told_yet_are_named(caching: Admin) -> None:
    async def untold(**named: str) -> list[str]:
        answer = await caching.http.post("/v1/cache/purge", json={"all": True, **named})
        told: list[str] = answer.json()["untold"]
        return told

    assert await untold() == []
    caching.engine.fleet = {"waiting": 0}
    assert await untold() == []
    caching.engine.fleet = {"waiting": 1}
    assert await untold() == ["main", "images"]
    assert await untold(cache="images") == ["images"]


async def test_a_url_is_purged_as_a_resource_is_deleted(caching: Admin) -> None:
    params = {"url": URL, "cache": "main", "soft": "true"}
    assert (await caching.http.delete("/v1/cache/entries", params=params)).json()["url"] == URL
    assert caching.engine.purges == [("main", {"url": URL, "soft": True})]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"soft": True},
        {"tag": "a", "host": "b"},
        {"all": False},
        {"all": True, "url": URL},
        {"tag": ""},
        {"tag": "x" * 9_000},
        {"tga": "a"},
        {"key": "short"},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
async def test_what_is_no_purge_is_refused(caching: Admin, wrong: dict[str, Any]) -> None:
    answer = await caching.http.post("/v1/cache/purge", json=wrong)
    assert answer.status_code == 422
    assert caching.engine.purges == []
    assert caching.gateway.events.read(0).events[-1].kind == "committed"


@pytest.mark.parametrize("url", ["", "/p/42", "shop.example/p/42", "ftp://shop.example/", "http://"])
async def test_what_is_no_url_is_refused(caching: Admin, url: str) -> None:
    assert (await caching.http.get("/v1/cache/entries", params={"url": url})).status_code == 422


async def test_a_cache_that_is_not_there_is_not_found(caching: Admin) -> None:
    named = {"url": URL, "cache": "imagse"}
    assert (await caching.http.get("/v1/cache/entries", params=named)).status_code == 404
    assert (await caching.http.delete("/v1/cache/entries", params=named)).status_code == 404
    assert (await caching.http.post("/v1/cache/purge", json=named)).status_code == 404
    assert caching.engine.purges == []
