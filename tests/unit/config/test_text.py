"""Texts with rules."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tidegate.config.model import HeaderEdits
from tidegate.config.model.text import EndpointAddress, HostPattern, ListenAddress, Method, Network


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


@pytest.mark.parametrize("text", ["*", "a.*.b", "*x.com", "x.com:80", "x..com", "x/y", ""])
def test_a_host_has_at_most_one_leading_wildcard_and_no_port(text: str) -> None:
    with pytest.raises(ValidationError):
        read(HostPattern, text)


def test_hosts_are_lower_case_and_methods_upper_case() -> None:
    assert read(HostPattern, "*.Example.COM") == "*.example.com"
    assert read(Method, "get") == "GET"


def test_a_field_value_may_be_written_as_a_number() -> None:
    assert HeaderEdits.model_validate({"set": {"x-version": 2}}).set == {"x-version": "2"}


@pytest.mark.parametrize("edit", [{"x": "a\r\nb: c"}, {"a b": "c"}, {"": "c"}, {"x": "\0"}])
def test_a_field_that_would_break_the_message_is_refused(edit: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        HeaderEdits.model_validate({"set": edit})
