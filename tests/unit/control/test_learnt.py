"""What was learnt, from one process to the next."""

import json
import stat
from pathlib import Path
from typing import cast

import pytest

from tests.unit.control.fake_engine import FakeEngine
from tidegate._engine import Engine
from tidegate.control.learnt import FILE_NAME, Learnt


def make(state_dir: Path | None) -> tuple[Learnt, FakeEngine]:
    engine = FakeEngine(workers=1)
    return Learnt(cast(Engine, engine), state_dir), engine


def test_what_is_kept_is_supplied_to_the_next_engine(tmp_path: Path) -> None:
    learnt, engine = make(tmp_path)
    engine.learnt = {"app": {"version": 1, "seed": 2**64 - 1}}
    learnt.keep()
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    learnt, engine = make(tmp_path)
    learnt.restore()
    assert engine.learnt == {"app": {"version": 1, "seed": 2**64 - 1}}


def test_without_a_folder_nothing_is_kept() -> None:
    learnt, engine = make(None)
    engine.learnt = {"app": {"version": 1}}
    learnt.keep()
    learnt.restore()


@pytest.mark.parametrize("text", ["", "nonsense", '[{"upstream": "app"}]', '{"a": 1}', "\x00\x01"])
def test_a_damaged_file_is_named_in_the_log_and_ignored(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    learnt, engine = make(tmp_path)
    learnt.restore()
    assert engine.learnt == {}
    assert str(tmp_path / FILE_NAME) in caplog.text


def test_what_the_engine_refuses_is_named_and_the_others_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = [{"upstream": name, "learnt": {"version": version}} for name, version in (("a", 9), ("b", 1))]
    (tmp_path / FILE_NAME).write_text(json.dumps(kept))
    learnt, engine = make(tmp_path)
    learnt.restore()
    assert engine.learnt == {"b": {"version": 1}}
    assert "version 9" in caplog.text


def test_a_full_disk_does_not_keep_the_process_from_stopping(tmp_path: Path) -> None:
    learnt, engine = make(tmp_path / "gone")
    engine.learnt = {"app": {"version": 1}}
    learnt.keep()
