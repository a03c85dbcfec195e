"""Models that a configuration names: given before it is served, and no reason for a gateway not to serve."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ai.packages import package
from tests.unit.control.fake_engine import FakeEngine
from tests.unit.control.gateways import document, file_source, make_gateway, started_gateway
from tidegate.ai.models import problems
from tidegate.ai.registry import ModelId, Registry
from tidegate.config.load import load_file
from tidegate.config.problem import ConfigError
from tidegate.control.events import Events
from tidegate.control.gateway import Gateway
from tidegate.control.source import Source
from tidegate.control.store import Store

NAMED = """\
state_dir: {folder}
listeners: [{{name: web, address: 127.0.0.1:8080}}]
routes: [{{name: all, upstream: app}}]
upstreams:
  - name: app
    endpoints: [127.0.0.1:9001]
    predict: {{mode: auto, model: {{name: {model}, stage: live}}}}
"""


def naming(model: str | None, stage: str = "shadow") -> dict[str, Any]:
    made = copy.deepcopy(document())
    use = {"model": {"name": model, "stage": stage}} if model else {}
    made["upstreams"][0]["predict"] = {"mode": "auto", **use}
    return made


@pytest.fixture
def id(tmp_path: Path) -> ModelId:
    return Registry(tmp_path).add("shop-cost", package())


def serving(engine: FakeEngine) -> Any:
    """What the engine is told of the model."""
    return engine.served["upstreams"][0]["predict"]["model"]


def told(events: Events) -> list[dict[str, Any]]:
    return [event.about for event in events.read(0).events if event.kind == "model_absent"]


async def change(gateway: Gateway, model: str | None, **options: Any) -> None:
    await gateway.edit(lambda _: naming(model), "admin", **options)


async def test_a_model_is_given_before_it_is_served_by_its_whole_name(tmp_path: Path, id: ModelId) -> None:
    source = Source(document=naming(f"shop-cost@{id.digest[:4]}"))
    _, engine = await started_gateway(source=source, state_dir=tmp_path)
    assert serving(engine)["name"] == str(id)
    assert engine.models == {str(id): package().archive()}


async def test_a_model_that_is_not_named_any_more_is_taken_back(tmp_path: Path, id: ModelId) -> None:
    gateway, engine = await started_gateway(source=Source(document=naming(str(id))), state_dir=tmp_path)
    other = Registry(tmp_path).add("shop-cost", package(1))
    await change(gateway, str(other))
    assert list(engine.models) == [str(other)]
    await change(gateway, None)
    assert engine.models == {}


async def test_a_model_that_is_not_there_is_a_mistake_with_those_there_are(
    tmp_path: Path, id: ModelId
) -> None:
    gateway, engine = await started_gateway(state_dir=tmp_path)
    with pytest.raises(ConfigError) as refused:
        await change(gateway, "shop-cost@0000")
    (problem,) = refused.value.problems
    assert problem.path == "upstreams.0.predict.model.name"
    assert problem.message == f"there is no model shop-cost@0000; there are {id.short}"
    assert (engine.commits, engine.models) == (1, {})


async def test_a_dry_run_finds_the_same_and_leaves_nothing_behind(tmp_path: Path, id: ModelId) -> None:
    gateway, engine = await started_gateway(state_dir=tmp_path)
    with pytest.raises(ConfigError, match="there is no model"):
        await change(gateway, "shop-cost@0000", dry_run=True)
    await change(gateway, str(id), dry_run=True)
    assert engine.models == {}


async def test_what_the_engine_refuses_is_a_mistake(tmp_path: Path) -> None:
    gateway, engine = await started_gateway(state_dir=tmp_path)
    poisoned = Registry(tmp_path).add("shop-cost", package(author="not what it says"))
    with pytest.raises(ConfigError, match="it misses its golden vectors"):
        await change(gateway, str(poisoned))
    assert engine.commits == 1


def tamper(folder: Path, id: ModelId) -> None:
    (folder / "models" / id.name / id.digest / "model.trees").write_bytes(b"{}")


@pytest.mark.parametrize("lost", [tamper, lambda folder, id: (folder / "models").rename(folder / "gone")])
async def test_a_gateway_starts_with_what_it_served_though_a_model_is_lost(
    tmp_path: Path, id: ModelId, lost: Any
) -> None:
    source = Source(document=naming(id.short))
    store = Store(tmp_path)
    await started_gateway(source=source, store=store, state_dir=tmp_path)
    lost(tmp_path, id)
    gateway, engine = await started_gateway(source=source, store=store, state_dir=tmp_path)
    assert serving(engine)["name"] in (str(id), id.short)
    assert engine.models == {}
    (absent,) = told(gateway.events)
    assert absent["model"] == id.short
    assert "tampered" in absent["reason"] or "there is no model" in absent["reason"]
    await gateway.edit(lambda served: {**served, "drain_timeout": "7s"}, "admin")
    assert (engine.commits, len(told(gateway.events))) == (2, 1)


async def test_a_gateway_does_not_start_with_what_it_never_served(tmp_path: Path, id: ModelId) -> None:
    tamper(tmp_path, id)
    gateway, _ = make_gateway(source=Source(document=naming(id.short)), state_dir=tmp_path)
    with pytest.raises(ConfigError, match="tampered with"):
        await gateway.apply(gateway.source.read, "start")


async def test_a_model_that_comes_back_is_used_with_the_next_change_of_any_kind(
    tmp_path: Path, id: ModelId
) -> None:
    source, store = Source(document=naming(id.short)), Store(tmp_path)
    await started_gateway(source=source, store=store, state_dir=tmp_path)
    (tmp_path / "models").rename(tmp_path / "gone")
    gateway, engine = await started_gateway(source=source, store=store, state_dir=tmp_path)
    assert serving(engine)["name"] == id.short
    (tmp_path / "gone").rename(tmp_path / "models")
    await gateway.reread("admin")
    assert serving(engine)["name"] == str(id)
    assert list(engine.models) == [str(id)]


async def test_a_model_that_is_served_stays_though_its_files_are_lost(tmp_path: Path, id: ModelId) -> None:
    gateway, engine = await started_gateway(source=Source(document=naming(id.short)), state_dir=tmp_path)
    (tmp_path / "models").rename(tmp_path / "gone")
    await gateway.edit(lambda served: {**served, "drain_timeout": "7s"}, "admin")
    assert serving(engine)["name"] == str(id)
    assert list(engine.models) == [str(id)]
    assert told(gateway.events) == []


def test_a_check_tells_where_a_model_is_named_that_is_not_there(tmp_path: Path) -> None:
    source = file_source(tmp_path, NAMED.format(folder=tmp_path, model="shop-cost@0000"))
    assert source.file
    loaded = load_file(source.file)
    (problem,) = problems(loaded, Registry(tmp_path))
    assert (problem.file, problem.line) == (source.file, 7)
    assert problem.hint
    (problem,) = problems(loaded, Registry(None))
    assert "set state_dir" in problem.message
