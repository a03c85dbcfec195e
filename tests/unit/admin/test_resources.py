"""The other resources."""

import re
from pathlib import Path

import pytest

from tests.unit.admin.conftest import Admin


async def test_health_follows_the_gateway(admin: Admin) -> None:
    for path in ("/v1/health", "/v1/health/ready"):
        assert (await admin.http.get(path)).status_code == 200
    admin.gateway.draining = True
    for path in ("/v1/health", "/v1/health/ready"):
        answer = await admin.http.get(path)
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert (await admin.http.get("/v1/health/live")).status_code == 200


async def test_status_is_the_process_at_a_glance(admin: Admin) -> None:
    status = (await admin.http.get("/v1/status")).json()
    assert status["counts"] == {"listeners": 1, "routes": 1, "upstreams": 1, "endpoints": 2}
    assert status["generation"]["number"] == 1
    assert status["workers"] == 1
    assert status["listeners"] == [{"name": "web", "address": "127.0.0.1:8080"}]


async def test_endpoints_are_added_and_removed(admin: Admin) -> None:
    path = "/v1/upstreams/app/endpoints"
    added = await admin.http.post(path, json={"address": "127.0.0.1:9003", "weight": 4})
    assert (added.status_code, added.json()["generation"]) == (201, 2)
    assert added.json()["summary"]["upstreams"]["changed"] == ["app"]
    listed = {each["address"]: each["weight"] for each in (await admin.http.get(path)).json()}
    assert listed == {"127.0.0.1:9001": 1, "127.0.0.1:9002": 2, "127.0.0.1:9003": 4}
    removed = await admin.http.delete(f"{path}/127.0.0.1:9002")
    assert removed.json()["generation"] == 3
    assert len(admin.engine.served["upstreams"][0]["endpoints"]) == 2


async def test_an_endpoint_s_health_has_a_history(admin: Admin) -> None:
    answer = await admin.http.get("/v1/upstreams/app/endpoints/127.0.0.1:9001/health")
    assert answer.json() == {
        "state": "healthy",
        "healthy": True,
        "cause": "added",
        "changes": [
            {"time": "1970-01-01T00:00:00.500000Z", "from": "healthy", "to": "healthy", "cause": "added"}
        ],
        "words": [],
    }
    assert (await admin.http.get("/v1/upstreams/app/endpoints/a:1/health")).status_code == 404


async def test_an_endpoint_on_a_unix_socket_has_a_path_in_its_path(admin: Admin) -> None:
    path = "/v1/upstreams/app/endpoints"
    await admin.http.post(path, json={"address": "unix:/run/app.sock"})
    answer = await admin.http.delete(f"{path}/unix:/run/app.sock")
    assert answer.json()["changed"] is True


async def test_an_endpoint_is_added_once_and_changed_only_where_it_is(admin: Admin) -> None:
    path = "/v1/upstreams/app/endpoints"
    assert (await admin.http.post(path, json={"address": "127.0.0.1:9001"})).status_code == 409
    assert (await admin.http.patch(f"{path}/127.0.0.1:1", json={"weight": 1})).status_code == 404
    assert (await admin.http.delete(f"{path}/127.0.0.1:1")).status_code == 404
    assert (await admin.http.get("/v1/upstreams/nobody/endpoints")).status_code == 404
    assert (
        await admin.http.post("/v1/upstreams/nobody/endpoints", json={"address": "a:1"})
    ).status_code == 404
    assert (await admin.http.patch(f"{path}/127.0.0.1:9001", json={"weight": -1})).status_code == 422
    assert (await admin.http.patch(f"{path}/127.0.0.1:9001", json={"wait": 1})).status_code == 422
    assert admin.engine.commits == 1


async def test_an_upstream_is_shown_with_its_state_and_its_options(admin: Admin) -> None:
    upstream = (await admin.http.get("/v1/upstreams/app")).json()
    assert upstream["endpoints"][0]["healthy"] is True
    assert upstream["options"]["balance"]["policy"] == "fastest_free"
    assert [each["name"] for each in (await admin.http.get("/v1/upstreams")).json()] == ["app"]


async def test_routes_are_listed_and_explained(admin: Admin) -> None:
    assert [each["route"] for each in (await admin.http.get("/v1/routes")).json()] == ["all"]
    asked = {"method": "GET", "url": "https://example.com/x?y=1", "headers": [["X-Team", "a"]]}
    answer = await admin.http.post("/v1/routes/explain", json=asked)
    assert answer.json()["route"] == "all"
    assert answer.json()["considered"][0]["matched"] is True
    assert answer.json()["listener"] == "web"
    assert "none speaks https" in answer.json()["assumed"]


@pytest.mark.parametrize("question", [{"url": "ftp://a/"}, {"url": "http://a:b/"}, {"path": "/"}, {}])
async def test_a_malformed_question_is_refused(admin: Admin, question: dict[str, str]) -> None:
    assert (await admin.http.post("/v1/routes/explain", json=question)).status_code == 422


async def test_the_log_level_is_changed_while_running(admin: Admin) -> None:
    answer = await admin.http.put("/v1/log", json={"level": "debug"})
    assert answer.json() == {"level": "debug"}
    assert admin.engine.log_filter == "debug"
    assert (await admin.http.get("/v1/log")).json() == {"level": "debug"}
    await admin.http.put("/v1/log", json={"level": "info", "engine": "info,tidegate_proxy=trace"})
    assert admin.engine.log_filter == "info,tidegate_proxy=trace"
    assert (await admin.http.put("/v1/log", json={"level": "loud"})).status_code == 422
    assert (await admin.http.put("/v1/log", json={"level": "info", "engine": "not right"})).status_code == 422


async def test_metrics_are_the_engines_and_the_configurations(admin: Admin) -> None:
    await admin.http.put("/v1/config", json={"nonsense": 1})
    answer = await admin.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "tidegate_fake 1\n" in answer.text
    assert "tidegate_config_generation 1\n" in answer.text
    assert 'tidegate_reloads_total{result="refused"} 1\n' in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/v1/config", 405), ("GET", "/v1/generations/x", 422)],
)
async def test_every_error_is_a_problem_document(admin: Admin, method: str, path: str, status: int) -> None:
    answer = await admin.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_failure_of_the_api_itself_tells_nothing_of_its_insides(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise RuntimeError("something private")

    monkeypatch.setattr(admin.engine, "metrics", fail)
    answer = await admin.http.get("/metrics")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "private" not in answer.text


async def test_the_reference_names_every_operation_and_loads_nothing_from_elsewhere(admin: Admin) -> None:
    api = (await admin.http.get("/openapi.json")).json()
    page = await admin.http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for path in api["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert not re.search(r'(src|href)="?(https?:)?//', page.text)
    assert "<script" not in page.text


async def test_every_resource_is_on_its_page(admin: Admin) -> None:
    api = (await admin.http.get("/openapi.json")).json()
    page = (Path(__file__).parents[3] / "docs/concepts/admin-api.md").read_text()
    resources = {"/".join(path.split("/")[:3]) for path in api["paths"]}
    assert {resource for resource in resources if f"`{resource}" not in page} == set()


async def test_errors_are_documented_as_problem_documents(admin: Admin) -> None:
    api = (await admin.http.get("/openapi.json")).json()
    for operations in api["paths"].values():
        for operation in operations.values():
            assert list(operation["responses"]["4XX"]["content"]) == ["application/problem+json"]
