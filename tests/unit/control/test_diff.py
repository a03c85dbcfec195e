"""What differs between two documents."""

from typing import Any

from tidegate.control.diff import Edit, compare


def test_equal_documents_do_not_differ() -> None:
    assert compare({"routes": [{"name": "a"}]}, {"routes": [{"name": "a"}]}) == []


def test_members_of_a_list_are_compared_by_name_not_by_position() -> None:
    old = {"routes": [{"name": "a", "timeout": 1}, {"name": "b", "timeout": 1}]}
    new = {"routes": [{"name": "new"}, {"name": "a", "timeout": 2}, {"name": "b", "timeout": 1}]}
    assert compare(old, new) == [Edit("routes[a].timeout", 1, 2), Edit("routes[new]", None, {"name": "new"})]


def test_endpoints_are_compared_by_address() -> None:
    old = {"upstreams": [{"name": "app", "endpoints": [{"address": "a:1"}, {"address": "b:1"}]}]}
    new = {"upstreams": [{"name": "app", "endpoints": [{"address": "b:1", "weight": 3}]}]}
    assert compare(old, new) == [
        Edit("upstreams[app].endpoints[a:1]", {"address": "a:1"}, None),
        Edit("upstreams[app].endpoints[b:1].weight", None, 3),
    ]


def test_another_order_is_a_difference() -> None:
    old = {"routes": [{"name": "a"}, {"name": "b"}]}
    new = {"routes": [{"name": "b"}, {"name": "a"}]}
    assert compare(old, new) == [Edit("routes[order]", ["a", "b"], ["b", "a"])]


def test_secrets_are_masked() -> None:
    old = {"admin": {"token": "one"}}
    assert compare(old, {"admin": {"token": "two"}}) == [Edit("admin.token", "***", "***")]
    assert compare(old, {}) == [Edit("admin", {"token": "***"}, None)]
    assert compare({}, old) == [Edit("admin", None, {"token": "***"})]


def test_secrets_in_lists_are_masked() -> None:
    def app(secret: str) -> dict[str, Any]:
        return {"upstreams": [{"name": "app", "balance": {"sticky": {"secret": secret}}}]}

    edits = [Edit("upstreams[app].balance.sticky.secret", "***", "***")]
    assert compare(app("first-secret"), app("second-secret")) == edits
    assert "first-secret" not in str(compare(app("first-secret"), {}))
    assert "second-secret" not in str(compare({"upstreams": []}, app("second-secret")))
