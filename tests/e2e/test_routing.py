"""Routes: which request goes where, and what is done with it on the way."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.message import Echo, Response
from .harness.origin import Origin


def answer(name: str, match: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A route that answers with its own name."""
    return route(name, match=match, respond={"status": 200, "body": name}, **options)


MATCHES = [
    answer("any", {}),
    answer("prefix-v1", {"path": {"prefix": "/v1"}}),
    answer("prefix-v1-users", {"path": {"prefix": "/v1/users"}}),
    answer("exact", {"path": {"exact": "/v1/users"}}),
    answer("template", {"path": {"template": "/v1/users/{id}"}}),
    answer("regex", {"path": {"regex": "/items/[0-9]+"}}),
    answer("host", {"hosts": ["a.example"]}),
    answer("host-prefix", {"hosts": ["a.example"], "path": {"prefix": "/v1"}}),
    answer("wildcard", {"hosts": ["*.example"]}),
    answer("nearer-wildcard", {"hosts": ["*.b.example"]}),
    answer("method", {"path": {"prefix": "/m"}, "methods": ["PUT", "DELETE"]}),
    answer("header", {"path": {"prefix": "/h"}, "headers": [{"name": "X-Team", "exact": "blue"}]}),
    answer("header-regex", {"path": {"prefix": "/h"}, "headers": [{"name": "x-n", "regex": "[0-9]+"}]}),
    answer("header-prefix", {"path": {"prefix": "/h"}, "headers": [{"name": "x-p", "prefix": "ab"}]}),
    answer("header-absent", {"path": {"prefix": "/ha"}, "headers": [{"name": "x-n", "present": False}]}),
    answer("query", {"path": {"prefix": "/q"}, "query": [{"name": "debug", "present": True}]}),
    answer("query-value", {"path": {"prefix": "/qv"}, "query": [{"name": "v", "exact": "a b"}]}),
    answer("cookie", {"path": {"prefix": "/c"}, "cookies": [{"name": "beta", "exact": "on"}]}),
    answer("second", {"path": {"prefix": "/second"}}, listeners=["second"]),
]


@pytest.fixture(scope="module")
def matching(running: Running) -> Iterator[Gateway]:
    """A gateway of which every route answers with its own name."""
    with running({"listeners": [listener("web"), listener("second")], "routes": MATCHES}) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("method", "host", "target", "headers", "taken"),
    [
        ("GET", "x", "/", [], "any"),
        ("GET", "x", "/v1", [], "prefix-v1"),
        ("GET", "x", "/v1/", [], "prefix-v1"),
        ("GET", "x", "/v1/x?y", [], "prefix-v1"),
        ("GET", "x", "/v10", [], "any"),
        ("GET", "x", "/V1", [], "any"),
        ("GET", "x", "/v1/users", [], "exact"),
        ("GET", "x", "/v1/users/7", [], "template"),
        ("GET", "x", "/v1/users/7/x", [], "prefix-v1-users"),
        ("GET", "x", "/items/12", [], "regex"),
        ("GET", "x", "/items/12x", [], "any"),
        ("GET", "a.example", "/", [], "host"),
        ("GET", "A.Example:8080", "/", [], "host"),
        ("GET", "a.example", "/v1/x", [], "host-prefix"),
        ("GET", "c.example", "/", [], "wildcard"),
        ("GET", "c.b.example", "/", [], "nearer-wildcard"),
        ("GET", "example", "/", [], "any"),
        ("PUT", "x", "/m", [], "method"),
        ("GET", "x", "/m", [], "any"),
        ("GET", "x", "/h", [("x-team", "blue")], "header"),
        ("GET", "x", "/h", [("x-team", "blues")], "any"),
        ("GET", "x", "/h", [("X-N", "12")], "header-regex"),
        ("GET", "x", "/h", [("X-N", "12a")], "any"),
        ("GET", "x", "/h", [("X-P", "abc")], "header-prefix"),
        ("GET", "x", "/ha", [], "header-absent"),
        ("GET", "x", "/ha", [("x-n", "a")], "any"),
        ("GET", "x", "/q?debug", [], "query"),
        ("GET", "x", "/q?a=1&debug=2", [], "query"),
        ("GET", "x", "/q?a=debug", [], "any"),
        ("GET", "x", "/qv?v=a%20b", [], "query-value"),
        ("GET", "x", "/qv?v=a+b", [], "query-value"),
        ("GET", "x", "/c", [("Cookie", "a=1; beta=on")], "cookie"),
        ("GET", "x", "/c", [("Cookie", "alphabeta=on")], "any"),
        ("GET", "x", "/second", [], "any"),
    ],
)
def test_a_request_takes_the_nearest_route(
    matching: Gateway, method: str, host: str, target: str, headers: list[tuple[str, str]], taken: str
) -> None:
    with matching.connect() as client:
        assert client.request(target, method=method, headers=[("Host", host), *headers]).text == taken


