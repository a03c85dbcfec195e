"""The cache: what is stored, what is served of it, and what is not."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.caches import FRESH, cached, numbered
from .harness.configs import route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.message import Fields, Response
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually

BODY = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    with running(cached(module_origin.address)) as gateway:
        yield gateway


def get(gateway: Gateway, path: str, headers: Fields | None = None, method: str = "GET") -> Response:
    with gateway.connect() as client:
        return client.request(path, headers=headers, method=method)


def test_what_is_stored_is_served_without_the_origin(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, numbered([*FRESH, ("X-Own", "a"), ("Surrogate-Key", "p1 p2")]))
    first, second = get(gateway, path), get(gateway, path)
    assert (first.body, second.body, len(origin.requests)) == (b"1", b"1", 1)
    assert first.header("cache-status") == "tidegate; fwd=uri-miss; stored; ttl=3600"
    assert second.header("cache-status") in ("tidegate; hit; ttl=3600", "tidegate; hit; ttl=3599")
    assert second.header("age") in ("0", "1")
    assert (second.header("x-own"), second.header("content-length")) == ("a", "1")
    assert first.header("surrogate-key") is second.header("surrogate-key") is None


def test_it_is_served_whatever_the_version_of_http(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, answers.fixed(200, FRESH, BODY))
    with H2Client(gateway.port()) as client:
        assert client.request(path).body == BODY
    assert get(gateway, path, [("Host", f"localhost:{gateway.port()}")]).body == BODY
    with H2Client(gateway.port()) as client:
        again = client.request(path)
    assert (again.body, len(origin.requests)) == (BODY, 1)


def test_chunks_become_a_length_once_they_are_stored(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, answers.fixed(200, FRESH, BODY, chunked=True))
    assert get(gateway, path).header("content-length") is None
    assert get(gateway, path).header("content-length") == str(len(BODY))


@pytest.mark.parametrize(
    "headers",
    [
        [("Cache-Control", "no-store")],
        [("Cache-Control", "private, max-age=3600")],
        [("Vary", "*"), *FRESH],
        [],
        [("Set-Cookie", "a=1"), ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")],
    ],
)
def test_what_is_not_for_others_is_not_stored(
    gateway: Gateway, origin: Origin, path: str, headers: Fields
) -> None:
    origin.on(path, numbered(headers or [("X-Nothing", "said")]))
    assert [get(gateway, path).body for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_path_that_looks_static_is_not_stored_for_that(gateway: Gateway, origin: Origin, path: str) -> None:
    """Web cache deception: the account's page under the name of a style sheet."""
    origin.on(f"{path}/account.css", numbered([("Content-Type", "text/html")]))
    cookie: Fields = [("Cookie", "session=alice")]
    assert get(gateway, f"{path}/account.css", cookie).body == b"1"
    assert get(gateway, f"{path}/account.css").body == b"2"


def test_variants_are_told_apart(gateway: Gateway, origin: Origin, path: str) -> None:
    async def in_language(exchange: Exchange) -> None:
        language = exchange.request.header("accept-language") or "none"
        await exchange.respond(200, [*FRESH, ("Vary", "Accept-Language")], language.encode())

    origin.on(path, in_language)
    asked: list[Fields] = [[("Accept-Language", "de")], [("Accept-Language", "fr")], []]
    for _ in range(2):
        assert [get(gateway, path, each).body for each in asked] == [b"de", b"fr", b"none"]
    assert len(origin.requests) == 3


def test_a_stale_response_is_validated(gateway: Gateway, origin: Origin, path: str) -> None:
    async def answer(exchange: Exchange) -> None:
        fields: Fields = [("Cache-Control", "max-age=0"), ("ETag", '"1"')]
        if exchange.request.header("if-none-match") == '"1"':
            await exchange.respond(304, [("Cache-Control", "max-age=3600"), ("ETag", '"1"')])
        else:
            await exchange.respond(200, fields, BODY)

    origin.on(path, answer)
    bodies = [get(gateway, path).body for _ in range(3)]
    assert bodies == [BODY] * 3
    assert [request.header("if-none-match") for request in origin.requests] == [None, '"1"']


