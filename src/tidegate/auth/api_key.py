"""API keys: how they are made, written and described."""

import hashlib
import ipaddress
import secrets
import string
import zlib
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime

PREFIX = "tg_"
"""By which scanners of leaked secrets recognise a key."""
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 12
SECRET_LENGTH = 30
"""178 random bits."""
CHECKSUM_LENGTH = 6


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


Network = Annotated[str, AfterValidator(_network)]
"""An address or a network."""


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """What is known of a key: all but its secret."""

    id: str
    hash: str
    """`sha256:` and the SHA-256 of the secret in hexadecimal digits."""
    name: str
    """What people call it."""
    subject: str | None = None
    """Whose it is; identities that it proves are of this subject."""
    claims: dict[str, Any] = field(default_factory=dict)
    expires: AwareDatetime | None = None
    networks: list[Network] = field(default_factory=list)
    """Where it may come from; empty: from anywhere."""

    def entry(self) -> dict[str, Any]:
        """How a list of keys has it."""
        expires = self.expires.isoformat(timespec="seconds").replace("+00:00", "Z") if self.expires else None
        all_of_it = {
            "id": self.id,
            "name": self.name,
            "hash": self.hash,
            "subject": self.subject,
            "claims": self.claims,
            "expires": expires,
            "networks": self.networks,
        }
        return {option: value for option, value in all_of_it.items() if value}


@dataclass(frozen=True)
class NewSecret:
    """The id and the secret of a key that nothing is known of yet."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def drawn(cls) -> "NewSecret":
        """A random one."""
        return cls(_drawn(ID_LENGTH), _drawn(SECRET_LENGTH))

    @property
    def hash(self) -> str:
        """What the gateway keeps of the secret: a quick hash, for 178 random bits cannot be guessed."""
        return f"sha256:{hashlib.sha256(self.secret.encode()).hexdigest()}"

    @property
    def written(self) -> str:
        """The whole key, as requests carry it: `tg_<id>_<secret><checksum>`."""
        before = f"{PREFIX}{self.id}_{self.secret}"
        return before + checksum(before)


def checksum(before: str) -> str:
    """The CRC-32 of all that is before it, in base 62: how scanners tell a key from what looks like one."""
    rest, digits = zlib.crc32(before.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def _drawn(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))
