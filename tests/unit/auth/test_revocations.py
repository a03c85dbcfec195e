"""Revocations."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.control.fake_engine import FakeEngine
from tidegate._engine import Engine
from tidegate.auth import revocations as module
from tidegate.auth.revocations import FILE_NAME, Revocation, Revocations, TooManyRevocationsError
from tidegate.control.events import Events
from tidegate.control.store import StoreError

NOW = datetime.now(UTC)


def make_revocations(state_dir: Path | None = None) -> tuple[Revocations, FakeEngine]:
    """Revocations to an engine that has heard of none yet, but for those kept."""
    engine = FakeEngine(workers=1)
    return Revocations(cast(Engine, engine), Events(), state_dir), engine


def revocation(name: str = "alice", **about: Any) -> Revocation:
    usual: dict[str, Any] = {
        "authenticator": "users",
        "revoked": "subject",
        "until": NOW + timedelta(hours=1),
        "reason": None,
        "author": "ann",
        "time": NOW,
    }
    return Revocation(name=name, **{**usual, **about})


async def test_the_engine_hears_of_all_revocations_of_an_authenticator() -> None:
    revocations, engine = make_revocations()
    assert await revocations.add(revocation())
    assert await revocations.add(revocation("t1", revoked="token"))
    assert await revocations.add(revocation("s1", revoked="session", authenticator="robots"))
    until = int((NOW + timedelta(hours=1)).timestamp())
    assert engine.revocations == {
        "users": [
            {"revoked": "subject", "name": "alice", "until": until},
            {"revoked": "token", "name": "t1", "until": until},
        ],
        "robots": [{"revoked": "session", "name": "s1", "until": until}],
    }
    assert await revocations.remove(revocation().id)
    assert [each["name"] for each in engine.revocations["users"]] == ["t1"]
    assert not await revocations.remove(revocation().id)


async def test_a_revocation_takes_the_place_of_the_one_before_it() -> None:
    revocations, _ = make_revocations()
    assert await revocations.add(revocation())
    longer = revocation(until=NOW + timedelta(hours=2))
    assert not await revocations.add(longer)
    assert revocations.all() == [longer]


async def test_revocations_outlive_the_process_and_hold_before_anything_is_served(tmp_path: Path) -> None:
    first, _ = make_revocations(tmp_path)
    await first.add(revocation())
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    again, engine = make_revocations(tmp_path)
    assert [each["name"] for each in engine.revocations["users"]] == ["alice"]
    assert again.all() == first.all()


async def test_a_revocation_whose_time_is_over_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    revocations, engine = make_revocations()
    with pytest.raises(ValueError, match="a time that is to come"):
        await revocations.add(revocation(until=NOW - timedelta(seconds=1)))
    await revocations.add(revocation())

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return NOW + timedelta(hours=1)

    monkeypatch.setattr(module, "datetime", Later)
    assert revocations.all() == []
    await revocations.add(revocation("bob", until=NOW + timedelta(hours=2)))
    assert [each["name"] for each in engine.revocations["users"]] == ["bob"]


async def test_there_are_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    revocations, engine = make_revocations()
    await revocations.add(revocation())
    with pytest.raises(TooManyRevocationsError):
        await revocations.add(revocation("bob"))
    assert [each["name"] for each in engine.revocations["users"]] == ["alice"]


@pytest.mark.parametrize("text", ["", "nonsense", '[{"name": "alice"}]', '{"a": 1}'])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(StoreError, match="mend the file, or remove it"):
        make_revocations(tmp_path)
