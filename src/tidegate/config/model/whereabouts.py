"""Where the address of a client is: its country and its autonomous system."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.config.model.options import Options
from tidegate.config.model.text import AsWritten

UNKNOWN = "unknown"
"""What no database knows."""


def _country(text: str) -> str:
    code = text.upper()
    if text.lower() == UNKNOWN:
        return UNKNOWN
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        raise ValueError(f"expected a country code of two letters, like DE, or unknown; found {text!r}")
    if code == "UK":
        raise ValueError("the code of the United Kingdom is GB")
    return code


def _asn(text: str) -> str:
    if text.lower() == UNKNOWN:
        return UNKNOWN
    digits = text.upper().removeprefix("AS")
    if not digits.isascii() or not digits.isdecimal() or int(digits) >= 1 << 32:
        raise ValueError(
            f"expected a number of an autonomous system, like AS64500, or unknown; found {text!r}"
        )
    return str(int(digits))


CountryCode = Annotated[str, AfterValidator(_country), Field(examples=["DE"])]
AsNumber = Annotated[str, AfterValidator(_asn), AsWritten(), Field(examples=["AS64500"])]


def _check_lists(allow: tuple[str, ...], deny: tuple[str, ...]) -> None:
    if not allow and not deny:
        raise ValueError("expected at least one of allow and deny")
    for word in allow:
        if word in deny:
            raise ValueError(f"{word} is both allowed and denied")


class Countries(Options):
    """Countries of clients' addresses, by their codes in ISO 3166-1; `unknown`: the database knows none. They
    need `geoip.country`."""

    allow: tuple[CountryCode, ...] = Field(default=(), examples=[["DE", "AT", "CH"]])
    """Where there are any, all others are kept out."""
    deny: tuple[CountryCode, ...] = Field(default=(), examples=[["unknown"]])
    """What is kept out."""

    @model_validator(mode="after")
    def _lists(self) -> Self:
        _check_lists(self.allow, self.deny)
        return self


class Asns(Options):
    """Autonomous systems of clients' addresses, by their numbers; `unknown`: the database knows none. They
    need `geoip.asn`."""

    allow: tuple[AsNumber, ...] = Field(default=(), examples=[["AS64500", "64501"]])
    """Where there are any, all others are kept out."""
    deny: tuple[AsNumber, ...] = Field(default=(), examples=[["AS64500"]])
    """What is kept out."""

    @model_validator(mode="after")
    def _lists(self) -> Self:
        _check_lists(self.allow, self.deny)
        return self
