"""Commands, run as people do, and what the admin API answers them. The native module need not be built."""

import json
from typing import Any

import pytest

from tests.unit.control.fake_engine import install_native_stand_in

install_native_stand_in()

from tidegate import cli  # noqa: E402 - it needs the native module
from tidegate.cli.connection import Connection  # noqa: E402

Answer = tuple[int, bytes]
"""Status and content."""


def tidegate(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command; returns its exit code."""
    monkeypatch.setattr("sys.argv", ["tidegate", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    """What the admin API answers, by method and path."""
    answers: dict[str, Answer] = {}

    def answer(_: Any, method: str, path: str, *_body: Any) -> Answer:
        return answers[f"{method} {path}"]

    monkeypatch.setattr(Connection, "send", answer)
    return answers


def answer(status: int, content: Any) -> Answer:
    """An answer in JSON."""
    return status, json.dumps(content).encode()
