"""Nothing that is written in a file, or sent as data, raises anything but ConfigError."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.test_syntax import JSON_VALUES
from tidegate._engine import inspect
from tidegate.config.load import load_data, load_file
from tidegate.config.model.walk import walk
from tidegate.config.plan import build_plan, with_engine
from tidegate.config.problem import ConfigError

ROOT = Path(__file__).parents[3]
EXAMPLES = [file.read_text() for file in sorted((ROOT / "examples").glob("*.yaml"))]
FRAGMENTS = st.text(max_size=8) | st.sampled_from(
    ["{", "]", ": ", "\n", "  ", "- ", "&a ", "*a", "!!", "${", "null", "'", "\t", "1"]
)
NAMES = st.sampled_from(sorted({step for option in walk() for step in option.path if step != "*"}))
DATA: st.SearchStrategy[Any] = st.recursive(
    JSON_VALUES | st.sampled_from(["127.0.0.1:1", "/", "app", "5s", "least_request", "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=30,
)
fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example with a piece cut out and another put in, a few times."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        text = text[:start] + draw(FRAGMENTS) + text[end:]
    return text


def check(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        build_plan(load_file(path))
    except ConfigError as error:
        assert error.problems
        assert all(str(problem) for problem in with_engine(error, inspect).problems)


@pytest.mark.parametrize("name", ["f.yaml", "f.toml", "f.json"])
@fuzz
@given(text=st.text())
def test_any_text(tmp_path: Path, name: str, text: str) -> None:
    check(tmp_path / name, text.encode(errors="surrogatepass"))


@fuzz
@given(content=st.binary())
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    check(tmp_path / "f.yaml", content)


@fuzz
@given(text=mutated())
def test_a_valid_file_with_something_spoilt(tmp_path: Path, text: str) -> None:
    check(tmp_path / "f.yaml", text.encode(errors="surrogatepass"))


@fuzz
@given(data=st.dictionaries(NAMES, DATA, max_size=6))
def test_any_data(tmp_path: Path, data: dict[str, Any]) -> None:
    try:
        build_plan(load_data(data, tmp_path))
    except ConfigError as error:
        assert with_engine(error, inspect).problems
