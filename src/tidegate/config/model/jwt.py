"""JSON Web Tokens: which are believed."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.config.model.mark import CaPath, JwksPath, PublicKeyPath, SecretPath
from tidegate.config.model.options import Options
from tidegate.config.model.place import Place, Places
from tidegate.config.model.secret import Secret
from tidegate.config.model.text import Token
from tidegate.config.model.unit import Duration, size, whole

Algorithm = Literal[
    "HS256", "HS384", "HS512",
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "EdDSA",
]  # fmt: skip
ASYMMETRIC: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
"""What a key set is usually for."""


def _address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or any(sign in text for sign in " ?#\t\r\n"):
        raise ValueError(f"expected an address like https://id.example.com; found {text!r}")
    return text


Address = Annotated[str, AfterValidator(_address)]
Text = Annotated[str, Field(min_length=1)]
TokenSize = Annotated[int, size(256, 1 << 20)]


class Jwks(Options):
    """Where the keys of an identity provider come from."""

    discover: Literal[True] | None = Field(default=None, examples=[True])
    """From the address that the issuer's metadata names (OpenID Connect Discovery 1.0)."""
    url: Address | None = Field(default=None, examples=["https://id.example.com/keys"])
    """From this address."""
    file: JwksPath | None = Field(default=None, examples=["keys.json"])
    """From this file, which is watched."""
    ca: CaPath | None = Field(default=None, examples=["id-ca.pem"])
    """Certificate authorities (PEM) that the identity provider is trusted by; null: those of the system."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        self.require_exactly_one("discover", "url", "file")
        if self.ca and self.file:
            raise ValueError("ca is for discover and url: a file needs no authority")
        return self

    @property
    def is_fetched(self) -> bool:
        """Whether the keys come from an identity provider."""
        return self.file is None


class Jwt(Options):
    """Which tokens are believed (RFC 7519, RFC 8725). The keys come from exactly one of `jwks`, `public_key`,
    `secret` and `secret_file`."""

    issuer: Text | None = Field(default=None, examples=["https://id.example.com"])
    """Who must have issued a token (`iss`), to the letter; null: anyone with the key."""
    audience: tuple[Text, ...] = Field(default=(), examples=[["api"]])
    """For whom a token may be (`aud`): one of these. Without any, only tokens without an audience are
    believed (RFC 7519 section 4.1.3)."""
    algorithms: tuple[Algorithm, ...] = Field(default=ASYMMETRIC, min_length=1, examples=[["RS256"]])
    """The algorithms that a token may be signed with; with a secret, HS256 where nothing is given. A key
    takes those of its kind only."""
    jwks: Jwks | None = Field(default=None, examples=[{"discover": True}])
    """Keys of an identity provider, as a JSON Web Key Set (RFC 7517)."""
    public_key: PublicKeyPath | None = Field(default=None, examples=["public.pem"])
    """File of one or more public keys (PEM)."""
    secret: Secret | None = Field(default=None, min_length=32, examples=["${JWT_SECRET}"])
    """A secret that is shared with the issuer, of at least 32 characters."""
    secret_file: SecretPath | None = Field(default=None, examples=["jwt.secret"])
    """The same from a file, without the end of its line."""
    from_: Places = Field(
        default=(Place(bearer=True),), min_length=1, examples=[["bearer", {"cookie": "session"}]]
    )
    """Where a token may stand; the first place that holds one counts."""
    leeway: Duration = 30_000
    """By how much the clocks of the issuer and of this machine may differ."""
    typ: Token | None = Field(default=None, examples=["at+jwt"])
    """The kind of token that is asked for, as RFC 9068 has it; null: any."""
    require: tuple[Text, ...] = ("exp",)
    """Claims that a token must make."""
    size: TokenSize = 8_192
    """Bytes of a token, at the most."""
    depth: Annotated[int, whole(1, 64)] = 8
    """Objects and lists within one another, at the most."""
    names: Annotated[int, whole(1, 100_000)] = 200
    """Names in the objects of a token's header, and of its claims, at the most."""
    remember: Annotated[int, whole(1, 10_000_000)] = 10_000
    """Verified tokens that are remembered at a time, until they expire, so that they need not be verified
    again."""

    @model_validator(mode="before")
    @classmethod
    def _secret_algorithm(cls, given: object) -> object:
        if isinstance(given, dict) and "algorithms" not in given and {"secret", "secret_file"} & given.keys():
            return {**given, "algorithms": ["HS256"]}
        return given

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Self:
        self.require_exactly_one("jwks", "public_key", "secret", "secret_file")
        if self.jwks and self.jwks.discover and not (self.issuer or "").startswith(("https://", "http://")):
            raise ValueError("discover needs an issuer that is an address like https://id.example.com")
        is_shared = self.jwks is None and self.public_key is None
        unfit = [name for name in self.algorithms if name.startswith("HS") is not is_shared]
        if unfit:
            what = "a shared secret is" if is_shared else "public keys are"
            raise ValueError(f"{what} of no use for {', '.join(unfit)}")
        return self