def test_a_client_that_has_it_is_told_so(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, answers.fixed(200, [*FRESH, ("ETag", '"1"'), ("X-Own", "a")], BODY))
    known: Fields = [("If-None-Match", '"1"')]
    # Also where the origin has to be asked: it is asked for the whole.
    for response in (get(gateway, path, known), get(gateway, path, known)):
        assert (response.status, response.body, response.header("etag")) == (304, b"", '"1"')
    assert get(gateway, path).body == BODY
    assert len(origin.requests) == 1 and origin.requests[0].header("if-none-match") is None


@pytest.mark.parametrize(
    ("asked", "content_range", "part"),
    [
        ("bytes=0-9", "bytes 0-9/102400", BODY[:10]),
        ("bytes=70000-", "bytes 70000-102399/102400", BODY[70000:]),
        ("bytes=-5", "bytes 102395-102399/102400", BODY[-5:]),
    ],
)
def test_a_part_of_what_is_stored(
    gateway: Gateway, origin: Origin, path: str, asked: str, content_range: str, part: bytes
) -> None:
    origin.on(path, answers.fixed(200, FRESH, BODY))
    get(gateway, path)
    response = get(gateway, path, [("Range", asked)])
    assert (response.status, response.header("content-range")) == (206, content_range)
    assert response.body == part
    beyond = get(gateway, path, [("Range", "bytes=200000-")])
    assert (beyond.status, beyond.header("content-range")) == (416, "bytes */102400")


def test_several_parts_of_what_is_stored(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, answers.fixed(200, [*FRESH, ("Content-Type", "text/x")], BODY))
    get(gateway, path)
    response = get(gateway, path, [("Range", "bytes=0-1,100-102")])
    assert response.status == 206
    kind, _, boundary = (response.header("content-type") or "").partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = response.body.split(f"--{boundary}".encode())
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [
        BODY[:2] + b"\r\n",
        BODY[100:103] + b"\r\n",
    ]


def test_an_unsafe_request_makes_what_is_stored_invalid(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, numbered())
    assert [get(gateway, path).body, get(gateway, path).body] == [b"1", b"1"]
    with gateway.connect() as client:
        assert client.request(path, method="PUT", body=b"x").body == b"2"
    assert get(gateway, path).body == b"3"


def test_only_if_cached_asks_nothing_of_the_origin(gateway: Gateway, origin: Origin, path: str) -> None:
    response = get(gateway, path, [("Cache-Control", "only-if-cached")])
    assert (response.status, len(origin.requests)) == (504, 0)
    assert "not_cached" in (response.header("proxy-status") or "") + response.text


