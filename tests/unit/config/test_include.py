"""Files that include files."""

from pathlib import Path

import pytest

from tests.unit.config.conftest import Write
from tidegate.config.load import load_data, load_file
from tidegate.config.problem import ConfigError


def test_lists_are_joined_in_order(write: Write) -> None:
    write("conf.d/20.yaml", "upstreams:\n  - {name: c}\n")
    write("conf.d/10.json", '{"upstreams": [{"name": "b"}]}')
    write("more.toml", '[[upstreams]]\nname = "d"\n')
    main = write("main.yaml", "include: [conf.d/*, more.toml]\nupstreams:\n  - {name: a}\n")
    loaded = load_file(main)
    assert [upstream.name for upstream in loaded.config.upstreams] == ["a", "b", "c", "d"]
    folder = main.parent
    assert set(loaded.files) == {
        main,
        folder / "more.toml",
        folder / "conf.d/10.json",
        folder / "conf.d/20.yaml",
    }


def test_mappings_are_joined_and_a_value_set_twice_is_refused_with_both_places(write: Write) -> None:
    other = write("other.yaml", "admin:\n  enabled: true\n  address: 127.0.0.1:1\n")
    main = write("main.yaml", "include: other.yaml\nadmin: {address: 127.0.0.1:2}\n")
    with pytest.raises(ConfigError) as error:
        load_file(main)
    (problem,) = error.value.problems
    assert (problem.file, problem.line, problem.path) == (other, 3, "admin.address")
    assert f"{main}:2:9" in problem.message


def test_a_mistake_is_told_with_the_file_it_is_in(write: Write) -> None:
    other = write("other.yaml", "upstreams:\n  - {name: b, balance: nonsense}\n")
    main = write("main.yaml", "include: [other.yaml]\nupstreams: [{name: a}]\n")
    with pytest.raises(ConfigError) as error:
        load_file(main)
    (problem,) = error.value.problems
    assert (problem.file, problem.line) == (other, 2)
    assert problem.path == "upstreams.1.balance.policy"


def test_paths_are_relative_to_the_file_they_are_written_in(write: Write) -> None:
    write("sub/other.yaml", "access_log: {path: access.log}\ninclude: deeper/x.yaml\n")
    write("sub/deeper/x.yaml", "state_dir: state\n")
    loaded = load_file(write("main.yaml", "include: sub/other.yaml\n"))
    folder = next(file for file in loaded.files if file.name == "main.yaml").parent
    assert loaded.config.access_log is not None
    assert Path(loaded.config.access_log.path) == folder / "sub/access.log"
    assert loaded.config.state_dir == str(folder / "sub/deeper/state")


def test_a_circle_is_refused(write: Write) -> None:
    write("b.yaml", "include: a.yaml\n")
    main = write("a.yaml", "include: b.yaml\n")
    with pytest.raises(ConfigError, match="a file includes itself"):
        load_file(main)


def test_a_pattern_leaves_out_the_file_it_is_written_in(write: Write) -> None:
    write("b.yaml", "name: b\n")
    assert load_file(write("a.yaml", "include: '*.yaml'\n")).config.name == "b"


def test_a_missing_file_is_told_where_it_is_named(write: Write) -> None:
    with pytest.raises(ConfigError) as error:
        load_file(write("a.yaml", "name: x\ninclude: [b.yaml, 3]\n"))
    assert [(problem.line, problem.column) for problem in error.value.problems] == [(2, 11), (2, 19)]
    assert "no such file" in error.value.problems[0].message


def test_a_file_without_end_is_refused(write: Write) -> None:
    pair = "{cert: /dev/zero, key: /dev/zero}"
    key = f"listeners: [{{name: a, address: '127.0.0.1:1', tls: {{certificates: [{pair}]}}}}]"
    with pytest.raises(ConfigError) as error:
        load_file(write("a.yaml", f"include: /dev/zero\n{key}\n"))
    assert [problem.message.rpartition(": ")[2] for problem in error.value.problems] == [
        "it has more than 67108864 bytes"
    ] * 3


@pytest.mark.parametrize("text", ["", "# later\n", "{}"])
def test_a_file_that_says_nothing_is_refused(write: Write, text: str) -> None:
    """It may be about to be written, and would take every listener away."""
    with pytest.raises(ConfigError, match="says nothing"):
        load_file(write("a.yaml", text))
    write("parts/b.yaml", text)
    assert load_file(write("a.yaml", "name: a\ninclude: parts/*.yaml\n")).config.name == "a"


def test_a_pattern_may_match_nothing(write: Write) -> None:
    assert load_file(write("a.yaml", "include: conf.d/*.yaml\n"))


def test_data_cannot_include(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only from a file"):
        load_data({"include": ["x.yaml"]}, tmp_path)
