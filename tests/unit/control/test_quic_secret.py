"""The secret of QUIC, from one process to the next."""

import stat
from pathlib import Path
from typing import cast

import pytest

from tests.unit.control.fake_engine import FakeEngine
from tidegate._engine import Engine
from tidegate.control import quic_secret
from tidegate.control.quic_secret import BYTES, FILE_NAME


def supplied(state_dir: Path | None) -> bytes | None:
    """The secret that an engine gets."""
    engine = FakeEngine(workers=1)
    quic_secret.supply(cast(Engine, engine), state_dir)
    return engine.quic_secret


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_the_next_engine_gets_the_same_and_nothing_else_can_read_it(tmp_path: Path) -> None:
    first = supplied(tmp_path)
    assert first is not None and len(first) == BYTES
    assert supplied(tmp_path) == first
    assert mode_of(tmp_path / FILE_NAME) == 0o600


def test_without_a_folder_the_engine_makes_its_own() -> None:
    assert supplied(None) is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"00" * (BYTES - 1), b"\xff" * BYTES])
def test_a_damaged_one_is_named_in_the_log_and_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(content)
    secret = supplied(tmp_path)
    assert str(file) in caplog.text
    assert secret is not None and secret == supplied(tmp_path)
    assert mode_of(file) == 0o600


def test_one_that_others_can_read_is_closed_to_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret, file = supplied(tmp_path), tmp_path / FILE_NAME
    file.chmod(0o644)
    assert supplied(tmp_path) == secret
    assert mode_of(file) == 0o600
    assert str(file) in caplog.text


def test_a_folder_that_is_gone_does_not_keep_the_process_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert supplied(tmp_path / "gone") is not None
    assert "is not kept" in caplog.text
