"""Rate limits: which requests are let go, what clients are told, and what a reload keeps."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.limited import HOUR, limit, limited
from .harness.message import Response
from .harness.origin import Origin
from .harness.waiting import eventually


def statuses(gateway: Gateway, count: int, **fields: str) -> list[int]:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    with gateway.connect() as connection:
        return [connection.request("/", headers=headers).status for _ in range(count)]


def ask(gateway: Gateway, path: str = "/", **fields: str) -> Response:
    with gateway.connect() as connection:
        return connection.request(path, headers=list(fields.items()))


def test_as_many_requests_as_the_burst_are_let_go(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit("few", {**HOUR, "burst": 5})))
    assert statuses(gateway, 7) == [200] * 5 + [429] * 2
    assert gateway.metrics().total("tidegate_rate_limit_requests_total", limit="few", result="denied") == 2


def test_the_access_log_names_the_window_that_refused_a_request(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    gateway = start_gateway(limited(limit(), access_log={"path": str(log)}))
    assert statuses(gateway, 4) == [200, 200, 200, 429]
    eventually(lambda: len(log.read_text().splitlines()) == 4, "four lines")
    lines = log.read_text().splitlines()
    assert [json.loads(line).get("limit") for line in lines] == [None, None, None, "few"]


def test_all_workers_share_what_a_key_has_left(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit("few", {"quota": 50, "per": "1h"}), workers=2))
    with ThreadPoolExecutor(16) as pool:
        found = Counter(chain.from_iterable(pool.map(lambda _: statuses(gateway, 10), range(16))))
    assert found == {200: 50, 429: 110}


def test_http2_and_http1_share_a_bucket(start_gateway: StartGateway) -> None:
    config = limited(limit())
    config["listeners"][0]["protocols"] = ["http1", "http2"]
    gateway = start_gateway(config)
    with H2Client(gateway.port()) as client:
        assert [client.request("/").status for _ in range(2)] == [200, 200]
    assert statuses(gateway, 2) == [200, 429]


def test_keys_have_a_bucket_each(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit(key=["client", {"header": "x-user"}])))
    assert statuses(gateway, 4, x_user="a") == [200, 200, 200, 429]
    assert statuses(gateway, 4, x_user="b") == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("missing", "found"),
    [("share", [200, 200, 200, 429]), ("skip", [200] * 4), ("deny", [429] * 4)],
)
def test_requests_without_a_part_of_the_key_share_skip_or_are_refused(
    start_gateway: StartGateway, missing: str, found: list[int]
) -> None:
    gateway = start_gateway(limited(limit(key=[{"header": "x-user"}], missing=missing)))
    assert statuses(gateway, 4) == found


def test_a_request_that_one_limit_refuses_costs_nothing_of_the_others(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        limited(limit("wide", {"quota": 4, "per": "1h"}, key=[]), limit("narrow", key=[{"header": "x-user"}]))
    )
    assert statuses(gateway, 9, x_user="a") == [200] * 3 + [429] * 6
    assert statuses(gateway, 2, x_user="b") == [200, 429], "of four, three were spent"


def test_a_limit_in_shadow_counts_and_refuses_nothing(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit(mode="shadow")))
    assert statuses(gateway, 5) == [200] * 5
    metrics = gateway.metrics()
    results = {
        result: metrics.total("tidegate_rate_limit_requests_total", limit="few", result=result)
        for result in ("allowed", "denied", "would_deny")
    }
    assert results == {"allowed": 3, "denied": 0, "would_deny": 2}
    assert ask(gateway).header("ratelimit") is None, "clients do not learn of it"


def test_a_client_is_told_what_it_has_left_and_when_it_may_come_again(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit("per-client", {"quota": 2, "per": "1h"})))
    first, _, third = (ask(gateway, accept="application/json") for _ in range(3))
    assert first.header("ratelimit-policy") == '"per-client";q=2;w=3600'
    assert first.header("ratelimit") == '"per-client";r=1;t=1800'
    assert (third.header("ratelimit") or "").startswith('"per-client";r=0;t=')
    assert 1799 <= int(third.header("retry-after") or 0) <= 1980, "half an hour, and up to a tenth more"
    problem = json.loads(third.body)
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (problem["violated-policies"], problem["error"]) == (["per-client"], "rate_limited")


@pytest.mark.parametrize(
    ("style", "names"),
    [
        ("none", set()),
        ("legacy", {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        ("all", {"ratelimit", "ratelimit-policy"}),
    ],
)
def test_the_fields_that_tell_of_a_limit_can_be_chosen(
    start_gateway: StartGateway, style: str, names: set[str]
) -> None:
    windows = (HOUR, {"quota": 10, "per": "1d"})
    gateway = start_gateway(limited(limit("few", *windows, headers=style)))
    response = ask(gateway)
    assert {name for name, _ in response.headers if "ratelimit" in name} == names
    if style == "all":
        assert response.header("ratelimit-policy") == '"few";q=3;w=3600, "few-1d";q=10;w=86400'


def test_a_request_may_wait_for_its_turn(start_gateway: StartGateway) -> None:
    window = {"quota": 20, "per": "1s", "burst": 1}
    gateway = start_gateway(limited(limit("turns", window, key=[], wait="30s")))
    with ThreadPoolExecutor(8) as pool:
        found = Counter(chain.from_iterable(pool.map(lambda _: statuses(gateway, 3), range(8))))
    assert found == {200: 24}


def test_a_request_that_would_wait_too_long_is_refused(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit("turns", HOUR, wait="1s")))
    assert statuses(gateway, 4) == [200, 200, 200, 429]


@pytest.fixture(scope="module")
def costly(running: Running, module_origin: Origin) -> Any:
    """A gateway in front of an origin, with limits whose cost is known in the end."""
    cost = {
        "logins": limit("logins", cost={"status": [401]}),
        "bytes": limit("bytes", {"quota": "1kB", "per": "1h"}, cost={"requests": 0, "response_bytes": True}),
        "told": limit("told", {"quota": 10, "per": "1h"}, cost={"header": "x-cost"}),
    }
    config = proxy(module_origin.address, rate_limits=list(cost.values()))
    config["routes"] = [route(name, f"/{name}", limits={"rate": [name]}) for name in cost]
    with running(config) as gateway:
        yield gateway


def booked(gateway: Gateway, name: str, left: int) -> None:
    """Wait until so much is left: what is known in the end is booked just after a client has its response."""
    key = f"/v1/rate-limits/{name}/key?part=127.0.0.1"
    eventually(lambda: [each["left"] for each in gateway.admin.get(key).json()] == [left], f"{left} are left")


def test_only_responses_of_a_status_may_cost_something(costly: Gateway, module_origin: Origin) -> None:
    module_origin.on_every_path(answers.fixed(200))
    assert {ask(costly, "/logins").status for _ in range(8)} == {200}
    module_origin.on_every_path(answers.fixed(401))
    for left in (2, 1, 0):
        assert ask(costly, "/logins").status == 401
        booked(costly, "logins", left)
    assert ask(costly, "/logins").status == 429


def test_the_bytes_of_a_response_are_a_debt_that_later_requests_wait_for(
    costly: Gateway, module_origin: Origin
) -> None:
    module_origin.on_every_path(answers.fixed(200, body=b"x" * 3000))
    assert ask(costly, "/bytes").status == 200
    booked(costly, "bytes", 0)
    assert [ask(costly, "/bytes").status for _ in range(2)] == [429, 429]


def test_a_response_may_tell_what_it_cost_and_clients_do_not_see_it(
    costly: Gateway, module_origin: Origin
) -> None:
    module_origin.on_every_path(answers.fixed(200, headers=[("x-cost", "6")]))
    first = ask(costly, "/told")
    assert (first.status, first.header("x-cost")) == (200, None)
    booked(costly, "told", 4)
    assert ask(costly, "/told").status == 200
    booked(costly, "told", 0)
    assert ask(costly, "/told").status == 429


def test_requests_of_a_key_that_are_under_way_are_bounded(
    start_gateway: StartGateway, origin: Origin
) -> None:
    gate = answers.Gate()
    origin.on_every_path(gate)
    limits = {"name": "uploads", "in_flight": 2, "key": [{"header": "x-user"}]}
    gateway = start_gateway(limited(limits, origin=origin))
    with ThreadPoolExecutor(2) as pool:
        under_way = [pool.submit(ask, gateway, **{"x-user": "a"}) for _ in range(2)]
        origin.wait(lambda: len(origin.requests) == 2, "two are under way")
        refused = ask(gateway, **{"x-user": "a", "accept": "application/json"})
        assert (refused.status, refused.json()["error"]) == (429, "too_many_in_flight")
        assert refused.header("ratelimit-policy") == '"uploads";q=2;qu="concurrent-requests"'
        gate.open()
        assert [each.result().status for each in under_way] == [200, 200]
    eventually(lambda: ask(gateway, **{"x-user": "a"}).status == 200, "there is room again")


def test_a_place_is_given_back_when_the_client_leaves(start_gateway: StartGateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on_every_path(gate)
    limits = {"name": "one", "in_flight": 1, "key": []}
    gateway = start_gateway(limited(limits, origin=origin))
    with gateway.connect() as connection:
        connection.send_request("/")
        origin.wait(lambda: origin.requests, "it is under way")
        connection.abort()
    gate.open()
    eventually(lambda: ask(gateway).status == 200, "there is room again")


@pytest.mark.parametrize("direction", ["request", "response"])
def test_bandwidth_is_shared_by_the_bodies_of_a_key(
    start_gateway: StartGateway, origin: Origin, direction: str
) -> None:
    body = b"x" * 200_000
    origin.on_every_path(answers.fixed(200, body=body if direction == "response" else b""))
    slow = {"name": "slow", "key": [], "bandwidth": {direction: "400kB"}}
    gateway = start_gateway(limited(slow, origin=origin))

    def exchange(_: int) -> int:
        with gateway.connect() as connection:
            return len(connection.request("/", body=body if direction == "request" else b"").body)

    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(exchange, range(2)))
    assert found == [len(body) if direction == "response" else 0] * 2
    # 400 kB at 400 kB/s, of which a burst of 40 ms comes at once: no machine is so slow that this takes less.
    assert time.monotonic() - began > 0.9


def test_what_was_spent_survives_a_reload_that_changes_the_numbers(start_gateway: StartGateway) -> None:
    config = limited(limit("few", {"quota": 4, "per": "1h"}))
    gateway = start_gateway(config)
    assert statuses(gateway, 3) == [200] * 3
    config["rate_limits"] = [limit("few", {"quota": 8, "per": "1h"})]
    with gateway.next_generation():
        gateway.write(config)
    assert statuses(gateway, 6) == [200] * 5 + [429], "of eight, three were spent"


def test_an_upstreams_own_fields_are_joined(start_gateway: StartGateway, origin: Origin) -> None:
    fields = [("ratelimit", '"own";r=1'), ("ratelimit-policy", '"own";q=9')]
    origin.on_every_path(answers.fixed(200, headers=fields))
    response = ask(start_gateway(limited(limit(), origin=origin)))
    told = response.header("ratelimit") or ""
    assert told.startswith('"few";r=2')
    assert told.endswith('"own";r=1')


def test_a_client_that_leaves_while_its_request_waits_gives_its_place_back(
    start_gateway: StartGateway,
) -> None:
    window = {"quota": 1, "per": "1h", "burst": 1}
    gateway = start_gateway(limited(limit("turns", window, key=[], wait="2h")))
    assert statuses(gateway, 1) == [200]

    def waiting() -> float:
        return gateway.metrics().total("tidegate_rate_limit_waiting", limit="turns")

    with gateway.connect() as connection:
        connection.send_request("/")
        eventually(lambda: waiting() == 1, "it waits")
        connection.abort()
        eventually(lambda: waiting() == 0, "its place is free")


def test_a_refused_request_is_explained(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit()))
    assert statuses(gateway, 4)[-1] == 429
    [refused] = eventually(lambda: gateway.admin.get("/v1/explain").json(), "it is remembered")
    story = gateway.story(refused["request_id"])
    said = {
        name: story["limits"][0][name] for name in ("limit", "allowed", "name", "window", "verdict", "left")
    }
    assert said == {
        "limit": "rate",
        "allowed": False,
        "name": "few",
        "window": "few",
        "verdict": "deny",
        "left": 0,
    }


def test_the_admin_api_shows_what_a_key_has_left_and_gives_it_a_fresh_bucket(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(limited(limit(key=["client", {"header": "x-user"}])))
    assert statuses(gateway, 4, x_user="a")[-1] == 429
    [shown] = gateway.admin.get("/v1/rate-limits").json()
    assert shown["name"] == "few"
    assert gateway.admin.get("/v1/rate-limits/few").json()["options"]["windows"][0]["quota"] == 3
    key = "/v1/rate-limits/few/key?part=127.0.0.1&part=a"
    assert [each["left"] for each in gateway.admin.get(key).json()] == [0]
    assert [each["left"] for each in gateway.admin.delete(key).json()] == [3]
    assert statuses(gateway, 1, x_user="a") == [200]
    assert gateway.admin.get("/v1/rate-limits/few/key?part=here&part=a").status_code == 422
    assert gateway.admin.get("/v1/rate-limits/many").status_code == 404


def test_a_flood_of_keys_costs_no_memory_and_gains_none_more_than_its_quota(
    start_gateway: StartGateway,
) -> None:
    gateway = start_gateway(limited(limit("few", HOUR, key=[{"header": "x-user"}], keys=1000)))
    statuses(gateway, 1, x_user="first")
    before, number, lock = gateway.rss(), iter(range(10**6)), threading.Lock()

    def flood(_: int) -> None:
        with gateway.connect() as connection:
            for _ in range(2_000):
                with lock:
                    name = str(next(number))
                assert connection.request("/", headers=[("x-user", name * 20)]).status == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(flood, range(4)))
    assert gateway.rss() - before < 8 << 20
    assert gateway.metrics().total("tidegate_rate_limit_evictions_total", limit="few") > 5_000


def test_the_heaviest_keys_are_shown_where_identities_may_be(start_gateway: StartGateway) -> None:
    open_limit = limit(
        "open", {"quota": 5, "per": "1h"}, key=["client", {"header": "x-user"}], identities=True
    )
    gateway = start_gateway(limited(open_limit, limit("closed", {"quota": 1000, "per": "1h"})))
    for name, count in (("a", 3), ("b", 7), ("c", 1)):
        statuses(gateway, count, x_user=name)
    statuses(gateway, 2)
    shown = gateway.admin.get("/v1/rate-limits/open/top?n=3").json()
    assert [(each["parts"], each["requests"]) for each in shown] == [
        (["127.0.0.1", "b"], 7),
        (["127.0.0.1", "a"], 3),
        (["127.0.0.1", None], 2),
    ], "whether they were let go or not"
    assert all(each["at_most_too_many"] == 0 for each in shown)
    assert "127.0.0.1 b" in gateway.says("limits", "top", "open")
    silent = gateway.admin.get("/v1/rate-limits/closed/top")
    assert silent.status_code == 422
    assert "identities: true" in silent.text
    assert gateway.admin.get("/v1/rate-limits/none/top").status_code == 404


def test_how_long_requests_and_bodies_were_held_back_is_counted(
    start_gateway: StartGateway, origin: Origin
) -> None:
    origin.on_every_path(answers.fixed(200, body=b"x" * 60_000))
    slow = {"name": "slow", "key": [], "bandwidth": {"response": "200kB"}}
    patient = limit("patient", {"quota": 2, "per": "1s", "burst": 1}, wait="5s")
    gateway = start_gateway(limited(slow, patient, origin=origin))
    assert statuses(gateway, 2) == [200, 200]

    def seconds(limit: str, held: str) -> float:
        return gateway.metrics().total("tidegate_rate_limit_delay_seconds_sum", limit=limit, held=held)

    eventually(lambda: seconds("slow", "response_body") > 0.2, "two bodies were held back")
    assert 0 < seconds("patient", "request") < 0.5
    assert seconds("slow", "request_body") == 0


def test_a_limit_that_a_route_names_must_be_there(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit()))
    answer = gateway.admin.patch("/v1/config", json={"rate_limits": []})
    assert answer.status_code == 422
    assert "unknown rate limit 'few'" in answer.text


def results(gateway: Gateway, name: str) -> dict[str, float]:
    """How many requests the limit gave each result."""
    metrics = gateway.metrics()
    return {
        result: metrics.total("tidegate_rate_limit_requests_total", limit=name, result=result)
        for result in ("allowed", "denied", "would_deny")
    }


def test_a_turn_that_comes_after_the_time_of_the_route_is_refused_at_once(
    start_gateway: StartGateway, origin: Origin
) -> None:
    config = limited(limit("turns", {"quota": 1, "per": "1h"}, key=[], wait="2h"), origin=origin)
    config["routes"][0]["timeout"] = "30s"
    gateway = start_gateway(config)
    assert statuses(gateway, 2) == [200, 429]
    assert results(gateway, "turns") == {"allowed": 1, "denied": 1, "would_deny": 0}


def test_a_response_to_head_costs_no_bytes(start_gateway: StartGateway) -> None:
    bytes_of_responses = {"requests": 0, "response_bytes": True}
    gateway = start_gateway(limited(limit(key=[], cost=bytes_of_responses)))
    with gateway.connect() as connection:
        for _ in range(3):
            assert connection.request("/", method="HEAD").status == 200
    assert gateway.admin.get("/v1/rate-limits/few/key").json()[0]["left"] == 3


def test_a_limit_of_requests_under_way_counts_each_request_once(
    start_gateway: StartGateway, origin: Origin
) -> None:
    gate = answers.Gate()
    origin.on_every_path(gate)
    shadow = limit("shadow", {"quota": 9, "per": "1h"}, key=[], in_flight=1, mode="shadow")
    gateway = start_gateway(limited({"name": "only", "in_flight": 2, "key": []}, shadow, origin=origin))
    with ThreadPoolExecutor(2) as pool:
        under_way = [pool.submit(ask, gateway) for _ in range(2)]
        origin.wait(lambda: len(origin.requests) == 2, "two are under way")
        assert ask(gateway).status == 429
        gate.open()
        assert [each.result().status for each in under_way] == [200, 200]
    assert results(gateway, "only") == {"allowed": 2, "denied": 1, "would_deny": 0}
    assert results(gateway, "shadow") == {"allowed": 1, "denied": 0, "would_deny": 1}


def test_a_request_that_is_refused_because_it_has_no_key_is_explained(start_gateway: StartGateway) -> None:
    gateway = start_gateway(limited(limit(key=[{"header": "x-user"}], missing="deny")))
    refused = ask(gateway, accept="application/json")
    assert (refused.status, refused.json()["violated-policies"]) == (429, ["few"])
    story = gateway.story(refused)
    assert {"name": "few", "window": "key", "verdict": "deny"}.items() <= story["limits"][0].items()


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_a_body_that_bandwidth_holds_back_is_no_silence_of_the_endpoint(
    start_gateway: StartGateway, origin: Origin, h2_origin: H2Origin, protocol: str
) -> None:
    address = origin.address if protocol == "http1" else h2_origin.address
    config = proxy(rate_limits=[{"name": "slow", "key": [], "bandwidth": {"request": 2}}])
    config["routes"] = [route("all", "/", limits={"rate": ["slow"]})]
    config["upstreams"] = [
        upstream("app", address, protocol=protocol, timeouts={"response": "400ms", "idle": "400ms"})
    ]
    gateway = start_gateway(config)

    def upload(body: bytes) -> int:
        with gateway.connect() as connection:
            return connection.request("/", method="POST", body=body).status

    # The first byte of some comes later than an endpoint may be silent, and so does the last of others.
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(upload, [b"x", b"xx", b"xx"])) == [200] * 3


def test_requests_that_wait_stay_counted_through_a_reload(start_gateway: StartGateway) -> None:
    config = limited(limit("turns", {"quota": 1, "per": "1h"}, key=[], wait="2h"))
    gateway = start_gateway(config)
    assert statuses(gateway, 1) == [200]
    with gateway.connect() as connection:
        connection.send_request("/")

        def waiting() -> float:
            return gateway.metrics().total("tidegate_rate_limit_waiting", limit="turns")

        eventually(lambda: waiting() == 1, "it waits")
        config["rate_limits"] = [limit("turns", {"quota": 2, "per": "1h"}, key=[], wait="2h")]
        with gateway.next_generation():
            gateway.write(config)
        assert waiting() == 1
        connection.abort()
        eventually(lambda: waiting() == 0, "its place is free")
