"""Changes while requests are served: nothing else is disturbed, and a bad change changes nothing."""

import copy
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness import answers
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Config, Gateway, complete
from .harness.h2client import H2Client
from .harness.held import held_request
from .harness.load import Load
from .harness.message import Echo
from .harness.origin import Origin
from .harness.ports import free_port
from .harness.raw import refuses
from .harness.waiting import eventually


def with_answer(config: Config, body: str) -> Config:
    """The configuration with one more route, or with that route answering something else."""
    config = copy.deepcopy(config)
    config["routes"] = [r for r in config["routes"] if r["name"] != "fixed"]
    config["routes"].append(route("fixed", "/fixed", respond={"status": 200, "body": body}))
    return config


def by_file(gateway: Gateway, config: Config) -> None:
    """Edit the file and let the gateway notice."""
    with gateway.next_generation():
        gateway.write(config)


def by_signal(gateway: Gateway, config: Config) -> None:
    """Edit the file and send SIGHUP."""
    with gateway.next_generation():
        gateway.write(config)
        gateway.signal(signal.SIGHUP)


def by_reload(gateway: Gateway, config: Config) -> None:
    """Edit the file and ask for a reload."""
    gateway.write(config)
    gateway.admin.post("/v1/config/reload").raise_for_status()


def by_put(gateway: Gateway, config: Config) -> None:
    """Hand over the whole configuration."""
    gateway.admin.put("/v1/config", json=config).raise_for_status()


def by_patch(gateway: Gateway, config: Config) -> None:
    """Hand over the routes alone."""
    patch = {name: config[name] for name in ("routes", "upstreams", "listeners")}
    headers = {"Content-Type": "application/merge-patch+json"}
    gateway.admin.patch("/v1/config", json=patch, headers=headers).raise_for_status()


def by_name(gateway: Gateway, config: Config) -> None:
    """Hand over that route alone."""
    fixed = next(each for each in config["routes"] if each["name"] == "fixed")
    gateway.admin.put("/v1/routes/fixed", json=fixed).raise_for_status()


WAYS = [by_file, by_signal, by_reload, by_put, by_patch, by_name]


@pytest.mark.parametrize("change", WAYS)
def test_a_changed_route_disturbs_no_other(
    start_gateway: StartGateway, origin: Origin, change: Callable[[Gateway, Config], None]
) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "0"))
    before = origin.accepted
    with Load(gateway.port()) as load, gateway.connect() as quiet, H2Client(gateway.port()) as h2:
        assert quiet.request("/x").status == 200
        assert h2.request("/x").status == 200
        for body in ("1", "2", "3"):
            change(gateway, with_answer(gateway.config, body))
            load.wait_for(20)
            assert quiet.request("/fixed").text == body
            assert h2.request("/fixed").text == body
        assert quiet.request("/x").status == 200
    assert load.failures == []
    # One upstream connection for each of the clients at the most: pools were not thrown away.
    assert origin.accepted - before <= 6


def test_many_changes_in_a_row_disturb_nobody(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "0"))
    before = origin.accepted
    with Load(gateway.port()) as load:
        for number in range(40):
            by_patch(gateway, with_answer(gateway.config, str(number)))
        load.wait_for(20)
    assert load.failures == []
    assert origin.accepted - before <= 4


def test_a_change_of_endpoints_under_load_fails_no_request(
    start_gateway: StartGateway, origin: Origin
) -> None:
    with Origin("second") as second:
        gateway = start_gateway(proxy(origin.address))
        with Load(gateway.port()) as load:
            for addresses in ([origin.address, second.address], [second.address], [origin.address]) * 3:
                config = copy.deepcopy(gateway.config)
                config["upstreams"] = [upstream("app", *addresses)]
                by_reload(gateway, config)
                load.wait_for(5)
        assert load.failures == []
        assert second.requests


