"""The secret of QUIC, kept in `state_dir` from one process to the next.

The engine makes of it the keys that clients hold something of: tokens that show a client's address, and those
that tell a client that its connection is gone. So what a process that died has left is still understood.
"""

import os
from pathlib import Path

from tidegate._engine import Engine
from tidegate.control import logs
from tidegate.control.state_file import replace_file

FILE_NAME = "quic.key"
BYTES = 32

OTHERS = 0o077
"""What all but the owner may do with a file."""
LONGEST = 1_000
"""More bytes of a file are not read: it is none of ours."""
LOST = "clients of the process before this one are not told that their connections are gone"

log = logs.Logger("tidegate.control")


def supply(engine: Engine, state_dir: Path | None) -> None:
    """Let the engine have the secret that is kept; a new one where there is none that can be used.

    Without a folder, and where the file cannot be read, which may pass, the engine makes one of its own.
    """
    if state_dir is None:
        return
    file = state_dir / FILE_NAME
    try:
        secret = _read(file)
    except OSError as error:
        log.error(
            f"the secret of QUIC cannot be read, and this process has another one: {LOST}",
            file=str(file),
            error=error.strerror,
            hint="let the process read the file, or remove it, and restart; until then it stays as it is",
        )
        return
    engine.supply("quic_secret", "", secret or _renew(file))


def _read(file: Path) -> bytes | None:
    """The secret of a file; None: there is none that can be used. Raises OSError."""
    try:
        with file.open("rb") as opened:
            mode, content = os.fstat(opened.fileno()).st_mode, opened.read(LONGEST)
    except FileNotFoundError:
        return None
    try:
        secret = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != BYTES:
        log.warning(
            f"the secret of QUIC is damaged, and a new one is made: {LOST}",
            file=str(file),
            hint=f"let nothing else write to the file; it holds {BYTES} bytes in hexadecimal",
        )
        return None
    if mode & OTHERS:
        log.warning(
            f"others than its owner could read the secret of QUIC, and a new one is made: {LOST}",
            file=str(file),
            hint="find out what opened the file; the new one is its owner's alone",
        )
        return None
    return secret


def _renew(file: Path) -> bytes:
    """A new secret. That it cannot be kept is no reason not to start."""
    secret = os.urandom(BYTES)
    try:
        replace_file(file, secret.hex().encode() + b"\n")
    except OSError as error:
        log.error(
            "the secret of QUIC is not kept: clients of this process will not be told by the next one "
            "that their connections are gone",
            file=str(file),
            error=error.strerror,
            hint="let the process write to the folder, and restart",
        )
    return secret
