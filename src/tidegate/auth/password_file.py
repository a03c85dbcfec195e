"""An htpasswd file, as commands change it."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tidegate.auth.key_file import replace_whole

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
"""What OWASP's Password Storage Cheat Sheet recommends for argon2id: some 30 ms, and 19 MiB meanwhile."""
SALT_BYTES = 16
HASH_BYTES = 32


class PasswordFileError(Exception):
    """A name or a password cannot be written; the message says why."""


def argon2id(password: str) -> str:
    """The hash of a password, as an htpasswd file has it (RFC 9106, in the PHC string format)."""
    salt = os.urandom(SALT_BYTES)
    kdf = Argon2id(salt=salt, length=HASH_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)
    return kdf.derive_phc_encoded(password.encode())


def set_password(file: Path, name: str, password: str) -> bool:
    """Write the line of `name`, in the place of the one that it has; says whether it had one.

    The file is made, for its owner alone, if there is none. Raises PasswordFileError, and OSError.
    """
    if not name or ":" in name or name.startswith("#") or not name.isprintable() or name != name.strip():
        raise PasswordFileError("a name has no colon, no control characters, and no # or blank at its start")
    if not password or any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise PasswordFileError("a password is not empty and has no control characters")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    line = f"{name}:{argon2id(password)}"
    index = next((index for index, each in enumerate(lines) if each.strip().startswith(f"{name}:")), None)
    if index is None:
        lines.append(line)
    else:
        lines[index] = line
    replace_whole(file, "".join(f"{each}\n" for each in lines), 0o600)
    return index is not None
