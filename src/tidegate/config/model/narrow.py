"""Narrowing: which endpoints a policy chooses from."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.retired import now_in_percent
from tidegate.config.model.secret import Secret
from tidegate.config.model.text import AbsolutePath, FieldValue, Name, Token
from tidegate.config.model.unit import Count, Duration, PositivePercent, Timeout

Labels = dict[Name, FieldValue]
"""Names and values that endpoints carry and routes ask for."""


class ZoneAware(Options):
    """Preference for endpoints in the gateway's own zone, as far as they can carry its share."""

    minimum_endpoints: Count = 6
    """With fewer available endpoints than this, zones are not looked at."""


def _cookie_path(path: str) -> str:
    if ";" in path:
        raise ValueError(f"expected a path without a semicolon (RFC 6265 section 4.1.1); found {path!r}")
    return path


class Sticky(Options):
    """A signed cookie that keeps a client with its endpoint."""

    cookie: Token = "tidegate"
    """Its name."""
    ttl: Duration | None = Field(default=None, examples=["1h"])
    """How long the client keeps it; null: until the client's session ends."""
    path: Annotated[AbsolutePath, AfterValidator(_cookie_path)] = "/"
    """The path that it is sent for."""
    secure: bool = False
    """Whether it is sent over TLS only."""
    http_only: bool = True
    """Whether it is hidden from scripts."""
    same_site: Literal["strict", "lax", "none"] = "lax"
    """Whether it is sent with requests that other sites cause: `strict` (never), `lax` (with navigation) or
    `none` (always; browsers want `secure` then)."""
    secret: Secret | None = Field(default=None, min_length=16, examples=["${STICKY_SECRET}"])
    """What it is signed with, at least 16 characters: gateways with the same secret know each other's
    cookies; null: a random secret of this process, after whose end clients are spread anew."""

    @model_validator(mode="after")
    def _browsers_take_it(self) -> Self:
        if self.same_site == "none" and not self.secure:
            raise ValueError("expected secure with same_site none: browsers refuse the cookie otherwise")
        return self


class SlowStart(Options):
    """A weight that grows, for an endpoint that is new in a running upstream or has recovered."""

    retired = (now_in_percent("minimum", "min_weight_percent"),)

    window: Timeout = 30_000
    """How long it takes to the whole weight."""
    curve: Literal["linear", "aggressive"] = "linear"
    """How the weight grows: `linear`, with the time, or `aggressive`, with its square root: quickly at
    first."""
    min_weight_percent: PositivePercent = 10.0
    """Percent of its weight that an endpoint begins with."""
