"""Every mistake at once: those of the models, and those that only the engine knows."""

import json
from pathlib import Path

import pytest

from tests.unit.config.conftest import Write
from tidegate._engine import inspect
from tidegate.config.load import load_file
from tidegate.config.plan import with_engine
from tidegate.config.problem import ConfigError

REGEX = "rewrite: {regex: {pattern: '(', replacement: x}}"


def refused(file: Path) -> list[tuple[int | None, str]]:
    """The lines and options of all mistakes in a file."""
    with pytest.raises(ConfigError) as error:
        load_file(file)
    return [(each.line, each.path) for each in with_engine(error.value, inspect).problems]


@pytest.mark.parametrize(
    ("mistake", "path"),
    [
        ("upstream: u, timeout: soon", "timeout"),
        ("upstream: u, retry: {on: [never]}", "retry.on.0"),
        ("upstream: u, retry: {on: reset}", "retry.on"),
        ("upstream: u, hedge: {}", "hedge"),
        ("upstream: u, tiemout: 5s", "tiemout"),
        ("upstream: u, mirror: {upstream: x}", "mirror.upstream"),
        ("upstream: x", "upstream"),
        ("upstream: u, request_headers: {set: {'a b': c}}", "request_headers.set.a b"),
    ],
)
def test_a_mistake_of_the_models_hides_none_of_the_engine_in_the_same_route(
    write: Write, mistake: str, path: str
) -> None:
    text = f"routes:\n- {{name: a, {mistake},\n   {REGEX}}}\nupstreams: [{{name: u}}]\n"
    found = refused(write("f.yaml", text))
    assert found == [(2, f"routes.0.{path}"), (3, "routes.0.rewrite.regex.pattern")]


def test_positions_are_those_of_the_file_though_items_are_missing(write: Write) -> None:
    text = (
        "listeners:\n- {name: a}\n"
        "routes:\n- {name: a}\n- {name: b, split: [{upstream: 3}]}\n"
        "- {name: c, redirect: {host: a b}}\n- {name: d, respond: {}, match: {path: {exact: '/a?b'}}}\n"
        "upstreams:\n- {name: u, endpoints: [x, 'h:1'], tls: {server_name: a b}}\n"
    )
    assert refused(write("f.yaml", text)) == [
        (2, "listeners.0.address"),
        (4, "routes.0"),
        (5, "routes.1.split.0.upstream"),
        (6, "routes.2.redirect.host"),
        (7, "routes.3.match.path.exact"),
        (9, "upstreams.0.endpoints.0.address"),
        (9, "upstreams.0.tls.server_name"),
    ]


def test_a_file_that_is_not_there_hides_nothing(write: Write) -> None:
    text = (
        "listeners:\n"
        "- {name: a, address: '127.0.0.1:1', tls: {certificates: [{cert: no.pem, key: no.pem}]}}\n"
        "routes:\n- {name: c, redirect: {host: a b}}\n"
    )
    paths = [path for _, path in refused(write("f.yaml", text))]
    assert paths == [
        "listeners.0.tls.certificates.0.cert",
        "listeners.0.tls.certificates.0.key",
        "routes.0.redirect.host",
    ]


@pytest.mark.parametrize(
    "route",
    [
        "upstream: u, match: {path: {template: 3}}, rewrite: {path: '/{id}'}",  # perhaps it is captured
        "upstream: u, listeners: [a]",  # the listener is there, and wrong
        "upstream: broken",
    ],
)
def test_what_was_taken_out_is_missed_nowhere(write: Write, route: str) -> None:
    text = (
        "listeners: [{name: a}]\n"
        f"routes: [{{name: a, {route}}}]\n"
        "upstreams: [{name: u}, {name: broken, endpoints: 3, tls: 3, nonsense: 3}]\n"
    )
    with pytest.raises(ConfigError) as error:
        load_file(write("f.yaml", text))
    assert with_engine(error.value, inspect).problems == error.value.problems


@pytest.mark.parametrize("text", ["- a", "routes: 3", "a: [", "{}"])
def test_what_is_hardly_a_configuration_is_told_as_before(write: Write, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_file(write("f.yaml", text))
    assert with_engine(error.value, inspect).problems == error.value.problems


def test_the_engine_is_asked_for_a_whole_plan(write: Write) -> None:
    asked: list[bytes] = []

    def note(plan: bytes, _question: bytes) -> bytes:
        asked.append(plan)
        return b"[]"

    with pytest.raises(ConfigError) as error:
        load_file(write("f.yaml", "name: [x]\nworkers: 3\n"))
    with_engine(error.value, note)
    assert json.loads(asked[0])["workers"] == 3
