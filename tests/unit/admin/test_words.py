"""The operator's words, as the admin API takes and shows them."""

from typing import Any

import pytest

from tests.unit.admin.conftest import Admin

PATH = "/v1/upstreams/app/endpoints"
ONE = f"{PATH}/127.0.0.1:9001"


async def listed(admin: Admin) -> list[dict[str, Any]]:
    """All words."""
    words: list[dict[str, Any]] = (await admin.http.get("/v1/words")).json()
    return words


async def test_weight_and_drain_are_said_without_a_generation(admin: Admin) -> None:
    weighted = await admin.http.patch(ONE, json={"weight": 3, "duty": "draining", "reason": "a slow disk"})
    assert weighted.status_code == 200
    assert weighted.json()["changed"] is True
    assert {word["option"]: word["value"] for word in weighted.json()["words"]} == {
        "weight": 3,
        "duty": "draining",
    }
    assert weighted.json()["configured"] == {"weight": 1, "duty": "serving"}
    shown = (await admin.http.get(PATH)).json()[0]
    assert shown["weight"] == 3
    assert shown["words"][0]["reason"] == "a slow disk"
    assert admin.engine.commits == 1
    back = await admin.http.patch(ONE, json={"weight": None, "duty": None})
    assert back.json()["words"] == []
    assert (await admin.http.get(PATH)).json()[0]["weight"] == 1


async def test_an_endpoint_is_taken_out_of_service_and_put_back(admin: Admin) -> None:
    taken = await admin.http.post(f"{ONE}/maintenance", json={"reason": "a new disk"})
    assert taken.status_code == 200
    assert admin.engine.words["app", "127.0.0.1:9001"]["duty"] == "maintenance"
    health = (await admin.http.get(f"{ONE}/health")).json()
    assert health["words"][0]["reason"] == "a new disk"
    back = await admin.http.delete(f"{ONE}/maintenance")
    assert (back.json()["changed"], back.json()["words"]) == (True, [])
    assert not admin.engine.words
    assert (await admin.http.delete(f"{ONE}/maintenance")).json()["changed"] is False


async def test_words_are_listed_beside_what_is_configured(admin: Admin) -> None:
    headers = {"From": "ann@example.com", "User-Agent": "tidegate-cli/1"}
    await admin.http.patch(f"{PATH}/127.0.0.1:9002", json={"weight": 7, "reason": "a test"}, headers=headers)
    (word,) = await listed(admin)
    assert word.pop("time")
    assert word == {
        "upstream": "app",
        "endpoint": "127.0.0.1:9002",
        "option": "weight",
        "value": 7,
        "configured": 2,
        "absent": False,
        "reason": "a test",
        "author": "ann@example.com from 127.0.0.1",
    }


@pytest.mark.parametrize(("agent", "author"), [("tidegate-cli/1", "cli"), ("curl/8", "admin")])
async def test_an_author_without_a_name_is_where_it_came_from(admin: Admin, agent: str, author: str) -> None:
    await admin.http.patch(ONE, json={"drain": True}, headers={"User-Agent": agent})
    assert (await listed(admin))[0]["author"] == f"{author} from 127.0.0.1"


async def test_the_word_on_an_endpoint_that_went_is_listed_as_absent_until_it_is_taken_back(
    admin: Admin,
) -> None:
    await admin.http.patch(ONE, json={"drain": True})
    await admin.http.delete(ONE)
    (word,) = await listed(admin)
    assert (word["absent"], word["configured"]) == (True, None)
    assert (await admin.http.patch(ONE, json={"weight": 2})).status_code == 404
    back = await admin.http.patch(ONE, json={"drain": None})
    assert (back.status_code, back.json()["configured"]) == (200, None)
    assert await listed(admin) == []


@pytest.mark.parametrize(
    "said",
    [
        {"weight": -1},
        {"weight": 10**12},
        {"wait": 1},
        {"duty": "gone"},
        {"duty": None, "drain": True},
        {"drain": True, "reason": ""},
    ],
)
async def test_what_is_no_word_is_refused(admin: Admin, said: dict[str, Any]) -> None:
    assert (await admin.http.patch(ONE, json=said)).status_code == 422
    assert await listed(admin) == []


@pytest.mark.parametrize(("drain", "duty"), [(True, "draining"), (False, "serving")])
async def test_drain_is_short_for_a_duty(admin: Admin, drain: bool, duty: str) -> None:
    said = await admin.http.patch(ONE, json={"drain": drain})
    assert [word["value"] for word in said.json()["words"]] == [duty]
    assert (await admin.http.patch(ONE, json={"drain": None})).json()["words"] == []


async def test_a_value_that_the_engine_refuses_changes_nothing(admin: Admin) -> None:
    refused = await admin.http.patch(ONE, json={"weight": 1001})
    assert (refused.status_code, refused.json()["detail"]) == (422, "a weight is at most 1000")
    assert await listed(admin) == []


@pytest.mark.parametrize("path", ["app/endpoints/127.0.0.1:1", "nobody/endpoints/127.0.0.1:9001"])
async def test_there_is_no_word_on_an_endpoint_that_never_was(admin: Admin, path: str) -> None:
    assert (await admin.http.patch(f"/v1/upstreams/{path}", json={"weight": 1})).status_code == 404
    assert (await admin.http.delete(f"/v1/upstreams/{path}/maintenance")).status_code == 404
