"""Limits that three gateways share through a real server of the Redis protocol: what the fleet admits, also
while the server is away."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.certs import Authority
from .harness.configs import listener, route
from .harness.delay import Delay
from .harness.demand import Demand, Stream
from .harness.gateway import Config, Gateway
from .harness.valkey import PROGRAM, ValkeyServer
from .harness.waiting import eventually

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="redis-server is not installed (Debian: redis-server)"
)

GATEWAYS = 3
EVEN = (0.34, 0.33, 0.33)
UNEVEN = (0.9, 0.09, 0.01)

StartFleet = Callable[..., list[Gateway]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def start_fleet(start_gateway: StartGateway) -> StartFleet:
    """Starts gateways that share their limits, and waits until each knows of the others."""

    def start(config: Config, count: int = GATEWAYS) -> list[Gateway]:
        gateways = [start_gateway({**config, "listeners": [listener("web")]}) for _ in range(count)]
        for gateway in gateways:
            counts(gateway, count)
        return gateways

    return start


def counts(gateway: Gateway, count: int) -> None:
    eventually(lambda: store(gateway)["gateways"] == count, "all gateways are counted")


def misses(gateway: Gateway) -> None:
    eventually(lambda: not store(gateway)["up"], "the store is missed")


def answers(gateway: Gateway) -> None:
    eventually(lambda: store(gateway)["up"], f"the store answers\n{gateway.log}")


def store(gateway: Gateway) -> dict[str, Any]:
    """What a gateway says of its one store."""
    (only,) = gateway.admin.get("/v1/stores").raise_for_status().json()
    return dict(only)


def shared(address: str, *quotas: int, valkey: dict[str, Any] | None = None, **options: Any) -> Config:
    """A limit of each quota a second with a burst of as much, each with a route of its own."""
    return {
        "workers": 1,
        "stores": [{"name": "fleet", "valkey": valkey or {"address": address}, **options}],
        "rate_limits": [
            {
                "name": f"at-{quota}",
                "key": [],
                "windows": [{"quota": quota, "per": "1s", "burst": max(quota, 3)}],
                "store": "fleet",
            }
            for quota in quotas
        ],
        "routes": [
            route(f"at-{quota}", f"/{quota}", respond={"body": ""}, limits={"rate": [f"at-{quota}"]})
            for quota in quotas
        ],
    }


def streams(gateways: list[Gateway], quota: int, shares: tuple[float, ...]) -> list[Stream]:
    """Three times the quota, shared out so."""
    return [
        Stream(gateway.port(), f"/{quota}", 3 * quota * share, f"{quota} a second, {share:.0%}")
        for gateway, share in zip(gateways, shares, strict=True)
    ]


def assert_within(demand: Demand, quota: int, begin: float, end: float) -> None:
    """In all ten seconds between: within 5 % of the quota or one request a gateway, whichever is more."""
    mine = [stream for stream in demand.streams if stream.target == f"/{quota}"]
    tolerance = max(0.05 * 10 * quota, len(mine))
    begins = [begin + step / 2 for step in range(int((end - begin - 10) * 2) + 1)]
    admitted = [sum(stream.admitted(at, at + 10) for stream in mine) for at in begins]
    off = [count - 10 * quota for count in admitted if abs(count - 10 * quota) > tolerance]
    print(f"{quota} a second: {min(admitted)} to {max(admitted)} in ten seconds")
    assert not off, f"of {10 * quota}: {admitted}"


def ask(gateway: Gateway, target: str, count: int = 1) -> list[int]:
    with gateway.connect() as connection:
        return [connection.request(target).status for _ in range(count)]


@pytest.mark.parametrize("shares", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_a_fleet_admits_what_the_quota_allows(
    server: ValkeyServer, start_fleet: StartFleet, shares: tuple[float, ...]
) -> None:
    quotas = (20, 100, 2_000)
    gateways = start_fleet(shared(server.address, *quotas))
    with Demand(stream for quota in quotas for stream in streams(gateways, quota, shares)) as demand:
        demand.until(14)
    assert not demand.failures
    for quota in quotas:
        assert_within(demand, quota, 2, 14)
    assert set(demand.statuses()) == {200, 429}


def test_a_page_with_six_requests_gets_them_all_on_a_cold_key(
    server: ValkeyServer, start_fleet: StartFleet
) -> None:
    config = shared(server.address, 12)
    config["rate_limits"][0]["key"] = [{"header": "x-user"}]
    for gateway in start_fleet(config):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(gateway.connect()) for _ in range(6)]
            for connection in connections:
                connection.send(f"GET /12 HTTP/1.1\r\nhost: a\r\nx-user: {gateway.port()}\r\n\r\n")
            assert [connection.read_response().status for connection in connections] == [200] * 6


def test_what_one_gateway_has_spent_the_others_do_not_have(
    server: ValkeyServer, start_fleet: StartFleet
) -> None:
    config = shared(server.address, 12)
    config["rate_limits"][0]["windows"] = [{"quota": 12, "per": "1h"}]
    first, second, _ = start_fleet(config)
    assert ask(first, "/12", 12).count(200) >= 11
    eventually(lambda: ask(second, "/12") == [429], "the second gateway knows")
    left = second.admin.get("/v1/rate-limits/at-12/key").json()
    assert [each["left"] for each in left] == [0]
    second.admin.delete("/v1/rate-limits/at-12/key").raise_for_status()
    eventually(lambda: ask(first, "/12") == [200], "a fresh bucket is one in all gateways")


def test_keys_of_a_limit_share_a_hash_tag_and_expire(server: ValkeyServer, start_fleet: StartFleet) -> None:
    gateways = start_fleet(shared(server.address, 20))
    assert ask(gateways[0], "/20") == [200]
    eventually(lambda: server.says("DBSIZE") == ":2\r\n", "the key is in the store, and who shares the limit")
    assert "tidegate:{at-20}:" in server.says("KEYS", "*")
    eventually(lambda: server.says("DBSIZE") == ":1\r\n", "the key is gone when all is back")


@pytest.mark.parametrize(("on_failure", "statuses"), [("open", {200}), ("closed", {429})])
def test_a_limit_says_what_decides_while_the_store_does_not(
    server: ValkeyServer, start_fleet: StartFleet, on_failure: str, statuses: set[int]
) -> None:
    config = shared(server.address, 20)
    config["rate_limits"][0]["on_failure"] = on_failure
    (gateway,) = start_fleet(config, 1)
    server.kill()
    misses(gateway)
    assert set(ask(gateway, "/20", 100)) == statuses
    server.start()
    answers(gateway)
    eventually(lambda: set(ask(gateway, "/20", 60)) == {200, 429}, "its word counts again")


def test_without_the_store_each_gateway_has_its_own_part_of_the_quota(
    server: ValkeyServer, start_fleet: StartFleet
) -> None:
    config = shared(server.address, 30)
    config["rate_limits"][0]["windows"] = [{"quota": 30, "per": "1h"}]
    gateways = start_fleet(config)
    server.kill()
    for gateway in gateways:
        misses(gateway)
        assert ask(gateway, "/30", 20).count(200) == 10


def test_a_store_that_goes_and_comes_is_told_of(server: ValkeyServer, start_fleet: StartFleet) -> None:
    (gateway,) = start_fleet(shared(server.address, 20), 1)
    assert gateway.metrics().total("tidegate_store_up", store="fleet") == 1
    ask(gateway, "/20", 5)
    eventually(
        lambda: gateway.metrics().total("tidegate_store_tokens_total", store="fleet", kind="credit") > 0,
        "what was spent is counted",
    )
    server.kill()
    misses(gateway)
    assert gateway.metrics().total("tidegate_store_up", store="fleet") == 0
    assert "Store fleet does not answer: " in gateway.says("status")
    server.start()
    answers(gateway)
    assert gateway.log.count("the store does not answer") == 1
    assert gateway.log.count("the store answers") == 2


def faults(server: ValkeyServer, delay: Delay) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """What befalls the store, and what ends it."""

    def slow(seconds: float) -> None:
        delay.seconds = seconds

    def flush() -> None:
        server.says("FLUSHALL")

    def begin_anew() -> None:
        server.start()

    def restart() -> None:
        server.kill()
        server.start()

    return {
        "killed": (server.kill, begin_anew),
        "hung": (server.hang, server.resume),
        "slow": (lambda: slow(0.1), lambda: slow(0)),
        "emptied": (flush, lambda: None),
        "restarted": (restart, lambda: None),
    }


@pytest.mark.parametrize("fault", ["killed", "hung", "slow", "emptied", "restarted"])
def test_the_fleet_keeps_to_the_quota_whatever_befalls_the_store(
    server: ValkeyServer, start_fleet: StartFleet, fault: str
) -> None:
    quotas = (20, 100)
    with Delay(server.port) as delay:
        begin, end = faults(server, delay)[fault]
        lasts = 12.5 if fault in ("killed", "hung", "slow") else 0
        gateways = start_fleet(shared(delay.address, *quotas))
        with Demand(stream for quota in quotas for stream in streams(gateways, quota, EVEN)) as demand:
            demand.until(4)
            begin()
            demand.until(4 + lasts)
            end()
            demand.until(4 + lasts + 12.5)
    assert not demand.failures
    assert set(demand.statuses()) == {200, 429}
    for quota in quotas:
        if lasts:
            # What each gateway decides by its own part is exact where the load is shared evenly.
            assert_within(demand, quota, 4 + 2, 4 + lasts)
        assert_within(demand, quota, 4 + lasts + 2, 4 + lasts + 12.5)


# How a server is reached


def test_a_server_that_asks_for_a_password(tmp_path: Path, start_gateway: StartGateway) -> None:
    (tmp_path / "password").write_text("secret phrase\n")
    options = ('requirepass "secret phrase"', "user tidegate on >open-sesame ~tidegate:* +@all")
    with ValkeyServer(tmp_path / "server", *options) as server:
        for login in (
            {"password_file": str(tmp_path / "password")},
            {"username": "tidegate", "password": "open-sesame"},
        ):
            gateway = start_gateway(shared("", 20, valkey={"address": server.address, **login}))
            answers(gateway)
            assert "open-sesame" not in gateway.admin.get("/v1/config").text
        wrong = start_gateway(shared("", 20, valkey={"address": server.address, "password": "wrong"}))
        eventually(lambda: "uthentication failed" in str(store(wrong)["cause"]), "the reason is told")
        assert set(ask(wrong, "/20", 3)) == {200}, "nobody waits for it"


def test_a_server_behind_tls(tmp_path: Path, start_gateway: StartGateway, authority: Authority) -> None:
    identity = authority.issue("localhost", "127.0.0.1")
    port = ValkeyServer(tmp_path / "unused").port
    options = (
        f"tls-port {port}",
        f"tls-cert-file {identity.cert}",
        f"tls-key-file {identity.key}",
        f"tls-ca-cert-file {authority.file}",
        "tls-auth-clients no",
    )
    with ValkeyServer(tmp_path / "server", *options):
        tls = {"ca": str(authority.file)}
        gateway = start_gateway(shared("", 20, valkey={"address": f"localhost:{port}", "tls": tls}))
        answers(gateway)
        wary = start_gateway(shared("", 20, valkey={"address": f"localhost:{port}", "tls": {}}))
        eventually(lambda: "certificate" in str(store(wary)["cause"]), "a stranger's certificate is refused")


def test_sentinels_tell_where_the_server_is(tmp_path: Path, start_gateway: StartGateway) -> None:
    with (
        ValkeyServer(tmp_path / "one") as one,
        ValkeyServer(tmp_path / "two", f"replicaof 127.0.0.1 {one.port}") as two,
    ):
        watched = (
            f"sentinel monitor mine 127.0.0.1 {one.port} 1",
            "sentinel down-after-milliseconds mine 500",
            "sentinel failover-timeout mine 2000",
        )
        with ValkeyServer(tmp_path / "sentinel", *watched, sentinel=True) as sentinel:
            nowhere = f"127.0.0.1:{ValkeyServer(tmp_path / 'unused').port}"
            where = {"addresses": [nowhere, sentinel.address], "master": "mine"}
            gateway = start_gateway(shared("", 20, valkey={"sentinel": where}))
            answers(gateway)
            eventually(
                lambda: (
                    "slave0" in sentinel.says("SENTINEL", "MASTER", "mine")
                    or "num-slaves\r\n$1\r\n1" in sentinel.says("SENTINEL", "MASTER", "mine")
                ),
                "the replica is known",
                20,
            )
            one.kill()
            misses(gateway)
            eventually(lambda: store(gateway)["up"], "the other has taken over", 30)
            assert ask(gateway, "/20") == [200]
            eventually(lambda: "tidegate:{at-20}:" in two.says("KEYS", "*"), "what is spent is kept there")


def is_one(node: ValkeyServer) -> None:
    eventually(lambda: "cluster_state:ok" in node.says("CLUSTER", "INFO"), "the cluster is one", 20)


def test_in_a_cluster_each_limit_is_at_the_node_that_has_its_keys(
    tmp_path: Path, start_gateway: StartGateway
) -> None:
    with (
        ValkeyServer(tmp_path / "one", "cluster-enabled yes") as one,
        ValkeyServer(tmp_path / "two", "cluster-enabled yes") as two,
    ):
        one.says("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        two.says("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        one.says("CLUSTER", "MEET", "127.0.0.1", str(two.port))
        for node in (one, two):
            is_one(node)
        quotas = (20, 21, 22, 23, 24, 25)
        gateway = start_gateway(shared(one.address, *quotas))
        answers(gateway)
        counts(gateway, 1)
        for quota in quotas:
            assert 429 in ask(gateway, f"/{quota}", 60)
        assert store(gateway)["up"]
        for node in (one, two):
            assert "tidegate:{at-" in node.says("KEYS", "*"), "both have some"
