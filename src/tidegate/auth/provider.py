"""Identity providers as the configuration names them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """Where the keys of an authenticator come from."""

    authenticator: str
    source: str
    """The issuer, whose metadata says where its keys are; or the address of the keys itself."""
    url: str | None
    """The address of the keys; None: the issuer's metadata says it."""
    authorities: bytes | None
    """The certificate authorities (PEM) that are trusted; None: those of the system."""


@dataclass(frozen=True)
class KeyState:
    """How the last fetch of an authenticator's keys ended."""

    authenticator: str
    source: str
    fetched: float | None
    """When the keys that hold were fetched, in seconds since 1970; None: there are none."""
    failures: int
    """Fetches that have failed since the last one that did not."""
    error: str | None
    """Why the last one failed."""
