"""Small files under `state_dir`."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from tidegate.control.store import StoreError

Item = TypeVar("Item")


class StateFile(Generic[Item]):
    """What of one kind is kept under `state_dir`; nothing is where there is no such folder."""

    def __init__(
        self, state_dir: Path | None, name: str, adapter: TypeAdapter[list[Item]], kind: str
    ) -> None:
        """Keep items of this kind, as people call them, in the file `name`."""
        self._path = state_dir / name if state_dir else None
        self._adapter = adapter
        self._kind = kind

    def read(self) -> list[Item]:
        """What is kept. Raises StoreError."""
        if self._path is None or not self._path.exists():
            return []
        try:
            return self._adapter.validate_json(self._path.read_bytes())
        except (OSError, ValueError) as error:
            raise self.unusable(error) from error

    def unusable(self, error: Exception) -> StoreError:
        """What people are told of a file whose content cannot be put into force."""
        return StoreError(
            f"the {self._kind} in {self._path} cannot be used: {error}\n"
            f"mend the file, or remove it to begin without {self._kind}"
        )

    def write(self, items: Iterable[Item]) -> None:
        """Keep these items and no others. Raises StoreError."""
        if self._path is None:
            return
        try:
            replace_file(self._path, self._adapter.dump_json(list(items), indent=1))
        except OSError as error:
            raise StoreError(f"the {self._kind} cannot be kept in {self._path}: {error.strerror}") from error


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
    sync_folder(file.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and those around it that are missing, for their owner alone. Raises OSError."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Let a rename in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
