"""Mistakes in options about pages of other origins."""

from typing import Any

import pytest
from pydantic import ValidationError

from tidegate.config.model import Cors, Csrf, Route, SecurityHeaders


def route(**options: Any) -> Route:
    return Route.model_validate({"name": "a", "upstream": "app", **options})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://App.Example.com:443", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://a.example:80", "http://a.example"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*.Example.com", "https://*.example.com"),
        ("http://*.example.com:8080", "http://*.example.com:8080"),
        ("*", "*"),
        ("null", "null"),
    ],
)
def test_origins_are_written_as_browsers_write_them(written: str, meant: str) -> None:
    assert Cors(origins=(written,)).origins == (meant,)
    assert Csrf(trusted_origins=(written,)).trusted_origins == (meant,)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "app.example.com",
        "https://",
        "https://a.example/",
        "https://a.example/x",
        "https://*",
        "https://a.*",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="expected an origin like"):
        Cors(origins=(origin,))


@pytest.mark.parametrize("origin", ["*", "null"])
def test_credentials_are_for_named_origins_only(origin: str) -> None:
    with pytest.raises(ValidationError, match="the origins must be named"):
        Cors(origins=(origin,), credentials=True)


def test_with_credentials_exposed_fields_are_named() -> None:
    with pytest.raises(ValidationError, match="list the fields to expose"):
        Cors(origins=("https://a.example",), expose=("*",), credentials=True)


def test_switches_stand_for_options_as_they_are() -> None:
    assert route(csrf=True).csrf == Csrf()
    assert route(csrf=False).csrf is None
    assert route(security_headers="recommended").security_headers == SecurityHeaders()


def test_another_word_than_the_preset_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected the word recommended"):
        route(security_headers="strict")


@pytest.mark.parametrize(
    "hsts", [{"preload": True}, {"preload": True, "max_age": 1, "include_subdomains": True}]
)
def test_what_the_preload_list_would_not_take_is_refused(hsts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="preload needs"):
        route(security_headers={"hsts": hsts})


@pytest.mark.parametrize("source", ["", "'self' 'none'", "a;b", "a,b"])
def test_a_source_that_is_more_than_one_is_refused(source: str) -> None:
    with pytest.raises(ValidationError, match="expected a source"):
        route(security_headers={"frame_ancestors": [source]})
