"""The operator's words."""

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.control.fake_engine import FakeEngine
from tests.unit.control.gateways import document, started_gateway
from tidegate._engine import Engine
from tidegate.control import words as module
from tidegate.control.events import Events
from tidegate.control.store import StoreError
from tidegate.control.words import FILE_NAME, TooManyWordsError, Words

AT = ("app", "127.0.0.1:9001")


def make_words(state_dir: Path | None = None) -> tuple[Words, FakeEngine]:
    """Words to an engine that has heard none yet, but for those kept."""
    engine = FakeEngine(workers=1)
    return Words(cast(Engine, engine), Events(), state_dir), engine


async def test_words_of_several_options_are_one_supply_and_end_one_by_one() -> None:
    words, engine = make_words()
    await words.say(*AT, {"weight": 0, "duty": "draining"}, author="ann")
    assert engine.words[AT] == {"weight": 0, "duty": "draining", "reason": None}
    await words.say(*AT, {"duty": "maintenance"}, author="bob", reason="a new disk")
    assert engine.words[AT] == {"weight": 0, "duty": "maintenance", "reason": "a new disk"}
    assert [(word.option, word.author) for word in words.of(*AT)] == [("duty", "bob"), ("weight", "ann")]
    assert await words.say(*AT, {"duty": None}, author="ann")
    assert engine.words[AT] == {"weight": 0}
    assert await words.say(*AT, {"weight": None}, author="ann")
    assert AT not in engine.words
    assert not await words.say(*AT, {"weight": None}, author="ann")


async def test_words_outlive_the_process_and_hold_before_anything_is_served(tmp_path: Path) -> None:
    first, _ = make_words(tmp_path)
    await first.say(*AT, {"duty": "maintenance"}, author="ann", reason="a new disk")
    kept = tmp_path / FILE_NAME
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    again, engine = make_words(tmp_path)
    assert engine.words[AT] == {"duty": "maintenance", "reason": "a new disk"}
    assert engine.commits == 0
    assert again.all() == first.all()
    await again.say(*AT, {"duty": None}, author="ann")
    assert make_words(tmp_path)[0].all() == []


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", '[{"upstream": "app"}]', '{"a": 1}'],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(StoreError, match=r"words\.json cannot be used(.|\n)*remove it"):
        make_words(tmp_path)


async def test_a_kept_word_that_the_engine_refuses_is_told(tmp_path: Path) -> None:
    words, _ = make_words(tmp_path)
    await words.say(*AT, {"weight": 1000}, author="ann")
    file = tmp_path / FILE_NAME
    file.write_text(file.read_text().replace("1000", "2000"))
    with pytest.raises(StoreError, match="a weight is at most 1000"):
        make_words(tmp_path)


async def test_a_full_disk_does_not_keep_a_word_from_holding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, engine = make_words(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert await words.say(*AT, {"duty": "draining"}, author="ann")
    assert engine.words[AT]["duty"] == "draining"
    assert not (tmp_path / FILE_NAME).exists()


async def test_words_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    words, engine = make_words()
    await words.say(*AT, {"weight": 1, "duty": "draining"}, author="ann")
    with pytest.raises(TooManyWordsError):
        await words.say("app", "127.0.0.1:9002", {"duty": "draining"}, author="ann")
    assert len(engine.words) == 1
    await words.say(*AT, {"weight": 2}, author="ann")


async def test_a_word_is_finished_even_if_the_speaker_is_gone() -> None:
    gateway, _ = await started_gateway()
    after = gateway.events.read(0).events[-1].number
    task = asyncio.create_task(gateway.words.say(*AT, {"duty": "draining"}, author="ann"))
    await asyncio.sleep(0)
    task.cancel()
    await gateway.events.wait(after)
    assert gateway.words.of(*AT)


async def test_words_are_events_with_author_and_reason() -> None:
    gateway, _ = await started_gateway()
    await gateway.words.say(*AT, {"weight": 3}, author="ann", reason="a test")
    await gateway.words.say(*AT, {"weight": None}, author="bob")
    given, taken = gateway.events.read(0).events[-2:]
    assert (given.kind, taken.kind) == ("word_given", "word_taken_back")
    assert given.about == {
        "upstream": "app",
        "endpoint": "127.0.0.1:9001",
        "option": "weight",
        "value": 3,
        "reason": "a test",
        "author": "ann",
    }
    assert taken.about["author"] == "bob"


async def test_a_change_of_the_configuration_leaves_words_as_they_are() -> None:
    gateway, engine = await started_gateway()
    await gateway.words.say(*AT, {"duty": "maintenance"}, author="ann")
    await gateway.edit(lambda _: document(upstreams=[], routes=[]), "admin")
    await gateway.edit(lambda _: document(), "admin")
    assert gateway.words.of(*AT)
    assert engine.words[AT]["duty"] == "maintenance"
    assert "maintenance" not in json.dumps(gateway.running.document)