def test_a_running_answer_survives_the_loss_of_its_route(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(proxy(origin.address))
    with held_request(gateway, origin) as (client, gate):
        config = copy.deepcopy(gateway.config)
        config["routes"] = [route("all", "/", respond={"status": 410})]
        config["upstreams"] = []
        by_reload(gateway, config)
        with gateway.connect() as other:
            assert other.request("/").status == 410
        gate.open()
        assert client.read_response().text == "at last"
        assert client.request("/").status == 410


# Listeners


def test_an_added_listener_opens(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(proxy(origin.address))
    config = copy.deepcopy(gateway.config)
    config["listeners"].append(listener("more"))
    with Load(gateway.port()) as load:
        by_reload(gateway, config)
        with gateway.connect("more") as client:
            assert Echo.of(client.request("/x")).target == "/x"
    assert load.failures == []


def test_a_removed_listener_closes_and_drains(start_gateway: StartGateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/gate", gate)
    gateway = start_gateway(proxy(origin.address, listeners=[listener("web"), listener("gone")]))
    port = gateway.port("gone")
    with Load(gateway.port()) as load, gateway.connect("gone") as busy, gateway.connect("gone") as idle:
        assert idle.request("/x").status == 200
        busy.send_request("/gate")
        origin.wait(lambda: any(r.target == "/gate" for r in origin.requests), "the request is on its way")
        by_reload(gateway, {**gateway.config, "listeners": gateway.config["listeners"][:1]})
        eventually(lambda: refuses(port), "no new connection is accepted")
        gate.open()
        response = busy.read_response()
        assert response.text == "at last"
        assert (response.header("connection") or "").lower() == "close"
        busy.wait_closed()
        idle.wait_closed()
    assert load.failures == []


def test_what_does_not_end_on_a_removed_listener_is_cut_off(
    start_gateway: StartGateway, origin: Origin
) -> None:
    origin.on("/hang", answers.hang())
    listeners = [listener("web"), listener("gone")]
    gateway = start_gateway(proxy(origin.address, listeners=listeners, drain_timeout="300ms"))
    with gateway.connect("gone") as busy, gateway.connect() as other:
        busy.send_request("/hang")
        origin.wait(lambda: any(r.target == "/hang" for r in origin.requests), "the request is on its way")
        by_reload(gateway, {**gateway.config, "listeners": gateway.config["listeners"][:1]})
        busy.wait_closed()
        assert other.request("/x").status == 200


def test_a_moved_listener_is_reached_at_its_new_address(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(proxy(origin.address))
    old = gateway.port()
    by_reload(gateway, {**gateway.config, "listeners": [listener("web")]})
    with gateway.connect() as client:
        assert client.request("/x").status == 200
    eventually(lambda: refuses(old), "the old address is given up")


def test_a_listener_whose_port_is_taken_refuses_the_whole_change(
    start_gateway: StartGateway, origin: Origin
) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "old"))
    before = gateway.generation()
    config = with_answer(gateway.config, "new")
    with Origin("squatter") as squatter:
        config["listeners"].append({"name": "taken", "address": squatter.address})
        gateway.write(config)
        answer = gateway.admin.post("/v1/config/reload")
    assert 400 <= answer.status_code < 500
    assert squatter.address in answer.text
    assert gateway.generation() == before
    with gateway.connect() as client:
        assert client.request("/fixed").text == "old"


# What survives by identity


def test_an_endpoint_that_rests_goes_on_resting(start_gateway: StartGateway, origin: Origin) -> None:
    port = free_port()
    config = proxy(f"127.0.0.1:{port}", origin.address, workers=1)
    outlier = {"connect_failures": 1, "rest": "600s", "max_rest": "600s"}
    config["upstreams"][0].update(balance="round_robin", health={"outlier": outlier})
    gateway = start_gateway(with_answer(config, "0"))
    with gateway.connect() as client:
        for _ in range(4):
            assert client.request("/x").status == 200
        with Origin("back", port=port) as back:
            by_reload(gateway, with_answer(gateway.config, "1"))
            for _ in range(20):
                assert client.request("/x").status == 200
            assert not back.requests, "the reload has woken it"


def test_a_change_without_a_difference_makes_no_generation(
    start_gateway: StartGateway, origin: Origin
) -> None:
    gateway = start_gateway(proxy(origin.address))
    before = gateway.generation()
    answer = gateway.admin.post("/v1/config/reload").raise_for_status().json()
    assert answer["changed"] is False
    assert gateway.generation() == before


# Bad changes

BAD: dict[str, Any] = {
    "no YAML": "listeners: [",
    "an unknown option": {"listenrs": []},
    "an unknown upstream": {"routes": [{"name": "all", "upstream": "nobody"}]},
    "a wrong type": {"listeners": "web"},
    "two routes of one name": {"routes": [route("a", "/", respond={}), route("a", "/a", respond={})]},
    "a missing certificate": {
        "listeners": [
            {
                "name": "web",
                "address": "127.0.0.1:1",
                "tls": {"certificates": [{"cert": "no.pem", "key": "no.pem"}]},
            }
        ]
    },
    "a broken pattern": {"routes": [route("all", match={"path": {"regex": "("}}, respond={})]},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_and_the_running_configuration_stays(
    start_gateway: StartGateway, origin: Origin, name: str
) -> None:
    gateway = start_gateway(proxy(origin.address))
    before = gateway.generation()
    bad = BAD[name]
    with Load(gateway.port(), connections=1) as load:
        if isinstance(bad, str):
            gateway.file.write_text(bad)
        else:
            gateway.write({**gateway.config, **bad})
        answer = gateway.admin.post("/v1/config/reload")
        gateway.signal(signal.SIGHUP)
        load.wait_for(10)
    assert load.failures == []
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]
    assert gateway.file.name in answer.text
    assert gateway.generation() == before


def test_a_vanished_file_leaves_the_running_configuration(
    start_gateway: StartGateway, origin: Origin
) -> None:
    gateway = start_gateway(proxy(origin.address))
    gateway.file.unlink()
    assert gateway.admin.post("/v1/config/reload").status_code >= 400
    with gateway.connect() as client:
        assert client.request("/x").status == 200


def test_a_mended_file_is_taken(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "old"))
    config = with_answer(gateway.config, "new")
    gateway.file.write_text("listeners: [")
    assert gateway.admin.post("/v1/config/reload").status_code == 422
    by_file(gateway, config)
    with gateway.connect() as client:
        assert client.request("/fixed").text == "new"


# The file beside the other ways


def answered(gateway: Gateway) -> str:
    """What the route that changes answers."""
    with gateway.connect() as client:
        return client.request("/fixed").text


def by_rollback(gateway: Gateway, config: Config) -> None:
    """Change by the admin API, and back to the generation before."""
    by_put(gateway, config)
    gateway.admin.post(f"/v1/generations/{gateway.generation() - 1}/rollback").raise_for_status()


@pytest.mark.parametrize("other", [by_put, by_patch, by_rollback])
def test_an_edit_of_the_file_is_noticed_after_a_change_by_another_way(
    start_gateway: StartGateway, origin: Origin, other: Callable[[Gateway, Config], None]
) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "0"))
    other(gateway, with_answer(gateway.config, "by the admin API"))
    by_file(gateway, with_answer(gateway.config, "1"))
    assert answered(gateway) == "1"


