"""The keys of an authenticator."""

import asyncio
import json
import stat
from pathlib import Path
from typing import cast

import pytest

from tests.e2e.harness.identity import KEYS, METADATA, Answer, IdentityProvider, SigningKey
from tests.unit.control.fake_engine import FakeEngine
from tidegate._engine import Engine
from tidegate.auth.jwks import FOLDER_NAME, KeySource
from tidegate.auth.provider import Provider


def source_of(
    provider: IdentityProvider, engine: FakeEngine, state_dir: Path | None = None, url: str | None = None
) -> KeySource:
    """Keys by discovery, or those at `url`."""
    wanted = Provider("users", url or provider.issuer, url, None)
    return KeySource(wanted, cast(Engine, engine), state_dir)


async def test_keys_reach_the_engine_with_where_they_are_from_and_when() -> None:
    engine = FakeEngine(workers=1)
    with IdentityProvider() as provider:
        state = await source_of(provider, engine).refresh()
    supplied = engine.keys["users"]
    assert supplied["source"] == provider.issuer
    assert supplied["jwks"] == {"keys": [key.jwk() for key in provider.keys]}
    assert state.fetched == supplied["fetched"]
    assert (state.failures, state.error) == (0, None)


async def test_keys_that_have_not_changed_are_fresh_again() -> None:
    engine = FakeEngine(workers=1)
    with IdentityProvider() as provider:
        source = source_of(provider, engine, url=provider.keys_address)
        await source.refresh()
        first = engine.keys["users"]
        await source.refresh()
    again = engine.keys["users"]
    assert again["jwks"] == first["jwks"]
    assert again["fetched"] > first["fetched"]
    assert "if-none-match" in provider.seen[-1][1]
    assert provider.count(METADATA) == 0


@pytest.mark.parametrize(
    "answer", [(200, {}, b"<html>"), (200, {}, b'{"keys": []}'), (500, {}, b""), (200, {}, b"{}")]
)
async def test_the_last_good_keys_hold_while_there_are_no_others(answer: Answer) -> None:
    engine = FakeEngine(workers=1)
    with IdentityProvider() as provider:
        source = source_of(provider, engine)
        await source.refresh()
        good = engine.keys["users"]
        with provider.answering(KEYS, lambda: answer):
            state = await source.refresh()
            assert (state.failures, state.fetched) == (1, good["fetched"])
            assert provider.keys_address in str(state.error)
            assert (await source.refresh()).failures == 2
        assert engine.keys["users"] == good
        state = await source.refresh()
        assert (state.failures, state.error) == (0, None)


async def test_keys_outlive_the_process(tmp_path: Path) -> None:
    with IdentityProvider() as provider:
        await source_of(provider, FakeEngine(workers=1), tmp_path).refresh()
        (kept,) = (tmp_path / FOLDER_NAME).iterdir()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        engine = FakeEngine(workers=1)
        again = source_of(provider, engine, tmp_path)
        assert engine.keys["users"] == json.loads(kept.read_bytes())
        assert again.state.fetched == engine.keys["users"]["fetched"]


async def test_kept_keys_of_another_provider_are_not_used(tmp_path: Path) -> None:
    with IdentityProvider() as provider, IdentityProvider() as other:
        await source_of(provider, FakeEngine(workers=1), tmp_path).refresh()
        engine = FakeEngine(workers=1)
        source = source_of(other, engine, tmp_path)
        assert (engine.keys, source.state.fetched) == ({}, None)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"source": 1}', '{"source": "s", "fetched": 1, "jwks": {}}']
)
async def test_a_kept_file_that_is_broken_is_left_alone(tmp_path: Path, text: str) -> None:
    with IdentityProvider() as provider:
        first = source_of(provider, FakeEngine(workers=1), tmp_path)
        await first.refresh()
        (kept,) = (tmp_path / FOLDER_NAME).iterdir()
        kept.write_text(text)
        engine = FakeEngine(workers=1)
        source = source_of(provider, engine, tmp_path)
        assert engine.keys == {}
        await source.refresh()
        assert engine.keys["users"]["source"] == provider.issuer


async def test_keys_are_fetched_anew_when_a_fetch_failed_and_when_they_are_asked_for() -> None:
    engine = FakeEngine(workers=1)
    with IdentityProvider() as provider:
        broken = provider.answering(KEYS, lambda: (500, {}, b""))
        broken.__enter__()
        source = source_of(provider, engine)
        running = asyncio.create_task(source.run())
        await asyncio.to_thread(provider.wait_for_requests, KEYS, 1)
        broken.__exit__(None, None, None)
        await asyncio.to_thread(provider.wait_for_requests, KEYS, 2)
        provider.keys.append(SigningKey("second"))
        await source.refresh()
        assert len(engine.keys["users"]["jwks"]["keys"]) == 2
        running.cancel()
