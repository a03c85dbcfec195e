"""Who may use a route or a listener, by where the address is: networks, countries, autonomous systems."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness import mmdb
from .harness.certs import Authority
from .harness.configs import listener, proxy, route
from .harness.gateway import Config, Gateway
from .harness.message import Response
from .harness.origin import Origin
from .harness.raw import ClosedError
from .harness.waiting import eventually

GERMAN, AMERICAN, FRENCH, NOWHERE = "203.0.113.9", "198.51.100.9", "2001:db8::9", "192.0.2.9"


def guarded(access: dict[str, Any], **options: Any) -> Config:
    """Everything is answered here, by these rules; who asks is what the test says in `X-Forwarded-For`."""
    config = proxy(**options)
    config["listeners"] = [listener("web", trusted_proxies=["127.0.0.1"])]
    config["routes"] = [route("all", "/", respond={"body": "let in"}, access=access)]
    return config


def ask(gateway: Gateway, client: str) -> Response:
    with gateway.connect() as connection:
        return connection.request("/", headers=[("x-forwarded-for", client), ("accept", "application/json")])


def statuses(gateway: Gateway, *clients: str) -> list[int]:
    return [ask(gateway, client).status for client in clients]


def denied(gateway: Gateway, by: str) -> float:
    return gateway.metrics().total("tidegate_access_denied_total", route="all", by=by)


# Networks


def test_networks_that_are_denied_are_kept_out(start_gateway: StartGateway) -> None:
    gateway = start_gateway(guarded({"networks": {"deny": ["203.0.113.0/24", "2001:db8::/32"]}}))
    assert statuses(gateway, GERMAN, f"::ffff:{GERMAN}", FRENCH, AMERICAN) == [403, 403, 403, 200]
    assert denied(gateway, "networks") == 3


def test_where_some_are_allowed_all_others_are_kept_out(start_gateway: StartGateway) -> None:
    gateway = start_gateway(guarded({"networks": {"allow": ["203.0.113.0/24"]}}))
    assert statuses(gateway, GERMAN, AMERICAN, FRENCH) == [200, 403, 403]


def test_the_longest_prefix_decides(start_gateway: StartGateway) -> None:
    networks = {"allow": ["203.0.113.0/24", "203.0.113.9"], "deny": ["203.0.113.0/28"]}
    gateway = start_gateway(guarded({"networks": networks}))
    assert statuses(gateway, GERMAN, "203.0.113.8", "203.0.113.99") == [200, 403, 200]


def test_the_client_is_the_one_that_trusted_proxies_lead_to(
    start_gateway: StartGateway, origin: Origin
) -> None:
    config = proxy(origin.address)
    config["routes"] = [route("all", "/", access={"networks": {"deny": ["203.0.113.0/24"]}})]
    gateway = start_gateway(config)
    assert statuses(gateway, GERMAN) == [200], "no proxy is trusted here, so it is 127.0.0.1 that asks"


def test_a_refused_request_is_told_and_explained_without_its_address(start_gateway: StartGateway) -> None:
    gateway = start_gateway(guarded({"networks": {"deny": ["203.0.112.0/23"]}}))
    response = ask(gateway, GERMAN)
    assert (response.status, response.json()["error"]) == (403, "forbidden")
    assert "203.0.112.0" not in response.text, "the client learns the kind, not the reason"
    story = gateway.story(response)
    assert story["access"] == {"by": "networks", "rule": "203.0.112.0/23 is denied"}
    assert GERMAN not in json.dumps(story)


def test_files_of_100000_networks_are_watched_and_a_broken_one_changes_nothing(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    file = tmp_path / "drop.txt"
    many = "".join(f"10.{n >> 8 & 255}.{n & 255}.{n >> 16}/32\n" for n in range(100_000))
    file.write_text(many)
    gateway = start_gateway(guarded({"networks": {"deny_files": [str(file)]}}))
    assert statuses(gateway, "10.0.0.0", "10.255.255.0", "10.0.0.9", GERMAN) == [403, 403, 200, 200]
    with gateway.next_generation():
        file.write_text(f"# all but one\n{many}{GERMAN} ; bad\n")
    assert statuses(gateway, "10.0.0.0", GERMAN, AMERICAN) == [403, 403, 200]
    file.write_text("<html>\n")
    eventually(lambda: "line 1: expected a network" in gateway.log, "the mistake is told")
    assert statuses(gateway, "10.0.0.0", GERMAN, AMERICAN) == [403, 403, 200]


# Networks of listeners


def is_closed_at_once(gateway: Gateway, listener: str, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a connection ends without an answer."""
    try:
        with gateway.connect(listener, tls=tls) as connection:
            connection.request("/")
    except (ClosedError, OSError):
        return True
    return False