def test_a_route_may_belong_to_a_listener(matching: Gateway) -> None:
    with matching.connect("second") as client:
        assert client.request("/second").text == "second"


def test_http_2_takes_the_same_routes(matching: Gateway) -> None:
    with H2Client(matching.port(), server_name="a.example") as client:
        assert client.request("/v1/x").text == "host-prefix"


def test_precedence_does_not_depend_on_the_files_order(running: Running) -> None:
    with running({"routes": list(reversed(MATCHES[:10]))}) as gateway, gateway.connect() as client:
        assert client.request("/v1/users").text == "exact"
        assert client.request("/v1/users/7/x").text == "prefix-v1-users"
        assert client.request("/", headers=[("Host", "a.example")]).text == "host"
        assert client.request("/").text == "any"


def test_a_tie_is_broken_by_the_files_order(running: Running) -> None:
    routes = [
        answer(name, {"path": {"prefix": "/x"}, "headers": [{"name": f"x-{name}", "present": True}]})
        for name in ("one", "two")
    ]
    with running({"routes": routes}) as gateway, gateway.connect() as client:
        assert client.request("/x", headers=[("X-One", "1"), ("X-Two", "2")]).text == "one"


@pytest.mark.parametrize(
    "target", ["/v1/../secret", "/v1/%2e%2e/secret", "/%73ecret", "//secret", "/./secret", "/x/%2E%2E/secret"]
)
def test_a_path_in_disguise_does_not_pass_a_closed_route(
    running: Running, origin: Origin, target: str
) -> None:
    """What the gateway matched and what the origin reads must be the same path (RFC 3986 §6)."""
    config = proxy(origin.address)
    config["routes"].append(route("secret", "/secret", respond={"status": 403}))
    with running(config) as gateway, gateway.connect() as client:
        response = client.request(target)
        if response.from_origin:
            # Passed on as it came, so that it is not the gateway's reading but the origin's own.
            assert Echo.of(response).target == target
        else:
            assert response.status in (400, 403, 404)


# Actions


@pytest.fixture(scope="module")
def other_origin() -> Iterator[Origin]:
    with Origin("other") as server:
        yield server


ACTIONS = [
    route("redirect", "/old", redirect={"prefix": "/new"}),
    route("redirect-scheme", "/secure", redirect={"scheme": "https"}),
    route("redirect-host", "/away", redirect={"status": 301, "scheme": "https", "host": "b.example"}),
    route(
        "redirect-template",
        match={"path": {"template": "/u/{id}/{*rest}"}},
        redirect={"status": 302, "path": "/users/{id}/{rest}", "strip_query": True},
    ),
    route(
        "respond", "/teapot", respond={"status": 418, "headers": {"X-Kind": "pot"}, "body": "short\nstout"}
    ),
    route("rewrite-prefix", "/api", rewrite={"prefix": "/"}),
    route("rewrite-path", match={"path": {"template": "/user/{id}"}}, rewrite={"path": "/get/{id}/all"}),
    route(
        "rewrite-named",
        match={"path": {"regex": "/n/(?<first>[a-z]+)-(?<last>[a-z]+)"}},
        rewrite={"path": "/{last}/{first}"},
    ),
    route("rewrite-regex", "/re", rewrite={"regex": {"pattern": "([0-9]+)", "replacement": "<$1>"}}),
    route("rewrite-host", "/host", rewrite={"host": "inner.example"}),
    route(
        "headers",
        "/headers",
        request_headers={"set": {"X-Set": "s"}, "add": {"X-Add": "new"}, "remove": ["X-Gone"]},
        response_headers={"set": {"X-Set": "s"}, "add": {"X-Add": "new"}, "remove": ["X-Gone"]},
    ),
    route("split", "/split", split=[{"upstream": "app", "weight": 3}, {"upstream": "other", "weight": 1}]),
    route(
        "split-none", "/mostly", split=[{"upstream": "app", "weight": 1}, {"upstream": "other", "weight": 0}]
    ),
    route("mirror", "/mirror", mirror={"upstream": "other"}),
    route("mirror-dead", "/mirror-dead", mirror={"upstream": "dead"}),
]


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, other_origin: Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["routes"] += ACTIONS
    config["upstreams"] += [upstream("other", other_origin.address), upstream("dead", "127.0.0.1:1")]
    with running(config) as gateway:
        yield gateway


def ask(gateway: Gateway, target: str, **options: Any) -> Response:
    """The response to one request."""
    with gateway.connect() as client:
        return client.request(target, **options)


@pytest.mark.parametrize(
    ("target", "status", "location"),
    [
        ("/old", 308, "/new"),
        ("/old/a?b=1", 308, "/new/a?b=1"),
        ("/away/x?y", 301, "https://b.example/away/x?y"),
        ("/u/7/a/b?c", 302, "/users/7/a/b"),
    ],
)
def test_a_redirect_leads_elsewhere(gateway: Gateway, target: str, status: int, location: str) -> None:
    response = ask(gateway, target, headers=[("Host", "a.example")])
    assert response.status == status
    # An absolute location that stays on this host says the same as a relative one.
    assert (response.header("location") or "").removeprefix("http://a.example") == location


