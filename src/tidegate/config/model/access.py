"""Access: who may use a route, and what upstreams are told of them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.config.model.mark import Ref
from tidegate.config.model.networks import Networks
from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldValue, Name, each_once
from tidegate.config.model.whereabouts import Asns, Countries

AuthenticatorNames = Annotated[tuple[Annotated[Name, Ref("authenticator")], ...], each_once("authenticator")]

ClaimName = Annotated[str, Field(min_length=1, examples=["scope"])]
"""The name of a claim as a whole, or names that lead to one within others, with dots between them."""

_TESTS = ("equals", "contains", "matches", "present")


class _ClaimTest(Options):
    """What is asked of a claim."""

    claim: ClaimName | None = None
    """Name of the claim; `realm_access.roles` is the claim `roles` within `realm_access`."""
    equals: FieldValue | None = Field(default=None, examples=["admin"])
    """The claim's text."""
    contains: FieldValue | None = Field(default=None, min_length=1, examples=["orders:read"])
    """An item of the claim's list, or a word of its text."""
    matches: str | None = Field(default=None, min_length=1, examples=[".*@example\\.com"])
    """A regular expression for the whole of the claim's text, or of an item of its list."""
    present: bool | None = Field(default=None, examples=[True])
    """Whether the claim is there at all."""


class ClaimCondition(_ClaimTest):
    """Condition on a claim: exactly one of `equals`, `contains`, `matches` and `present` is given."""

    claim: ClaimName
    """Name of the claim; `realm_access.roles` is the claim `roles` within `realm_access`."""

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        self.require_exactly_one(*_TESTS)
        return self


class Requirement(_ClaimTest):
    """What an identity must have: a condition on a `claim`, or `any` or `none` of several."""

    any: tuple[ClaimCondition, ...] | None = Field(
        default=None, min_length=1, examples=[[{"claim": "role", "equals": "admin"}]]
    )
    """One of these is enough."""
    none: tuple[ClaimCondition, ...] | None = Field(
        default=None, min_length=1, examples=[[{"claim": "suspended", "present": True}]]
    )
    """None of these may hold."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        self.require_exactly_one("claim", "any", "none")
        if self.claim is not None:
            self.require_exactly_one(*_TESTS)
        elif given := self.given(_TESTS):
            raise ValueError(f"expected {given[0]} with claim")
        return self


class Access(Options):
    """Who may use a route: all that is asked for must hold."""

    authenticate: AuthenticatorNames = Field(default=(), examples=[["users", "robots"]])
    """Names of authenticators: the first whose credential a request carries decides where it comes from."""
    anonymous: bool = False
    """Whether requests that carry no credential are let go, without an identity."""
    require: tuple[Requirement, ...] = Field(
        default=(), examples=[[{"claim": "scope", "contains": "orders:read"}]]
    )
    """What the identity must have; all of it."""
    networks: Networks | None = None
    """By the network of the client's address; null: any."""
    countries: Countries | None = Field(default=None, examples=[{"allow": ["DE", "AT", "CH"]}])
    """By the country of the client's address; null: any."""
    asns: Asns | None = Field(default=None, examples=[{"deny": ["AS64500"]}])
    """By the autonomous system of the client's address; null: any."""

    @model_validator(mode="after")
    def _identity_to_judge(self) -> Self:
        if not self.authenticate and (self.require or self.anonymous):
            option = "require" if self.require else "anonymous"
            raise ValueError(f"{option} needs authenticate: without it no request has an identity")
        return self


class IdentityHeader(Options):
    """What a field tells upstreams of the identity: exactly one option is given."""

    claim: ClaimName | None = None
    """The value of this claim; items of a list have a comma between them."""
    subject: Literal[True] | None = Field(default=None, examples=[True])
    """The subject."""
    authenticator: Literal[True] | None = Field(default=None, examples=[True])
    """The name of the authenticator."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        self.require_exactly_one("claim", "subject", "authenticator")
        return self
