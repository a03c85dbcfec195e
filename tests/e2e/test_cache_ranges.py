"""Ranges of what the cache has, and of what is just coming into it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.caches import FRESH, Ranged, Stalled, cached, filling, get
from .harness.gateway import Gateway
from .harness.message import Fields, Response
from .harness.origin import Origin
from .harness.waiting import eventually

BODY = bytes(range(256)) * 4000
HALF = len(BODY) // 2
TAGGED: Fields = [*FRESH, ("ETag", '"1"')]


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    with running(cached(module_origin.address)) as gateway:
        yield gateway
        eventually(lambda: filling(gateway) == (0, 0), "all is given back")


# Of what is being filled


@pytest.mark.parametrize(
    ("asked", "part"),
    [("0-99", BODY[:100]), ("100000-199999", BODY[100_000:200_000])],
)
def test_a_range_of_what_is_being_filled_is_answered_once_it_is_there(
    gateway: Gateway, origin: Origin, path: str, asked: str, part: bytes
) -> None:
    stalled = Stalled(origin, path, BODY, HALF, TAGGED)
    with gateway.connect() as leader:
        leader.send_request(path)
        stalled.wait_for(1)
        response = get(gateway, path, asked)
        assert (response.status, response.body) == (206, part)
        first, _, last = asked.partition("-")
        assert response.header("content-range") == f"bytes {first}-{last}/{len(BODY)}"
        assert "; collapsed" in (response.header("cache-status") or "")
        stalled.let_go()
        assert leader.read_response().body == BODY
    assert len(origin.requests) == 1


def test_a_range_behind_what_has_come_is_waited_for(gateway: Gateway, origin: Origin, path: str) -> None:
    stalled = Stalled(origin, path, BODY, HALF, TAGGED)
    with gateway.connect() as leader, gateway.connect() as seeking, gateway.connect() as several:
        leader.send_request(path)
        stalled.wait_for(1)
        seeking.send_request(path, headers=[("Range", "bytes=-1000")])
        assert seeking.read_head().header("content-range") == (
            f"bytes {len(BODY) - 1000}-{len(BODY) - 1}/{len(BODY)}"
        )
        several.send_request(path, headers=[("Range", f"bytes=0-9,{HALF - 5}-{HALF + 4},-10")])
        head = several.read_head()
        assert head.status == 206
        stalled.let_go()
        assert seeking.read_exactly(1000) == BODY[-1000:]
        parts = several.read_exactly(int(head.header("content-length") or 0)).split(b"\r\n\r\n")[1:]
        wanted = (BODY[:10], BODY[HALF - 5 : HALF + 5], BODY[-10:])
        assert tuple(part[:10] for part in parts) == wanted
        assert leader.read_response().body == BODY
    assert len(origin.requests) == 1


def test_if_range_and_the_end_are_minded_while_it_comes(gateway: Gateway, origin: Origin, path: str) -> None:
    stalled = Stalled(origin, path, BODY, HALF, TAGGED)
    with gateway.connect() as leader, gateway.connect() as other:
        leader.send_request(path)
        stalled.wait_for(1)
        assert get(gateway, path, "0-9", If_Range='"1"').body == BODY[:10]
        beyond = get(gateway, path, f"{len(BODY)}-")
        assert (beyond.status, beyond.header("content-range")) == (416, f"bytes */{len(BODY)}")
        other.send_request(path, headers=[("Range", "bytes=0-9"), ("If-Range", '"0"')])
        assert other.read_head().status == 200
        stalled.let_go()
        assert other.read_exactly(len(BODY)) == BODY
        leader.read_response()
    assert len(origin.requests) == 1


def test_a_range_of_what_has_no_length_goes_by_itself(gateway: Gateway, origin: Origin, path: str) -> None:
    stalled = Stalled(origin, path, BODY, HALF, TAGGED, announced=False)
    with gateway.connect() as leader, ThreadPoolExecutor(1) as pool:
        leader.send_request(path)
        stalled.wait_for(1)
        part = pool.submit(get, gateway, path, "0-9")
        stalled.wait_for(2)
        stalled.let_go()
        assert part.result().body == BODY, "the origin takes no ranges"
        assert leader.read_response().body == BODY
    assert [request.header("range") for request in origin.requests] == [None, "bytes=0-9"]


def test_a_range_of_what_is_too_large_to_be_stored_is_cut_from_it_too(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    body = bytes(range(256)) * (5 << 12)
    stalled = Stalled(origin, path, body, 1 << 19, TAGGED)
    with gateway.connect() as leader, gateway.connect() as seeking:
        leader.send_request(path)
        stalled.wait_for(1)
        seeking.send_request(path, headers=[("Range", f"bytes={4 << 20}-{(4 << 20) + 9}")])
        assert seeking.read_head().status == 206
        stalled.let_go()
        assert leader.read_response().body == body
        assert seeking.read_exactly(10) == body[4 << 20 : (4 << 20) + 10]
    assert len(origin.requests) == 1


def test_a_reader_that_has_its_part_does_not_keep_the_fill_alive(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    body = bytes(2 << 20)
    stalled = Stalled(origin, path, body, 1000, TAGGED)
    with gateway.connect() as seeking:
        with gateway.connect() as leader:
            leader.send_request(path)
            stalled.wait_for(1)
            seeking.send_request(path, headers=[("Range", "bytes=0-99")])
            assert seeking.read_response().body == body[:100]
        eventually(lambda: filling(gateway) == (0, 0), "the origin is left")
    stalled.let_go()


# Parts that are stored


def kept(gateway: Gateway, path: str) -> list[tuple[int, int]]:
    """Bytes that are stored of what a path has, and how many it has, by variant."""
    asked = {"url": f"http://localhost{path}"}
    entries = gateway.admin.get("/v1/cache/entries", params=asked).raise_for_status().json()
    return [(entry["held_bytes"], entry["bytes"]) for entry in entries]


def status_of(response: Response) -> str:
    return (response.header("cache-status") or "").removeprefix("tidegate; ")


def test_a_part_is_stored_and_what_lies_within_is_served_of_it(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    first = get(gateway, path, "1000-1999")
    assert (first.status, first.body) == (206, BODY[1000:2000])
    assert first.header("content-range") == f"bytes 1000-1999/{len(BODY)}"
    assert status_of(first) == "fwd=uri-miss; stored; ttl=3600"
    again, within = get(gateway, path, "1000-1999"), get(gateway, path, "1200-1299")
    assert (again.status, again.body, within.body) == (206, BODY[1000:2000], BODY[1200:1300])
    assert status_of(within).startswith("hit")
    several = get(gateway, path, "1000-1009,1500-1509")
    assert several.status == 206 and several.body.count(BODY[1000:1010]) == 1
    assert get(gateway, path, f"{len(BODY)}-").status == 416
    known = get(gateway, path, None, If_None_Match='"1"')
    assert (known.status, known.header("content-range")) == (304, None)
    with gateway.connect() as client:
        head = client.request(path, method="HEAD")
    assert (head.status, head.header("content-length")) == (200, str(len(BODY)))
    assert ranged.asked == ["bytes=1000-1999"]
    assert kept(gateway, path) == [(1000, len(BODY))]


def test_what_is_missing_is_asked_for_and_joined_with_what_is_there(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, "1000-1999")
    longer = get(gateway, path, "500-2499")
    assert (longer.status, longer.body) == (206, BODY[500:2500])
    assert longer.header("content-range") == f"bytes 500-2499/{len(BODY)}"
    assert status_of(longer) == "fwd=partial; stored; ttl=3600"
    behind = get(gateway, path, "2000-2999")
    assert behind.body == BODY[2000:3000]
    whole = get(gateway, path)
    assert (whole.status, whole.body, whole.header("content-range")) == (200, BODY, None)
    assert whole.header("content-length") == str(len(BODY))
    assert status_of(whole) == "fwd=partial; fwd-status=206; stored; ttl=3600"
    assert get(gateway, path).body == BODY
    assert status_of(get(gateway, path)).startswith("hit")
    wanted = ["1000-1999", "500-2499", "2500-2999", f"0-{len(BODY) - 1}"]
    assert ranged.asked == [f"bytes={each}" for each in wanted]
    assert ranged.validators == [None, '"1"', '"1"', '"1"']
    assert kept(gateway, path) == [(len(BODY), len(BODY))]


def test_the_end_of_what_begins_in_the_cache_is_asked_for_alone(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, f"0-{HALF - 1}")
    before = gateway.metrics().total("tidegate_cache_saved_bytes_total")
    assert get(gateway, path).body == BODY
    saved = gateway.metrics().total("tidegate_cache_saved_bytes_total") - before
    assert ranged.asked[1] == f"bytes={HALF}-{len(BODY) - 1}"
    assert saved == HALF


def test_many_requests_for_a_whole_of_which_a_part_is_there_are_one(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, f"0-{HALF - 1}")
    ranged.hold()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(get, gateway, path) for _ in range(20)]
        within = pool.submit(get, gateway, path, "-100")
        ranged.wait_for(2)
        ranged.let_go()
        assert all(each.result().body == BODY for each in asked)
        assert within.result().body == BODY[-100:]
    assert sum(asked == f"bytes={HALF}-{len(BODY) - 1}" for asked in ranged.asked) == 1


def test_two_parts_that_end_at_once_both_count(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY)
    ranged.hold()
    with ThreadPoolExecutor(2) as pool:
        parts = [pool.submit(get, gateway, path, asked) for asked in ("0-999", "5000-5999")]
        ranged.wait_for(2)
        ranged.let_go()
        assert [part.result().status for part in parts] == [206, 206]
    assert kept(gateway, path) == [(2000, len(BODY))]


@pytest.mark.parametrize("answer", ["whole", "another part", "nonsense"])
def test_parts_of_two_bodies_are_never_mixed(
    gateway: Gateway, origin: Origin, path: str, answer: str
) -> None:
    """The origin has changed; it minds `If-Range`, or not, or sends what was not asked for."""
    Ranged(origin, path, BODY)
    get(gateway, path, f"0-{HALF - 1}")
    other = bytes(reversed(BODY))
    ranged = Ranged(origin, path, other, tag='"2"' if answer != "nonsense" else '"1"')
    ranged.minds_if_range = answer == "whole"
    ranged.shift = 7 if answer == "nonsense" else 0
    whole = get(gateway, path)
    assert (whole.status, whole.body) == (200, other)
    assert get(gateway, path, "10-19").body == other[10:20]
    assert ranged.asked[0] == f"bytes={HALF}-{len(BODY) - 1}"


@pytest.mark.parametrize(
    "fields",
    [
        [("Content-Range", "bytes 0-9/*"), ("ETag", '"1"')],
        [("Content-Range", "bytes 0-9/20")],
        [("Content-Range", "bytes 0-9/20"), ("ETag", 'W/"1"')],
        [("Content-Range", "bytes 0-10/20"), ("ETag", '"1"')],
        [("Content-Range", "bytes 0-9/900000000"), ("ETag", '"1"')],
        [("Content-Range", "bytes 0-9/20"), ("ETag", '"1"'), ("Vary", "*")],
    ],
)
def test_a_part_that_cannot_be_put_together_with_others_is_passed_on(
    gateway: Gateway, origin: Origin, path: str, fields: Fields
) -> None:
    origin.on(path, answers.fixed(206, [*FRESH, *fields], b"0123456789"))
    for _ in range(2):
        response = get(gateway, path, "0-9")
        assert (response.status, response.body) == (206, b"0123456789")
        assert response.header("content-range") == fields[0][1]
    assert len(origin.requests) == 2 and kept(gateway, path) == []


def test_a_part_that_is_shorter_than_it_says_is_not_stored(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    fields: Fields = [*FRESH, ("Content-Range", "bytes 0-9/20"), ("ETag", '"1"')]
    origin.on(path, answers.fixed(206, fields, b"01234", chunked=True))
    broken = get(gateway, path, "0-9")
    assert broken.status == 502 or not broken.complete, "it may have ended before its head was sent on"
    assert kept(gateway, path) == []


def test_ranges_that_make_no_sense_do_not_keep_requests_from_waiting_for_each_other(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    origin.on(path, answers.fixed(416, [("Content-Range", "bytes */10")], b""))
    assert get(gateway, path, "100-").status == 416
    stalled = Stalled(origin, path, BODY, HALF)
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(get, gateway, path) for _ in range(10)]
        stalled.wait_for(1)
        stalled.let_go()
        assert all(each.result().body == BODY for each in asked)
    assert len(origin.requests) == 2


def test_what_a_client_has_of_another_body_is_not_completed(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    other = get(gateway, path, "0-9", If_Range='"0"')
    assert (other.status, other.body) == (200, BODY)
    assert ranged.asked == ["bytes=0-9"]


def test_a_stale_part_is_validated(gateway: Gateway, origin: Origin, path: str) -> None:
    ranged = Ranged(origin, path, BODY, [("Cache-Control", "max-age=0")])
    get(gateway, path, "0-99")
    again = get(gateway, path, "0-99")
    assert (again.status, again.body) == (206, BODY[:100])
    assert "fwd=stale; fwd-status=304" in (again.header("cache-status") or "")
    assert get(gateway, path, "0-199").body == BODY[:200]
    conditions = [request.header("if-none-match") for request in origin.requests]
    assert conditions == [None, '"1"', None]
    assert ranged.validators == [None, None, '"1"']


@pytest.mark.parametrize("what", [{"tag": "t"}, {"all": True}, {"host": "localhost"}, None])
def test_parts_are_purged(
    gateway: Gateway, origin: Origin, path: str, what: dict[str, object] | None
) -> None:
    Ranged(origin, path, BODY, [*FRESH, ("Cache-Tag", "t")])
    assert get(gateway, path, "0-99").header("cache-tag") is None
    other = bytes(reversed(BODY))
    Ranged(origin, path, other)
    if what is None:
        with gateway.connect() as client:
            assert client.request(path, method="PUT", body=b"x").status == 200
    else:
        gateway.admin.post("/v1/cache/purge", json=what).raise_for_status()
    assert get(gateway, path, "50-149").body == other[50:150]


def test_parts_that_are_purged_while_the_rest_is_asked_for_are_not_used(
    gateway: Gateway, origin: Origin, path: str
) -> None:
    ranged = Ranged(origin, path, BODY)
    get(gateway, path, f"0-{HALF - 1}")
    ranged.hold()
    with ThreadPoolExecutor(1) as pool:
        whole = pool.submit(get, gateway, path)
        ranged.wait_for(2)
        gateway.admin.post("/v1/cache/purge", json={"all": True}).raise_for_status()
        ranged.body = bytes(reversed(BODY))
        ranged.let_go()
        assert whole.result().body == ranged.body
    assert ranged.asked[1:] == [f"bytes={HALF}-{len(BODY) - 1}", None]


def test_parts_take_no_more_memory_than_there_is(
    start_gateway: StartGateway, origin: Origin, path: str
) -> None:
    """200 MB of parts go through a cache of 16 MB."""
    body = bytes(2 << 20)
    for number in range(200):
        Ranged(origin, f"{path}/{number}", body)
    gateway = start_gateway(cached(origin.address))
    get(gateway, f"{path}/0", "0-9")
    before = gateway.rss()
    for number in range(200):
        assert len(get(gateway, f"{path}/{number}", f"0-{(1 << 20) - 1}").body) == 1 << 20
    assert gateway.metrics().total("tidegate_cache_bytes") <= 16 << 20
    assert gateway.rss() - before < 64 << 20