def test_the_log_names_what_an_edit_of_the_file_undoes(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "0"))
    by_put(gateway, with_answer({**gateway.config, "drain_timeout": "4s"}, "by the admin API"))
    by_file(gateway, with_answer({**gateway.config, "zone": "a"}, "0"))
    assert answered(gateway) == "0"
    (line,) = (line for line in gateway.log.splitlines() if "not in the file" in line)
    assert "'drain_timeout'" in line
    assert "routes[fixed].respond.body" in line
    assert "zone" not in line


def test_an_edit_right_after_a_reload_is_noticed(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "0"))
    by_put(gateway, with_answer(gateway.config, "by the admin API"))
    for number in range(1, 4):
        by_reload(gateway, with_answer(gateway.config, f"reload {number}"))
        by_file(gateway, with_answer(gateway.config, f"edit {number}"))
        assert answered(gateway) == f"edit {number}"


def test_a_file_that_a_refused_one_names_is_looked_at_again_when_it_changes(
    start_gateway: StartGateway, origin: Origin
) -> None:
    gateway = start_gateway(with_answer(proxy(origin.address), "0"))
    more = gateway.directory / "more.yaml"
    gateway.write(with_answer({**gateway.config, "include": ["more.yaml"]}, "1"))
    assert gateway.admin.post("/v1/config/reload").status_code == 422
    with gateway.next_generation():
        more.write_text("zone: a\n")
    assert answered(gateway) == "1"


