"""Texts with rules."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.unit.config.conftest import Find
from tidegate.config.load import Loaded
from tidegate.config.model import HeaderEdits
from tidegate.config.model.text import (
    EndpointAddress,
    FileMode,
    HostPattern,
    ListenAddress,
    Method,
    Network,
)
from tidegate.config.plan import build_plan


def read(kind: Any, text: Any) -> Any:
    return TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", ["0.0.0.0:8080", "[::1]:80", "127.0.0.1:0", "unix:/run/tidegate.sock"])
def test_a_listener_takes_an_ip_or_a_socket_path(text: str) -> None:
    assert read(ListenAddress, text) == text


@pytest.mark.parametrize(
    "text", [":8080", "localhost:80", "0.0.0.0", "1.2.3.4:65536", "::1:80", "unix:x", "[x]:1"]
)
def test_a_listener_refuses_what_it_cannot_bind(text: str) -> None:
    with pytest.raises(ValidationError):
        read(ListenAddress, text)


def test_a_missing_host_is_answered_with_the_way_to_write_it() -> None:
    with pytest.raises(ValidationError, match=r"write 0\.0\.0\.0:8080"):
        read(ListenAddress, ":8080")


def test_an_address_is_written_in_one_way() -> None:
    assert read(EndpointAddress, "[0:0::1]:80") == "[::1]:80"
    assert read(EndpointAddress, "App.Internal:80") == "app.internal:80"


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "127.0.0.1:0", "a b:80", "http://x:80", "-x:80", ":80", "300.1.1.1:80", "[1]:80"]
)
def test_an_endpoint_refuses_what_cannot_be_reached(text: str) -> None:
    with pytest.raises(ValidationError):
        read(EndpointAddress, text)


def test_a_network_without_length_is_one_address() -> None:
    assert read(Network, "10.0.0.1") == "10.0.0.1/32"
    assert read(Network, "10.1.2.3/8") == "10.0.0.0/8"


@pytest.mark.parametrize("text", ["0660", "660", "0o660"])
def test_a_file_mode_is_octal(text: str) -> None:
    assert read(FileMode, text) == "0660"


@pytest.mark.parametrize("text", ["", "66", "0680", "u+w", "0x1B0", "00660"])
def test_what_is_no_file_mode_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read(FileMode, text)


@pytest.mark.parametrize("written", ["0660", "'0660'"])
def test_rights_are_those_of_a_unix_listener_and_name_users_of_the_system(
    load: Callable[..., Loaded], problems: Find, written: str
) -> None:
    unix = f"unix: {{mode: {written}, owner: root, group: '0'}}"
    loaded = load(f"listeners: [{{name: a, address: 'unix:/run/a', {unix}}}]", "f.yaml")
    (listener,) = build_plan(loaded).data["listeners"]
    assert listener["unix"] == {"mode": "0660", "owner": "0", "group": "0"}
    (problem,) = problems(f"listeners: [{{name: a, address: '127.0.0.1:80', {unix}}}]")
    assert "only a listener at unix:/path" in problem.message
    unknown = "unix: {owner: no-such-user-here}"
    (problem,) = problems(f"listeners: [{{name: a, address: 'unix:/run/a', {unknown}}}]")
    assert "no user 'no-such-user-here'" in problem.message


def test_http3_is_refused_where_there_is_no_tls_or_no_port(problems: Find) -> None:
    (problem,) = problems("listeners: [{name: a, address: '127.0.0.1:80', protocols: [http1, http3]}]")
    assert "HTTP/3 is spoken only with TLS" in problem.message
    (problem,) = problems("listeners: [{name: a, address: 'unix:/run/a', protocols: [http3]}]")
    assert "HTTP/3 is spoken over UDP" in problem.message
    (problem,) = problems("listeners: [{name: a, address: '127.0.0.1:80', http3: {retry: always}}]")
    assert "protocols does not name http3" in problem.message


def test_early_data_is_refused_where_clients_show_certificates(problems: Find) -> None:
    tls = "tls: {certificates: [{cert: c.pem, key: k.pem}], client_auth: {ca: ca.pem}}"
    quic = "protocols: [http3], http3: {early_data: true}"
    found = problems(f"listeners: [{{name: a, address: '127.0.0.1:80', {quic}, {tls}}}]")
    assert any("cannot be used with tls.client_auth" in problem.message for problem in found)


@pytest.mark.parametrize("text", ["*", "a.*.b", "*x.com", "x.com:80", "x..com", "x/y", ""])
def test_a_host_has_at_most_one_leading_wildcard_and_no_port(text: str) -> None:
    with pytest.raises(ValidationError):
        read(HostPattern, text)


def test_hosts_are_lower_case_and_methods_upper_case() -> None:
    assert read(HostPattern, "*.Example.COM") == "*.example.com"
    assert read(Method, "get") == "GET"


def test_a_field_value_may_be_written_as_a_number() -> None:
    assert HeaderEdits.model_validate({"set": {"x-version": 2}}).set == {"x-version": "2"}


NUMBERS = ["1.10", "010", "0x1F", "1e3", "-0", "0o17", "+1", "1.0"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_text_that_looks_like_a_number_is_kept_as_it_is_written(
    load: Callable[..., Loaded], number: str
) -> None:
    text = (
        f"routes: [{{name: a, respond: {{headers: {{x-version: {number}}}}},\n"
        f"  match: {{headers: [{{name: x-version, exact: {number}}}],\n"
        f"  cookies: [{{name: c, prefix: {number}}}]}}}}]\n"
        f"upstreams: [{{name: u, endpoints: [{{address: 'h:1', labels: {{version: {number}}}}}]}}]\n"
    )
    config = load(text).config
    (route,), (upstream,) = config.routes, config.upstreams
    assert route.respond and route.respond.headers == {"x-version": number}
    assert route.match.headers[0].exact == number
    assert route.match.cookies[0].prefix == number
    assert upstream.endpoints[0].labels == {"version": number}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.json", '{"routes": [{"name": "a", "respond": {"headers": {"x-version": 1.10}}}]}'),
        ("f.toml", "routes = [{name = 'a', respond = {headers = {x-version = 1.10}}}]"),
        ("f.toml", "[[routes]]\nname = 'a'\n[routes.respond.headers]\nx-version = 1.10\n"),
        ("f.yaml", "routes: [{name: a, respond: {headers: {x-version: '1.10'}}}]"),
        ("f.yaml", "routes: [{name: a, respond: {headers: {x-version: '${VERSION}'}}}]"),
        ("f.yaml", "routes:\n- name: a\n  respond:\n    headers:\n      x-version: ${VERSION}\n"),
    ],
)
def test_so_it_is_in_every_language_and_from_variables(
    load: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv("VERSION", "1.10")
    (route,) = load(text, name).config.routes
    assert route.respond and route.respond.headers == {"x-version": "1.10"}


@pytest.mark.parametrize("value", ["true", "null", "[]"])
def test_a_text_is_no_other_word_without_quotes(problems: Find, value: str) -> None:
    (problem,) = problems(f"routes: [{{name: a, respond: {{headers: {{x: {value}}}}}}}]")
    assert problem.message.startswith("expected text")


@pytest.mark.parametrize("edit", [{"x": "a\r\nb: c"}, {"a b": "c"}, {"": "c"}, {"x": "\0"}])
def test_a_field_that_would_break_the_message_is_refused(edit: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        HeaderEdits.model_validate({"set": edit})
