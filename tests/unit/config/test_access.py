"""Who may use a route: what is read, what is a mistake, and what the plan holds."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.config.conftest import Find, Write
from tidegate.config.load import Loaded
from tidegate.config.model import Asns, Countries, Networks
from tidegate.config.plan import build_plan

ROUTE = "{name: a, upstream: u, access: {%s}}"


def routes(access: str, rest: str = "") -> str:
    return f"routes: [{ROUTE % access}]\nupstreams: [{{name: u, endpoints: ['h:1']}}]\n{rest}"


def test_countries_and_numbers_are_read_as_people_write_them() -> None:
    assert Countries(allow=("de", "Unknown")).allow == ("DE", "unknown")
    written: Any = ("AS64500", "as64501", 64502, "UNKNOWN")
    assert Asns.model_validate({"deny": written}).deny == ("64500", "64501", "64502", "unknown")


@pytest.mark.parametrize("country", ["", "DEU", "4A", "Ü1", "Germany"])
def test_what_is_no_country_is_refused(country: str) -> None:
    with pytest.raises(ValidationError, match="expected a country code"):
        Countries(allow=(country,))


def test_a_code_that_many_write_and_none_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="GB"):
        Countries(allow=("UK",))


@pytest.mark.parametrize("number", ["", "AS", "-1", "4294967296", "google"])
def test_what_is_no_number_of_a_system_is_refused(number: str) -> None:
    with pytest.raises(ValidationError, match="expected a number of an autonomous system"):
        Asns(deny=(number,))


@pytest.mark.parametrize("group", [Networks, Countries, Asns])
def test_rules_that_say_nothing_are_refused(group: type[Networks | Countries | Asns]) -> None:
    with pytest.raises(ValidationError, match="expected at least one of allow"):
        group()


def test_what_is_both_allowed_and_denied_is_refused() -> None:
    with pytest.raises(ValidationError, match="DE is both allowed and denied"):
        Countries(allow=("DE", "AT"), deny=("de",))


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        (routes("countries: {allow: [DE]}"), "routes.0.access.countries", "set geoip.country"),
        (routes("asns: {deny: [1]}"), "routes.0.access.asns", "set geoip.asn"),
        ("rate_limits: [{name: a, key: [client, country], in_flight: 1}]", "rate_limits.0.key.1", "country"),
        ("rate_limits: [{name: a, key: [{asn: true}], in_flight: 1}]", "rate_limits.0.key.0", "geoip.asn"),
    ],
)
def test_what_needs_a_database_needs_one(problems: Find, text: str, path: str, hint: str) -> None:
    found = [problem for problem in problems(text) if problem.path == path]
    assert [problem.message.startswith("there is no database") for problem in found] == [True]
    assert hint in (found[0].hint or "")


def test_norway_is_a_country(load: Callable[..., Loaded], certificates: object) -> None:
    text = routes("countries: {allow: [NO, SE]}", "geoip: {country: GeoLite2-Country.mmdb}")
    (route,) = load(text).config.routes
    assert route.access and route.access.countries and route.access.countries.allow == ("NO", "SE")


def test_the_plan_holds_the_contents_of_files_of_networks_and_no_database(
    load: Callable[..., Loaded], write: Write, certificates: object
) -> None:
    write("offices.txt", "10.0.0.0/8\n")
    text = routes(
        "networks: {deny: [192.0.2.7/24], deny_files: [drop.txt, offices.txt]}",
        "geoip: {country: GeoLite2-Country.mmdb}\n"
        "listeners: [{name: l, address: '127.0.0.1:1', networks: {allow_files: [offices.txt]}}]",
    )
    loaded = load(text)
    plan = build_plan(loaded).data
    networks = plan["routes"][0]["access"]["networks"]
    assert networks["deny"] == ["192.0.2.0/24"]
    assert networks["deny_files"] == ["203.0.113.0/24 ; SBL0\n", "10.0.0.0/8\n"]
    assert plan["listeners"][0]["networks"]["allow_files"] == ["10.0.0.0/8\n"]
    assert "geoip" not in plan
    assert {file.name for file in loaded.contents} == {"drop.txt", "offices.txt", "GeoLite2-Country.mmdb"}


def test_a_database_that_cannot_be_read_is_told_with_its_place(problems: Find) -> None:
    (problem,) = problems("geoip: {asn: missing.mmdb}")
    assert problem.path == "geoip.asn" and "no such file" in problem.message


def test_a_unix_socket_has_no_networks(problems: Find) -> None:
    (problem,) = problems("listeners: [{name: l, address: 'unix:/x', networks: {deny: [10.0.0.0/8]}}]")
    assert "have no addresses" in problem.message
