"""Forward auth: what a service is asked, what its answers mean, and what becomes of bad ones."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import StartGateway
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Config, Gateway
from .harness.h2client import H2Client
from .harness.message import Echo, Fields, Response
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually

PASS: Fields = [("X-User", "ann"), ("X-Groups", "staff"), ("X-Groups", "ops"), ("X-Other", "1")]


@pytest.fixture
def authz() -> Iterator[Origin]:
    """The service that is asked; it lets everything pass."""
    with Origin("authz") as server:
        server.on("/check", answers.fixed(200, PASS, b"fine"))
        yield server
        assert not server.malformed


Ask = Callable[..., Gateway]


@pytest.fixture
def guarded(start_gateway: StartGateway, origin: Origin, authz: Origin) -> Ask:
    """Starts a gateway that asks the service about everything but `/open`."""
    return lambda **options: start_gateway(config(origin, authz, **options))


def config(origin: Origin, authz: Origin, **options: Any) -> Config:
    """The service is an upstream like any other."""
    settings = {"path": "/check", "take_headers": ["X-User", "X-Groups"], **options}
    made = proxy(origin.address)
    made["upstreams"].append(upstream("authz", authz.address))
    made["authenticators"] = [{"name": "central", "forward": {"upstream": "authz", **settings}}]
    made["routes"] = [route("open", "/open"), route("all", "/", access={"authenticate": ["central"]})]
    return made


def ask(gateway: Gateway, target: str = "/x", **options: Any) -> Response:
    with gateway.connect() as client:
        return client.request(target, **options)


def test_the_service_is_asked_by_the_fields_that_its_kind_reads(guarded: Ask, authz: Origin) -> None:
    gateway = guarded()
    fields = [
        ("Host", "shop.example"),
        ("Cookie", "session=1"),
        ("Authorization", "Bearer abc"),
        ("X-Forwarded-Uri", "/evil"),
        ("X-Original-URL", "http://evil.example/"),
        ("X-Original-Method", "GET"),
        ("If-None-Match", '"a"'),
        ("Range", "bytes=0-1"),
    ]
    assert ask(gateway, "/orders?id=7", method="POST", headers=fields, body=b"12345").status == 200
    (asked,) = authz.requests
    assert (asked.method, asked.target, asked.length) == ("GET", "/check", 0)
    for name, value in [
        ("host", "shop.example"),
        ("cookie", "session=1"),
        ("authorization", "Bearer abc"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-uri", "/orders?id=7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-original-method", "POST"),
        ("x-original-uri", "/orders?id=7"),
        ("x-original-url", "http://shop.example/orders?id=7"),
    ]:
        assert asked.values(name) == [value], name
    names = {name.lower() for name, _ in asked.headers}
    assert not names & {"content-length", "transfer-encoding", "if-none-match", "range"}


def test_a_service_may_be_asked_with_the_requests_own_method_and_target(guarded: Ask, authz: Origin) -> None:
    gateway = guarded(path="/prefix", append_target=True, method="original", send_headers=["authorization"])
    fields = [("Authorization", "Bearer abc"), ("Cookie", "session=1")]
    ask(gateway, "/orders?id=7", method="POST", headers=fields, body=b"12345")
    (asked,) = authz.requests
    assert (asked.method, asked.target, asked.length) == ("POST", "/prefix/orders?id=7", 0)
    assert asked.header("authorization") == "Bearer abc"
    assert asked.header("cookie") is None


def test_a_request_that_may_pass_goes_on_with_what_was_taken(guarded: Ask, origin: Origin) -> None:
    gateway = guarded()
    with H2Client(gateway.port()) as h2:
        over_h2 = Echo.of(h2.request("/x", headers=[("x-user", "root"), ("x_user", "root")]))
    over_h1 = Echo.of(ask(gateway, headers=[("X-User", "root"), ("X_User", "root"), ("x-other", "mine")]))
    for seen in (over_h1, over_h2):
        assert seen.values("x-user") == ["ann"]
        assert seen.values("x-groups") == ["staff, ops"]
        assert not seen.values("x_user")
    assert over_h1.values("x-other") == ["mine"], "it is not taken, and so not set"


def test_a_field_that_the_answer_lacks_is_not_the_clients_to_give(
    guarded: Ask, authz: Origin, origin: Origin
) -> None:
    authz.on("/check", answers.fixed(204))
    gateway = guarded()
    for target in ("/x", "/open"):
        assert Echo.of(ask(gateway, target, headers=[("X-User", "root")])).header("x-user") is None


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (401, [("WWW-Authenticate", 'Basic realm="a"')]),
        (403, [("X-Reason", "not yours")]),
        (302, [("Location", "https://id.example/login"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
        (307, [("Location", "/login")]),
    ],
)
def test_the_services_refusal_is_the_clients_answer(
    guarded: Ask, authz: Origin, origin: Origin, status: int, fields: Fields
) -> None:
    authz.on("/check", answers.fixed(status, [*fields, ("Content-Type", "text/plain")], b"go away"))
    response = ask(guarded())
    assert (response.status, response.body) == (status, b"go away")
    for name in {name for name, _ in fields}:
        assert response.values(name) == [value for each, value in fields if each == name]
    assert not origin.requests


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_any_other_answer_says_nothing(guarded: Ask, authz: Origin, origin: Origin, status: int) -> None:
    authz.on("/check", answers.fixed(status, body=b"secret of the service"))
    response = ask(guarded(retry={"attempts": 1}))
    assert response.status == 503
    assert b"secret" not in response.body
    assert b"auth_unavailable" in response.body
    assert not origin.requests


def test_a_request_may_go_on_where_the_service_says_nothing(
    guarded: Ask, authz: Origin, origin: Origin
) -> None:
    authz.on("/check", answers.fixed(500, PASS))
    seen = Echo.of(ask(guarded(on_failure="allow", retry={"attempts": 1}), headers=[("X-User", "root")]))
    assert seen.header("x-user") is None


BAD = {
    "hangs": answers.hang(),
    "dies": answers.reset(),
    "dies in the middle": answers.reset(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
    "is no HTTP": answers.raw(b"hello\r\n\r\n", close=True),
    "never ends": answers.endless(),
}


@pytest.mark.parametrize("how", ["hangs", "dies", "dies in the middle", "is no HTTP"])
def test_a_service_that_fails_refuses(guarded: Ask, authz: Origin, origin: Origin, how: str) -> None:
    authz.on("/check", BAD[how])
    gateway = guarded(timeout="300ms")
    response = ask(gateway)
    assert response.status == 503
    assert not origin.requests
    authz.on("/check", answers.fixed(200, PASS))
    eventually(lambda: ask(gateway).status == 200, "the service is asked again")


def test_a_service_that_is_not_there_refuses(
    start_gateway: StartGateway, origin: Origin, authz: Origin
) -> None:
    made = config(origin, authz)
    authz.stop()
    assert ask(start_gateway(made)).status == 503
    assert not origin.requests


@pytest.mark.parametrize("status", [200, 403])
def test_a_huge_answer_is_cut_off(guarded: Ask, authz: Origin, origin: Origin, status: int) -> None:
    """Neither a body of 100 MB nor one without an end is taken; the status counts."""
    sent = []

    async def huge(exchange: Exchange) -> None:
        await exchange.send_head(status, [("X-User", "ann")], length=100_000_000)
        for _ in range(100):
            await exchange.send(b"x" * 1_000_000)
            sent.append(1)

    authz.on("/check", huge)
    gateway = guarded()
    before = gateway.rss()
    response = ask(gateway)
    assert response.status == status
    assert response.body == b"" or Echo.of(response).header("x-user") == "ann"
    assert gateway.rss() - before < 16 << 20
    assert len(sent) < 100
    eventually(lambda: authz.open == 0, "its connection is dropped")


def test_the_clients_leaving_cancels_the_question(guarded: Ask, authz: Origin) -> None:
    authz.on("/check", answers.hang())
    gateway = guarded(timeout="60s")
    with gateway.connect() as client:
        client.send_request("/x")
        eventually(lambda: authz.open == 1, "the service is asked")
    eventually(lambda: authz.open == 0, "the question is cancelled")


def test_the_upstreams_retries_health_and_gate_hold(
    start_gateway: StartGateway, origin: Origin, authz: Origin
) -> None:
    made = config(origin, authz)
    with Origin("dying") as dying:
        dying.on("/check", answers.reset())
        made["upstreams"][1]["endpoints"] = [dying.address, authz.address]
        gateway = start_gateway(made)
        for _ in range(10):
            assert ask(gateway).status == 200
        assert len(authz.requests) == 10
        assert dying.requests


def test_a_question_is_no_request_of_the_route(guarded: Ask, authz: Origin, origin: Origin) -> None:
    gateway = guarded()
    for _ in range(5):
        assert ask(gateway).status == 200
    metrics = gateway.metrics()
    assert metrics.total("tidegate_requests_total", route="all") == 5
    assert metrics.total("tidegate_auth_total", authenticator="central", result="ok") == 5
    assert metrics.total("tidegate_auth_seconds_count", authenticator="central") == 5
    assert len(origin.requests) == 5


def test_a_gateway_that_asks_itself_refuses(
    start_gateway: StartGateway, origin: Origin, authz: Origin
) -> None:
    made = config(origin, authz)
    made["upstreams"][1]["endpoints"] = [made["listeners"][0]["address"]]
    gateway = start_gateway(made)
    assert ask(gateway).status == 503
    assert not origin.requests


def test_answers_hold_for_requests_that_are_alike(guarded: Ask, authz: Origin, origin: Origin) -> None:
    gateway = guarded(cache="60s", cache_by=["cookie", ":authority"])

    def get(cookie: str | None, host: str = "a.example") -> None:
        fields = [("Host", host), *([("Cookie", cookie)] if cookie else [])]
        assert Echo.of(ask(gateway, headers=fields)).header("x-user") == "ann"

    for _ in range(3):
        get("s=1")
    assert len(authz.requests) == 1
    get("s=2")
    get("s=1", "b.example")
    assert len(authz.requests) == 3
    get(None)
    get(None)
    assert len(authz.requests) == 5, "a request that carries nothing is known by nothing"
    metrics = gateway.metrics()
    assert metrics.total("tidegate_auth_total", authenticator="central", result="ok") == 5
    assert metrics.total("tidegate_auth_total", authenticator="central", result="cached") == 2


def test_only_answers_that_let_pass_are_remembered(guarded: Ask, authz: Origin) -> None:
    gateway = guarded(cache="60s", cache_by=["cookie"])
    authz.on("/check", answers.fixed(403))
    fields = [("Cookie", "s=1")]
    assert [ask(gateway, headers=fields).status for _ in range(2)] == [403, 403]
    authz.on("/check", answers.fixed(200, PASS))
    assert ask(gateway, headers=fields).status == 200
    assert len(authz.requests) == 3


def test_an_answer_is_forgotten_when_its_time_is_over(guarded: Ask, authz: Origin) -> None:
    gateway = guarded(cache="200ms", cache_by=["cookie"])

    def asks_again() -> bool:
        before = len(authz.requests)
        assert ask(gateway, headers=[("Cookie", "s=1")]).status == 200
        return len(authz.requests) > before

    assert asks_again()
    eventually(asks_again, "the service is asked anew")


def test_of_questions_that_are_alike_one_is_asked(guarded: Ask, authz: Origin) -> None:
    gate = answers.Gate()
    authz.on("/check", gate)
    gateway = guarded(cache="60s", cache_by=["cookie"], timeout="60s")
    fields = [("Cookie", "s=1")]
    with ThreadPoolExecutor(8) as pool:
        statuses = [pool.submit(ask, gateway, headers=fields) for _ in range(8)]
        eventually(lambda: len(authz.requests) == 1, "the service is asked")
        gate.open()
        assert {each.result().status for each in statuses} == {200}
    assert len(authz.requests) == 1


def test_those_behind_a_client_that_leaves_are_asked_about(guarded: Ask, authz: Origin) -> None:
    authz.on("/check", answers.hang())
    gateway = guarded(cache="60s", cache_by=["cookie"], timeout="60s")
    fields = [("Cookie", "s=1")]
    with ThreadPoolExecutor(1) as pool:
        with gateway.connect() as first:
            first.send_request("/x", headers=fields)
            eventually(lambda: len(authz.requests) == 1, "the first one is asked about")
            second = pool.submit(ask, gateway, headers=fields)
            authz.on("/check", answers.fixed(200, PASS))
        assert second.result().status == 200


def test_a_question_is_explained(guarded: Ask, authz: Origin) -> None:
    authz.on("/check", answers.fixed(500))
    gateway = guarded(retry={"attempts": 1})
    response = ask(gateway)
    said = gateway.says("explain", response.header("x-request-id") or "")
    assert "central" in said
