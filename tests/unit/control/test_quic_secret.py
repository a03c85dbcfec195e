"""The secret of QUIC, from one process to the next."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, cast

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


def test_the_next_engine_gets_the_same_and_nothing_else_can_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = supplied(tmp_path)
    assert first is not None and len(first) == BYTES
    assert supplied(tmp_path) == first
    assert mode_of(tmp_path / FILE_NAME) == 0o600
    assert caplog.text == "", "a first start is nothing to tell of"


def test_without_a_folder_the_engine_makes_its_own() -> None:
    assert supplied(None) is None


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"00" * (BYTES - 1), b"00" * (BYTES + 1), b"\xff" * BYTES]
)
def test_a_damaged_one_is_named_in_the_log_and_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(content)
    secret = supplied(tmp_path)
    (message,) = caplog.messages
    assert message.count(str(file)) == 1
    assert "is damaged, and a new one is made" in message
    assert "fromhex" not in message
    assert secret is not None and secret == supplied(tmp_path)
    assert mode_of(file) == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_one_that_others_could_read_is_replaced(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    known, file = supplied(tmp_path), tmp_path / FILE_NAME
    file.chmod(mode)
    secret = supplied(tmp_path)
    assert secret is not None and secret != known
    assert supplied(tmp_path) == secret
    assert mode_of(file) == 0o600
    (message,) = caplog.messages
    assert str(file) in message
    assert "others than its owner" in message


def test_one_that_cannot_be_read_stays_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, file = supplied(tmp_path), tmp_path / FILE_NAME
    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", fails_with(errno.EIO))
        assert supplied(tmp_path) is None, "the engine makes one of its own"
    (message,) = caplog.messages
    assert message.count(str(file)) == 1
    assert "cannot be read" in message
    assert os.strerror(errno.EIO) in message
    assert supplied(tmp_path) == secret


def fails_with(number: int) -> Callable[..., NoReturn]:
    def fail(file: Path, *_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number), str(file))

    return fail


def test_a_folder_that_is_gone_does_not_keep_the_process_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert supplied(tmp_path / "gone") is not None
    assert "is not kept" in caplog.text
    assert caplog.text.count(str(tmp_path)) == 1
