"""Requests that are only asked about: the listener that they come in by."""

from typing import Any

import pytest

from tidegate.config.model import Config
from tidegate.control.question import question

TLS = {"certificates": [{"cert": "a.pem", "key": "a.pem"}]}
LISTENERS: list[dict[str, Any]] = [
    {"name": "plain", "address": "0.0.0.0:80"},
    {"name": "secure", "address": "0.0.0.0:443", "tls": TLS},
    {"name": "high", "address": "[::]:8443", "tls": TLS},
    {"name": "again", "address": "127.0.0.1:8443", "tls": TLS},
    {"name": "local", "address": "unix:/run/web.sock"},
]


def asked(
    url: str, listeners: list[dict[str, Any]], listener: str | None = None
) -> tuple[str | None, str | None]:
    """The listener, and what was assumed."""
    config = Config.model_validate({"listeners": listeners})
    found = question(config, "GET", url, [], listener)
    return found.request["listener"], found.assumed


@pytest.mark.parametrize(
    ("url", "listener", "assumed"),
    [
        ("http://a/", "plain", None),
        ("https://a/", "secure", None),
        ("https://a:443/", "secure", None),
        ("https://a:8443/", "high", "first of 2 that have port 8443"),
        ("https://a:1/", "secure", "none that speaks https has port 1"),
        ("http://a:8443/", "plain", "none that speaks http has port 8443"),
        ("/", "plain", "the URL names none"),
    ],
)
def test_scheme_and_port_lead_to_the_listener(url: str, listener: str, assumed: str | None) -> None:
    found, said = asked(url, LISTENERS)
    assert found == listener
    assert (said is None) == (assumed is None)
    assert (assumed or "") in (said or "")


def test_a_listener_that_is_named_is_taken() -> None:
    assert asked("http://a/", LISTENERS, "secure") == ("secure", None)


def test_where_no_listener_speaks_the_scheme_the_first_is_assumed() -> None:
    assert asked("https://a/", LISTENERS[:1]) == ("plain", "plain is the listener, because none speaks https")
    assert asked("https://a/", []) == (None, "there are no listeners")


def test_a_path_has_the_scheme_of_its_listener() -> None:
    config = Config.model_validate({"listeners": LISTENERS})
    assert question(config, "GET", "/", [], "secure").request["scheme"] == "https"
    assert question(config, "GET", "/", [], None).request["scheme"] == "http"


@pytest.mark.parametrize("url", ["ftp://a/", "a/b", "http://a:b/", "http://[::1/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        question(Config.model_validate({"listeners": LISTENERS}), "GET", url, [], None)
