"""CSRF: which pages of other origins may make a browser send what changes something."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tidegate.config.model.options import Options
from tidegate.config.model.text import WebOrigin


class Csrf(Options):
    """Refuse requests that pages of other origins make a browser send with its cookies. `true` stands for
    these options as they are, `false` for null."""

    trusted_origins: tuple[WebOrigin, ...] = Field(default=(), examples=[["https://pay.example.com"]])
    """Other origins whose pages may send such requests, written as in `cors`."""


def _switched(value: Any) -> Any:
    return {} if value is True else None if value is False else value


CsrfSwitch = Annotated[Csrf | None, BeforeValidator(_switched, json_schema_input_type=bool | Csrf | None)]
"""Options, or whether to go by those that nothing is said of."""
