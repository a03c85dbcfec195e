"""Watching the files that the configuration was made from.

Events only say when to look. What counts is whether a file *is* another one than before (inode, size, time of
change, where its links lead), so that a file written in place, replaced by rename, or swapped by a link
further up (Kubernetes' ConfigMaps) is noticed alike, and events of other files in the same folder are not.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

SETTLE_MS = 100
"""How long a folder must be quiet before its files are looked at."""
LOOK_MS = 2_000
"""Files are looked at this often without an event too: not every file system and not every link sends one."""

Mark = tuple[str, int, int, int, int] | None


class Watcher:
    """Calls `changed` with the files that changed, whenever some did."""

    def __init__(
        self, files: Callable[[], Iterable[Path]], changed: Callable[[frozenset[Path]], Awaitable[None]]
    ) -> None:
        self._files = files
        self._changed = changed
        self._seen = marks(files())

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            folders = _folders(self._seen)
            if not folders:
                await asyncio.sleep(LOOK_MS / 1000)
                await self._look()
                continue
            events = awatch(
                *folders,
                watch_filter=None,
                recursive=False,
                step=SETTLE_MS,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            )
            async for _ in events:
                await self._look()
                if _folders(self._seen) != folders:
                    break

    async def _look(self) -> None:
        """Report the files that are not what they were, then follow those that are named now."""
        before, self._seen = self._seen, marks(self._seen)
        changed = frozenset(file for file, mark in self._seen.items() if mark != before[file])
        if changed:
            await self._changed(changed)
        self._seen = {file: self._seen[file] if file in self._seen else _mark(file) for file in self._files()}


def marks(files: Iterable[Path]) -> dict[Path, Mark]:
    """What tells each file from the one that was there before; None where there is none."""
    return {file: _mark(file) for file in files}


def _mark(file: Path) -> Mark:
    try:
        status = file.stat()
        return (os.path.realpath(file), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


def _folders(files: Iterable[Path]) -> frozenset[Path]:
    """The folders whose entries decide what the files are."""
    folders = {folder for file in files for folder in (file.absolute().parent, file.resolve().parent)}
    return frozenset(folder for folder in folders if folder.is_dir())
