"""Authenticators that ask a service, and those that know certificates: mistakes, and what values become."""

from collections.abc import Callable

import pytest

from tests.unit.config.conftest import Find
from tidegate.config.load import Loaded

REST = """
listeners: [{name: web, address: 127.0.0.1:8080}]
routes: [{name: all, upstream: app, access: {authenticate: [it]}}]
upstreams: [{name: app, endpoints: [127.0.0.1:9001]}, {name: authz, endpoints: [127.0.0.1:9002]}]
"""


def configuration(authenticator: str) -> str:
    return f"authenticators: [{{name: it, {authenticator}}}]{REST}"


@pytest.mark.parametrize(
    ("authenticator", "message"),
    [
        ("forward: {upstream: nowhere}", "nowhere"),
        ("forward: {path: /check}", "is required"),
        ("forward: {upstream: authz, path: check}", "^/"),
        ("forward: {upstream: authz, cache: 5s}", "expected cache_by beside cache"),
        ("forward: {upstream: authz, cache_by: [cookie]}", "expected cache beside cache_by"),
        ("forward: {upstream: authz, cache: 5s, cache_by: [':scheme']}", ":path"),
        ("forward: {upstream: authz, take_headers: ['x user']}", "x user"),
        ("forward: {upstream: authz, method: post}", "original"),
        ("certificate: {match: [{}]}", "expected exactly one of subject, uri"),
        ("certificate: {match: [{uri: a, dns: b}]}", "found uri and dns"),
        ("certificate: {match: [{serial: xyz}]}", "expected hexadecimal digits"),
        ("certificate: {match: [{sha256: 00ff}]}", "expected the 64 digits of a SHA-256"),
        ("certificate: {subject: serial}", "email"),
        ("certificate: {}, forward: {upstream: authz}", "expected exactly one of"),
    ],
)
def test_a_mistake_is_told(problems: Find, authenticator: str, message: str) -> None:
    told = problems(configuration(authenticator))
    assert any(message in problem.message for problem in told), told


def test_an_upstream_that_is_only_asked_is_used(load: Callable[..., Loaded]) -> None:
    assert load(configuration("forward: {upstream: authz}")).warnings == ()


@pytest.mark.parametrize(("written", "read"), [("00:A1:0B", "a10b"), ("0", "0"), ("A10B", "a10b")])
def test_a_serial_number_is_read_however_it_is_written(
    load: Callable[..., Loaded], written: str, read: str
) -> None:
    text = configuration(f"certificate: {{match: [{{serial: '{written}'}}]}}")
    text = text.replace(", {name: authz, endpoints: [127.0.0.1:9002]}", "")
    (authenticator,) = load(text).config.authenticators
    assert authenticator.certificate is not None
    assert authenticator.certificate.match[0].serial == read
