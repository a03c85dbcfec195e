"""The process's own log."""

import json
import logging
from collections.abc import Iterator

import pytest

from tidegate.control import logs


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before


def test_json_lines_hold_level_time_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    logs.Logger("tidegate.test").info("it happened", listener="web")
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["level"], line["listener"]) == ("it happened", "info", "web")
    assert line["timestamp"].endswith("Z")


def test_text_has_no_colours_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "info")
    logs.Logger("tidegate.test").warning("it happened", listener="web")
    said = capsys.readouterr().err
    assert "it happened" in said
    assert "\x1b" not in said


def test_the_level_is_changed_while_running(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "warn")
    log = logs.Logger("tidegate.test")
    log.info("too quiet")
    logs.set_level("debug")
    assert logs.level() == "debug"
    log.debug("loud enough")
    said = capsys.readouterr().err
    assert "too quiet" not in said
    assert "loud enough" in said


def test_libraries_speak_in_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    logging.getLogger("some.library").error("it broke")
    assert json.loads(capsys.readouterr().err)["message"] == "it broke"


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_traceback_shows_no_values(format: logs.Format, capsys: pytest.CaptureFixture[str]) -> None:
    """They may be tokens and keys."""
    logs.configure(format, "info")

    def fail(token: str) -> None:
        raise ValueError(str(len(token)))

    try:
        fail("open" + "sesame")
    except ValueError:
        logs.Logger("tidegate.test").exception("it broke")
    said = capsys.readouterr().err
    assert "ValueError: 10" in said
    assert "opensesame" not in said
