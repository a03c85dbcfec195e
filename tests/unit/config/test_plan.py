"""The plan, and the way back from it."""

import json
from collections.abc import Callable

import pytest

from tidegate.config.load import Loaded
from tidegate.config.plan import build_plan, problems_from_engine


def endpoints(count: int) -> list[str]:
    return [f"127.0.0.1:{port}" for port in range(1, count + 1)]


@pytest.mark.parametrize(
    ("count", "written", "choices"), [(16, "", None), (17, "", 5), (17, ", choices: 2", 2)]
)
def test_least_request_compares_all_of_a_few_and_draws_among_many(
    load: Callable[..., Loaded], count: int, written: str, choices: int | None
) -> None:
    balance = f"{{policy: least_request{written}}}"
    text = f"upstreams: [{{name: a, balance: {balance}, endpoints: {endpoints(count)}}}]"
    assert build_plan(load(text)).data["upstreams"][0]["balance"]["choices"] == choices


def test_the_plan_has_every_field_and_nothing_of_the_control_plane(load: Callable[..., Loaded]) -> None:
    plan = build_plan(load("routes: [{name: a, upstream: b}]\nupstreams: [{name: b, endpoints: ['h:1']}]\n"))
    assert json.loads(plan.json) == plan.data
    assert set(plan.data) == {
        "name",
        "zone",
        "workers",
        "drain_timeout",
        "access_log",
        "explain",
        "listeners",
        "routes",
        "upstreams",
        "rate_limits",
        "authenticators",
        "stores",
        "caches",
    }
    assert plan.data["routes"][0]["timeout"] is None
    assert plan.data["routes"][0]["limits"] == {"body": 1 << 30, "rate": []}
    assert plan.data["upstreams"][0]["endpoints"] == [
        {
            "address": "h:1",
            "weight": 1,
            "drain": False,
            "priority": 0,
            "zone": None,
            "labels": {},
            "maintenance": None,
        }
    ]


def test_the_engines_errors_get_their_places(load: Callable[..., Loaded]) -> None:
    loaded = load("routes:\n  - name: a\n    respond: {}\n    match: {path: {regex: '('}}\n")
    errors = [("routes.0.match.path.regex", "is no expression"), ("routes.0.retry.attempts", "x"), ("", "y")]
    problems = problems_from_engine(errors, loaded.source)
    assert [(problem.line, problem.column) for problem in problems] == [(4, 27), (2, 5), (1, 1)]
    assert problems[0].path == "routes.0.match.path.regex"
