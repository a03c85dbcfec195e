"""Documents: merge patches, entity tags, secrets."""

import json
from typing import Any

import pytest

from tidegate.config.member import canonical
from tidegate.control.document import Document, etag_of, keep_secrets, merge_patch, redact
from tidegate.control.source import Source


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # the cases of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_rfc_7386_says(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps(target)
    assert merge_patch(target, patch) == result
    assert json.dumps(target) == before


def test_the_etag_depends_on_values_and_not_on_the_order_of_options() -> None:
    def etag(**options: Any) -> str:
        return etag_of(Source(document=options).read())

    route = {"name": "a", "respond": {"status": 204, "headers": {"x": "1", "y": "2"}}}
    other = {"respond": {"headers": {"y": "2", "x": "1"}, "status": 204}, "name": "a"}
    assert etag(workers=1, routes=[route]) == etag(routes=[other], workers=1)
    assert etag(routes=[route, {**route, "name": "b"}]) != etag(routes=[{**route, "name": "b"}, route])
    assert etag(workers=1) != etag(workers=2)
    assert canonical({"b": 1, "a": "ä"}) == '{"a":"ä","b":1}'


def test_a_secret_is_hidden_and_kept_when_it_is_sent_back_hidden() -> None:
    held = {"admin": {"token": "a-secret-of-16-chars", "address": "127.0.0.1:1"}}
    shown = redact(held)
    assert shown["admin"] == {"token": "***", "address": "127.0.0.1:1"}
    assert keep_secrets(shown, held) == held
    assert (
        keep_secrets({"admin": {"token": "another-secret-of-16"}}, held)["admin"]["token"]
        == "another-secret-of-16"
    )


def test_the_secrets_of_a_list_are_kept_by_name() -> None:
    def upstream(name: str, secret: str) -> Document:
        return {"name": name, "balance": {"sticky": {"secret": secret}}}

    held = {"upstreams": [upstream("a", "one"), upstream("b", "two"), {"name": "c", "balance": "random"}]}
    shown = redact(held)
    assert shown["upstreams"][0]["balance"]["sticky"] == {"secret": "***"}
    turned = {"upstreams": shown["upstreams"][::-1]}
    assert keep_secrets(turned, held) == {"upstreams": held["upstreams"][::-1]}
