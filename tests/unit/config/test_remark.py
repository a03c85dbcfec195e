"""What is no mistake, but hardly meant: warnings."""

from collections.abc import Callable

import pytest

from tidegate.config.load import Loaded

LISTENER = "listeners: [{name: web, address: '127.0.0.1:80'}, {name: tls, address: '127.0.0.1:81'}]\n"


def test_a_configuration_that_serves_nothing_is_remarked_on(load: Callable[..., Loaded]) -> None:
    listener = "listeners: [{name: web, address: '127.0.0.1:80'}]\n"
    routes = "routes: [{name: all, respond: {}}]\n"
    assert ["no request can come in" in str(each) for each in load(routes).warnings] == [True]
    assert ["every request gets a 404" in str(each) for each in load(listener).warnings] == [True]
    assert load(listener + routes).warnings == ()


def test_a_share_that_looks_like_one_of_one_is_remarked_on(load: Callable[..., Loaded]) -> None:
    serves = "listeners: [{name: web, address: '127.0.0.1:80'}]\nroutes: [{name: all, respond: {}}]\n"
    (warning,) = load(serves + "explain: {sample: 0.01}").warnings
    assert (warning.path, warning.line) == ("explain.sample", 3)
    assert "this is 0.01 %" in warning.message
    assert warning.hint == "write 1 for that share of all; 0.01% is understood as it stands"
    for plain in ("1", "0", "0.01%", "1.5"):
        assert load(serves + f"explain: {{sample: {plain}}}").warnings == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", ""),
        ("match: {path: {prefix: /}}", ""),
        ("match: {path: {prefix: /v1}}", "match: {path: {prefix: /v1/}}"),
        ("match: {path: {template: '/a/{x}/{*y}'}}", "match: {path: {template: '/a/{id}/{*rest}'}}"),
        ("match: {hosts: [a.com, b.com]}", "match: {hosts: [B.com]}"),
        ("match: {methods: [GET, HEAD]}", "match: {methods: [head, get]}"),
        (
            "match: {headers: [{name: X-A, exact: b}, {name: c, present: true}]}",
            "match: {headers: [{name: c, present: true}, {name: x-a, exact: b}]}",
        ),
        ("listeners: [web, tls]", "listeners: [tls]"),
    ],
)
def test_a_route_that_another_takes_all_from_is_remarked_on(
    load: Callable[..., Loaded], first: str, second: str
) -> None:
    text = (
        f"{LISTENER}routes:\n- {{name: a, respond: {{}}, {first}}}\n- {{name: b, respond: {{}}, {second}}}\n"
    )
    (warning,) = load(text).warnings
    assert (warning.path, warning.line) == ("routes.1.name", 4)
    assert "no request can reach this route: 'a' before it" in warning.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("match: {hosts: [a.com]}", "match: {hosts: [b.com]}"),
        ("match: {hosts: [a.com]}", ""),
        ("", "match: {hosts: [a.com]}"),
        ("", "listeners: [web]"),
        ("listeners: [web]", ""),
        ("match: {path: {exact: /a}}", "match: {path: {prefix: /a}}"),
        ("match: {cookies: [{name: A, exact: b}]}", "match: {cookies: [{name: a, exact: b}]}"),
        ("match: {path: {template: '/{a}'}}", "match: {path: {template: '/{*a}'}}"),
    ],
)
def test_routes_that_differ_are_not_remarked_on(load: Callable[..., Loaded], first: str, second: str) -> None:
    text = (
        f"{LISTENER}routes:\n- {{name: a, respond: {{}}, {first}}}\n- {{name: b, respond: {{}}, {second}}}\n"
    )
    assert load(text).warnings == ()


def test_an_upstream_without_routes_or_endpoints_is_remarked_on(load: Callable[..., Loaded]) -> None:
    text = (
        "routes: [{name: a, split: [{upstream: one}], mirror: {upstream: two}}]\n"
        "upstreams:\n- {name: one, endpoints: ['h:1']}\n- {name: two, endpoints: []}\n"
        "- {name: three, endpoints: ['h:1']}\n"
    )
    found = [(each.path, each.line) for each in load(LISTENER + text).warnings]
    assert found == [("upstreams.2.name", 6), ("upstreams.1.endpoints", 5)]


def test_an_upstream_that_shares_its_name_with_a_listener_is_remarked_on(load: Callable[..., Loaded]) -> None:
    routes = (
        "routes: [{name: all, respond: {}, listeners: [web]}]\nupstreams: [{name: web, endpoints: ['a:1']}]\n"
    )
    (warning,) = load(LISTENER + routes).warnings
    assert "nothing uses the upstream 'web'" in warning.message
