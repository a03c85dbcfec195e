"""Purges that gateways share through a real server of the Redis protocol, also when one of them, their link
or the server is away."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.caches import FRESH, cached
from .harness.configs import listener
from .harness.delay import Delay
from .harness.gateway import Config, Gateway
from .harness.message import Fields
from .harness.origin import Exchange, Origin
from .harness.valkey import PROGRAM, ValkeyServer
from .harness.waiting import eventually

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="redis-server is not installed (Debian: redis-server)"
)

STREAM = "tidegate:purges"
PATHS = [f"/{number}" for number in range(40)]


class Versions:
    """An origin whose answers have a number that can be raised."""

    def __init__(self, origin: Origin) -> None:
        self.number = 1
        origin.on_every_path(self)

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.discard_body()
        tag = exchange.request.path.strip("/")
        fields: Fields = [*FRESH, ("Surrogate-Key", f"all p{tag}"), ("ETag", f'"{self.number}"')]
        await exchange.respond(200, fields, str(self.number).encode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def versions(origin: Origin) -> Versions:
    return Versions(origin)


def shared(origin: Origin, address: str, folder: Path | None = None, **purges: str) -> Config:
    """A cache whose purges are shared, on disk where there is a folder for it."""
    config = cached(origin.address, purge_from=["127.0.0.0/8"])
    config["listeners"] = [listener("web")]
    config["stores"] = [{"name": "fleet", "valkey": {"address": address}}]
    config["caches"][0]["purges"] = {"store": "fleet", **purges}
    if folder is not None:
        config["caches"][0]["disk"] = {"path": str(folder), "size": "64MB", "admit": "always"}
    return config


def state(gateway: Gateway) -> dict[str, Any]:
    """What a gateway says of the purges of its one cache."""
    (cache,) = gateway.admin.get("/v1/cache").raise_for_status().json()
    return dict(cache["purges"])


def reads(gateway: Gateway) -> None:
    eventually(lambda: state(gateway)["up"], f"purges of others are read\n{gateway.log}")


def misses(gateway: Gateway) -> None:
    eventually(lambda: not state(gateway)["up"], "the store is missed")


def serves(gateway: Gateway, version: int, *paths: str) -> None:
    """Wait until it serves this version of each path."""
    wanted = {str(version).encode()}
    eventually(lambda: {get(gateway, path) for path in paths} == wanted, f"version {version} is served")


def purge(gateway: Gateway, **what: object) -> list[str]:
    """Purge by the admin API; of which caches the others have not been told."""
    answer = gateway.admin.post("/v1/cache/purge", json=what).raise_for_status().json()
    untold: list[str] = answer["untold"]
    return untold


def get(gateway: Gateway, path: str = "/1", method: str = "GET") -> bytes:
    with gateway.connect() as client:
        return client.request(path, method=method).body


def all_of(gateway: Gateway) -> set[bytes]:
    with gateway.connect() as client:
        return {client.request(path).body for path in PATHS}


def counted(gateway: Gateway, result: str) -> int:
    return int(gateway.metrics().total("tidegate_cache_fleet_purges_total", cache="main", result=result))


def is_one(node: ValkeyServer) -> None:
    eventually(lambda: "cluster_state:ok" in node.says("CLUSTER", "INFO"), "the cluster is one", 20)


def kill(gateway: Gateway) -> None:
    """As a crash ends it."""
    gateway.signal(signal.SIGKILL)
    gateway.wait()
    gateway.good_exits = {-signal.SIGKILL}


@pytest.fixture
def start_fleet(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer
) -> Callable[..., list[Gateway]]:
    """Starts gateways that share the purges of a cache in memory, and waits until each reads them."""

    def start(count: int = 3) -> list[Gateway]:
        gateways = [start_gateway(shared(origin, server.address)) for _ in range(count)]
        for gateway in gateways:
            reads(gateway)
        return gateways

    return start


StartFleet = Callable[..., list[Gateway]]

# Together


@pytest.mark.parametrize(
    "what",
    [
        {"tag": "p1"},
        {"url": "http://localhost/1"},
        {"prefix": "http://localhost/1"},
        {"host": "localhost"},
        {"all": True},
    ],
    ids=lambda what: next(iter(what)),
)
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_a_purge_on_one_gateway_holds_on_all(
    start_fleet: StartFleet, versions: Versions, what: dict[str, object], soft: bool
) -> None:
    gateways = start_fleet()
    assert [get(gateway) for gateway in gateways] == [b"1"] * 3
    versions.number = 2
    assert purge(gateways[0], **what, soft=soft) == []
    assert get(gateways[0]) == b"2", "it holds at once where it was made"
    for other in gateways[1:]:
        serves(other, 2, "/1")
        assert counted(other, "applied") == 1
    assert (counted(gateways[0], "told"), counted(gateways[0], "applied")) == (1, 0)


def test_the_method_and_the_command_tell_the_others_too(start_fleet: StartFleet, versions: Versions) -> None:
    gateways = start_fleet(2)
    get(gateways[1])
    versions.number = 2
    assert b"untold" not in get(gateways[0], method="PURGE")
    serves(gateways[1], 2, "/1")
    versions.number = 3
    assert "everything is purged in all caches" in gateways[1].says("cache", "purge", "--all")
    serves(gateways[0], 3, "/1")
    shown = gateways[0].says("cache", "status")
    assert f"main: purges of other gateways are read, the last is {state(gateways[0])['place']}" in shown


def test_what_a_request_makes_invalid_is_so_on_its_gateway_alone(
    start_fleet: StartFleet, versions: Versions
) -> None:
    first, second = start_fleet(2)
    assert [get(first), get(second)] == [b"1", b"1"]
    versions.number = 2
    get(first, method="POST")
    purge(first, tag="none")
    eventually(lambda: counted(second, "applied") == 1, "the other has read what there is")
    assert [get(first), get(second)] == [b"2", b"1"]


def test_caches_of_other_names_share_a_stream_and_no_purge(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions
) -> None:
    config = shared(origin, server.address)
    config["caches"][0]["name"] = config["routes"][0]["cache"]["name"] = "pages"
    gateways = [start_gateway(shared(origin, server.address)), start_gateway(config)]
    for gateway in gateways:
        reads(gateway)
        get(gateway)
    versions.number = 2
    purge(gateways[0], all=True)
    last = state(gateways[0])["place"]
    eventually(lambda: state(gateways[1])["place"] >= last, "the other has read it")
    assert [get(gateway) for gateway in gateways] == [b"2", b"1"]


def test_a_store_serves_limits_and_purges_side_by_side(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions
) -> None:
    config = shared(origin, server.address)
    windows = [{"quota": 1000, "per": "1h"}]
    config["rate_limits"] = [{"name": "few", "key": [], "windows": windows, "store": "fleet"}]
    config["routes"][0]["limits"] = {"rate": ["few"]}
    gateway = start_gateway(config)
    reads(gateway)
    assert {get(gateway) for _ in range(20)} == {b"1"}
    (store,) = gateway.admin.get("/v1/stores").json()
    assert (store["up"], store["rate_limits"], store["caches"]) == (True, ["few"], ["main"])


# A gateway that is away


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_gateway_that_was_away_serves_nothing_that_was_purged(
    start_gateway: StartGateway,
    origin: Origin,
    server: ValkeyServer,
    versions: Versions,
    tmp_path: Path,
    end: str,
) -> None:
    gateways = [start_gateway(shared(origin, server.address, tmp_path / name)) for name in "abc"]
    for gateway in gateways:
        reads(gateway)
        assert all_of(gateway) == {b"1"}
    away = gateways.pop()
    if end == "stopped":
        away.stop()
    else:
        eventually(lambda: len(list((tmp_path / "c").glob("place.v1"))) == 1, "its place is written")
        kill(away)
    versions.number = 2
    assert purge(gateways[0], tag="p7") == []
    back = start_gateway(away.config)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(back, "/7"), range(200)))
    assert set(answers) == {b"2"}, "nothing stale, from the first request on"
    reads(back)
    assert counted(back, "missed") == 0
    if end == "stopped":
        # What was not purged is served from disk.
        assert all_of(back) == {b"1", b"2"}


def test_nothing_on_disk_is_used_before_the_purges_of_others_are_read(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions, tmp_path: Path
) -> None:
    away = start_gateway(shared(origin, server.address, tmp_path / "a"))
    reads(away)
    assert all_of(away) == {b"1"}
    away.stop()
    server.says("SAVE")
    server.kill()
    versions.number = 2
    back = start_gateway(away.config)
    assert get(back) == b"2"
    assert not state(back)["up"]
    server.start()
    reads(back)
    assert counted(back, "missed") == 0, "the server has kept the stream, and its place is there"
    assert all_of(back) == {b"1", b"2"}


def test_a_gateway_whose_link_was_cut_catches_up(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions
) -> None:
    with Delay(server.port) as delay:
        near, far = (start_gateway(shared(origin, address)) for address in (server.address, delay.address))
        for gateway in (near, far):
            reads(gateway)
            assert all_of(gateway) == {b"1"}
        delay.seconds = 600
        misses(far)
        assert far.metrics().total("tidegate_cache_fleet_up", cache="main") == 0
        assert "main: purges of other gateways are not read: no answer within" in far.says("cache", "status")
        versions.number = 2
        assert purge(near, tag="p7") == []
        assert purge(far, tag="p8") == ["main"], "the others are not told yet"
        assert [get(near, "/8"), get(far, "/8"), get(far, "/7")] == [b"1", b"2", b"1"]
        delay.seconds = 0
        reads(far)
        assert get(far, "/7") == b"2"
        serves(near, 2, "/8")
        eventually(lambda: state(far)["waiting"] == 0, "nothing waits any more")
        assert (counted(far, "missed"), all_of(far)) == (0, {b"1", b"2"})


def test_where_the_stream_was_cut_all_is_purged(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions, tmp_path: Path
) -> None:
    gateways = [start_gateway(shared(origin, server.address, tmp_path / name)) for name in "ab"]
    for gateway in gateways:
        reads(gateway)
        assert all_of(gateway) == {b"1"}
    away = gateways.pop()
    away.stop()
    versions.number = 2
    purge(gateways[0], tag="p7")
    eventually(lambda: state(gateways[0])["waiting"] == 0, "it is told")
    server.says("XTRIM", STREAM, "MAXLEN", "1")
    back = start_gateway(away.config)
    assert all_of(back) == {b"2"}
    reads(back)
    assert all_of(back) == {b"2"}
    assert counted(back, "missed") == 1
    assert "purges of other gateways may be missed: all is purged" in back.log
    assert counted(gateways[0], "missed") == 0


# The store


def test_what_a_gateway_purges_while_the_store_is_away_is_told_later(
    start_fleet: StartFleet, server: ValkeyServer, versions: Versions
) -> None:
    gateways = start_fleet()
    for gateway in gateways:
        assert all_of(gateway) == {b"1"}
    server.says("SAVE")
    server.kill()
    for gateway in gateways:
        misses(gateway)
    versions.number = 2
    assert purge(gateways[0], tag="p7") == ["main"]
    assert b'"untold":["main"]' in get(gateways[0], "/8", "PURGE")
    assert "have not been told yet" in gateways[0].says("cache", "purge", "--tag", "p9")
    assert state(gateways[0])["waiting"] == 3
    assert gateways[0].metrics().total("tidegate_cache_fleet_waiting", cache="main") == 3
    assert {get(gateways[0], path) for path in ("/7", "/8", "/9")} == {b"2"}, "it holds here at once"
    assert get(gateways[1], "/7") == b"1"
    server.start()
    for gateway in gateways:
        reads(gateway)
        serves(gateway, 2, "/7", "/8", "/9")
        assert (counted(gateway, "missed"), all_of(gateway)) == (0, {b"1", b"2"})


def test_a_store_that_has_forgotten_the_stream_has_all_purged(
    start_fleet: StartFleet, server: ValkeyServer, versions: Versions
) -> None:
    gateways = start_fleet(2)
    for gateway in gateways:
        assert all_of(gateway) == {b"1"}
    assert [counted(gateway, "missed") for gateway in gateways] == [0, 0]
    server.kill()
    versions.number = 2
    server.start()
    for gateway in gateways:
        serves(gateway, 2, *PATHS)
        assert counted(gateway, "missed") == 1
    versions.number = 3
    purge(gateways[0], tag="p7")
    serves(gateways[1], 3, "/7")


def test_a_purge_that_the_store_has_forgotten_reaches_a_gateway_that_was_away(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions, tmp_path: Path
) -> None:
    near, away = (start_gateway(shared(origin, server.address, tmp_path / name)) for name in "ab")
    for gateway in (near, away):
        reads(gateway)
        assert all_of(gateway) == {b"1"}
    away.stop()
    server.says("SAVE")
    versions.number = 2
    before = state(near)["place"]
    assert purge(near, tag="p7") == []
    eventually(lambda: state(near)["place"] > before, "it has read its own message")
    server.kill()
    server.start()
    eventually(lambda: counted(near, "missed") == 1, "it sees that the store has forgotten")
    eventually(lambda: state(near)["waiting"] == 0, "it has told so")
    back = start_gateway(away.config)
    assert get(back, "/7") == b"2"
    reads(back)
    assert all_of(back) == {b"2"}


def test_a_late_message_of_its_own_takes_nothing_that_was_stored_since(
    start_fleet: StartFleet, server: ValkeyServer, versions: Versions
) -> None:
    first, second = start_fleet(2)
    assert [get(first), get(second)] == [b"1", b"1"]
    server.hang()
    misses(first)
    versions.number = 2
    assert purge(first, tag="p1") == ["main"]
    assert get(first) == b"2"
    versions.number = 3
    server.resume()
    serves(second, 3, "/1")
    last = state(second)["place"]
    eventually(lambda: state(first)["place"] >= last, "it has read its own message")
    assert get(first) == b"2"


def test_a_store_that_is_away_at_the_start_holds_nothing_up(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions
) -> None:
    server.kill()
    first, second = (start_gateway(shared(origin, server.address)) for _ in range(2))
    assert all_of(first) == all_of(second) == {b"1"}
    assert not state(first)["up"] and state(first)["place"] is None
    versions.number = 2
    assert purge(first, tag="p7") == ["main"]
    assert [get(first, "/7"), get(second, "/7")] == [b"2", b"1"]
    server.start()
    for gateway in (first, second):
        reads(gateway)
        assert get(gateway, "/7") == b"2", "nothing stale once the store is back"
        assert counted(gateway, "missed") == 1


def catches_up(gateway: Gateway, server: ValkeyServer) -> None:
    """Wait until it has told all, and has applied all that is in the stream."""

    def has_caught_up() -> bool:
        told = state(gateway)
        return (
            told["up"]
            and not told["waiting"]
            and str(told["place"]) in server.says("XREVRANGE", STREAM, "+", "-", "COUNT", "1")
        )

    eventually(has_caught_up, f"it has caught up\n{gateway.log}")


def befalls(server: ValkeyServer) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """What befalls the store, and what ends it."""

    def die() -> None:
        server.says("SAVE")
        server.kill()

    def nothing() -> None:
        pass

    return {
        "none": (nothing, nothing),
        "dies": (die, server.start),
        "forgets": (server.kill, server.start),
        "hangs": (server.hang, server.resume),
        "trimmed": (nothing, lambda: server.says("XTRIM", STREAM, "MAXLEN", "1")),
    }


def test_nothing_older_than_a_purge_is_served_whatever_befell_the_store_and_the_gateways(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions, tmp_path: Path
) -> None:
    random, faults = Random(11), befalls(server)
    gateways = [start_gateway(shared(origin, server.address, tmp_path / name)) for name in "abc"]
    for gateway in gateways:
        reads(gateway)
    for fault in [*faults, "stopped"] * 2:
        for gateway in gateways:
            all_of(gateway)
        victim = random.choice(gateways)
        begin, end = faults.get(fault, faults["none"])
        begin()
        if fault == "stopped":
            victim.stop()
        versions.number += 1
        purged = random.sample(PATHS, 5)
        for path in purged:
            alive = [gateway for gateway in gateways if fault != "stopped" or gateway is not victim]
            purge(random.choice(alive), url=f"http://localhost{path}")
        end()
        if fault == "stopped":
            gateways[gateways.index(victim)] = start_gateway(victim.config)
        for gateway in gateways:
            catches_up(gateway, server)
        for gateway in gateways:
            assert {get(gateway, path) for path in purged} == {str(versions.number).encode()}, fault


def test_garbage_in_the_stream_is_counted_and_skipped(
    start_fleet: StartFleet, server: ValkeyServer, versions: Versions
) -> None:
    first, second = start_fleet(2)
    assert all_of(first) == all_of(second) == {b"1"}
    for fields in (
        ("a", "b"),
        ("from", "x", "cache", "main"),
        ("from", "x", "cache", "main", "purge", "{"),
        ("from", "x", "cache", "main", "purge", '{"tag":"a","host":"b"}'),
        ("from", "x", "cache", "main", "purge", '{"url":"/1"}'),
        ("from", "x", "cache", "main", "purge", '{"key":"short"}'),
        ("from", "\0" * 5, "cache", "main", "purge", '{"tga":"a"}'),
        ("from", "x", "cache", "main", "purge", '{"tag":"%s"}' % ("x" * 100_000)),
    ):
        assert "-" in server.says("XADD", STREAM, "*", *fields)
    eventually(lambda: counted(second, "skipped") == 8, "it is counted")
    assert all_of(second) == {b"1"}
    versions.number = 2
    by_hand = ("from", "ann", "cache", "main", "purge", '{"tag":"p7"}')
    server.says("XADD", STREAM, "*", *by_hand)
    for gateway in (first, second):
        serves(gateway, 2, "/7")


def test_what_is_no_stream_is_told_and_held_up_by_nothing(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions
) -> None:
    server.says("SET", STREAM, "a text")
    gateway = start_gateway(shared(origin, server.address))
    eventually(lambda: "WRONGTYPE" in str(state(gateway)["cause"]), "the reason is told")
    get(gateway)
    versions.number = 2
    assert purge(gateway, all=True) == ["main"]
    assert get(gateway) == b"2"
    server.says("DEL", STREAM)
    reads(gateway)
    eventually(lambda: state(gateway)["waiting"] == 0, "what waited is told")


def test_what_is_told_to_no_other_at_the_end_is_said(
    start_fleet: StartFleet, server: ValkeyServer, versions: Versions
) -> None:
    (gateway,) = start_fleet(1)
    server.kill()
    assert purge(gateway, all=True) == ["main"]
    gateway.stop()
    assert "other gateways have not been told of purges and will not be" in gateway.log


def test_a_stream_may_be_at_any_node_of_a_cluster(
    tmp_path: Path, start_gateway: StartGateway, origin: Origin, versions: Versions
) -> None:
    with contextlib.ExitStack() as stack:
        one, two = (
            stack.enter_context(ValkeyServer(tmp_path / name, "cluster-enabled yes")) for name in ("1", "2")
        )
        one.says("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        two.says("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        one.says("CLUSTER", "MEET", "127.0.0.1", str(two.port))
        for node in (one, two):
            is_one(node)
        for stream in ("a", "b", "c", "d"):
            gateways = [start_gateway(shared(origin, one.address, stream=stream)) for _ in range(2)]
            for gateway in gateways:
                reads(gateway)
                assert get(gateway) == str(versions.number).encode()
            versions.number += 1
            assert purge(gateways[0], all=True) in ([], ["main"])
            serves(gateways[1], versions.number, "/1")
        assert all("1" in node.says("DBSIZE") or "2" in node.says("DBSIZE") for node in (one, two))


# Changes


def test_the_option_comes_changes_and_goes_by_reloads_and_what_is_stored_stays(
    start_gateway: StartGateway, origin: Origin, server: ValkeyServer, versions: Versions, tmp_path: Path
) -> None:
    config = shared(origin, server.address, tmp_path / "a")
    shares = config["caches"][0].pop("purges")
    gateway = start_gateway(config)
    other = start_gateway(shared(origin, server.address, stream="other"))
    reads(other)
    assert all_of(gateway) == {b"1"}
    versions.number = 2
    for change in (shares, {**shares, "stream": "other"}):
        with gateway.next_generation():
            config["caches"][0]["purges"] = change
            gateway.write(config)
        reads(gateway)
        assert all_of(gateway) == {b"1"}
    with gateway.next_generation():
        config["caches"][0]["memory"] = "24MB"
        gateway.write(config)
    assert all_of(gateway) == {b"1"}
    purge(other, tag="p7")
    serves(gateway, 2, "/7")
    assert all_of(gateway) == {b"1", b"2"}
    with gateway.next_generation():
        del config["caches"][0]["purges"]
        gateway.write(config)
    assert all_of(gateway) == {b"1", b"2"}
    (told,) = gateway.admin.get("/v1/cache").json()
    assert told["purges"] is None


def test_a_cache_that_begins_empty_begins_at_the_end_of_the_stream(
    start_fleet: StartFleet,
    start_gateway: StartGateway,
    origin: Origin,
    server: ValkeyServer,
    versions: Versions,
) -> None:
    (first,) = start_fleet(1)
    for number in range(20):
        purge(first, tag=f"t{number}")
    late = start_gateway(shared(origin, server.address))
    reads(late)
    assert (counted(late, "applied"), counted(late, "missed")) == (0, 0)
