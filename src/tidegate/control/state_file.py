"""Small files under `state_dir`."""

import os
from pathlib import Path


def replace_file(file: Path, content: bytes) -> None:
    """Let `file` hold `content`: it has what it had or what is new, whatever happens meanwhile.

    Its owner alone may read it. Raises OSError.
    """
    draft = file.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    draft.replace(file)
    _sync(file.parent)


def _sync(folder: Path) -> None:
    """Let a rename in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
