"""Loading on what is known: the outcome is that of loading anew, and what has not changed is kept."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.conftest import Write
from tidegate.config.load import Loaded, load_data, load_file
from tidegate.config.member import exactly_equal
from tidegate.config.plan import build_plan
from tidegate.config.problem import ConfigError

Data = dict[str, Any]

SERVED: Data = {
    "workers": 1,
    "listeners": [{"name": "web", "address": "127.0.0.1:8080"}, {"name": "b", "address": "127.0.0.1:8081"}],
    "routes": [
        {"name": "one", "match": {"path": {"prefix": "/one"}}, "upstream": "app", "timeout": "5s"},
        {"name": "two", "match": {"path": {"prefix": "/two"}}, "upstream": "other", "listeners": ["web"]},
        {
            "name": "rest",
            "split": [{"upstream": "app"}, {"upstream": "other"}],
            "request_headers": {"set": {"x": 1}},
        },
    ],
    "upstreams": [
        {"name": "app", "endpoints": [{"address": "127.0.0.1:9001", "weight": 1}, "127.0.0.1:9002"]},
        {"name": "other", "endpoints": ["127.0.0.1:9003"], "balance": {"policy": "round_robin"}},
    ],
}

CHANGES: dict[str, Callable[[Data], Any]] = {
    "nothing": lambda data: None,
    "a route": lambda data: data["routes"][0].update(timeout="6s"),
    "a route's place": lambda data: data["routes"].reverse(),
    "a route that goes": lambda data: data["routes"].pop(1),
    "a route that comes": lambda data: data["routes"].insert(0, {"name": "new", "upstream": "app"}),
    "an upstream": lambda data: data["upstreams"][0].update(protocol="http2"),
    "an upstream that nothing uses": lambda data: data["upstreams"].append({"name": "spare"}),
    "a listener": lambda data: data["listeners"][0].update(address="127.0.0.1:8082"),
    "an option of the whole": lambda data: data.update(workers=3, zone="a"),
    "no routes": lambda data: data.pop("routes"),
    "a route that no request reaches": lambda data: data["routes"].append(
        {"name": "late", "match": {"path": {"prefix": "/one"}}, "upstream": "app"}
    ),
    # mistakes
    "a name that is given twice": lambda data: data["routes"].append(dict(data["routes"][0])),
    "a name that another route has": lambda data: data["routes"][0].update(name="two"),
    "an unknown upstream": lambda data: data["routes"][0].update(upstream="apq"),
    "an upstream that routes use goes": lambda data: data["upstreams"].pop(0),
    "a listener that a route is for goes": lambda data: data["listeners"].pop(0),
    "an address that is taken": lambda data: data["listeners"][1].update(address="127.0.0.1:8080"),
    "an endpoint twice": lambda data: data["upstreams"][0].update(endpoints=["a:1", "A:1"]),
    "an unknown option": lambda data: data["routes"][2].update(timeuot="1s"),
    "a zone that is not said": lambda data: data["upstreams"][1]["balance"].update(zone_aware={}),
    "a file that is not there": lambda data: data["upstreams"][0].update(tls={"ca": "none.pem"}),
    "true in the place of 1": lambda data: data["upstreams"][0]["endpoints"][0].update(weight=True),
    "1.0 in the place of 1": lambda data: data["routes"][2]["request_headers"]["set"].update(x=1.0),
    "a list that is none": lambda data: data.update(routes={"name": "one"}),
    "a route that is none": lambda data: data["routes"].append("one"),
    "a name that is none": lambda data: data["routes"][0].update(name=["one"]),
    "an include": lambda data: data.update(include=["x.yaml"]),
    "two mistakes": lambda data: (data["routes"][0].update(upstream="x"), data.update(workers=-1)),
}


def outcome(load: Callable[[], Loaded]) -> Any:
    """What is loaded, as far as anything of it can be seen; or what is wrong."""
    try:
        loaded = load()
    except ConfigError as error:
        return error.problems
    return loaded.config, loaded.warnings, loaded.files, loaded.contents, build_plan(loaded).data


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_known_changes_nothing_of_the_outcome(tmp_path: Path, change: str) -> None:
    known = load_data(SERVED, tmp_path).members
    data = copy.deepcopy(SERVED)
    CHANGES[change](data)
    anew = outcome(lambda: load_data(data, tmp_path))
    assert outcome(lambda: load_data(data, tmp_path, known)) == anew


def test_of_a_file_too(write: Write) -> None:
    text = "routes: [{name: a, upstream: b}, {name: c, upstream: b}]\nupstreams: [{name: b}]\n"
    known = load_file(write("f.yaml", text)).members
    for changed in (text, text.replace("c,", "d,"), text.replace("c, upstream: b", "c, upstream: x")):
        file = write("f.yaml", changed)
        assert outcome(lambda file=file: load_file(file, known)) == outcome(  # type: ignore[misc]
            lambda file=file: load_file(file)  # type: ignore[misc]
        )


def test_members_that_are_written_as_before_are_the_same_objects(tmp_path: Path) -> None:
    first = load_data(SERVED, tmp_path)
    data = copy.deepcopy(SERVED)
    data["routes"][0]["timeout"] = "6s"
    second = load_data(data, tmp_path, first.members)
    same = [
        name for name, route in second.members["routes"].items() if route is first.members["routes"][name]
    ]
    assert same == ["two", "rest"]
    assert second.config.routes[1] is first.config.routes[1]
    assert second.config.upstreams[0] is first.config.upstreams[0]


def test_a_document_says_the_same_as_what_was_written(tmp_path: Path) -> None:
    first = load_data(SERVED, tmp_path)
    document = {**SERVED, "routes": [route.document for route in first.members["routes"].values()]}
    assert document["routes"][0]["timeout"] == 5000
    second = load_data(document, tmp_path, first.members)
    assert second.members["routes"]["one"] is first.members["routes"]["one"]


def test_what_names_files_is_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    data = copy.deepcopy(SERVED)
    first = load_data(SERVED, tmp_path)
    data["upstreams"][0]["tls"] = {"ca": "ca.pem"}
    with pytest.raises(ConfigError, match="expected certificates"):
        load_data(data, tmp_path, first.members)


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, 1.0), ([1], [1.0]), ({"a": 1}, {"a": True})]
)
def test_values_that_python_takes_for_equal_are_told_apart(one: Any, other: Any) -> None:
    assert one == other
    assert not exactly_equal(one, other)
    assert exactly_equal(one, copy.deepcopy(one))


def test_the_plan_holds_digests_of_what_the_engine_has(tmp_path: Path) -> None:
    first = load_data(SERVED, tmp_path)
    digests = build_plan(first).digests
    data = copy.deepcopy(SERVED)
    data["routes"][0]["timeout"] = "6s"
    plan = build_plan(load_data(data, tmp_path, first.members), digests).data
    assert plan["routes"][0]["timeout"] == 6000
    assert plan["routes"][1:] == [digests[first.members["routes"][name]] for name in ("two", "rest")]
    assert all(isinstance(upstream, str) for upstream in plan["upstreams"])
