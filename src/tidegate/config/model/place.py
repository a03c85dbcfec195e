"""Places: where in a request a credential may stand."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName


def _bearer_alone(value: Any) -> Any:
    return {"bearer": True} if value == "bearer" else value


class Place(Options):
    """Where a credential may stand: exactly one option is given. `bearer` may be written as a word alone."""

    bearer: Literal[True] | None = Field(default=None, examples=[True])
    """In `Authorization`, after the word `Bearer` (RFC 6750)."""
    header: FieldName | None = Field(default=None, examples=["x-api-key"])
    """A header field's value."""
    cookie: FieldName | None = Field(default=None, examples=["session"])
    """A cookie's value."""
    query: str | None = Field(default=None, min_length=1, examples=["key"])
    """A query parameter's value."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        self.require_exactly_one("bearer", "header", "cookie", "query")
        return self


Places = tuple[
    Annotated[Place, BeforeValidator(_bearer_alone, json_schema_input_type=Literal["bearer"] | Place)], ...
]