def test_a_peer_that_may_not_connect_gets_no_answer_and_is_counted(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    certificates = [authority.issue("localhost", file="networks").config()]
    config = proxy(origin.address)
    config["listeners"] = [
        listener("open", networks={"allow": ["127.0.0.0/8"]}),
        listener("web", networks={"deny": ["127.0.0.1"]}),
        listener("secure", networks={"deny": ["127.0.0.1"]}, tls={"certificates": certificates}),
    ]
    gateway = start_gateway(config)
    assert not is_closed_at_once(gateway, "open")
    assert is_closed_at_once(gateway, "web")
    assert is_closed_at_once(gateway, "secure", authority.client())
    metrics = gateway.metrics()
    name = "tidegate_listener_connections_denied_total"
    found = [metrics.total(name, listener=listener) for listener in ("open", "web", "secure")]
    assert found == [0, 1, 1]
    assert metrics.total("tidegate_listener_connections_total", listener="secure") == 0
    assert metrics.total("tidegate_listener_tls_handshakes_total", listener="secure") == 0


def test_networks_of_a_listener_change_with_a_reload(start_gateway: StartGateway, origin: Origin) -> None:
    config = proxy(origin.address)
    config["listeners"] = [listener("web", networks={"deny": ["127.0.0.1"]})]
    gateway = start_gateway(config)
    assert is_closed_at_once(gateway, "web")
    with gateway.next_generation():
        gateway.config["listeners"][0]["networks"] = {"allow": ["127.0.0.1"]}
        gateway.write()
    assert not is_closed_at_once(gateway, "web")


# Countries and autonomous systems


def located(tmp_path: Path, access: dict[str, Any], **options: Any) -> Config:
    geoip = {
        "country": str(mmdb.countries(tmp_path / "country.mmdb")),
        "asn": str(mmdb.asns(tmp_path / "asn.mmdb")),
    }
    return guarded(access, geoip=geoip, **options)


@pytest.mark.parametrize(
    ("lists", "found"),
    [
        ({"allow": ["DE", "fr"]}, [200, 403, 200, 403]),
        ({"deny": ["DE"]}, [403, 200, 200, 200]),
        ({"allow": ["US", "unknown"]}, [403, 200, 403, 200]),
        ({"deny": ["unknown"]}, [200, 200, 200, 403]),
    ],
)
def test_countries_are_let_in_or_kept_out(
    start_gateway: StartGateway, tmp_path: Path, lists: dict[str, Any], found: list[int]
) -> None:
    gateway = start_gateway(located(tmp_path, {"countries": lists}))
    assert statuses(gateway, GERMAN, AMERICAN, FRENCH, NOWHERE) == found
    assert denied(gateway, "countries") == found.count(403)


def test_autonomous_systems_are_let_in_or_kept_out(start_gateway: StartGateway, tmp_path: Path) -> None:
    gateway = start_gateway(located(tmp_path, {"asns": {"deny": ["AS64500"]}}))
    assert statuses(gateway, GERMAN, AMERICAN) == [403, 200]
    assert denied(gateway, "asns") == 1


def test_all_that_is_asked_for_must_hold(start_gateway: StartGateway, tmp_path: Path) -> None:
    access = {"networks": {"deny": ["203.0.113.9"]}, "countries": {"allow": ["DE"]}}
    gateway = start_gateway(located(tmp_path, access))
    assert statuses(gateway, "203.0.113.1", GERMAN, FRENCH) == [200, 403, 403]
    assert (denied(gateway, "networks"), denied(gateway, "countries")) == (1, 1)


def test_a_database_is_watched_and_the_last_good_one_stays(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway(located(tmp_path, {"countries": {"allow": ["DE"]}}))
    assert statuses(gateway, GERMAN, NOWHERE) == [200, 403]
    file = tmp_path / "country.mmdb"
    with gateway.next_generation():
        mmdb.countries(file, {"192.0.2.0/24": {"country": {"iso_code": "DE"}}})
    assert statuses(gateway, GERMAN, NOWHERE) == [403, 200]
    with gateway.next_generation():
        file.write_bytes(file.read_bytes()[:200])
    assert "the last good database of addresses stays" in gateway.log
    assert statuses(gateway, GERMAN, NOWHERE) == [403, 200]


def test_a_change_that_names_a_broken_database_is_refused(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    gateway = start_gateway(located(tmp_path, {"countries": {"allow": ["DE"]}}))
    broken = tmp_path / "broken.mmdb"
    broken.write_text("<html>")
    gateway.config["geoip"]["country"] = str(broken)
    gateway.write()
    eventually(lambda: "broken.mmdb cannot be used" in gateway.log, "the mistake is told")
    assert gateway.generation() == 1
    assert statuses(gateway, GERMAN) == [200]


def test_a_database_that_nothing_names_is_taken_back(start_gateway: StartGateway, tmp_path: Path) -> None:
    gateway = start_gateway(located(tmp_path, {"countries": {"allow": ["DE"]}}))
    with gateway.next_generation():
        del gateway.config["geoip"], gateway.config["routes"][0]["access"]
        gateway.write()
    assert statuses(gateway, GERMAN, NOWHERE) == [200, 200]


def test_clients_of_one_country_or_system_can_share_a_quota(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    config = located(tmp_path, {"networks": {"deny": ["192.0.2.1"]}})
    config["rate_limits"] = [
        {"name": part, "key": [part], "missing": "skip", "windows": [{"quota": quota, "per": "1h"}]}
        for part, quota in (("country", 2), ("asn", 3))
    ]
    config["routes"] = [
        route(part, f"/{part}", respond={}, limits={"rate": [part]}) for part in ("country", "asn")
    ]
    gateway = start_gateway(config)

    def found(path: str, *clients: str) -> list[int]:
        with gateway.connect() as connection:
            fields = ([("x-forwarded-for", client)] for client in clients)
            return [connection.request(path, headers=each).status for each in fields]

    assert found("/country", "203.0.113.1", "203.0.113.2", "203.0.113.3") == [200, 200, 429]
    assert found("/country", AMERICAN, *[NOWHERE] * 4) == [200] * 5
    assert found("/asn", *[f"203.0.113.{n}" for n in range(4)]) == [200, 200, 200, 429]
