"""YAML, TOML and JSON: the same tree, with places."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.config.problem import ConfigError, Problem
from tidegate.config.syntax import parse
from tidegate.config.tree import Node, Source, plain

YAML, TOML, JSON = Path("f.yaml"), Path("f.toml"), Path("f.json")

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def place(node: Node, *path: str | int, key: bool = False) -> tuple[int | None, int | None]:
    found = Source(node).place(path, key=key)
    return found.line, found.column


def mistake(text: str, file: Path) -> Problem:
    with pytest.raises(ConfigError) as error:
        parse(text, file)
    (problem,) = error.value.problems
    return problem


def test_yaml_knows_where_keys_and_values_are() -> None:
    node = parse("a:\n  - b: 1\n    cc: {d: [x, y]}\n", YAML)
    assert plain(node) == {"a": [{"b": 1, "cc": {"d": ["x", "y"]}}]}
    assert place(node, "a", 0, "cc", key=True) == (3, 5)
    assert place(node, "a", 0, "cc", "d", 1) == (3, 17)


def test_json_knows_where_keys_and_values_are() -> None:
    node = parse('{\n\t"a": [1,\n   {"b": "x"}]}', JSON)
    assert plain(node) == {"a": [1, {"b": "x"}]}
    assert place(node, "a", 1, "b", key=True) == (3, 5)
    assert place(node, "a", 1, "b") == (3, 10)


def test_toml_knows_where_keys_and_values_are() -> None:
    text = (
        'name = "x"  # = [\n'
        "a.b = 1.5\n"
        "[admin]\n"
        'address = """x\n = y"""\n'
        "[[routes]]\n"
        "name = 'r0'\n"
        "[[routes]]\n"
        '"name" = "r1"\n'
        "methods = [\n"
        '  "GET", # first\n'
        "  'POST']\n"
        "[routes.match]\n"
        "path = { prefix = '/', x = [[1], [2, 3]] }\n"
        "at = 1979-05-27 07:32:00\n"
    )
    node = parse(text, TOML)
    assert plain(node) == tomllib.loads(text)
    assert place(node, "a", "b", key=True) == (2, 3)
    assert place(node, "a", "b") == (2, 7)
    assert place(node, "admin", "address") == (4, 11)
    assert place(node, "routes", 0, "name") == (7, 8)
    assert place(node, "routes", 1, "name", key=True) == (9, 1)
    assert place(node, "routes", 1, "methods", 1) == (12, 3)
    assert place(node, "routes", 1, "match", "path", "prefix") == (14, 19)
    assert place(node, "routes", 1, "match", "path", "x", 1, 1) == (14, 38)
    assert place(node, "routes", 1, "match", "at", key=True) == (15, 1)


def test_an_option_that_is_not_written_has_the_place_of_the_nearest_around_it() -> None:
    node = parse("a:\n  b: {}\n", YAML)
    assert place(node, "a", "b", "c", 3) == (2, 6)
    assert place(node, "x") == (1, 1)


@given(JSON_VALUES)
def test_json_reads_what_the_standard_library_writes(value: Any) -> None:
    assert plain(parse(json.dumps(value), JSON)) == value
    assert plain(parse(json.dumps(value, indent="\t", ensure_ascii=False), JSON)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("010", 10),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("True", True),
        ('"1"', "1"),
        ("!!str 1", "1"),
        ("1.2.3.4:80", "1.2.3.4:80"),
        ("-", "-"),
    ],
)
def test_yaml_scalars_have_the_types_of_the_core_schema(text: str, value: object) -> None:
    found = plain(parse(f"a: {text}" if text != "-" else "a: '-'", YAML))["a"]
    assert found == value
    assert type(found) is type(value)


def test_yaml_aliases_and_merges_are_followed() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}\nd: *a\n"
    assert plain(parse(text, YAML)) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2, "z": 4},
        "d": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~"])
def test_an_empty_yaml_file_says_nothing(text: str) -> None:
    assert plain(parse(text, YAML)) == {}


@pytest.mark.parametrize(
    ("text", "file"), [("a: 1\nb: 2\na: 3\n", YAML), ('{"a": 1,\n"b": 2,\n"a": 3}', JSON)]
)
def test_a_key_given_twice_is_refused_with_both_lines(text: str, file: Path) -> None:
    problem = mistake(text, file)
    assert (problem.line, problem.column) == (3, 1)
    assert problem.message == "'a' is given twice"
    assert problem.hint == "the first is on line 1"


@pytest.mark.parametrize(
    ("text", "file", "line"),
    [
        ("a: [1\nb: 2\n", YAML, 2),
        ("a:\n\tb: 1\n", YAML, 2),
        ("a: 1\n---\nb: 2\n", YAML, 2),
        ("a: *b\n", YAML, 1),
        ("a: !!python/object:os.system x\n", YAML, 1),
        ("? [a]\n: b\n", YAML, 1),
        ("a: &a [*a]\n", YAML, 1),
        ("a: \x07\n", YAML, 1),
        ('{"a": 1,\n}', JSON, 2),
        ('{"a": 1', JSON, 1),
        ('{"a": NaN}', JSON, 1),
        ('{"a": 1}\nx', JSON, 2),
        ("{'a': 1}", JSON, 1),
        ("", JSON, 1),
        ("a = 1\nb = \n", TOML, 2),
        ("a = 1\na = 2\n", TOML, 2),
        ("a = [1,\n", TOML, 2),
    ],
)
def test_a_mistake_of_syntax_has_its_line(text: str, file: Path, line: int) -> None:
    problem = mistake(text, file)
    assert problem.line == line
    assert problem.message


@pytest.mark.parametrize(("open_", "file"), [("[", YAML), ("[", JSON), ('{"a":', JSON), ("a = " + "[", TOML)])
@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_nesting_is_refused(open_: str, file: Path, depth: int) -> None:
    text = open_ + open_[-1] * depth + ("]" * (depth + 1) if open_.startswith("a") else "")
    assert mistake(text, file)


def test_a_name_of_very_many_parts_is_refused() -> None:
    """The places of its parts would take memory that grows with the square of their number."""
    assert "nested too deeply" in mistake(f"[{'.'.join(['a'] * 3000)}]\n", TOML).message


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "values" in mistake("\n".join(lines), YAML).message


@pytest.mark.parametrize("file", [YAML, TOML, JSON])
def test_any_text_is_read_or_refused(file: Path) -> None:
    @given(st.text() | st.text(alphabet="{}[]:,-&*!|>'\"#%@` \n\tab=.0123"))
    def check(text: str) -> None:
        try:
            parse(text, file)
        except ConfigError as error:
            assert error.problems

    check()


TOML_TEXTS: st.SearchStrategy[str] = st.text(alphabet="[]{}=.,'\"ab1\n #-:", max_size=60)


@given(TOML_TEXTS)
def test_the_scan_of_toml_follows_whatever_is_valid(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except ValueError:
        return
    assert plain(parse(text, TOML)) == expected