def test_a_client_cannot_drive_load_past_the_cache(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(path, numbered())
    for headers in (
        [("Cache-Control", "no-cache")],
        [("Pragma", "no-cache")],
        [("Cache-Control", "max-age=0")],
    ):
        assert get(gateway, path, list(headers)).body == b"1"


# One origin request for many


def test_requests_for_the_same_are_one_for_the_origin(gateway: Gateway, origin: Origin, path: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    loops = []

    async def slowly(exchange: Exchange) -> None:
        loops.append(asyncio.get_running_loop())
        await exchange.send_head(200, FRESH, length=len(BODY))
        await exchange.send(BODY[:1000])
        begun.set()
        await go_on.wait()
        await exchange.send(BODY[1000:])

    origin.on(path, slowly)
    with ThreadPoolExecutor(40) as pool:
        first = [pool.submit(get, gateway, path) for _ in range(20)]
        origin.wait(lambda: loops, "the origin is asked")
        late = [pool.submit(get, gateway, path) for _ in range(20)]
        eventually(
            lambda: gateway.metrics().total("tidegate_cache_requests_total", result="collapsed") >= 39,
            "39 follow",
        )
        loops[0].call_soon_threadsafe(go_on.set)
        responses = [each.result(20) for each in first + late]
    assert all(response.body == BODY for response in responses)
    assert len(origin.requests) == 1


def test_those_who_follow_get_what_there_is_at_once(gateway: Gateway, origin: Origin, path: str) -> None:
    gates: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def halting(exchange: Exchange) -> None:
        gate = asyncio.Event()
        gates.append((asyncio.get_running_loop(), gate))
        await exchange.send_head(200, FRESH, length=8)
        await exchange.send(b"half")
        await gate.wait()
        await exchange.send(b"half")

    origin.on(path, halting)
    with gateway.connect() as leader, gateway.connect() as follower:
        for client in (leader, follower):
            client.send_request(path)
            assert client.read_head().status == 200
            assert client.read_exactly(4) == b"half"
        loop, gate = gates[0]
        loop.call_soon_threadsafe(gate.set)
        assert leader.read_exactly(4) == follower.read_exactly(4) == b"half"
    assert len(origin.requests) == 1


def test_a_fill_that_breaks_off_is_no_clean_end(gateway: Gateway, origin: Origin, path: str) -> None:
    origin.on(
        path,
        answers.raw(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\nhalf", close=True
        ),
    )
    assert not get(gateway, path).complete
    origin.on(path, numbered())
    assert get(gateway, path).body == b"1", "nothing of it is stored"


def test_private_answers_are_not_queued_and_not_shared(gateway: Gateway, origin: Origin, path: str) -> None:
    async def to_each_its_own(exchange: Exchange) -> None:
        user = exchange.request.header("x-user") or ""
        await exchange.respond(200, [("Cache-Control", "private")], user.encode())

    origin.on(path, to_each_its_own)
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(get, gateway, path, [("X-User", str(user))]) for user in range(200)]
        assert [each.result(20).body for each in asked] == [str(user).encode() for user in range(200)]


def test_a_fill_goes_on_when_its_client_has_left(gateway: Gateway, origin: Origin, path: str) -> None:
    gates: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def halting(exchange: Exchange) -> None:
        gate = asyncio.Event()
        gates.append((asyncio.get_running_loop(), gate))
        await gate.wait()
        await exchange.respond(200, FRESH, BODY)

    origin.on(path, halting)
    with gateway.connect() as client:
        client.send_request(path)
        origin.wait(lambda: gates, "the origin is asked")
    loop, gate = gates[0]
    loop.call_soon_threadsafe(gate.set)
    eventually(lambda: get(gateway, path, [("Cache-Control", "only-if-cached")]).body == BODY, "it is stored")
    assert len(origin.requests) == 1


# Stale


def test_a_stale_response_stands_in_where_the_origin_is_gone(start_gateway: StartGateway, path: str) -> None:
    with Origin() as origin:
        origin.on(path, numbered([("Cache-Control", "max-age=0"), ("ETag", '"1"')]))
        gateway = start_gateway(cached(origin.address))
        assert get(gateway, path).body == b"1"
    responses = [get(gateway, path) for _ in range(5)]
    assert [response.body for response in responses] == [b"1"] * 5
    assert "disconnected" in (responses[-1].header("cache-status") or "")


def test_a_stale_response_is_served_while_it_is_validated(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    origin.on(path, numbered([("Cache-Control", "max-age=0, stale-while-revalidate=60"), ("ETag", '"1"')]))
    gateway = start_gateway(cached(origin.address))
    assert get(gateway, path).body == b"1"
    assert get(gateway, path).body == b"1"
    origin.wait(lambda: len(origin.requests) == 2, "it is validated in the background")
    eventually(lambda: get(gateway, path).body != b"1", "the new one is served")


def test_errors_give_way_to_what_is_stored_where_that_is_wanted(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    origin.on(path, answers.fixed(200, [("Cache-Control", "max-age=0"), ("ETag", '"1"')], b"good"))
    gateway = start_gateway(cached(origin.address, stale={"if_error": "10m"}))
    assert get(gateway, path).body == b"good"
    origin.on(path, answers.fixed(500, body=b"bad"))
    response = get(gateway, path)
    assert (response.status, response.body) == (200, b"good")


# Options


def test_a_key_is_what_the_route_says(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    key = {"query": {"deny": ["utm_*"], "sort": True}, "headers": ["x-tenant"], "cookies": ["plan"]}
    origin.on(path, numbered())
    gateway = start_gateway(cached(origin.address, key=key))
    assert get(gateway, f"{path}?b=2&a=1&utm_source=x").body == b"1"
    assert get(gateway, f"{path}?a=1&b=2").body == b"1"
    assert get(gateway, f"{path}?a=1&b=2", [("X-Tenant", "t")]).body == b"2"
    assert get(gateway, f"{path}?a=1&b=2", [("Cookie", "other=1; plan=gold")]).body == b"3"
    assert get(gateway, f"{path}?a=2&b=2").body == b"4"


def test_a_ttl_counts_where_the_origin_says_nothing(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    gateway = start_gateway(cached(origin.address, ttl={"404": "10s", "5xx": "0s"}))
    origin.on(path, numbered([("X-Nothing", "said")], status=404))
    assert [get(gateway, path).body, get(gateway, path).body] == [b"1", b"1"]
    origin.on(f"{path}/no", numbered([("Cache-Control", "no-store")], status=404))
    assert [get(gateway, f"{path}/no").body, get(gateway, f"{path}/no").body] == [b"1", b"2"]


def test_what_bypasses_and_what_is_not_stored(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    session = [{"cookies": [{"name": "session", "present": True}]}]
    gateway = start_gateway(cached(origin.address, bypass=session, no_store=session))
    origin.on(path, numbered())
    assert get(gateway, path).body == b"1"
    assert get(gateway, path, [("Cookie", "session=1")]).body == b"2"
    assert get(gateway, path).body == b"1"


def test_a_response_is_stored_once_it_was_asked_for_often_enough(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    gateway = start_gateway(cached(origin.address, min_uses=2))
    origin.on(path, numbered())
    assert [get(gateway, path).body for _ in range(3)] == [b"1", b"2", b"2"]


# Purging


def purge(gateway: Gateway, **what: object) -> None:
    gateway.admin.post("/v1/cache/purge", json=what).raise_for_status()


@pytest.mark.parametrize(
    "what", [{"tag": "p2"}, {"url": ""}, {"prefix": ""}, {"host": "localhost"}, {"all": True}]
)
def test_what_is_purged_is_not_served(
    start_gateway: StartGateway, origin: Origin, path: str, what: dict[str, object]
) -> None:
    origin.on(path, numbered([*FRESH, ("Surrogate-Key", "p1 p2")]))
    gateway = start_gateway(cached(origin.address))
    assert [get(gateway, path).body, get(gateway, path).body] == [b"1", b"1"]
    host = "http://localhost"
    purge(gateway, **{kind: f"{host}{path}" if value == "" else value for kind, value in what.items()})
    assert get(gateway, path).body == b"2"
    purge(gateway, tag="other")
    assert get(gateway, path).body == b"2"


def test_a_soft_purge_has_it_validated(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    origin.on(path, numbered([*FRESH, ("ETag", '"1"')]))
    gateway = start_gateway(cached(origin.address))
    get(gateway, path)
    purge(gateway, tag="none", soft=True)
    purge(gateway, url=f"http://localhost{path}", soft=True)
    assert get(gateway, path).body == b"2"
    assert origin.requests[1].header("if-none-match") == '"1"'


def test_what_is_being_filled_is_purged_too(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    gate = answers.Gate()
    gates: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def halting(exchange: Exchange) -> None:
        event = asyncio.Event()
        gates.append((asyncio.get_running_loop(), event))
        await exchange.send_head(200, FRESH, length=3)
        await event.wait()
        await exchange.send(b"old")

    origin.on(path, halting)
    gateway = start_gateway(cached(origin.address))
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(get, gateway, path)
        origin.wait(lambda: gates, "the origin is asked")
        purge(gateway, all=True)
        loop, event = gates[0]
        loop.call_soon_threadsafe(event.set)
        assert old.result(10).body == b"old"
    del gate
    origin.on(path, numbered())
    assert get(gateway, path).body == b"1"


# Bounds


def test_what_is_too_large_is_passed_on_and_not_stored(gateway: Gateway, origin: Origin, path: str) -> None:
    body = b"x" * (5 << 20)
    origin.on(path, answers.fixed(200, FRESH, body))
    assert get(gateway, path).body == body
    assert get(gateway, path).body == body
    origin.on(f"{path}/chunked", answers.fixed(200, FRESH, body, chunked=True))
    assert get(gateway, f"{path}/chunked").body == body
    assert len(origin.requests) == 3


def test_memory_is_bounded(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    """300 MB go through a cache of 16 MB."""
    origin.on_every_path(answers.fixed(200, FRESH, b"x" * (1 << 20)))
    gateway = start_gateway(cached(origin.address))
    get(gateway, f"{path}/warm")
    before = gateway.rss()
    with gateway.connect() as client:
        for number in range(300):
            assert len(client.request(f"{path}/{number}").body) == 1 << 20
    assert gateway.metrics().total("tidegate_cache_bytes") <= 16 << 20
    assert gateway.rss() - before < 64 << 20


# Changes


def test_what_is_stored_survives_a_reload_that_does_not_change_the_cache(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    origin.on(path, numbered())
    config = cached(origin.address)
    gateway = start_gateway(config)
    assert get(gateway, path).body == b"1"
    for change in ({"memory": "16MB"}, {"memory": "24MB"}):
        with gateway.next_generation():
            config["caches"][0].update(change)
            config["routes"].append(route(f"more{len(config['routes'])}", "/more", upstream="app"))
            gateway.write(config)
        assert get(gateway, path).body == b"1"
    with gateway.next_generation():
        del config["routes"][0]["cache"]
        gateway.write(config)
    assert get(gateway, path).body == b"2"


def test_a_route_without_a_cache_says_nothing_of_one(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = cached(origin.address)
    config["routes"].append(route("plain", "/plain", upstream="plain"))
    config["upstreams"].append(upstream("plain", origin.address))
    gateway = start_gateway(config)
    assert get(gateway, "/plain").header("cache-status") is None


def test_explain_and_the_log_tell_what_the_cache_did(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = cached(origin.address)
    config["explain"] = {"sample": 100}
    gateway = start_gateway(config)
    origin.on(path, numbered())
    stories, told = [], []
    for _ in range(2):
        name = get(gateway, path).header("x-request-id") or ""
        stories.append(gateway.story(name))
        told.append(gateway.says("explain", name))
    miss, hit = (story["cache"] for story in stories)
    assert (miss["result"], miss["forwarded"]) == ("miss", "uri-miss")
    assert (hit["result"], hit["freshness"]) == ("hit", "max-age")
    assert stories[0]["tries"] and not stories[1]["tries"]
    assert "cache main: miss (uri-miss), key" in told[0]
    assert re.search(r"cache main: hit; \d+ s old, fresh for \d+ s by max-age, key", told[1])


def test_a_request_that_fails_has_missed_the_cache_too(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    gateway = start_gateway(cached(origin.address))
    origin.on(path, answers.reset())
    for method in ("GET", "HEAD"):
        failed = get(gateway, path, method=method)
        assert failed.status == 502
        story = gateway.story(failed)
        assert (story["cache"]["result"], story["cache"]["forwarded"]) == ("miss", "uri-miss"), method
    missed = gateway.metrics().total("tidegate_cache_requests_total", result="miss")
    assert missed == 2
