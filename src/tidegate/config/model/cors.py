"""CORS: which pages of other origins may read responses."""

from typing import Self

from pydantic import Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName, Method, WebOrigin
from tidegate.config.model.unit import Duration

ANY = "*"


class Cors(Options):
    """Which pages of other origins may read the responses (CORS, of the Fetch standard). What the upstream
    says of it itself is replaced."""

    origins: tuple[WebOrigin, ...] = Field(min_length=1, examples=[["https://app.example.com"]])
    """Origins whose pages may: `https://app.example.com`, `https://*.example.com` for all hosts below that
    one (without a scheme it is `https`), `null` for pages without an origin, or `*` for all."""
    methods: tuple[Method, ...] = Field(default=("GET", "HEAD", "POST"), examples=[["GET", "PUT"]])
    """Methods that they may use; `*`: any."""
    headers: tuple[FieldName, ...] = Field(default=(), examples=[["authorization", "content-type"]])
    """Fields that they may send beside those that every page may; `*`: any."""
    expose: tuple[FieldName, ...] = Field(default=(), examples=[["x-total-count"]])
    """Fields of a response that they may read beside those that every page may; `*`: any."""
    max_age: Duration | None = Field(default=None, examples=["10m"])
    """How long a browser may remember the answer to a preflight; null: it decides, which is 5 s in most."""
    credentials: bool = False
    """Whether their requests may carry cookies and other credentials."""

    @model_validator(mode="after")
    def _credentials_are_for_some(self) -> Self:
        if self.credentials and not {ANY, "null"}.isdisjoint(self.origins):
            raise ValueError(
                "with credentials the origins must be named: * and null let any page use a visitor's cookies"
            )
        if self.credentials and ANY in self.expose:
            raise ValueError("with credentials browsers take * for a name: list the fields to expose")
        return self
