"""One member given anew: the outcome is that of loading the whole anew, or it is left to that."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.test_member import SERVED, outcome
from tidegate.config.amend import amended
from tidegate.config.load import load_data
from tidegate.config.problem import ConfigError
from tidegate.control.document import document_of, with_member

Data = dict[str, Any]
LIMITED: Data = {
    **SERVED,
    "routes": [
        {
            "name": "limited",
            "match": {"path": {"exact": "/"}},
            "upstream": "app",
            "limits": {"rate": ["slow"]},
        },
        *SERVED["routes"],
    ],
    "rate_limits": [{"name": "slow", "windows": [{"quota": 1, "per": "1s"}], "store": "fleet"}],
    "stores": [{"name": "fleet", "valkey": {"address": "127.0.0.1:6379"}}],
}
Change = tuple[str, str, Callable[[Data], Any]]


def update(**options: Any) -> Callable[[Data], Any]:
    return lambda member: {**member, **options}


def gone(_: Data) -> None:
    return None


GOOD: dict[str, Change] = {
    "a route": ("routes", "one", update(timeout="6s")),
    "a route for another upstream": ("routes", "two", update(upstream="app")),
    "a route that comes": ("routes", "new", lambda _: {"name": "new", "upstream": "app", "listeners": ["b"]}),
    "a route that goes": ("routes", "two", gone),
    "an upstream": ("upstreams", "app", update(protocol="http2")),
    "an upstream without endpoints": ("upstreams", "app", update(endpoints=[])),
    "an upstream that nothing uses": (
        "upstreams",
        "spare",
        lambda _: {"name": "spare", "endpoints": ["a:1"]},
    ),
    "a route with a rate limit": ("routes", "limited", update(timeout="6s")),
    "a rate limit": ("rate_limits", "slow", update(wait="1s")),
    "a store": ("stores", "fleet", update(on_failure="open")),
    "a store that nothing uses": (
        "stores",
        "spare",
        lambda _: {"name": "spare", "valkey": {"address": "127.0.0.1:1"}},
    ),
    "a listener": ("listeners", "web", update(address="127.0.0.1:8082")),
    "a listener that comes": ("listeners", "c", lambda _: {"name": "c", "address": "[::1]:80"}),
    "a listener that goes": ("listeners", "b", gone),
    "a route that no request reaches": (
        "routes",
        "late",
        lambda _: {"name": "late", "match": {"path": {"prefix": "/one"}}, "upstream": "app"},
    ),
}

LEFT_TO_THE_WHOLE: dict[str, Change] = {
    "another name": ("routes", "one", update(name="two")),
    "a name that is none": ("routes", "one", update(name=["one"])),
    "an unknown upstream": ("routes", "one", update(upstream="apq")),
    "an unknown listener": ("routes", "one", update(listeners=["wab"])),
    "an unknown option": ("routes", "rest", update(timeuot="1s")),
    "an upstream that routes use goes": ("upstreams", "app", gone),
    "a listener that a route is for goes": ("listeners", "web", gone),
    "a rate limit that a route uses goes": ("rate_limits", "slow", gone),
    "a store that a rate limit uses goes": ("stores", "fleet", gone),
    "an unknown rate limit": ("routes", "one", update(limits={"rate": ["fast"]})),
    "an address that is taken": ("listeners", "b", update(address="127.0.0.1:8080")),
    "an endpoint twice": ("upstreams", "app", update(endpoints=["a:1", "A:1"])),
    "a zone that is not said": ("upstreams", "other", update(balance={"zone_aware": {}})),
    "gRPC checks over HTTP/1": ("upstreams", "app", update(protocol="http1", health={"grpc": {}})),
    "a file that is not there": ("upstreams", "app", update(tls={"ca": "none.pem"})),
    "true in the place of 1": ("upstreams", "app", update(endpoints=[{"address": "a:1", "weight": True}])),
}


@pytest.mark.parametrize("change", GOOD)
def test_the_outcome_is_that_of_the_whole(tmp_path: Path, change: str) -> None:
    loaded, data, given, at = start(tmp_path, GOOD[change])
    after = amended(loaded, *at, given, tmp_path)
    assert after is not None
    anew = load_data(with_member(data, *at, given), tmp_path)
    assert outcome(lambda: after)[0] == anew.config
    assert document_of(after) == document_of(anew)
    assert outcome(lambda: after)[2:] == outcome(lambda: anew)[2:]
    assert set(after.warnings) == set(anew.warnings) - set(loaded.warnings)
    others = set(after.members[at[0]]) - {at[1]}
    assert all(after.members[at[0]][name] is loaded.members[at[0]][name] for name in others)


@pytest.mark.parametrize("change", LEFT_TO_THE_WHOLE)
def test_a_mistake_is_left_to_a_look_at_the_whole(tmp_path: Path, change: str) -> None:
    loaded, data, given, at = start(tmp_path, LEFT_TO_THE_WHOLE[change])
    assert amended(loaded, *at, given, tmp_path) is None
    with pytest.raises(ConfigError):
        load_data(with_member(data, *at, given), tmp_path)


def test_what_was_not_given_is_not_given_after_it(tmp_path: Path) -> None:
    loaded = load_data({"routes": [{"name": "a", "respond": {}}]}, tmp_path)
    after = amended(loaded, "routes", "a", {"name": "a", "respond": {"body": "b"}}, tmp_path)
    assert after is not None
    assert document_of(after).keys() == {"routes"}


def test_a_member_that_names_files_is_left_to_a_look_at_the_whole(tmp_path: Path, certificates: Path) -> None:
    tls = {"certificates": [{"cert": str(certificates / "cert.pem"), "key": str(certificates / "key.pem")}]}
    secure = {"name": "secure", "address": "127.0.0.1:8443", "tls": tls}
    loaded = load_data(SERVED, tmp_path)
    with_files = amended(loaded, "listeners", "secure", secure, tmp_path)
    assert with_files is not None
    assert (
        with_files.files.keys()
        == with_files.contents.keys()
        == {certificates / "cert.pem", certificates / "key.pem"}
    )
    assert amended(with_files, "listeners", "secure", None, tmp_path) is None
    kept = amended(with_files, "routes", "one", {"name": "one", "upstream": "app"}, tmp_path)
    assert kept is not None
    assert kept.contents == with_files.contents


def start(folder: Path, change: Change) -> tuple[Any, Data, Data | None, tuple[str, str]]:
    """What is served, its document, what is given for a member, and which."""
    section, name, edit = change
    data = copy.deepcopy(LIMITED)
    current: Data = next((each for each in data[section] if each["name"] == name), {})
    return load_data(data, folder), data, edit(current), (section, name)
