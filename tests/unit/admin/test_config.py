"""/v1/config and /v1/generations."""

import asyncio
from pathlib import Path

from tests.unit.admin.conftest import Admin, connect
from tests.unit.control.gateways import YAML, document, file_source, started_gateway

MERGE = {"Content-Type": "application/merge-patch+json"}


async def test_the_configuration_is_shown_with_its_etag(admin: Admin) -> None:
    answer = await admin.http.get("/v1/config")
    assert answer.status_code == 200
    assert answer.headers["etag"] == admin.gateway.running.generation.etag
    assert answer.json()["routes"][0]["name"] == "all"


async def test_what_was_read_can_be_sent_back(admin: Admin) -> None:
    shown = (await admin.http.get("/v1/config")).json()
    answer = await admin.http.put("/v1/config", json=shown)
    assert answer.status_code == 200
    assert answer.json()["changed"] is False


async def test_a_put_replaces_the_configuration(admin: Admin) -> None:
    answer = await admin.http.put("/v1/config", json=document(routes=[]))
    assert answer.status_code == 200
    assert answer.json()["generation"] == 2
    assert answer.json()["summary"]["routes"]["removed"] == ["all"]
    assert answer.headers["etag"] == (await admin.http.get("/v1/config")).headers["etag"]
    assert admin.engine.served["routes"] == []


async def test_a_merge_patch_changes_it(admin: Admin) -> None:
    patch = b'{"drain_timeout": "9s"}'
    answer = await admin.http.patch("/v1/config", content=patch, headers=MERGE)
    assert answer.json()["changes"] == [{"path": "drain_timeout", "old": None, "new": 9000}]
    answer = await admin.http.patch("/v1/config", content=b'{"drain_timeout": null}', headers=MERGE)
    assert answer.json()["changes"] == [{"path": "drain_timeout", "old": 9000, "new": None}]


async def test_a_dry_run_answers_the_difference(admin: Admin) -> None:
    answer = await admin.http.patch("/v1/config?dry_run=1", json={"drain_timeout": "9s"})
    assert answer.json()["changed"] is True
    assert answer.json()["generation"] is None
    assert admin.engine.commits == 1


async def test_of_two_writers_the_second_gets_412(admin: Admin) -> None:
    etag = (await admin.http.get("/v1/config")).headers["etag"]
    answers = await asyncio.gather(
        *(
            admin.http.patch("/v1/config", json={"drain_timeout": timeout}, headers={"If-Match": etag})
            for timeout in ("8s", "9s")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    refused = max(answers, key=lambda answer: answer.status_code)
    assert refused.headers["content-type"] == "application/problem+json"


async def test_if_match_takes_lists_and_the_asterisk_and_no_weak_tags(admin: Admin) -> None:
    etag = admin.gateway.running.generation.etag
    for expected, status in (("*", 200), (f'"other", {etag}', 200), (f"W/{etag}", 412)):
        answer = await admin.http.patch("/v1/config?dry_run=1", json={}, headers={"If-Match": expected})
        assert answer.status_code == status, expected


async def test_a_bad_configuration_is_refused_with_every_error_and_the_running_one_stays(
    admin: Admin,
) -> None:
    answer = await admin.http.put("/v1/config", json=document(workers="many", listners=[]))
    assert answer.status_code == 422
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"workers", "listners"} <= {error["path"] for error in problem["errors"]}
    assert admin.engine.commits == 1
    refused = (await admin.http.get("/v1/status")).json()["refused"]
    assert len(refused) == 1
    assert refused[0]["errors"] == problem["errors"]


async def test_errors_in_a_file_name_their_place(tmp_path: Path) -> None:
    source = file_source(tmp_path)
    gateway, _ = await started_gateway(source=source)
    assert source.file
    source.file.write_text(YAML.replace("upstream: app", "upstream: apq"))
    async with connect(gateway) as http:
        answer = await http.post("/v1/config/reload")
    (error,) = answer.json()["errors"]
    assert (error["file"], error["line"]) == (str(source.file), 5)
    assert "app" in error["hint"]


async def test_without_a_file_a_reload_is_a_conflict(admin: Admin) -> None:
    answer = await admin.http.post("/v1/config/reload")
    assert answer.status_code == 409


async def test_what_is_no_json_object_is_refused(admin: Admin) -> None:
    json = {"Content-Type": "application/json"}
    for body, status in ((b"{", 400), (b"[]", 422), (b"", 400), (b"\xff", 400), (b"[" * 100_000, 400)):
        answer = await admin.http.put("/v1/config", content=body, headers=json)
        assert answer.status_code == status, body[:10]
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_token_is_never_shown_and_kept_when_it_comes_back_hidden(guarded: Admin) -> None:
    guarded.http.headers["Authorization"] = "Bearer a-token-of-enough-length"
    shown = (await guarded.http.get("/v1/config")).json()
    assert shown["admin"]["token"] == "***"
    shown["drain_timeout"] = "9s"
    answer = await guarded.http.put("/v1/config", json=shown)
    assert answer.status_code == 200
    assert guarded.gateway.running.document["admin"]["token"] == "a-token-of-enough-length"
    change = await guarded.http.patch(
        "/v1/config", json={"admin": {"token": "another-token-of-enough-length"}}
    )
    assert "enough" not in change.text
    assert (
        "enough"
        not in (
            await guarded.http.get(
                "/v1/config", headers={"Authorization": "Bearer another-token-of-enough-length"}
            )
        ).text
    )


async def test_generations_are_listed_shown_compared_and_rolled_back(admin: Admin) -> None:
    await admin.http.patch("/v1/config", json={"drain_timeout": "9s"})
    listed = (await admin.http.get("/v1/generations")).json()
    assert [(each["number"], each["origin"]) for each in listed] == [(2, "admin"), (1, "start")]
    assert (await admin.http.get("/v1/generations/2")).json()["document"]["drain_timeout"] == 9000
    difference = (await admin.http.get("/v1/generations/2/diff?against=1")).json()
    assert difference == [{"path": "drain_timeout", "old": None, "new": 9000}]
    answer = await admin.http.post("/v1/generations/1/rollback", headers={"If-Match": listed[0]["etag"]})
    assert answer.json()["generation"] == 3
    assert (await admin.http.get("/v1/generations/1/diff")).json() == []


async def test_a_generation_that_is_not_there_is_not_found(admin: Admin) -> None:
    for method, path in (("GET", ""), ("GET", "/diff"), ("POST", "/rollback")):
        answer = await admin.http.request(method, f"/v1/generations/99{path}")
        assert answer.status_code == 404
        assert "99" in answer.json()["detail"]


async def test_the_schema_is_there_for_editors(admin: Admin) -> None:
    assert "listeners" in (await admin.http.get("/v1/config/schema")).json()["properties"]
