"""Marks: what an option is, said once, on its field.

A mark is metadata of the field's type (`Annotated[Name, Ref("upstream")]`). Checks, the reading of files, the
plan, restarts and the reference page find what they need by looking for marks (`tidegate.config.model.walk`).
A secret needs no mark: it has a type of its own (`tidegate.config.model.secret`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated

from pydantic import Field


class Use(Enum):
    """What a file that an option names must hold."""

    CERT = auto()
    """A certificate chain in PEM, leaf first."""
    KEY = auto()
    """A private key in PEM."""
    CA = auto()
    """Certificate authorities in PEM."""
    CRL = auto()
    """Certificate revocation lists (RFC 5280, section 5): any number in PEM, or one in DER."""
    OCSP = auto()
    """An OCSP response (RFC 6960) in DER."""
    TOKEN = auto()
    """A bearer token."""
    NETWORKS = auto()
    """Networks and addresses, one a line."""
    GEOIP = auto()
    """A database of where addresses are. It goes to the engine as a live value, so only its stamp is kept."""
    JWKS = auto()
    """A JSON Web Key Set."""
    PUBLIC_KEY = auto()
    """Public keys in PEM."""
    SECRET = auto()
    """A shared secret of at least 32 bytes, without the end of its line."""
    API_KEYS = auto()
    """A list of API keys, by what they hash to, in YAML or JSON."""
    PASSWORDS = auto()
    """Names and password hashes: an htpasswd file."""
    PASSWORD = auto()
    """A password; line ends behind it do not count."""
    OUTPUT = auto()
    """Nothing yet: tidegate writes there."""


@dataclass(frozen=True, slots=True)
class File:
    """The option is a path, relative to the file that the option is written in."""

    use: Use


@dataclass(frozen=True, slots=True)
class Ref:
    """The option is the name of something of this kind (`upstream`, `listener`), which must exist."""

    kind: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The option tells a member of its list from the others, and references of the kind name it so."""

    kind: str
    canonical: Callable[[str], str] = str
    """Gives the one spelling of a value. Raises ValueError where it is none."""


@dataclass(frozen=True, slots=True)
class ReadOnce:
    """The option is read once, when the process starts."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The option is no part of the plan: the engine has no use for it."""


CertPath = Annotated[str, File(Use.CERT), Field(min_length=1)]
KeyPath = Annotated[str, File(Use.KEY), Field(min_length=1)]
CaPath = Annotated[str, File(Use.CA), Field(min_length=1)]
CrlPath = Annotated[str, File(Use.CRL), Field(min_length=1)]
OcspPath = Annotated[str, File(Use.OCSP), Field(min_length=1)]
JwksPath = Annotated[str, File(Use.JWKS), Field(min_length=1)]
PublicKeyPath = Annotated[str, File(Use.PUBLIC_KEY), Field(min_length=1)]
SecretPath = Annotated[str, File(Use.SECRET), Field(min_length=1)]
TokenPath = Annotated[str, File(Use.TOKEN), Field(min_length=1)]
NetworksPath = Annotated[str, File(Use.NETWORKS), Field(min_length=1)]
GeoIpPath = Annotated[str, File(Use.GEOIP), Field(min_length=1)]
ApiKeysPath = Annotated[str, File(Use.API_KEYS), Field(min_length=1)]
PasswordsPath = Annotated[str, File(Use.PASSWORDS), Field(min_length=1)]
PasswordPath = Annotated[str, File(Use.PASSWORD), Field(min_length=1)]
OutputPath = Annotated[str, File(Use.OUTPUT), Field(min_length=1)]

STANDARD_OUTPUT = "-"
"""The output path that stands for standard output."""
