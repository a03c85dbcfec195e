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

log = logs.Logger("tidegate.control")


def supply(engine: Engine, state_dir: Path | None) -> None:
    """Let the engine have the secret that is kept; a new one where there is none or it is damaged.

    Without a folder the engine makes one of its own. That a new one cannot be kept is no reason not to start.
    """
    if state_dir is None:
        return
    file = state_dir / FILE_NAME
    secret = _read(file)
    if secret is None:
        secret = os.urandom(BYTES)
        try:
            replace_file(file, secret.hex().encode() + b"\n")
        except OSError as error:
            log.error("the secret of QUIC is not kept", file=str(file), error=error.strerror)
    engine.supply("quic_secret", "", secret)


def _read(file: Path) -> bytes | None:
    """The secret of a file; None: it has none."""
    try:
        secret = bytes.fromhex(file.read_text("ascii"))
        if len(secret) != BYTES:
            raise ValueError(f"it has {len(secret)} bytes, not {BYTES}")
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
            log.warning("others could read the secret of QUIC: now its owner alone may", file=str(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        message = "the secret of QUIC cannot be used, and a new one is made"
        log.warning(message, file=str(file), error=str(error))
        return None
    return secret
