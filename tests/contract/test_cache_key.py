"""What the engine refuses in a cache's key is told with its place."""

from pathlib import Path
from typing import Any

import pytest

from tidegate._engine import inspect
from tidegate.config.load import load_data
from tidegate.config.plan import build_plan, engine_errors


def errors(key: dict[str, Any]) -> list[tuple[str, str]]:
    """What the engine finds wrong with a route whose cache has this key."""
    cache = {"name": "main", "key": key}
    loaded = load_data(
        {
            "listeners": [{"name": "web", "address": "127.0.0.1:0"}],
            "routes": [{"name": "all", "upstream": "app", "cache": cache}],
            "upstreams": [{"name": "app", "endpoints": ["127.0.0.1:1"]}],
            "caches": [{"name": "main"}],
        },
        Path(),
    )
    return engine_errors(build_plan(loaded), inspect)


@pytest.mark.parametrize("name", ["Connection", "te", "Keep-Alive", "upgrade"])
def test_a_field_of_a_connection_is_no_part_of_a_key(name: str) -> None:
    ((path, message),) = errors({"headers": ["x-tenant", name]})
    assert path == "routes.0.cache.key.headers.1"
    assert "belongs to one connection" in message


def test_what_is_no_cookie_is_no_part_of_a_key() -> None:
    ((path, message),) = errors({"cookies": ["a b"]})
    assert path == "routes.0.cache.key.cookies.0"
    assert "not the name of a cookie" in message


def test_other_keys_are_fine() -> None:
    assert errors({"headers": ["x-tenant"], "cookies": ["currency"], "query": {"deny": ["utm_*"]}}) == []
