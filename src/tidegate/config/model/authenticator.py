"""Authenticators: how it is found out where a request comes from."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.mark import ApiKeysPath, Identity
from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName, Name


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


class ApiKey(Options):
    """Keys that clients are given."""

    file: ApiKeysPath | None = Field(default=None, examples=["keys.yaml"])
    """File of the keys' hashes and what is known of each (`tidegate key new` writes it); null: only keys that
    the admin API makes are known."""
    from_: Places = Field(
        default=(Place(header="x-api-key"),), min_length=1, examples=[[{"header": "x-api-key"}]]
    )
    """Where a key may stand; the first place that holds one counts."""


class Authenticator(Options):
    """Finds out where requests come from. Exactly one kind is given."""

    name: Annotated[Name, Identity("authenticator")] = Field(examples=["robots"])
    """Unique name; what it remembers survives a reload under it."""
    api_key: ApiKey | None = None
    """Kind: keys that clients are given."""
    keep_credentials: bool = False
    """Whether credentials that it believes are passed on to upstreams."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        self.require_exactly_one("api_key")
        return self
