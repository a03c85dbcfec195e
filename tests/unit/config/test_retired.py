"""Options and words that are gone: refused, with what to write instead."""

from typing import Annotated, Literal

import pytest
from pydantic import ValidationError

from tests.unit.config.conftest import Find
from tidegate.config.explain import explain
from tidegate.config.model import Options
from tidegate.config.model.retired import Retired
from tidegate.config.model.walk import walk
from tidegate.config.tree import Source, planted


@pytest.mark.parametrize(
    ("balance", "path", "hint"),
    [
        ("slow_start: {minimum: 0.1}", "slow_start.minimum", "write min_weight_percent: 10"),
        ("slow_start: {minimum: a tenth}", "slow_start.minimum", "write min_weight_percent"),
        ("prequal: {quantile: 0.84}", "prequal.quantile", "write percentile: 84"),
    ],
)
def test_a_share_that_became_percent_is_refused_with_its_new_name_and_value(
    problems: Find, balance: str, path: str, hint: str
) -> None:
    (problem,) = problems(f"upstreams: [{{name: a, balance: {{{balance}}}}}]")
    assert problem.path == f"upstreams.0.balance.{path}"
    assert "counts percent" in problem.message
    assert problem.hint == hint


class Group(Options):
    """Options that took another word once."""

    words: tuple[
        Annotated[Literal["one", "two"], Retired("zero", "is gone", lambda _: "write one")], ...
    ] = ()


def test_a_word_that_is_gone_is_refused_with_what_to_write() -> None:
    with pytest.raises(ValidationError) as error:
        Group.model_validate({"words": ["one", "zero", "nine"]})
    source = Source(planted({"words": ["one", "zero", "nine"]}))
    gone, unknown = explain(error.value, source, Group)
    assert (gone.path, gone.message, gone.hint) == ("words.1", "zero is gone", "write one")
    assert unknown.message.startswith("expected one of one, two")


def test_nothing_that_is_gone_is_still_there() -> None:
    for option in walk():
        group = option.group
        assert not group or not {one.name for one in group.retired} & group.model_fields.keys()
