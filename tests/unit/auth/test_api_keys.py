"""API keys that the admin API makes."""

import json
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.control.fake_engine import FakeEngine
from tidegate._engine import Engine
from tidegate.auth import api_keys as module
from tidegate.auth.api_key import ApiKey, NewSecret, checksum
from tidegate.auth.api_keys import FILE_NAME, ApiKeys, MadeKey, TooManyApiKeysError
from tidegate.control.events import Events
from tidegate.control.store import StoreError

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def started(state_dir: Path | None = None) -> tuple[ApiKeys, FakeEngine, Events]:
    """Keys as a process begins with them."""
    engine, events = FakeEngine(workers=1), Events()
    return ApiKeys(cast(Engine, engine), events, state_dir), engine, events


def made(id: str, authenticator: str = "robots", **about: Any) -> MadeKey:
    """A key of this id."""
    key = ApiKey(id=id, hash="sha256:" + "0" * 64, name=f"key {id}", **about)
    return MadeKey(authenticator, key, "ann", NOW)


def test_a_key_is_written_so_that_scanners_recognise_it() -> None:
    secret = NewSecret.drawn()
    assert re.fullmatch(r"tg_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}", secret.written)
    assert secret.written[-6:] == checksum(secret.written[:-6])
    assert secret.secret not in repr(secret)
    assert NewSecret.drawn() != secret
    # The same as in crates/core/src/auth/api_key/written.rs.
    assert checksum("tg_robot_0123456789abcdefghijABCDEFGHIJ") == "0gjgec"


def test_an_entry_has_what_was_said() -> None:
    bare = {"id": "a", "hash": "sha256:" + "0" * 64, "name": "key a"}
    assert made("a").key.entry() == bare
    full = made("a", subject="bob", claims={"plan": "gold"}, expires=NOW, networks=["10.0.0.0/8"])
    assert full.key.entry() == {
        **bare,
        "subject": "bob",
        "claims": {"plan": "gold"},
        "expires": "2026-11-26T00:00:00Z",
        "networks": ["10.0.0.0/8"],
    }


async def test_a_key_is_supplied_and_taken_back_when_it_is_revoked() -> None:
    keys, engine, events = started()
    await keys.add(made("a"))
    await keys.add(made("b"))
    await keys.add(made("c", "others"))
    assert [each["id"] for each in engine.api_keys["robots"]] == ["a", "b"]
    assert [each["id"] for each in engine.api_keys["others"]] == ["c"]
    assert await keys.revoke("a") == made("a")
    assert [each["id"] for each in engine.api_keys["robots"]] == ["b"]
    assert await keys.revoke("a") is None
    kinds = [event.kind for event in events.read(0).events]
    assert kinds == ["api_key_made"] * 3 + ["api_key_revoked"]
    assert "hash" not in json.dumps([event.about for event in events.read(0).events])


async def test_keys_outlive_the_process_without_their_secrets(tmp_path: Path) -> None:
    keys, _, _ = started(tmp_path)
    secret = NewSecret.drawn()
    await keys.add(MadeKey("robots", ApiKey(id=secret.id, hash=secret.hash, name="CI"), "ann", NOW))
    kept = tmp_path / FILE_NAME
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert secret.secret not in kept.read_text()
    again, engine, _ = started(tmp_path)
    assert [each["id"] for each in engine.api_keys["robots"]] == [secret.id]
    assert again.all() == keys.all()
    await again.revoke(secret.id)
    assert started(tmp_path)[0].all() == []


async def test_a_key_that_cannot_be_kept_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, engine, _ = started(tmp_path)
    await keys.add(made("a"))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        await keys.add(made("b"))
    assert [each["id"] for each in engine.api_keys["robots"]] == ["a"]
    with pytest.raises(StoreError):
        await keys.revoke("a")
    assert engine.api_keys["robots"] == [], "revoked all the same"


async def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    keys, _, _ = started()
    await keys.add(made("a"))
    with pytest.raises(TooManyApiKeysError):
        await keys.add(made("b"))


@pytest.mark.parametrize("text", ["", "nonsense", '[{"authenticator": "robots"}]'])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(StoreError, match=r"api_keys\.json cannot be used(.|\n)*remove it"):
        started(tmp_path)


def test_a_key_has_expired_at_its_time() -> None:
    key = made("a", expires=NOW)
    assert key.has_expired(NOW)
    assert not key.has_expired(NOW - timedelta(seconds=1))
    assert not made("a").has_expired(NOW)
