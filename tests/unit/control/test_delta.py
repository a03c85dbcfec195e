"""What differs between documents that share their members."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.control.delta import applied, delta

ONE, TWO, THREE = ({"name": name} for name in ("one", "two", "three"))


@pytest.mark.parametrize(
    ("before", "after", "come"),
    [
        ([ONE, TWO], [ONE, TWO], []),
        ([ONE, TWO, THREE], [ONE, {"name": "two", "timeout": 1}, THREE], [{"name": "two", "timeout": 1}]),
        ([ONE], [ONE, TWO], [TWO]),
        ([ONE, TWO], [TWO], []),
        ([ONE, ONE], [ONE], []),
    ],
)
def test_a_delta_holds_what_changed_alone(before: list[Any], after: list[Any], come: list[Any]) -> None:
    change = delta({"routes": before}, {"routes": after})
    assert change["lists"]["routes"]["come"] == come
    assert applied({"routes": before}, change) == {"routes": after}


members = st.lists(st.sampled_from([ONE, TWO, THREE, {"name": "four"}]), max_size=6)
documents = st.dictionaries(st.sampled_from(["routes", "upstreams", "name"]), members | st.just("x"))


@given(documents, documents)
def test_a_delta_leads_from_any_document_to_any_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert applied(before, delta(before, after)) == after