@pytest.fixture
def restoring(start_gateway: StartGateway, origin: Origin, tmp_path: Path) -> Callable[..., Gateway]:
    """Starts a gateway that goes on with what was served last, each time at the same file."""
    state = {"state_dir": str(tmp_path / "state"), "restore": "last"}
    config = complete(with_answer({**proxy(origin.address), **state}, "0"))

    def start(body: str = "0") -> Gateway:
        return start_gateway(with_answer(config, body))

    return start


def test_a_restart_goes_on_with_what_was_served_last(restoring: Callable[..., Gateway]) -> None:
    first = restoring()
    by_put(first, with_answer(first.config, "by the admin API"))
    first.stop()
    again = restoring()
    assert answered(again) == "by the admin API"
    by_file(again, with_answer(again.config, "1"))
    assert answered(again) == "1"
    assert "not in the file" in again.log


def test_a_file_that_was_edited_while_the_process_was_down_is_served(
    restoring: Callable[..., Gateway],
) -> None:
    first = restoring()
    by_put(first, with_answer(first.config, "by the admin API"))
    first.stop()
    assert answered(restoring("edited")) == "edited"


# The operator's words


def word(gateway: Gateway, address: str) -> dict[str, Any]:
    """The only word there is, which is on that endpoint."""
    (word,) = gateway.admin.get("/v1/words").raise_for_status().json()
    assert word["endpoint"] == address
    found: dict[str, Any] = word
    return found


def begin_maintenance(gateway: Gateway, address: str) -> None:
    """Take an endpoint out of service."""
    path = f"/v1/upstreams/app/endpoints/{address}/maintenance"
    gateway.admin.post(path, json={"reason": "a new disk"}).raise_for_status()


def reached(gateway: Gateway) -> set[str | None]:
    """Names of the origins that answer some requests."""
    with gateway.connect() as client:
        return {client.request("/").header("x-origin") for _ in range(10)}


def test_no_reload_ends_maintenance(start_gateway: StartGateway, origin: Origin) -> None:
    with Origin("other") as other:
        gateway = start_gateway(proxy(origin.address, other.address))
        begin_maintenance(gateway, other.address)
        assert reached(gateway) == {"origin"}
        generation = gateway.generation()
        gateway.admin.post("/v1/config/reload").raise_for_status()
        assert gateway.generation() == generation
        assert reached(gateway) == {"origin"}
        for change in (by_file, by_signal, by_put):
            change(gateway, with_answer(gateway.config, change.__name__))
            assert reached(gateway) == {"origin"}
            assert word(gateway, other.address)["reason"] == "a new disk"


def test_the_word_on_an_endpoint_waits_for_its_return(start_gateway: StartGateway, origin: Origin) -> None:
    with Origin("other") as other:
        both, alone = proxy(origin.address, other.address), proxy(origin.address)
        gateway = start_gateway(both)
        complete = gateway.config
        begin_maintenance(gateway, other.address)
        by_put(gateway, {**complete, "upstreams": alone["upstreams"]})
        assert word(gateway, other.address)["absent"] is True
        by_put(gateway, complete)
        assert word(gateway, other.address)["absent"] is False
        assert reached(gateway) == {"origin"}
        path = f"/v1/upstreams/app/endpoints/{other.address}/maintenance"
        gateway.admin.delete(path).raise_for_status()
        assert reached(gateway) == {"origin", "other"}


def test_with_a_state_dir_words_hold_from_the_first_request_of_the_next_process_on(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    with Origin("other") as other:
        config = {**proxy(origin.address, other.address), "state_dir": str(tmp_path / "state")}
        first = start_gateway(config)
        begin_maintenance(first, other.address)
        first.stop()
        second = start_gateway(first.config)
        assert reached(second) == {"origin"}
        assert word(second, other.address)["reason"] == "a new disk"
