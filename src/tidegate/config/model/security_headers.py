"""Security headers: fields that tell browsers to be careful with a response."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldValue
from tidegate.config.model.unit import Duration

YEAR = 365 * 24 * 60 * 60 * 1000

ReferrerPolicy = Literal[
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
]
OpenerPolicy = Literal["unsafe-none", "same-origin-allow-popups", "same-origin", "noopener-allow-popups"]


class Hsts(Options):
    """`Strict-Transport-Security` (RFC 6797): browsers use nothing but TLS for the host."""

    max_age: Duration = YEAR
    """For how long after a response; 0 takes it back."""
    include_subdomains: bool = False
    """Whether that holds for all hosts below it too."""
    preload: bool = False
    """Whether the host asks to be in the list that browsers bring along (hstspreload.org)."""

    @model_validator(mode="after")
    def _list_takes_it(self) -> Self:
        if self.preload and (self.max_age < YEAR or not self.include_subdomains):
            raise ValueError("preload needs include_subdomains and a max_age of at least 365d")
        return self


class SecurityHeaders(Options):
    """Fields that tell browsers to be careful with the responses, the gateway's own included. The word
    `recommended` stands for these options as they are."""

    hsts: Hsts | None = Hsts()
    """`Strict-Transport-Security`, on responses over TLS; null: none."""
    content_type_options: bool = True
    """Whether `X-Content-Type-Options: nosniff` is sent: browsers do not guess what a response is."""
    referrer_policy: ReferrerPolicy | None = "strict-origin-when-cross-origin"
    """`Referrer-Policy`: what of the address other sites learn; null: none."""
    frame_ancestors: tuple[FieldValue, ...] | None = Field(default=("'self'",), examples=[["'self'"]])
    """Pages that may have the response in a frame: sources of `frame-ancestors` in `Content-Security-Policy`;
    empty: none may; null: the field is not sent."""
    opener_policy: OpenerPolicy | None = "same-origin-allow-popups"
    """`Cross-Origin-Opener-Policy`: which windows can reach each other; null: none."""
    permissions_policy: FieldValue | None = "camera=(), geolocation=(), microphone=()"
    """`Permissions-Policy`: what pages may not use; null: none."""
    override: bool = False
    """Whether what the upstream says of the same is replaced; otherwise it stays."""

    @model_validator(mode="after")
    def _sources_are_sources(self) -> Self:
        for source in self.frame_ancestors or ():
            if not source or set(source) & set(" ;,"):
                raise ValueError(f"expected a source like 'self' or https://*.example.com; found {source!r}")
        return self


def _recommended(value: Any) -> Any:
    if isinstance(value, str) and value != "recommended":
        raise ValueError(f"expected the word recommended, or options; found {value!r}")
    return {} if value == "recommended" else value


SecurityHeadersPreset = Annotated[
    SecurityHeaders | None,
    BeforeValidator(_recommended, json_schema_input_type=Literal["recommended"] | SecurityHeaders | None),
]
"""Options, or the name of those that nothing is said of."""
