"""Slices: large objects are fetched and stored by aligned ranges."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.caches import FRESH, Ranged, filling, get
from .harness.configs import proxy
from .harness.gateway import Config, Gateway
from .harness.message import Fields, Response
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually

SLICE = 1 << 16
BODY = b"".join(number.to_bytes(4) for number in range(SLICE * 5 + 1000))[: SLICE * 20 + 4321]
"""No two slices of it are the same, and the last is shorter."""
COUNT = -(-len(BODY) // SLICE)


def sliced(*endpoints: str, disk: Path | None = None, memory: str = "16MB", **options: object) -> Config:
    """Everything goes to one upstream through a cache that keeps objects in slices."""
    cache: Config = {"name": "main", "memory": memory, "max_object": "100KB"}
    if disk is not None:
        cache["disk"] = {"path": str(disk), "size": "64MB", "admit": "always"}
    config = proxy(*endpoints, caches=[cache])
    config["routes"][0]["cache"] = {"name": "main", "slice": "64KiB", **options}
    return config


def asked_for(*numbers: int) -> list[str]:
    """`Range` of requests for these slices."""
    return [f"bytes={number * SLICE}-{(number + 1) * SLICE - 1}" for number in numbers]


def of_known(*numbers: int) -> list[str]:
    """The same, where it is known how long the object is."""
    ends = [min((number + 1) * SLICE, len(BODY)) for number in numbers]
    return [f"bytes={number * SLICE}-{end - 1}" for number, end in zip(numbers, ends, strict=True)]


ALL = [*asked_for(0), *of_known(*range(1, COUNT))]


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    with running(sliced(module_origin.address, memory="128MB")) as gateway:
        yield gateway
        eventually(lambda: filling(gateway) == (0, 0), "all is given back")


def purge(gateway: Gateway, **what: object) -> None:
    gateway.admin.post("/v1/cache/purge", json=what).raise_for_status()


def is_hit(response: Response) -> bool:
    return "; hit" in (response.header("cache-status") or "")


# What there is


def test_an_object_is_fetched_and_served_by_slices(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY)
    first, second = get(gateway, path), get(gateway, path)
    assert (first.status, first.body, first.header("content-range")) == (200, BODY, None)
    assert first.header("content-length") == str(len(BODY))
    assert first.header("cache-status") == "tidegate; fwd=uri-miss; fwd-status=206; stored; ttl=3600"
    assert is_hit(second) and second.body == BODY
    assert ranged.asked == ALL
    entries = gateway.admin.get("/v1/cache/entries", params={"url": f"http://localhost{path}"}).json()
    assert [(entry["bytes"], entry["held_bytes"]) for entry in entries] == [(len(BODY), len(BODY))]


@pytest.mark.parametrize(
    ("asked", "part", "slices"),
    [
        ("0-9", slice(0, 10), asked_for(0)),
        (
            f"{3 * SLICE - 5}-{3 * SLICE + 4}",
            slice(3 * SLICE - 5, 3 * SLICE + 5),
            [*asked_for(2), *of_known(3)],
        ),
        (f"{len(BODY) - 5}-", slice(len(BODY) - 5, None), asked_for(COUNT - 1)),
        ("-5", slice(len(BODY) - 5, None), [*asked_for(0), *of_known(COUNT - 1)]),
    ],
)
def test_a_range_is_made_of_the_slices_that_have_it(
    gateway: Gateway, origin: Origin, path: str, asked: str, part: slice, slices: list[str]
) -> None:
    ranged = Ranged(origin, path, BODY)
    for _ in range(2):
        response = get(gateway, path, asked)
        assert (response.status, response.body) == (206, BODY[part])
        start = part.start
        end = start + len(response.body) - 1
        assert response.header("content-range") == f"bytes {start}-{end}/{len(BODY)}"
    assert ranged.asked == slices
    assert get(gateway, path).body == BODY
    assert len(ranged.asked) == COUNT, "what is there is not asked for again"


def test_several_ranges_are_made_of_slices_too(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY)
    response = get(gateway, path, f"0-9,{5 * SLICE}-{5 * SLICE + 9}")
    assert response.status == 206
    parts = response.body.split(b"\r\n\r\n")[1:]
    assert [part[:10] for part in parts] == [BODY[:10], BODY[5 * SLICE : 5 * SLICE + 10]]
    assert ranged.asked == [*asked_for(0), *of_known(5)]


def test_what_lies_behind_the_end(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY)
    for _ in range(2):
        beyond = get(gateway, path, f"{9 * len(BODY)}-")
        assert (beyond.status, beyond.header("content-range")) == (416, f"bytes */{len(BODY)}")
        get(gateway, path, "0-9")
    assert len(ranged.asked) == 2
    # It is not known to be for one client alone after that.
    assert get(gateway, path).body == BODY and is_hit(get(gateway, path))


def test_an_object_of_one_slice_and_one_of_nothing_are_stored_as_a_whole(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    for name, body, wanted in (("short", b"short", asked_for(0)), ("empty", b"", [*asked_for(0), None])):
        ranged = Ranged(origin, f"{path}/{name}", body)
        for _ in range(2):
            response = get(gateway, f"{path}/{name}")
            assert (response.status, response.body) == (200, body)
        assert is_hit(response) and ranged.asked == wanted


def test_fifty_clients_of_a_cold_object_ask_for_each_slice_once(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    ranged.hold()
    with ThreadPoolExecutor(50) as pool:
        wholes = [pool.submit(get, gateway, path) for _ in range(40)]
        parts = [pool.submit(get, gateway, path, f"{number * SLICE}-") for number in range(10)]
        ranged.wait_for(1)
        ranged.let_go()
        assert all(each.result().body == BODY for each in wholes)
        for number, each in enumerate(parts):
            assert each.result().body == BODY[number * SLICE :]
    assert len(ranged.asked) == len(set(ranged.asked)) == COUNT


def test_bytes_that_the_origin_did_not_send_are_counted(gateway: Gateway, origin: Origin, path: str) -> None:
    Ranged(origin, path, BODY)

    def saved() -> float:
        return gateway.metrics().total("tidegate_cache_saved_bytes_total")

    before = saved()
    get(gateway, path, f"0-{2 * SLICE - 1}")
    assert saved() == before
    get(gateway, path)
    assert saved() - before == 2 * SLICE
    get(gateway, path, "100-199")
    assert saved() - before == 2 * SLICE + 100


def test_conditions_and_head_are_answered_from_what_is_stored(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, "0-9")
    assert get(gateway, path, None, If_None_Match='"1"').status == 304
    assert get(gateway, path, "10-19", If_Range='"1"').body == BODY[10:20]
    with gateway.connect() as client:
        head = client.request(path, method="HEAD")
    assert (head.status, head.header("content-length")) == (200, str(len(BODY)))
    assert ranged.asked == asked_for(0)
    assert get(gateway, path, "10-19", If_Range='"0"').body == BODY


def test_a_stale_object_is_validated_and_its_slices_hold(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY, [("Cache-Control", "max-age=0")])
    assert [get(gateway, path).body, get(gateway, path).body] == [BODY, BODY]
    assert ranged.asked == [*ALL, *asked_for(0)]
    assert origin.requests[-1].header("if-none-match") == '"1"'
    other = bytes(reversed(BODY))
    ranged = Ranged(origin, path, other, tag='"2"')
    assert [get(gateway, path).body, get(gateway, path).body] == [other, other]
    assert ranged.asked == [*of_known(0), *of_known(*range(1, COUNT))]


# Other versions


def test_slices_of_two_versions_are_never_mixed(gateway: Gateway, origin: Origin, path: str) -> None:
    Ranged(origin, path, BODY)
    assert get(gateway, path, f"0-{SLICE - 1}").status == 206
    other = bytes(reversed(BODY))
    ranged = Ranged(origin, path, other, tag='"2"')
    broken = get(gateway, path)
    assert not broken.complete and BODY.startswith(broken.body)
    assert len(broken.body) == SLICE
    for _ in range(2):
        assert get(gateway, path).body == other
    assert ranged.asked == [*of_known(1), *ALL]


def test_an_answer_that_has_not_begun_begins_anew(gateway: Gateway, origin: Origin, path: str) -> None:
    Ranged(origin, path, BODY)
    get(gateway, path, f"0-{SLICE - 1}")
    other = bytes(reversed(BODY))[:-77]
    Ranged(origin, path, other, tag='"2"')
    response = get(gateway, path, f"{7 * SLICE}-{7 * SLICE + 9}")
    assert (response.status, response.body) == (206, other[7 * SLICE : 7 * SLICE + 10])
    assert response.header("content-range") == f"bytes {7 * SLICE}-{7 * SLICE + 9}/{len(other)}"


def test_no_client_of_an_object_that_changes_gets_a_mixture(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    bodies = {b"%d" % version: bytes([version]) * len(BODY) for version in range(8)}
    turn = 0

    async def changing(exchange: Exchange) -> None:
        nonlocal turn
        turn += 1
        version = (turn // 11) % 8
        body, asked = bodies[b"%d" % version], exchange.request.header("range") or ""
        first, _, last = asked.removeprefix("bytes=").partition("-")
        end = min(int(last) + 1, len(body))
        fields = [*FRESH, ("ETag", f'"{version}"'), ("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")]
        await exchange.respond(206, fields, body[int(first) : end])

    origin.on(path, changing)
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: get(gateway, path), range(60)))
    for response in responses:
        if response.status == 200:
            assert len(set(response.body)) <= 1
            assert not response.complete or len(response.body) == len(BODY)
            assert f'"{response.body[0]}"' == response.header("etag")


# Origins without ranges


@pytest.mark.parametrize("status", [200, 206])
def test_an_origin_without_ranges_or_validators_is_remembered(
    gateway: Gateway, origin: Origin, path: str, status: int
) -> None:
    """It ignores `Range`, or sends parts that cannot be told from those of another version."""
    body, asked = bytes(range(256)) * 300, []

    async def without(exchange: Exchange) -> None:
        asked.append(exchange.request.header("range"))
        if status == 206 and asked[-1] is not None:
            said = ("Content-Range", f"bytes 0-{SLICE - 1}/{len(body)}")
            await exchange.respond(206, [("Cache-Control", "max-age=0"), said], body[:SLICE])
        else:
            await exchange.respond(200, [("Cache-Control", "max-age=0"), ("ETag", '"1"')], body)

    origin.on(path, without)
    for _ in range(3):
        response = get(gateway, path)
        assert (response.status, response.body) == (200, body)
    assert asked == [*asked_for(0), *([] if status == 200 else [None]), None, None]


def test_explain_tells_of_an_origin_without_ranges(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    config = sliced(origin.address)
    config["explain"] = {"sample": 100}
    gateway = start_gateway(config)
    origin.on(path, answers.fixed(200, FRESH, b"x"))
    Ranged(origin, f"{path}/ranged", BODY)
    for name, slices in ((path, False), (f"{path}/ranged", True)):
        request = get(gateway, name).header("x-request-id") or ""
        assert gateway.story(request)["cache"]["slices"] is slices
        assert ("not by slices" in gateway.says("explain", request)) is not slices


@pytest.mark.parametrize("fields", [[("Cache-Control", "private")], [("Cache-Control", "no-store")]])
def test_what_is_for_one_client_alone_is_not_stored_in_slices(
    gateway: Gateway, origin: Origin, path: str, fields: Fields
) -> None:
    ranged = Ranged(origin, path, BODY, fields)
    assert [get(gateway, path).body for _ in range(2)] == [BODY, BODY]
    part = get(gateway, path, "10-19")
    assert (part.status, part.body) == (206, BODY[10:20])
    assert ranged.asked == [*asked_for(0), None, None, "bytes=10-19"]


@pytest.mark.parametrize("status", [404, 503])
def test_other_answers_are_passed_on(gateway: Gateway, origin: Origin, path: str, status: int) -> None:
    origin.on(path, answers.fixed(status, [("Cache-Control", "no-store")], b"no"))
    response = get(gateway, path)
    assert (response.status, response.body) == (status, b"no")


def test_a_part_of_what_is_not_for_others_is_asked_for_alone(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY, [("Cache-Control", "private")])
    start = 5 * SLICE + 7
    part = get(gateway, path, f"{start}-{start + 9}")
    assert (part.status, part.body) == (206, BODY[start : start + 10])
    assert ranged.asked == [*asked_for(5), f"bytes={start}-{start + 9}"]


def test_the_end_of_what_has_become_shorter(gateway: Gateway, origin: Origin, path: str) -> None:
    Ranged(origin, path, BODY, [("Cache-Control", "max-age=0")])
    get(gateway, path, "0-9")
    ranged = Ranged(origin, path, BODY[: 2 * SLICE], tag='"2"')
    end = get(gateway, path, "-5")
    assert (end.status, end.body) == (206, BODY[2 * SLICE - 5 : 2 * SLICE])
    assert ranged.asked == [*asked_for(COUNT - 1), "bytes=-5"]


# Purges


@pytest.mark.parametrize(
    "what",
    [{"tag": "t"}, {"url": ""}, {"prefix": ""}, {"host": "localhost"}, {"all": True}, {"key": ""}, None],
)
def test_a_purge_takes_the_slices_too(
    gateway: Gateway, origin: Origin, path: str, what: dict[str, object] | None
) -> None:
    """Also where the validator stays the same, though it should not."""
    Ranged(origin, path, BODY, [*FRESH, ("Surrogate-Key", "s t")])
    assert get(gateway, path).body == BODY
    url = f"http://localhost{path}"
    key = gateway.admin.get("/v1/cache/entries", params={"url": url}).json()[0]["key"]
    other = bytes(reversed(BODY))
    if what is None:
        Ranged(origin, path, other, [*FRESH, ("Surrogate-Key", "s t")], tag='"2"')
        with gateway.connect() as client:
            assert client.request(path, method="PUT", body=b"x").status == 200
    else:
        Ranged(origin, path, other, [*FRESH, ("Surrogate-Key", "s t")])
        named = {"key": key}
        purge(
            gateway, **{kind: named.get(kind, url) if value == "" else value for kind, value in what.items()}
        )
    assert get(gateway, path).body == other


# Bounds, ends and restarts


def test_what_is_larger_than_memory_passes_through_and_its_slices_are_served(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    body = b"".join(number.to_bytes(4) for number in range(6 << 20))
    ranged = Ranged(origin, path, body)
    gateway = start_gateway(sliced(origin.address))
    get(gateway, path, "0-9")
    before = gateway.rss()
    assert get(gateway, path).body == body
    assert len(ranged.asked) == len(body) // SLICE
    assert get(gateway, path, f"{len(body) // 2}-{len(body) // 2 + 9}").status == 206
    assert gateway.metrics().total("tidegate_cache_bytes") <= 16 << 20
    assert gateway.rss() - before < 40 << 20


@pytest.mark.parametrize("blocks", [1, 4])
def test_slices_are_served_from_disk_after_a_restart(
    start_gateway: StartGateway, origin: Origin, path: str, tmp_path: Path, blocks: int
) -> None:
    config = sliced(origin.address, disk=tmp_path / "cache", slice=f"{64 * blocks}KiB")
    config["caches"][0]["max_object"] = "1MB"
    ranged = Ranged(origin, path, BODY)
    gateway = start_gateway(config)
    config = gateway.config
    assert get(gateway, path, f"0-{5 * SLICE - 1}").status == 206
    gateway.stop()
    gateway = start_gateway(config)
    assert get(gateway, path, "70000-80000").body == BODY[70000:80001]
    asked = -(-5 // blocks)
    assert len(ranged.asked) == asked
    whole = get(gateway, path)
    assert is_hit(whole) and whole.body == BODY
    assert len(ranged.asked) == len(set(ranged.asked)) == -(-len(BODY) // (SLICE * blocks))


def test_nothing_is_fetched_for_a_client_that_has_left(gateway: Gateway, origin: Origin, path: str) -> None:
    body = bytes(40 << 20)
    ranged = Ranged(origin, path, body)
    with gateway.connect() as client:
        client.send_request(path)
        assert client.read_head().status == 200
        client.read_exactly(10)
    eventually(lambda: filling(gateway) == (0, 0), "it is left")
    assert len(ranged.asked) < len(body) // SLICE


def test_a_slice_that_fails_breaks_the_answer_off(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, f"0-{2 * SLICE - 1}")
    for answer in (answers.reset(), answers.fixed(503)):
        origin.on(path, answer)
        broken = get(gateway, path)
        assert not broken.complete and broken.body == BODY[: 2 * SLICE]
    origin.on(path, ranged)
    assert get(gateway, path).body == BODY


def test_a_slice_that_breaks_off_in_the_middle_is_not_stored(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, f"0-{SLICE - 1}")
    said = f"Content-Range: bytes {SLICE}-{2 * SLICE - 1}/{len(BODY)}"
    head = f'HTTP/1.1 206 Partial Content\r\nETag: "1"\r\nContent-Length: {SLICE}\r\n{said}\r\n\r\n'
    origin.on(path, answers.raw(head.encode() + BODY[SLICE : SLICE + 1000], close=True))
    broken = get(gateway, path)
    assert not broken.complete and BODY.startswith(broken.body)
    origin.on(path, ranged)
    assert get(gateway, path).body == BODY


def test_a_slice_that_is_for_one_client_is_given_and_not_stored(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    Ranged(origin, path, BODY)
    get(gateway, path, "0-9")
    ranged = Ranged(origin, path, BODY, [("Cache-Control", "private")])
    for _ in range(2):
        assert get(gateway, path, f"{SLICE}-{SLICE + 9}").body == BODY[SLICE : SLICE + 10]
    assert ranged.asked == 2 * of_known(1)


def test_a_reload_that_changes_the_slices_leaves_what_is_stored(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    gateway = start_gateway(sliced(origin.address))
    with gateway.connect() as client:
        client.send_request(path)
        assert client.read_head().status == 200
        for slices in ("96KiB", None):
            with gateway.next_generation():
                gateway.config["routes"][0]["cache"]["slice"] = slices
                gateway.write()
            assert get(gateway, path, f"{9 * SLICE}-{9 * SLICE + 9}").body == BODY[9 * SLICE :][:10]
        assert client.read_exactly(len(BODY)) == BODY
    assert sorted(map(str, ranged.asked)) == sorted(ALL)


def test_a_slice_is_no_longer_than_the_largest_object(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(sliced(origin.address))
    gateway.config["routes"][0]["cache"]["slice"] = "1MiB"
    gateway.write()
    refused = gateway.admin.post("/v1/config/reload")
    assert refused.status_code == 422
    assert "a slice is at most as long as `max_object` of cache `main`" in refused.text


def test_a_whole_that_was_stored_before_is_used_as_it_is(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    origin.on(path, answers.fixed(200, [*FRESH, ("ETag", '"1"')], BODY[:70_000]))
    gateway = start_gateway(sliced(origin.address, slice=None))
    assert get(gateway, path).body == BODY[:70_000]
    with gateway.next_generation():
        gateway.config["routes"][0]["cache"]["slice"] = "64KiB"
        gateway.write()
    assert get(gateway, path, "69990-").body == BODY[69_990:70_000]
    assert len(origin.requests) == 1


def test_what_was_not_asked_for_often_enough_is_not_stored(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    gateway = start_gateway(sliced(origin.address, min_uses=2))
    for _ in range(3):
        assert get(gateway, path).body == BODY
    assert ranged.asked == [None, *ALL]
