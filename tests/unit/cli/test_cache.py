"""`tidegate cache`: what is asked of the admin API, and what is printed."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.cli.conftest import Answer, answer, tidegate
from tests.unit.control.fake_engine import ENTRY
from tidegate.cli import output
from tidegate.cli.connection import Connection

URL = "http://shop.example/p/42?size=m"
ENTRIES = "GET /v1/cache/entries?url=http%3A%2F%2Fshop.example%2Fp%2F42%3Fsize%3Dm"
CACHE = {
    "name": "main",
    "memory_bytes": 512_000_000,
    "used_bytes": 1_500_000,
    "filling_bytes": 999,
    "objects": 12,
    "fills": 1,
    "disk": {
        "path": "/var/cache/tidegate",
        "size_bytes": 50_000_000_000,
        "used_bytes": 2_000_000,
        "objects": 99,
    },
    "purges": None,
}
STORED = {**ENTRY, "cache": "main", "url": URL}
Said = Callable[[], str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What was printed, with one blank between words."""
    return lambda: " ".join(capsys.readouterr().out.split())


def test_status_is_a_table_of_caches(
    monkeypatch: pytest.MonkeyPatch, said: Said, answers: dict[str, Answer]
) -> None:
    answers["GET /v1/cache"] = answer(200, [CACHE])
    assert tidegate(monkeypatch, "cache", "status") == 0
    assert said().endswith("main 1.5 MB 512.0 MB 999 B 12 1 2.0 MB 50.0 GB 99")
    assert tidegate(monkeypatch, "cache", "status", "--json") == 0
    assert json.loads(said()) == [CACHE]


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({}, "main: purges of other gateways are read, the last is 17-0"),
        (
            {"up": False, "cause": "no answer within 250ms", "waiting": 3},
            "main: purges of other gateways are not read: no answer within 250ms; "
            "they have not been told of 3 yet",
        ),
    ],
)
def test_status_tells_how_far_the_purges_of_other_gateways_are_read(
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
    answers: dict[str, Answer],
    state: dict[str, Any],
    shown: str,
) -> None:
    shared = {"store": "fleet", "stream": "tidegate:purges", "place": "17-0", "waiting": 0}
    answers["GET /v1/cache"] = answer(
        200, [{**CACHE, "purges": {"up": True, "cause": None, **shared, **state}}]
    )
    assert tidegate(monkeypatch, "cache", "status") == 0
    assert said().endswith(shown)


@pytest.mark.parametrize(
    ("differently", "shown"),
    [
        ({}, "200 4.1 KB 1m 1s for 3m 58s max-age 7 accept-encoding: gzip a1"),
        ({"age_seconds": 300.0}, "5m stale for 0s max-age"),
        ({"age_seconds": 4_200.0}, "1h 10m stale for 1h 5m max-age"),
        ({"soft_purged": True}, "1m 1s purged max-age"),
        ({"held_bytes": 100}, "200 100 B of 4.1 KB 1m 1s"),
        ({"vary": {"accept": None, "x-a": "b"}, "tags": []}, "7 accept, x-a: b"),
    ],
)
def test_what_is_stored_is_a_table_of_variants(
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
    answers: dict[str, Answer],
    differently: dict[str, Any],
    shown: str,
) -> None:
    answers[ENTRIES] = answer(200, [{**STORED, **differently}])
    assert tidegate(monkeypatch, "cache", "show", URL) == 0
    told = said()
    assert f"{ENTRY['key']} main memory 200" in told
    assert shown in told


def test_that_nothing_is_stored_is_said(
    monkeypatch: pytest.MonkeyPatch, said: Said, answers: dict[str, Answer]
) -> None:
    answers[f"{ENTRIES}&cache=main"] = answer(200, [])
    assert tidegate(monkeypatch, "cache", "show", URL, "--cache", "main") == 0
    assert said() == "Nothing is stored of it."
    assert tidegate(monkeypatch, "cache", "show", URL, "--cache", "main", "--json") == 0
    assert said() == "[]"


