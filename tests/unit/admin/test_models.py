"""Models over the admin API: added, shown, and used stage by stage."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.admin.conftest import Admin, connect
from tests.unit.ai.packages import archive, package
from tests.unit.control.gateways import document, started_gateway
from tidegate import _engine
from tidegate.ai.file_names import MANIFEST
from tidegate.ai.package import Package
from tidegate.ai.promote import NEEDED
from tidegate.ai.registry import ModelId, Registry
from tidegate.control.source import Source

TAR = {"Content-Type": "application/x-tar"}
GOOD = {"predictions": NEEDED, "skill": 0.1}


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[Admin]:
    """The admin API of a gateway that has a state_dir."""
    gateway, engine = await started_gateway(source=Source(document=document()), state_dir=tmp_path)
    async with connect(gateway, state_dir=tmp_path) as http:
        yield Admin(http, gateway, engine)


@pytest.fixture
def id(tmp_path: Path) -> ModelId:
    return Registry(tmp_path).add("shop-cost", package())


def of_another_schema() -> bytes:
    files = dict(package().files)
    files[MANIFEST] = files[MANIFEST].replace(b"features/v1", b"features/v9")
    return archive(list(files.items()))


async def add(admin: Admin, content: bytes, name: str = "shop-cost") -> Any:
    return await admin.http.post(f"/v1/models?name={name}", content=content, headers=TAR)


async def step(admin: Admin, what: str, model: object, upstream: str | None = "app") -> Any:
    params = {"upstream": upstream} if upstream else {}
    return await admin.http.post(f"/v1/models/{model}/{what}", params=params)


def use(admin: Admin) -> Any:
    """What the upstream says of its model."""
    return admin.gateway.running.document["upstreams"][0].get("predict", {}).get("model")


async def test_a_model_is_added_listed_shown_and_given_back(models: Admin, tmp_path: Path) -> None:
    made = package(figures={"explained": {"model": 0.9}})
    added = await add(models, made.archive())
    assert added.status_code == 201
    assert added.json()["model"] == f"shop-cost@{made.digest[:12]}"
    assert Registry(tmp_path).read(ModelId("shop-cost", made.digest)) == made
    (listed,) = (await models.http.get("/v1/models")).json()
    assert listed == added.json()
    assert (listed["learner"], listed["author"], listed["uses"]) == ("lightgbm", "a test", [])
    shown = (await models.http.get("/v1/models/shop-cost")).json()
    assert shown["manifest"]["figures"] == {"explained": {"model": 0.9}}
    given = await models.http.get(f"/v1/models/shop-cost@{made.digest[:4]}/archive")
    assert given.headers["content-type"] == "application/x-tar"
    assert Package.of_archive(given.content) == made


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "manifest.json is missing"),
        (b"garbage", "it is no tar archive"),
        (package().archive()[:3000], "golden.f32 is cut short"),
        (b"\0" * 1024, "manifest.json is missing"),
        (
            of_another_schema(),
            "manifest.json: features: this tidegate knows features/v1; found 'features/v9'",
        ),
    ],
)
async def test_garbage_is_refused_with_what_is_wrong(
    models: Admin, tmp_path: Path, content: bytes, said: str
) -> None:
    refused = await add(models, content)
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith(f"the archive is no model that can be used: {said}")
    assert Registry(tmp_path).entries() == []


async def test_what_the_engine_refuses_is_not_kept(
    models: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_archive: bytes, _rows: bytes) -> bytes:
        raise ValueError("it takes 7 µs for an answer")

    monkeypatch.setattr(_engine, "score_model", refuse, raising=False)
    refused = await add(models, package().archive())
    assert (refused.status_code, "7 µs" in refused.json()["detail"]) == (422, True)
    assert Registry(tmp_path).entries() == []


async def test_a_name_that_is_none_is_a_conflict(models: Admin) -> None:
    refused = await add(models, package().archive(), "No Name")
    assert refused.status_code == 409
    assert "small letters" in refused.json()["detail"]


async def test_without_a_state_dir_that_is_said(admin: Admin) -> None:
    refused = await add(admin, package().archive())
    assert refused.status_code == 409
    assert "set state_dir" in refused.json()["detail"]
    assert (await admin.http.get("/v1/models")).json() == []


async def test_an_upload_needs_the_token_and_is_an_archive(guarded: Admin) -> None:
    assert (await add(guarded, package().archive())).status_code == 401
    shown = {"Authorization": "Bearer a-token-of-enough-length", "Content-Type": "text/plain"}
    refused = await guarded.http.post("/v1/models?name=x", content=b"x", headers=shown)
    assert refused.status_code == 415
    assert "application/x-tar" in refused.json()["detail"]


async def test_other_resources_take_no_archive(models: Admin) -> None:
    refused = await models.http.post("/v1/routes", content=b"x", headers=TAR)
    assert refused.status_code == 415


async def test_an_unknown_model_is_told_with_those_there_are(models: Admin, id: ModelId) -> None:
    missing = await models.http.get("/v1/models/other")
    assert missing.status_code == 404
    assert missing.json()["detail"] == f"there is no model other; there are {id.short}"


async def test_a_model_comes_into_use_stage_by_stage(models: Admin, id: ModelId) -> None:
    changed = await step(models, "promote", "shop-cost")
    assert changed.status_code == 200
    assert changed.json()["generation"] == 2
    assert use(models) == {"name": id.short, "stage": "shadow"}
    models.engine.standing = GOOD
    assert (await step(models, "promote", id, None)).status_code == 200
    assert use(models)["stage"] == "canary"
    assert (await step(models, "promote", id, None)).status_code == 200
    assert use(models)["stage"] == "live"
    again = await step(models, "promote", id, None)
    assert (again.status_code, "is live in the upstream app already" in again.json()["detail"]) == (409, True)
    (listed,) = (await models.http.get("/v1/models")).json()
    assert [(each["upstream"], each["stage"], each["share"]) for each in listed["uses"]] == [
        ("app", "live", 10)
    ]


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ({"predictions": NEEDED - 1, "skill": 0.1}, "found 19999 and 0.100"),
        ({"predictions": NEEDED, "skill": 0.0}, "found 20000 and 0.000"),
        (
            {**GOOD, "state": "fallback", "reason": "drift"},
            "predicts nothing in the upstream app: fallback (drift)",
        ),
        ({**GOOD, "state": "absent"}, "predicts nothing in the upstream app: absent"),
    ],
)
async def test_a_model_that_has_not_shown_enough_stays_where_it_is(
    models: Admin, id: ModelId, standing: dict[str, Any], said: str
) -> None:
    await step(models, "promote", id)
    models.engine.standing = standing
    refused = await step(models, "promote", id)
    assert refused.status_code == 409
    assert said in refused.json()["detail"]
    assert use(models)["stage"] == "shadow"


async def test_a_rollback_goes_the_same_way_back_and_ends_with_none(models: Admin, id: ModelId) -> None:
    await step(models, "promote", id)
    models.engine.standing = GOOD
    await step(models, "promote", id)
    assert (await step(models, "rollback", id, None)).status_code == 200
    assert use(models)["stage"] == "shadow"
    assert (await step(models, "rollback", id, None)).status_code == 200
    assert use(models) is None
    refused = await step(models, "rollback", id)
    assert (refused.status_code, "does not use the model" in refused.json()["detail"]) == (409, True)


async def test_a_rollback_from_shadow_goes_back_to_the_model_that_was_used_before(
    models: Admin, id: ModelId, tmp_path: Path
) -> None:
    await step(models, "promote", id)
    models.engine.standing = GOOD
    await step(models, "promote", id)
    other = Registry(tmp_path).add("shop-cost", package(1))
    await step(models, "promote", other)
    assert use(models) == {"name": other.short, "stage": "shadow"}
    await step(models, "rollback", other)
    assert use(models) == {"name": id.short, "stage": "canary"}


async def test_an_upstream_that_is_not_there_is_told(models: Admin, id: ModelId) -> None:
    missing = await step(models, "promote", id, "other")
    assert (missing.status_code, missing.json()["detail"]) == (404, "there is no upstream other")
    unsaid = await step(models, "promote", id, None)
    assert unsaid.status_code == 409
    assert "no upstream uses the model" in unsaid.json()["detail"]


async def test_a_step_is_a_change_as_any_other(models: Admin, id: ModelId) -> None:
    stale = await models.http.post(f"/v1/models/{id}/promote?upstream=app", headers={"If-Match": '"another"'})
    assert stale.status_code == 412
    tried = await models.http.post(f"/v1/models/{id}/promote?upstream=app&dry_run=true")
    assert tried.json()["changes"][0]["path"] == "upstreams[app].predict"
    assert use(models) is None


async def test_a_model_that_comes_back_by_an_upload_is_used_at_once(
    models: Admin, id: ModelId, tmp_path: Path
) -> None:
    await step(models, "promote", id)
    source = Source(document=models.gateway.running.document)
    (tmp_path / "models").rename(tmp_path / "gone")
    gateway, engine = await started_gateway(source=source, store=models.gateway.store, state_dir=tmp_path)
    assert engine.models == {}
    async with connect(gateway, state_dir=tmp_path) as http:
        assert (await add(Admin(http, gateway, engine), package().archive())).status_code == 201
    assert list(engine.models) == [str(id)]
