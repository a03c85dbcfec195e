"""Conditions on named values of a request."""

from collections.abc import Hashable
from typing import Self

from pydantic import Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName, FieldValue


class FieldMatch(Options):
    """Condition on a named value: exactly one of `exact`, `prefix`, `regex` and `present` is given."""

    name: str = Field(min_length=1, examples=["debug"])
    """Name of the query parameter or cookie."""
    exact: FieldValue | None = Field(default=None, examples=["blue"])
    """The whole value."""
    prefix: FieldValue | None = Field(default=None, examples=["bl"])
    """The value's beginning."""
    regex: str | None = Field(default=None, min_length=1, examples=["blue|green"])
    """A regular expression for the whole value."""
    present: bool | None = Field(default=None, examples=[True])
    """Whether it is there at all."""

    def condition(self, name: str) -> Hashable:
        """What is asked for of what has this name."""
        return (name, self.exact, self.prefix, self.regex, self.present)

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        self.require_exactly_one("exact", "prefix", "regex", "present")
        return self


class HeaderMatch(FieldMatch):
    """Condition on a header field: exactly one of `exact`, `prefix`, `regex` and `present` is given."""

    name: FieldName = Field(examples=["x-team"])
    """Name of the field, in any case."""
