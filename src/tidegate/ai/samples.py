"""Samples of requests, as the engine tells them, on their way to files under `state_dir`.

They are taken in the event loop and written in batches on a thread of their own. Nothing else depends on
them: where they cannot be written, because a disk is full or a library is missing, that is told once, and
they are dropped.
"""

import asyncio
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tidegate.ai.extra import MissingExtraError, needed
from tidegate.control.events import Events

BATCH_SECONDS = 10
"""So long samples wait for others that are written with them."""
MOST_WAITING = 20_000
"""Samples of all upstreams; more are dropped."""
REST_SECONDS = 600
"""After samples could not be written, it is so long not tried again."""

Row = list[float]


class Samples:
    """What is sampled, and what became of it. To be used from one event loop."""

    def __init__(self, state_dir: Path | None, events: Events) -> None:
        self._state_dir = state_dir
        self._events = events
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="samples")
        self._waiting: dict[str, list[Row]] = defaultdict(list)
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._rests_until = 0.0
        self.stopped: str | None = None
        """Why none are written; None: they are."""
        self.written: Counter[str] = Counter()
        """Samples by upstream since the start."""
        self.lost: Counter[str] = Counter()
        """Those that were told by the engine, and could not be written."""

    def take(self, told: dict[str, Any]) -> None:
        """Take an event `samples`."""
        upstream, rows = told["upstream"], told["rows"]
        if sum(map(len, self._waiting.values())) + len(rows) > MOST_WAITING or self._rests():
            self.lost[upstream] += len(rows)
            return
        self._waiting[upstream] += rows
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    def seen(self, upstream: str) -> dict[str, int | str | None]:
        """What became of the samples of an upstream."""
        written, lost = self.written[upstream], self.lost[upstream]
        return {"written": written, "lost": lost, "stopped": self.stopped}

    async def close(self) -> None:
        """Write what waits, before the process ends."""
        self._closing.set()
        if self._writing is not None:
            await self._writing
        self._thread.shutdown(wait=False)

    def _rests(self) -> bool:
        return self.stopped is not None and time.monotonic() < self._rests_until

    async def _write(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), BATCH_SECONDS)
        waiting, self._waiting = self._waiting, defaultdict(list)
        for upstream, rows in waiting.items():
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._append, upstream, rows)
            except (MissingExtraError, OSError) as error:
                self.lost[upstream] += len(rows)
                self._stop(error)
            else:
                self.written[upstream] += len(rows)
                self._go_on()

    def _append(self, upstream: str, rows: list[Row]) -> None:
        """On the thread."""
        if self._state_dir is None:
            raise OSError("there is no folder to keep them in: set state_dir")
        with needed("writing samples"):
            from tidegate.ai import sample_writer  # noqa: PLC0415 - of the extra, and it takes long

        sample_writer.append(self._state_dir, upstream, rows)

    def _stop(self, error: MissingExtraError | OSError) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        if self.stopped is None:
            self._events.tell("sampling_stopped", reason=where + reason)
        self.stopped, self._rests_until = where + reason, time.monotonic() + REST_SECONDS

    def _go_on(self) -> None:
        if self.stopped is not None:
            self.stopped = None
            self._events.tell("sampling_resumed")
