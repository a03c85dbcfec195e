"""Watching the files that the configuration was made from.

Events only say when to look. What counts is whether a file *is* another one than before, so that events of
other files in the same folder are no news.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

from tidegate.config.stamp import Stamps, stamp_of

SETTLE_MS = 100
"""How long a folder must be quiet before its files are looked at."""
LOOK_MS = 2_000
"""Files are looked at this often without an event too: not every file system and not every link sends one."""


class Watcher:
    """Calls `changed` with the files that changed, whenever some did."""

    def __init__(
        self, files: Callable[[], Stamps], changed: Callable[[frozenset[Path]], Awaitable[None]]
    ) -> None:
        """`files` gives those to watch, as they were when they were read."""
        self._files = files
        self._changed = changed
        self._seen = dict(files())

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
        before, self._seen = self._seen, {file: stamp_of(file) for file in self._seen}
        changed = frozenset(file for file, stamp in self._seen.items() if stamp != before[file])
        if changed:
            await self._changed(changed)
        self._seen = {file: self._seen.get(file, stamp) for file, stamp in self._files().items()}


def _folders(files: Iterable[Path]) -> frozenset[Path]:
    """The folders whose entries decide what the files are."""
    folders = {folder for file in files for folder in (file.absolute().parent, file.resolve().parent)}
    return frozenset(folder for folder in folders if folder.is_dir())