@pytest.mark.parametrize(
    ("options", "asked", "shown"),
    [
        (["--url", URL], {"url": URL}, f"url {URL} is purged in all caches"),
        (["--entry", "ab" * 16], {"key": "ab" * 16}, f"key {'ab' * 16} is purged in all caches"),
        (["--tag", "p42", "--soft"], {"tag": "p42", "soft": True}, "tag p42 is stale from now on in all"),
        (["--prefix", "http://a/i/"], {"prefix": "http://a/i/"}, "prefix http://a/i/ is purged"),
        (["--host", "[a]"], {"host": "[a]"}, "host [a] is purged in all caches"),
        (["--all", "--cache", "main"], {"all": True, "cache": "main"}, "everything is purged in cache main"),
    ],
)
@pytest.mark.parametrize("untold", [[], ["main", "images"]], ids=str)
def test_a_purge_is_sent_and_told(
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
    options: list[str],
    asked: dict[str, Any],
    shown: str,
    untold: list[str],
) -> None:
    nothing = dict.fromkeys(("url", "key", "tag", "prefix", "host", "all", "cache"))
    bodies = []

    def sent_to(_: Any, method: str, path: str, body: Any) -> Answer:
        assert (method, path) == ("POST", "/v1/cache/purge")
        bodies.append(body)
        return answer(200, {**nothing, **body, "untold": untold})

    monkeypatch.setattr(Connection, "send", sent_to)
    assert tidegate(monkeypatch, "cache", "purge", *options) == 0
    assert bodies == [{"cache": None, "soft": False, **asked}]
    told = said()
    assert shown in told
    assert told.endswith("have not been told yet, the store is away: main, images") == bool(untold)


@pytest.mark.parametrize("options", [[], ["--soft"], ["--all", "--tag", "a"], ["--url", URL, "--host", "a"]])
def test_a_purge_is_of_exactly_one_thing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert tidegate(monkeypatch, "cache", "purge", *options) == 2
    assert "exactly one of --url, --entry" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KB"), (2_500_000, "2.5 MB"), (10**13, "10.0 TB")],
)
def test_sizes_are_told_in_their_largest_unit(number: int, text: str) -> None:
    assert output.size(number) == text


STORY: dict[str, Any] = {
    **dict.fromkeys(
        ("host", "error", "detail", "subject", "access", "prediction", "unpicked", "rule", "upstream")
    ),
    "method": "GET",
    "path": "/p/42",
    "status": 200,
    "time": "2026-11-26T10:00:00Z",
    "listener": "web",
    "reason": "sampled",
    "route": "shop",
    **{name: [] for name in ("phases", "limits", "auth", "tries", "considered")},
}


@pytest.mark.parametrize(
    ("cache", "shown"),
    [
        ({"result": "bypass"}, "cache main: bypass, key ab"),
        (
            {"result": "hit", "age": 3, "ttl": 57, "freshness": "max-age"},
            "cache main: hit; 3 s old, fresh for 57 s by max-age, key ab",
        ),
        (
            {"result": "miss", "forwarded": "uri-miss", "reason": "no-store"},
            "cache main: miss (uri-miss, no-store), key ab",
        ),
        (
            {"result": "miss", "forwarded": "uri-miss", "slices": False},
            "cache main: miss (uri-miss), not by slices: the origin answers no ranges of it, key ab",
        ),
        ({"result": "miss", "forwarded": "partial", "slices": True}, "cache main: miss (partial), key ab"),
        (
            {"result": "stale", "age": 9, "ttl": -3, "freshness": "expires", "reason": "disconnected"},
            "cache main: stale; 9 s old, stale for 3 s by expires (disconnected), key ab",
        ),
    ],
)
def test_explain_says_what_a_cache_decided(
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
    answers: dict[str, Answer],
    cache: dict[str, Any],
    shown: str,
) -> None:
    absent = dict.fromkeys(("age", "ttl", "freshness", "forwarded", "reason", "slices"))
    decision = {"cache": "main", "key": "ab", **absent, **cache}
    answers["GET /v1/explain/a"] = answer(200, {**STORY, "cache": decision})
    assert tidegate(monkeypatch, "explain", "a") == 0
    assert said().endswith(shown)
    answers["GET /v1/explain/a"] = answer(200, {**STORY, "cache": None})
    assert tidegate(monkeypatch, "explain", "a") == 0
    assert "cache" not in said()
