"""A cache under bad input and faults: what must never be served, and what must never stay behind."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from .conftest import Running, StartGateway
from .harness import answers
from .harness.api_keys import api_key, entry, key_file
from .harness.caches import FRESH, Held, cached, numbered
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.load import Load
from .harness.message import Fields, Response
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually

STALE: Fields = [("Cache-Control", "max-age=0"), ("ETag", '"1"')]
HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\n"
BODY = bytes(range(256)) * 800


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    """Requests with `bypass` in their query go to the origin, and are stored like those without."""
    bypass = [{"query": [{"name": "bypass", "present": True}]}]
    config = cached(module_origin.address, bypass=bypass, key={"query": {"deny": ["bypass"]}})
    with running(config) as gateway:
        yield gateway
        eventually(lambda: left_behind(gateway) == NOTHING, f"all is given back: {left_behind(gateway)}")


NOTHING = {"filling": 0, "fills": 0, "in flight": 0.0}


def left_behind(gateway: Gateway) -> dict[str, float]:
    """What requests under way hold, which must be nothing when there are none."""
    cache = gateway.admin.get("/v1/cache").raise_for_status().json()[0]
    in_flight = gateway.metrics().total("tidegate_upstream_requests_in_flight")
    return {"filling": cache["filling_bytes"], "fills": cache["fills"], "in flight": in_flight}


def ask(gateway: Gateway, path: str, method: str = "GET", body: bytes = b"", **fields: str) -> Response:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    with gateway.connect() as client:
        return client.request(path, headers=headers, method=method, body=body)


def purge(gateway: Gateway, **what: object) -> None:
    gateway.admin.post("/v1/cache/purge", json=what).raise_for_status()


# Who gets what


def test_the_identity_that_the_upstream_is_told_counts_in_the_key(
    start_gateway: StartGateway, origin: Origin, path: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    key_file(file, *(entry(name, subject=name) for name in ("ann", "ben")))
    config = cached(origin.address, key={"headers": ["x-user"]})
    keys = {"from": [{"header": "x-api-key"}], "file": str(file)}
    config["authenticators"] = [{"name": "robots", "api_key": keys}]
    told = {"x-user": {"subject": True}}
    config["routes"][0].update(access={"authenticate": ["robots"]}, identity_headers=told)

    async def own_page(exchange: Exchange) -> None:
        user = exchange.request.header("x-user") or "nobody"
        await exchange.respond(200, [("Cache-Control", "s-maxage=60")], user.encode())

    origin.on(path, own_page)
    gateway = start_gateway(config)
    for name in ("ann", "ben", "ann", "ben"):
        assert ask(gateway, path, x_api_key=api_key(name)).body == name.encode()
    assert len(origin.requests) == 2


@pytest.mark.parametrize("headers", [FRESH, [("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")]])
def test_the_endpoint_of_one_client_is_not_told_to_others(
    start_gateway: StartGateway, origin: Origin, path: str, headers: Fields
) -> None:
    config = cached(origin.address)
    config["upstreams"][0]["balance"] = {"policy": "round_robin", "sticky": {"cookie": "app", "ttl": "1h"}}
    origin.on(path, numbered(headers))
    gateway = start_gateway(config)
    first, second = ask(gateway, path), ask(gateway, path)
    assert (first.body, second.body) == (b"1", b"1")
    assert (first.header("set-cookie") or "").startswith("app=")
    assert second.header("set-cookie") is None
    assert ask(gateway, f"{path}/private").header("set-cookie"), "what is not stored"


def test_private_answers_to_a_thousand_are_each_for_its_client(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    async def own(exchange: Exchange) -> None:
        user = exchange.request.header("x-user") or ""
        await exchange.respond(200, [("Cache-Control", "private")], user.encode())

    async def client(user: int) -> bool:
        reader, writer = await _sent(gateway, path, f"X-User: {user}\r\n")
        content = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        return content == str(user).encode()

    origin.on(path, own)
    assert all(_all_of(client, range(1000)))


def test_the_origin_is_asked_by_the_host_as_it_is_in_the_key(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    """An origin that takes `LOCALHOST` for another host must not answer for `localhost`."""
    assert ask(gateway, path, Host="LOCALHOST:80").status == 200
    assert origin.requests[0].header("host") == "localhost"
    assert origin.requests[0].header("x-forwarded-host") == "localhost"


def test_fields_that_clients_may_not_write_do_not_get_into_what_is_stored(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    async def reflecting(exchange: Exchange) -> None:
        await exchange.respond(200, FRESH, json.dumps(exchange.request.headers).encode())

    origin.on(path, reflecting)
    evil = "evil.example"
    claimed = ask(gateway, path, X_Forwarded_Host=evil, X_Forwarded_Proto="https", Forwarded=f"host={evil}")
    assert b"evil" not in claimed.body
    with gateway.connect() as client:
        assert b"evil" in client.request(f"http://evil.example{path}").body
    assert b"evil" not in ask(gateway, path).body


def test_a_websocket_passes_the_cache_by(start_gateway: StartGateway) -> None:
    def talk(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        gateway = start_gateway(cached(f"127.0.0.1:{server.socket.getsockname()[1]}"))
        try:
            with connect(gateway.url("/", scheme="ws")) as client:
                client.send("hello")
                assert client.recv() == "hello"
        finally:
            server.shutdown()
            thread.join()


# What is on its way when something changes


def test_a_response_that_was_on_its_way_is_not_used_after_a_change(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    held = Held(origin, path)
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(ask, gateway, f"{path}?bypass")
        held.wait_for(1)
        origin.on(path, answers.fixed(200, FRESH, b"new"))
        assert ask(gateway, path, "PUT", b"x").status == 200
        held.let_go(1)
        assert old.result().body == b"1"
    assert ask(gateway, path).body == b"new"


def test_nor_is_one_of_several_that_do_not_wait_for_each_other(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    gateway = start_gateway(cached(origin.address, lock="0s"))
    held = Held(origin, path)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, gateway, path)
        held.wait_for(1)
        second = pool.submit(ask, gateway, path)
        held.wait_for(2)
        held.let_go(1)
        assert first.result().body == b"1"
        eventually(lambda: left_behind(gateway)["fills"] == 0, "the first is over")
        origin.on(path, answers.fixed(200, FRESH, b"new"))
        assert ask(gateway, path, "PUT", b"x").status == 200
        held.let_go(2)
        assert second.result().body == b"2"
    assert ask(gateway, path).body == b"new"


def test_a_change_that_ends_after_the_cache_was_resized_holds(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = cached(origin.address)
    gateway = start_gateway(config)
    origin.on(path, numbered())
    assert ask(gateway, path).body == b"1"
    held = Held(origin, path)
    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(ask, gateway, path, "PUT", b"x")
        held.wait_for(1)
        with gateway.next_generation():
            gateway.config["caches"][0]["memory"] = "24MB"
            gateway.write()
        held.let_go(1)
        assert change.result().status == 200
    origin.on(path, answers.fixed(200, FRESH, b"new"))
    assert ask(gateway, path).body == b"new"


def test_the_response_to_post_that_was_on_its_way_is_purged_too(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    held = Held(origin, path, [*FRESH, ("Content-Location", path)])
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(ask, gateway, path, "POST", b"x")
        held.wait_for(1)
        purge(gateway, all=True)
        held.let_go(1)
        assert old.result().body == b"1"
    origin.on(path, answers.fixed(200, FRESH, b"new"))
    assert ask(gateway, path).body == b"new"


def test_what_was_purged_while_it_was_validated_does_not_stand_in(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    origin.on(path, numbered(STALE))
    assert ask(gateway, path).body == b"1"

    held = Held(origin, path, then=answers.reset())
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, gateway, path)
        held.wait_for(1)
        purge(gateway, url=f"http://localhost{path}")
        origin.on(path, answers.reset())
        held.let_go(1)
        assert asked.result().status == 502


def test_the_tags_that_come_with_a_validation_hold(gateway: Gateway, origin: Origin, path: str) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.request.header("if-none-match"):
            await exchange.respond(304, [*FRESH, ("ETag", '"1"'), ("Surrogate-Key", "later")])
        else:
            await exchange.respond(200, [*STALE, ("Surrogate-Key", "before")], b"x")

    origin.on(path, answer)
    for _ in range(3):
        assert ask(gateway, path).header("surrogate-key") is None
    assert len(origin.requests) == 2
    purge(gateway, tag="later")
    ask(gateway, path)
    assert len(origin.requests) == 3


def test_a_host_is_purged_however_it_is_written(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = cached(origin.address)
    config["routes"][0]["match"]["hosts"] = ["shop.example"]
    origin.on(path, numbered())
    gateway = start_gateway(config)
    hosts = ["shop.example", "SHOP.example:80", "shop.example.", "shop.example:8080", "shop.example.:8080"]
    before = {ask(gateway, path, Host=host).body for host in hosts}
    purge(gateway, host="Shop.Example")
    assert not before & {ask(gateway, path, Host=host).body for host in hosts}


@pytest.mark.parametrize(
    "what", [{"tag": "t"}, {"url": "/"}, {"prefix": "/"}, {"host": "localhost"}, {"all": True}, None]
)
def test_nothing_older_is_served_once_a_purge_or_a_change_is_over(
    gateway: Gateway, origin: Origin, path: str, what: dict[str, Any] | None
) -> None:
    version = 0

    async def current(exchange: Exchange) -> None:
        await exchange.discard_body()
        now = f'"{version}"'
        fields: Fields = [*FRESH, ("ETag", now), ("Surrogate-Key", "s t")]
        if exchange.request.header("if-none-match") == now:
            await exchange.respond(304, fields)
        else:
            await exchange.respond(200, fields, str(version).encode())

    origin.on(path, current)
    what = {
        kind: f"http://localhost{path}" if value == "/" else value for kind, value in (what or {}).items()
    }
    with Load(gateway.port(), path, 4), gateway.connect() as client:
        for version in range(1, 60):
            if what:
                purge(gateway, **what, soft=version % 2 == 0)
            else:
                assert client.request(path, method="PUT", body=b"x").status == 200
            assert int(client.request(path).body) >= version


# One origin request for many


def test_a_thousand_clients_of_a_cold_key_are_one_request_whatever_they_do(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    """Some read at once, some slowly, and some leave: before the head, after it, and in the body."""

    async def piecewise(exchange: Exchange) -> None:
        await exchange.send_head(200, FRESH, length=len(BODY))
        for at in range(0, len(BODY), 4096):
            await exchange.send(BODY[at : at + 4096])
            await asyncio.sleep(0.005)

    async def client(number: int) -> bool:
        reader, writer = await _sent(gateway, path)
        try:
            if number % 5 == 1:
                return True
            await reader.readuntil(b"\r\n\r\n")
            if number % 5 == 2:
                return True
            if number % 5 == 3:
                await reader.readexactly(number * 100)
                return True
            content = bytearray()
            while part := await reader.read(4096 if number % 5 == 4 else 1 << 18):
                content += part
            return content == BODY
        finally:
            writer.transport.abort()

    origin.on(path, piecewise)
    assert all(_all_of(client, range(1000)))
    assert len(origin.requests) == 1


def test_what_is_stored_when_it_is_asked_for_again_is_asked_for_twice(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    gateway = start_gateway(cached(origin.address, min_uses=2))
    held = Held(origin, path)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask, gateway, path) for _ in range(20)]
        held.wait_for(1)
        held.let_go(1)
        held.wait_for(2)
        held.let_go(2)
        bodies = [each.result().body for each in asked]
    assert sorted(bodies) == [b"1", *[b"2"] * 19]


def test_requests_do_not_wait_for_one_whose_response_is_not_stored(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    session = [{"cookies": [{"name": "session", "present": True}]}]
    gateway = start_gateway(cached(origin.address, no_store=session))
    held = Held(origin, path)
    with ThreadPoolExecutor(20) as pool:
        own = pool.submit(ask, gateway, path, Cookie="session=1")
        held.wait_for(1)
        others = [pool.submit(ask, gateway, path) for _ in range(10)]
        held.wait_for(2)
        held.let_go(2)
        assert {each.result().body for each in others} == {b"2"}
        held.let_go(1)
        assert own.result().body == b"1"
    assert len(origin.requests) == 2


def test_streams_of_http2_that_are_reset_take_nothing_from_the_others(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    async def piecewise(exchange: Exchange) -> None:
        await exchange.send_head(200, FRESH, length=len(BODY))
        for at in range(0, len(BODY), 8192):
            await exchange.send(BODY[at : at + 8192])
            await asyncio.sleep(0.001)

    origin.on(path, piecewise)
    with H2Client(gateway.port()) as client:
        streams = [client.send_request(path) for _ in range(40)]
        for stream in streams[::2]:
            client.pump(_has_begun(client, stream), "the body begins")
            client.connection.reset_stream(stream, 8)
            client.flush()
        assert all(client.wait(stream).body == BODY for stream in streams[1::2])
    assert len(origin.requests) == 1


def test_the_origin_is_left_when_the_last_reader_of_what_is_not_stored_leaves(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    part = b"x" * 65536

    async def stalling(exchange: Exchange) -> None:
        await exchange.send_head(200, FRESH, length=None)
        for _ in range(80):
            await exchange.send_chunk(part)
        await exchange.gone()

    origin.on(path, stalling)
    with gateway.connect() as client:
        client.send_request(path)
        client.read_head()
        unread = 80 * len(part)
        while unread > 0:
            unread -= len(client.read_some())
        assert left_behind(gateway)["in flight"] == 1
    origin.wait_for_end(origin.requests[0].connection)


# Origins that are wrong


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 10\r\n\r\npart",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\npart.\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\npart.\r\n0\r\n",
    ],
)
def test_a_part_is_never_taken_for_the_whole(
    gateway: Gateway, origin: Origin, path: str, answer: bytes
) -> None:
    origin.on(path, answers.raw(answer, close=True))
    for _ in range(2):
        assert not ask(gateway, path).complete
    origin.on(path, numbered())
    assert ask(gateway, path).body == b"1"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"abc"),
        (HEAD.replace(b"1.1", b"1.0") + b"\r\nuntil the end", b"until the end"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nSet-Cookie: a=b\r\n\r\n", b"a"),
        (b"HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na", b"a"),
        (HEAD.replace(b"200 OK", b"204 No Content") + b"\r\n", b""),
        (HEAD.replace(b"200 OK", b"204 No Content") + b"Content-Length: 5\r\n\r\n", b""),
    ],
)
def test_what_is_stored_of_it_is_a_sound_response(
    gateway: Gateway, origin: Origin, path: str, answer: bytes, body: bytes
) -> None:
    origin.on(path, answers.raw(answer, close=True))
    for _ in range(3):
        response = ask(gateway, path)
        assert (response.body, response.complete) == (body, True)
        assert response.header("x-early") is response.header("set-cookie") is None
        assert response.status != 204 or response.header("content-length") is None
    assert len(origin.requests) == 1


@pytest.mark.parametrize(
    "fields",
    [
        [("Vary", ",".join(f"x-{number}" for number in range(5000)))],
        [("Surrogate-Key", " ".join(f"tag{number}" for number in range(4000)))],
        [("Age", "99999999999999999999")],
    ],
)
def test_too_much_is_passed_on_and_not_stored(
    gateway: Gateway, origin: Origin, path: str, fields: Fields
) -> None:
    origin.on(path, numbered([*FRESH, *fields]))
    responses = [ask(gateway, path) for _ in range(2)]
    assert [response.body for response in responses] == [b"1", b"2"]
    assert all(response.header("surrogate-key") is None for response in responses)


@pytest.mark.parametrize("status", [206, 304, 412, 416])
def test_an_answer_to_what_was_not_asked_is_not_stored(
    gateway: Gateway, origin: Origin, path: str, status: int
) -> None:
    origin.on(
        path,
        answers.fixed(status, [*FRESH, ("Content-Range", "bytes 0-0/9")], b"" if status == 304 else b"x"),
    )
    assert [ask(gateway, path).status for _ in range(2)] == [status] * 2
    origin.on(path, numbered())
    assert ask(gateway, path).body == b"1"


# Changes and ends


def test_a_cache_comes_and_goes_under_load(start_gateway: StartGateway, origin: Origin, path: str) -> None:
    origin.on(path, answers.fixed(200, FRESH, BODY))
    gateway = start_gateway(cached(origin.address))
    caches = gateway.config["caches"]
    with Load(gateway.port(), path, 4) as load:
        for memory in (None, "24MB", "16MB", None):
            with gateway.next_generation():
                gateway.config["caches"] = [{**caches[0], "memory": memory}] if memory else []
                gateway.config["routes"][0].pop("cache", None)
                if memory:
                    gateway.config["routes"][0]["cache"] = {"name": "main"}
                gateway.write()
            load.wait_for(5)
    assert not load.failures


def test_fills_that_all_clients_leave_leave_nothing_behind(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    async def chunked(exchange: Exchange) -> None:
        await exchange.send_head(200, FRESH, length=None)
        for at in range(0, len(BODY), 1 << 14):
            await exchange.send_chunk(BODY[at : at + (1 << 14)])
        await exchange.send(b"0\r\n\r\n")

    async def client(number: int) -> bool:
        reader, writer = await _sent(gateway, f"{path}/{number}")
        await reader.readexactly((0, 1, 100, 1 << 14, 100_000)[number % 5])
        writer.transport.abort()
        return True

    origin.on_every_path(chunked)
    assert all(_all_of(client, range(500)))
    eventually(lambda: left_behind(gateway) == NOTHING, f"all is given back: {left_behind(gateway)}")


def _has_begun(client: H2Client, stream: int) -> Callable[[], bool]:
    return lambda: bool(client.responses[stream].body)


async def _sent(
    gateway: Gateway, path: str, fields: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port())
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"
    writer.write(request.encode())
    return reader, writer


def _all_of(client: Callable[[int], Coroutine[Any, Any, bool]], numbers: range) -> list[bool]:
    async def run() -> list[bool]:
        return await asyncio.gather(*(client(number) for number in numbers))

    return asyncio.run(run())
