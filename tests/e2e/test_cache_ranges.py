"""Ranges of what the cache has, and of what is just coming into it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import Running
from .harness.caches import FRESH, Stalled, cached
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


def filling(gateway: Gateway) -> tuple[int, int]:
    """Bytes and responses that are being filled."""
    cache = gateway.admin.get("/v1/cache").raise_for_status().json()[0]
    return cache["filling_bytes"], cache["fills"]


def get(gateway: Gateway, path: str, asked: str | None = None, **fields: str) -> Response:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if asked is not None:
        headers.append(("Range", f"bytes={asked}"))
    with gateway.connect() as client:
        return client.request(path, headers=headers)


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
    with gateway.connect() as leader, ThreadPoolExecutor(1) as pool:
        leader.send_request(path)
        stalled.wait_for(1)
        assert get(gateway, path, "0-9", If_Range='"1"').body == BODY[:10]
        beyond = get(gateway, path, f"{len(BODY)}-")
        assert (beyond.status, beyond.header("content-range")) == (416, f"bytes */{len(BODY)}")
        other = pool.submit(get, gateway, path, "0-9", If_Range='"0"')
        stalled.let_go()
        whole = other.result()
        assert (whole.status, whole.body) == (200, BODY)
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