@pytest.mark.parametrize(
    ("target", "status", "location"),
    [
        ("/old/a?b", 308, "/new/a?b"),
        ("/away", 301, "https://b.example/away"),
        ("/secure", 400, None),
    ],
)
def test_a_redirect_of_a_request_without_host_is_a_path_or_none(
    gateway: Gateway, target: str, status: int, location: str | None
) -> None:
    """RFC 9110 §10.2.2: a reference may be relative; it cannot lead to another scheme then."""
    with gateway.connect() as client:
        client.send(f"GET {target} HTTP/1.0\r\n\r\n")
        response = client.read_response()
    assert (response.status, response.header("location")) == (status, location)


@pytest.mark.parametrize("target", ["/old/%0d%0aX-Evil:%201", "/u/%0d%0aX-Evil:%201/b", "/old//evil.example"])
def test_a_redirect_cannot_be_split_or_led_astray(gateway: Gateway, target: str) -> None:
    response = ask(gateway, target)
    assert response.header("x-evil") is None
    assert not (response.header("location") or "").startswith("//")


def test_a_fixed_response_is_given(gateway: Gateway, origin: Origin) -> None:
    response = ask(gateway, "/teapot/x")
    assert (response.status, response.header("x-kind"), response.text) == (418, "pot", "short\nstout")
    assert response.header("content-type") == "text/plain; charset=utf-8"
    assert ask(gateway, "/teapot", method="HEAD").header("content-length") == "11"
    assert not origin.requests


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/api", "/"),
        ("/api/", "/"),
        ("/api/a%2Fb/c?d=e", "/a%2Fb/c?d=e"),
        ("/user/7?x=1", "/get/7/all?x=1"),
        ("/user/a%20b", "/get/a%20b/all"),
        ("/n/ada-lovelace", "/lovelace/ada"),
        ("/re/12/34?5", "/re/<12>/<34>?5"),
    ],
)
def test_a_path_is_rewritten(gateway: Gateway, origin: Origin, target: str, sent: str) -> None:
    seen = Echo.of(ask(gateway, target)).target
    assert seen.replace("%3C", "<").replace("%3E", ">") == sent


def test_a_host_is_rewritten(gateway: Gateway, origin: Origin) -> None:
    seen = Echo.of(ask(gateway, "/host", headers=[("Host", "outer.example")]))
    assert seen.values("host") == ["inner.example"]
    assert seen.header("x-forwarded-host") == "outer.example"


def test_request_headers_are_edited(gateway: Gateway, origin: Origin) -> None:
    headers = [("X-Set", "old"), ("X-Set", "old2"), ("X-Add", "old"), ("X-Gone", "1")]
    seen = Echo.of(ask(gateway, "/headers", headers=headers))
    assert seen.values("x-set") == ["s"]
    assert seen.values("x-add") == ["old", "new"]
    assert seen.values("x-gone") == []


def test_response_headers_are_edited(gateway: Gateway, origin: Origin) -> None:
    headers = [("X-Set", "old"), ("X-Set", "old2"), ("X-Add", "old"), ("X-Gone", "1")]
    origin.on("/headers", answers.fixed(headers=headers))
    response = ask(gateway, "/headers")
    assert response.values("x-set") == ["s"]
    assert response.values("x-add") == ["old", "new"]
    assert response.values("x-gone") == []


def test_a_split_shares_out_by_weight(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        counts = Counter(Echo.of(client.request("/split")).origin for _ in range(400))
        assert {Echo.of(client.request("/mostly")).origin for _ in range(50)} == {"origin"}
    # Three quarters of 400, with more than six standard deviations of room where chance decides.
    assert 240 <= counts["origin"] <= 360


def test_a_mirror_gets_a_copy_and_its_answer_is_forgotten(
    gateway: Gateway, origin: Origin, other_origin: Origin
) -> None:
    other_origin.forget()
    other_origin.on("/mirror/x", answers.fixed(500))
    response = ask(gateway, "/mirror/x?y=1", method="POST", body=b"content", headers=[("X-A", "1")])
    assert Echo.of(response).origin == "origin"
    other_origin.wait(lambda: any(r.body_complete for r in other_origin.requests), "the copy arrives")
    copy = other_origin.requests[0]
    assert (copy.method, copy.target, copy.length, copy.header("x-a")) == ("POST", "/mirror/x?y=1", 7, "1")


def test_a_mirror_that_hangs_or_is_dead_harms_nobody(
    gateway: Gateway, origin: Origin, other_origin: Origin
) -> None:
    other_origin.on("/mirror/x", answers.hang())
    with gateway.connect() as client:
        for _ in range(20):
            assert client.request("/mirror/x", method="POST", body=b"x" * 100_000).status == 200
            assert client.request("/mirror-dead").status == 200
