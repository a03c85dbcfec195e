"""Authenticators: how it is found out where a request comes from."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tidegate.config.model.certificate_auth import CertificateAuth
from tidegate.config.model.forward_auth import ForwardAuth
from tidegate.config.model.jwt import Jwt
from tidegate.config.model.mark import ApiKeysPath, Identity, PasswordsPath
from tidegate.config.model.options import Options
from tidegate.config.model.place import Place, Places
from tidegate.config.model.text import Name


class ApiKey(Options):
    """Keys that clients are given."""

    file: ApiKeysPath | None = Field(default=None, examples=["keys.yaml"])
    """File of the keys' hashes and what is known of each (`tidegate key new` writes it); null: only keys that
    the admin API makes are known."""
    from_: Places = Field(
        default=(Place(header="x-api-key"),), min_length=1, examples=[[{"header": "x-api-key"}]]
    )
    """Where a key may stand; the first place that holds one counts."""


class Basic(Options):
    """Names and passwords, for which browsers ask (RFC 7617). They are sent as they are: use TLS."""

    file: PasswordsPath = Field(examples=["staff.htpasswd"])
    """An htpasswd file with bcrypt or argon2id hashes (`tidegate passwd` writes them)."""
    realm: str | None = Field(default=None, pattern=r"^[ -~]+$", max_length=255, examples=["staff"])
    """What clients are told that the names are for; null: the authenticator's name."""


class Authenticator(Options):
    """Finds out where requests come from. Exactly one kind is given."""

    name: Annotated[Name, Identity("authenticator")] = Field(examples=["robots"])
    """Unique name; what it remembers survives a reload under it."""
    jwt: Jwt | None = Field(
        default=None, examples=[{"issuer": "https://id.example.com", "jwks": {"discover": True}}]
    )
    """Kind: JSON Web Tokens of an issuer."""
    api_key: ApiKey | None = None
    """Kind: keys that clients are given."""
    basic: Basic | None = None
    """Kind: names and passwords."""
    certificate: CertificateAuth | None = None
    """Kind: certificates that clients show."""
    forward: ForwardAuth | None = None
    """Kind: a service that is asked about each request."""
    keep_credentials: bool = False
    """Whether credentials that it believes are passed on to upstreams."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        self.require_exactly_one("jwt", "api_key", "basic", "certificate", "forward")
        return self
