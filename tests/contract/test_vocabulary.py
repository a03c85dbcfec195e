"""Words that both sides know: what the control plane may say, and what the engine counts."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.unit.control.gateways import started_gateway
from tidegate._engine import Engine
from tidegate.admin.routers.metrics import control_metrics
from tidegate.control.logs import Format, Level
from tidegate.control.words import OPTIONS, Duty

PAGE = Path(__file__).parents[2] / "docs/concepts/observability.md"


def said(word: dict[str, Any]) -> None:
    """Say a word of an endpoint to an engine."""
    engine = Engine(1, "text", "error")
    try:
        engine.supply("endpoint", "app", json.dumps({"address": "127.0.0.1:1", "word": word}).encode())
    finally:
        engine.drain(0)


@pytest.mark.parametrize("duty", get_args(Duty))
def test_the_engine_takes_every_duty(duty: str) -> None:
    said({"duty": duty})


def test_the_engine_takes_every_option_of_a_word_and_no_other() -> None:
    values = {"duty": "draining", "weight": 2}
    assert values.keys() == set(OPTIONS)
    for option in OPTIONS:
        said({option: values[option]})
    with pytest.raises(ValueError, match="unknown field"):
        said({"duty": "draining", "priority": 1})
    with pytest.raises(ValueError, match="unknown variant"):
        said({"duty": "resting"})


@pytest.mark.parametrize("level", get_args(Level))
@pytest.mark.parametrize("format", get_args(Format))
def test_the_engine_takes_every_format_and_level_of_the_log(format: str, level: str) -> None:
    Engine(1, format, level).drain(0)


async def test_every_metric_is_on_its_page_with_its_type_and_no_other() -> None:
    engine = Engine(1, "text", "error")
    text = engine.metrics() + control_metrics((await started_gateway())[0])
    engine.drain(0)
    there_are = set(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    told = set(re.findall(r"^\| `(tidegate_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE))
    assert there_are == told
