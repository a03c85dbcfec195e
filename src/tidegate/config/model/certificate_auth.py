"""Certificates of clients as credentials."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.config.model.options import Options

_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_SHA256_DIGITS = 64


def _hexadecimal(text: str) -> str:
    digits = text.replace(":", "").lower()
    if not _HEX.fullmatch(digits):
        raise ValueError(f"expected hexadecimal digits, like 0A:1B:2C; found {text!r}")
    return digits


def _serial(text: str) -> str:
    return _hexadecimal(text).lstrip("0") or "0"


def _sha256(text: str) -> str:
    digits = _hexadecimal(text)
    if len(digits) != _SHA256_DIGITS:
        raise ValueError(f"expected the {_SHA256_DIGITS} digits of a SHA-256; found {len(digits)}")
    return digits


NamePattern = Annotated[str, Field(min_length=1)]


class CertificateMatch(Options):
    """What one of a certificate's names must be: exactly one option is given."""

    subject: NamePattern | None = Field(default=None, examples=["CN=device 7, O=Example"])
    """Its whole subject, as the access log writes it."""
    uri: NamePattern | None = Field(default=None, examples=["spiffe://example.org/*"])
    """A URI among its alternative names; `*` at the end stands for any characters."""
    dns: Annotated[NamePattern, AfterValidator(str.lower)] | None = Field(
        default=None, examples=["*.devices.example.org"]
    )
    """A host name among them; `*` at the beginning stands for any characters."""
    email: NamePattern | None = Field(default=None, examples=["*@example.org"])
    """A mail address among them; `*` at the beginning stands for any characters."""
    serial: Annotated[str, AfterValidator(_serial)] | None = Field(default=None, examples=["0A:1B:2C"])
    """Its serial number in hexadecimal digits."""
    sha256: Annotated[str, AfterValidator(_sha256)] | None = Field(default=None, examples=["00ff" * 16])
    """SHA-256 of its DER in hexadecimal digits (`openssl x509 -fingerprint -sha256`)."""

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        self.require_exactly_one("subject", "uri", "dns", "email", "serial", "sha256")
        return self


class CertificateAuth(Options):
    """Takes the certificate that a client showed in its handshake, where the listener asks for one."""

    match: tuple[CertificateMatch, ...] = Field(default=(), examples=[[{"uri": "spiffe://example.org/*"}]])
    """What the certificate must be: any of these; empty: whatever the listener takes."""
    subject: Literal["subject", "uri", "dns", "email"] = "subject"
    """Which of its names the identity's subject is: a certificate without one is not taken."""
