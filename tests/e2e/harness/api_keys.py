"""API keys as `tidegate key new` writes them, and the files that know them."""

import hashlib
import json
import string
import zlib
from pathlib import Path
from typing import Any

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET = "0123456789abcdefghijABCDEFGHIJ"


def api_key(key_id: str, secret: str = SECRET) -> str:
    """The key as a client presents it."""
    text = f"tg_{key_id}_{secret}"
    number, checksum = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, len(_DIGITS))
        checksum = _DIGITS[digit] + checksum
    return text + checksum


def entry(key_id: str, **options: Any) -> dict[str, Any]:
    """What a file knows of a key."""
    return {"id": key_id, "hash": f"sha256:{hashlib.sha256(SECRET.encode()).hexdigest()}", **options}


def key_file(path: Path, *entries: dict[str, Any]) -> str:
    """Write a file of keys; its path."""
    path.write_text(json.dumps(entries))
    return str(path)
