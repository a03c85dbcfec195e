"""Events."""

import asyncio
import re
from pathlib import Path
from typing import cast

import pytest

from tests.unit.control.fake_engine import FakeEngine
from tests.unit.control.gateways import started_gateway
from tidegate._engine import Engine
from tidegate.config.problem import ConfigError
from tidegate.control import events as module
from tidegate.control.events import LOGGED, TOLD_HERE, Events

STUB = Path(module.__file__).parents[1] / "_engine.pyi"
PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "observability.md"


async def test_a_reader_gets_what_came_after_the_event_it_knows() -> None:
    events = Events()
    for number in range(3):
        events.tell("committed", generation=number)
    first, *others = events.read(events.begin).events
    assert events.read(first.number).events == others
    assert events.place(first.id) == first.number
    assert events.read(others[-1].number) == module.Reading([], 0)


async def test_a_reader_that_is_too_slow_is_told_how_many_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    events = Events()
    for number in range(5):
        events.tell("committed", generation=number)
    reading = events.read(1)
    assert [event.about["generation"] for event in reading.events] == [3, 4]
    assert reading.missed == 2
    assert events.read(events.begin).missed == 0


async def test_an_event_of_another_process_has_no_place_here() -> None:
    events = Events()
    assert events.place("18c0-7") is None
    for nonsense in ("", "7", "a-b", "-", "a b-1"):
        with pytest.raises(ValueError, match="no id of an event"):
            events.place(nonsense)


async def test_what_the_engine_tells_is_an_event_with_its_time_until_the_engine_ends() -> None:
    events, engine = Events(), FakeEngine(workers=1)
    events.hear(cast(Engine, engine))
    engine.told.put([{"time": 1.5, "kind": "health_changed", "upstream": "app", "to": "ejected"}])
    await events.wait(0)
    (event,) = events.read(0).events
    assert (event.kind, event.time.timestamp()) == ("health_changed", 1.5)
    assert event.about == {"upstream": "app", "to": "ejected"}
    waiting = asyncio.create_task(events.wait(1))
    engine.drain(0)
    await waiting
    assert events.ended


async def test_commits_and_refusals_are_events() -> None:
    gateway, _ = await started_gateway()
    with pytest.raises(ConfigError):
        await gateway.edit(lambda current: {**current, "listners": []}, "admin")
    committed, refused = gateway.events.read(0).events
    assert (committed.kind, committed.about) == ("committed", {"generation": 1, "origin": "start"})
    assert refused.kind == "refused"
    assert "listners" in refused.about["first"]


async def test_a_kind_that_only_the_engine_knows_is_passed_on() -> None:
    events = Events()
    events._hear([{"time": 1.5, "kind": "quite_new", "upstream": "app"}])
    (event,) = events.read(0).events
    assert (event.kind, event.about) == ("quite_new", {"upstream": "app"})


def test_every_kind_is_on_its_page() -> None:
    told = STUB.read_text().partition("def wait")[2].partition("def metrics")[0]
    of_the_engine = set(re.findall(r"^ +- `(\w+)`:", told, re.MULTILINE))
    assert of_the_engine
    table = PAGE.read_text().partition("## Events")[2]
    kinds = of_the_engine - TOLD_HERE | LOGGED.keys()
    assert {kind for kind in kinds if f"`{kind}`" not in table} == set()
