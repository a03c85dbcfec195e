"""Variables of the environment."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.config.conftest import Find
from tidegate.config.load import Loaded
from tidegate.config.variables import expand

ENVIRON = {"HOST": "example.com", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${HOST}", "example.com"),
        ("a ${HOST}:${PORT:-80} b", "a example.com:80 b"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${NO:-}", ""),
        ("$${HOST}", "${HOST}"),
        ("$HOST $ {x}", "$HOST $ {x}"),
        ("/${1}/$2/${HOST}/$${name}", "/${1}/$2/example.com/${name}"),
    ],
)
def test_references_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, ENVIRON) == expanded


@pytest.mark.parametrize("text", ["${NO}", "${}", "${HOST", "${1A}", "${HOST:80}"])
def test_what_has_no_value_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"NO is not set|expected"):
        expand(text, ENVIRON)


@given(st.text().filter(lambda text: "${" not in text))
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert expand(text, ENVIRON) == text


def test_a_variable_without_quotes_can_be_a_number(
    load: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKERS", "3")
    assert load("workers: ${WORKERS}\n").config.workers == 3
    assert load('workers = "${WORKERS}"\n', "t.toml").config.workers == 3


def test_an_aliased_value_is_replaced_once(load: Callable[..., Loaded]) -> None:
    text = "routes: [{name: a, respond: &r {body: '$${X}'}}, {name: b, respond: *r}]"
    bodies = [route.respond.body for route in load(text).config.routes if route.respond]
    assert bodies == ["${X}", "${X}"]


def test_captures_of_a_rewrite_are_no_variables(load: Callable[..., Loaded]) -> None:
    regex = "{pattern: '(.)(?<x>.)', replacement: '${1}$${x}'}"
    text = f"routes: [{{name: a, upstream: b, rewrite: {{regex: {regex}}}}}]\nupstreams: [{{name: b}}]"
    (route,) = load(text).config.routes
    assert route.rewrite and route.rewrite.regex
    assert route.rewrite.regex.replacement == "${1}${x}"


def test_an_undefined_variable_has_its_place_and_is_told_once(problems: Find) -> None:
    (problem,) = problems("name: x\ndrain_timeout: ${TIDEGATE_NO_SUCH}\n")
    assert (problem.line, problem.column, problem.path) == (2, 16, "drain_timeout")
    assert "TIDEGATE_NO_SUCH is not set" in problem.message
