"""Caches: what is read, what is a mistake, and what the plan holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.config.conftest import Find
from tidegate.config.load import Loaded
from tidegate.config.model import Cache, CacheCondition, CacheKeyQuery, Route, RouteCache
from tidegate.config.plan import build_plan

SERVED = (
    "listeners: [{name: web, address: '127.0.0.1:80'}]\nupstreams: [{name: u, endpoints: ['h:1']}]\n"
    "caches: [{name: main}]\n"
)


def routed(cache: str) -> str:
    """A configuration with a route that has this cache, in its last line."""
    return f"{SERVED}routes: [{{name: a, upstream: u, cache: {cache}}}]"


def test_a_name_alone_stands_for_all_defaults(load: Callable[..., Loaded]) -> None:
    plans = [build_plan(load(routed(cache))) for cache in ("main", "{name: main}")]
    assert plans[0].data == plans[1].data
    assert plans[0].data["caches"] == [
        {
            "name": "main",
            "memory": 256_000_000,
            "max_object": 32_000_000,
            "disk": None,
            "purges": None,
        }
    ]
    assert plans[0].data["routes"][0]["cache"] == {
        "name": "main",
        "key": {
            "query": {"allow": None, "deny": None, "sort": False},
            "headers": [],
            "cookies": [],
            "route": False,
        },
        "ttl": {},
        "stale": {"if_error": 0, "if_disconnected": 3_600_000, "while_revalidate": 0},
        "tags": ["surrogate-key", "cache-tag"],
        "lock": 5_000,
        "targeted": ["CDN-Cache-Control"],
        "set_cookie": "explicit",
        "request_directives": "ignore",
        "vary": "normalised",
        "ignore": [],
        "bypass": [],
        "no_store": [],
        "min_uses": 1,
        "slice": None,
        "purge_from": [],
        "purge_token_file": None,
    }


def test_a_token_to_purge_with_is_read_from_its_file(
    load: Callable[..., Loaded], problems: Find, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    loaded = load(routed("{name: main, purge_from: [10.0.0.0/8], purge_token_file: token}"))
    (route,) = build_plan(loaded).data["routes"]
    assert route["cache"]["purge_from"] == ["10.0.0.0/8"]
    assert route["cache"]["purge_token_file"] == "0123456789abcdef"
    (tmp_path / "token").write_text("short\n")
    (problem,) = problems(routed("{name: main, purge_token_file: token}"))
    assert (problem.path, problem.line) == ("routes.0.cache.purge_token_file", 4)
    assert "at least 16 characters" in problem.message


def test_purges_are_shared_through_a_store_that_is_there(load: Callable[..., Loaded], problems: Find) -> None:
    config = (
        "listeners: [{name: web, address: '127.0.0.1:80'}]\n"
        "stores: [{name: fleet, valkey: {address: 'h:6379'}}]\n"
        "caches: [{name: main, purges: %s}]\n"
    )
    (cache,) = build_plan(load(config % "{store: fleet}")).data["caches"]
    assert cache["purges"] == {"store": "fleet", "stream": "tidegate:purges"}
    (problem,) = problems(config % "{store: fleat}")
    assert (problem.path, problem.line) == ("caches.0.purges.store", 3)
    assert (problem.message, problem.hint) == ("unknown store 'fleat'", "did you mean fleet?")
    (problem,) = problems(config % "{store: fleet, stream: ''}")
    assert (problem.path, problem.line) == ("caches.0.purges.stream", 3)
    (problem,) = problems(config % "{stream: a}")
    assert problem.path == "caches.0.purges.store"


def test_what_is_no_network_is_told_with_its_place(problems: Find) -> None:
    (problem,) = problems(routed("{name: main, purge_from: [everywhere]}"))
    assert (problem.path, problem.line) == ("routes.0.cache.purge_from.0", 4)


def test_options_are_read_as_people_write_them(load: Callable[..., Loaded]) -> None:
    options = "{name: main, ttl: {404: 10s, 5XX: 1s}, stale: {if_error: 10m}, key: {query: {deny: [utm_*]}}}"
    (route,) = build_plan(load(routed(options))).data["routes"]
    assert route["cache"]["ttl"] == {"404": 10_000, "5xx": 1_000}
    assert route["cache"]["stale"]["if_error"] == 600_000
    assert route["cache"]["key"]["query"]["deny"] == ["utm_*"]


@pytest.mark.parametrize("cache", ["mian", "{name: mian}"])
def test_a_cache_that_is_not_there_is_told_with_its_place(problems: Find, cache: str) -> None:
    (problem,) = problems(routed(cache))
    assert (problem.message, problem.hint) == ("unknown cache 'mian'", "did you mean main?")
    assert problem.line == 4
    assert problem.path in {"routes.0.cache", "routes.0.cache.name"}


def test_every_mistake_is_told_at_once_and_a_misspelt_word_with_what_may_be_meant(problems: Find) -> None:
    options = (
        "{name: main, ttl: {4004: 10s}, set_cookie: stripp, key: {headers: [a b]}, min_uses: 0, "
        "stael: {}, bypass: [{}], lock: soon}"
    )
    told = {problem.path.removeprefix("routes.0.cache."): problem for problem in problems(routed(options))}
    assert told.keys() == {
        "ttl.4004",
        "set_cookie",
        "key.headers.0",
        "min_uses",
        "stael",
        "bypass.0",
        "lock",
    }
    assert "a status like 404 or a class like 5xx" in told["ttl.4004"].message
    assert (told["set_cookie"].hint, told["stael"].hint) == ("did you mean strip?", "did you mean stale?")


@pytest.mark.parametrize("statuses", ["200", "404", "599", "2xx", "5XX"])
def test_statuses_are_one_or_a_class(statuses: str) -> None:
    assert RouteCache(name="main", ttl={statuses: 1}).ttl == {statuses.lower(): 1}


@pytest.mark.parametrize("statuses", ["", "1xx", "101", "199", "600", "6xx", "40", "4x", "4xxx", "ok", "٤٠٤"])
def test_what_is_no_status_is_refused(statuses: str) -> None:
    with pytest.raises(ValidationError, match="expected a status like 404 or a class like 5xx"):
        RouteCache(name="main", ttl={statuses: 1})


def test_parameters_are_allowed_or_denied_by_name_or_beginning() -> None:
    assert CacheKeyQuery(deny=("*",)).deny == ("*",)
    assert CacheKeyQuery(allow=()).allow == ()
    with pytest.raises(ValidationError, match="at most one of allow, deny"):
        CacheKeyQuery(allow=("a",), deny=("b",))
    with pytest.raises(ValidationError, match="a \\* at the end"):
        CacheKeyQuery(deny=("*_source",))


def test_a_condition_asks_for_something() -> None:
    assert CacheCondition(methods=("head",)).methods == ("HEAD",)
    with pytest.raises(ValidationError, match="expected at least one of methods, headers, query and cookies"):
        CacheCondition()


def test_what_could_never_be_stored_is_refused() -> None:
    assert Cache(name="small", memory=2_000_000).max_object == 32_000_000
    with pytest.raises(ValidationError, match="expected max_object of at most a fifth"):
        Cache(name="small", memory=2_000_000, max_object=400_001)


@pytest.mark.parametrize("action", [{"respond": {}}, {"redirect": {"scheme": "https"}}], ids=str)
def test_only_what_an_upstream_answers_is_stored(action: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected cache with upstream or split"):
        Route.model_validate({"name": "a", "cache": "main", **action})
    split = {"split": [{"upstream": "u"}]}
    assert Route.model_validate({"name": "a", "cache": "main", **split}).cache == RouteCache(name="main")


@pytest.mark.parametrize("name", ["Cookie", "authorization", "User-Agent", "accept-encoding", "range"])
def test_a_key_that_leaves_each_client_alone_is_remarked_on(load: Callable[..., Loaded], name: str) -> None:
    (warning,) = load(routed(f"{{name: main, key: {{headers: [x-tenant, {name}]}}}}")).warnings
    assert (warning.path, warning.line) == ("routes.0.cache.key.headers.1", 4)
    assert f"hardly two clients send the same {name}" in warning.message
    assert warning.hint


def test_freshness_that_no_one_says_is_remarked_on(load: Callable[..., Loaded]) -> None:
    ignoring = "{name: main, ignore: [cache-control, expires]%s}"
    (warning,) = load(routed(ignoring % "")).warnings
    assert (warning.path, warning.hint) == ("routes.0.cache.ignore", "give ttl, as {200: 10m}")
    assert load(routed(ignoring % ", ttl: {2xx: 1m}")).warnings == ()


def test_a_cache_that_no_route_names_is_remarked_on(load: Callable[..., Loaded]) -> None:
    (warning,) = load(routed("main").replace("[{name: main}]", "[{name: main}, {name: old}]")).warnings
    assert (warning.path, warning.message) == ("caches.1.name", "nothing uses the cache 'old'")


def disks(*disks: str) -> str:
    """A configuration with a cache for each of these disks."""
    caches = ", ".join(f"{{name: c{number}, disk: {disk}}}" for number, disk in enumerate(disks))
    return f"caches: [{caches}]"


def test_a_disk_is_a_path_beside_the_file_and_a_size(load: Callable[..., Loaded]) -> None:
    (cache,) = build_plan(load(disks("{path: cache, size: 50GB}"))).data["caches"]
    path = cache["disk"].pop("path")
    assert path.startswith("/") and path.endswith("/cache")
    assert cache["disk"] == {"size": 50_000_000_000, "admit": "second_request"}


def test_two_caches_with_one_directory_are_a_mistake(problems: Find) -> None:
    (problem,) = problems(
        disks("{path: /a/b, size: 1GB}", "{path: /a/b/../b/, size: 1GB}", "{path: /a, size: 1GB}")
    )
    assert problem.path == "caches.1.disk.path"
    assert problem.message == "another cache has the path '/a/b'"


def test_what_is_wrong_with_a_disk_is_told(problems: Find) -> None:
    found = {problem.path for problem in problems(disks("{size: 1KB}", "{path: a, size: 1GB, admit: never}"))}
    assert found == {"caches.0.disk.path", "caches.0.disk.size", "caches.1.disk.admit"}
