"""Events: what happened, each with an id, the latest kept for those who follow.

A reader has no queue of its own: it remembers how far it has read. If it is so slow that what it has not read
yet is no longer kept, it is told how many events it missed. So any number of readers costs the memory of one.
"""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from tidegate._engine import Engine
from tidegate.control import logs

KEPT = 2_000
WAIT_MS = 60_000
"""The longest wait for the engine; nothing depends on it, for an event ends a wait."""

Logged = tuple[Literal["info", "warning", "error"], str]

LOGGED: dict[str, Logged] = {
    "committed": ("info", "configuration committed"),
    "refused": ("error", "configuration refused"),
    "word_given": ("info", "the operator's word holds"),
    "word_taken_back": ("info", "the operator's word is taken back"),
    "api_key_made": ("info", "an API key is made"),
    "api_key_revoked": ("info", "an API key is revoked"),
    "revoked": ("info", "tokens are revoked"),
    "revocation_ended": ("info", "a revocation is taken back"),
    "purged": ("info", "stored responses are purged"),
    "sampling_stopped": ("warning", "samples of requests are not written"),
    "sampling_resumed": ("info", "samples of requests are written again"),
    "model_absent": ("error", "a model is not used, the learner predicts alone"),
    "events_lost": ("warning", "events came faster than they could be taken"),
}
"""The lines that are written here; of other kinds the engine writes them itself."""
TOLD_HERE = frozenset({"word_applied", "unknown_key", "samples"})
"""What the engine tells and is told here with its author, or is no event."""

log = logs.Logger("tidegate.events")


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    number: int
    """Counts from 1 in each process."""
    id: str
    """Says of which process it is, too."""
    time: datetime
    kind: str
    about: dict[str, Any]
    """What `kind` goes with."""


@dataclass(frozen=True)
class Reading:
    """What there is for a reader."""

    events: list[Event]
    missed: int
    """How many the reader should have had before them that are no longer kept."""


class Events:
    """The latest events. To be used from one event loop."""

    def __init__(self) -> None:
        self._process = f"{int(datetime.now(UTC).timestamp() * 1000):x}"
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._last = 0
        self._arrived = asyncio.Event()
        self._aside: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.readers = 0
        """How many follow the events."""
        self.ended = False
        """Whether no more will come."""

    @property
    def begin(self) -> int:
        """The number before that of the oldest event that is kept."""
        return self._kept[0].number - 1 if self._kept else self._last

    def tell(self, kind: str, **about: Any) -> None:
        """Something happened just now: keep it, and write its line in the log."""
        self._take(kind, datetime.now(UTC), about)

    def take_aside(self, kind: str, take: Callable[[dict[str, Any]], None]) -> None:
        """What the engine tells of this `kind` is for `take` alone, and is no event."""
        self._aside[kind] = take

    def hear(self, engine: Engine) -> None:
        """From now on take what the engine tells, on a thread of its own that ends when the engine does."""
        loop = asyncio.get_running_loop()

        def listen() -> None:
            while True:
                told = json.loads(engine.wait(WAIT_MS))
                try:
                    loop.call_soon_threadsafe(self._hear, told)
                except RuntimeError:  # the loop has ended before the engine
                    return
                if told is None:
                    return

        threading.Thread(target=listen, name="events", daemon=True).start()

    def read(self, after: int) -> Reading:
        """The events after the one of that number, as far as they are kept."""
        read = after - self.begin
        return Reading(list(islice(self._kept, max(read, 0), None)), max(-read, 0))

    def place(self, id: str) -> int | None:
        """The number of the event of that id; None if it is of another process.

        Raises ValueError if it is no id.
        """
        process, _, number = id.partition("-")
        if not process.isalnum() or not number.isdecimal():
            raise ValueError(f"{id!r} is no id of an event")
        return min(int(number), self._last) if process == self._process else None

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Count a reader."""
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    async def wait(self, after: int) -> None:
        """Wait for an event after that one, or for the end."""
        if self._last <= after and not self.ended:
            await self._arrived.wait()

    def _hear(self, told: list[dict[str, Any]] | None) -> None:
        for event in told or ():
            time, kind = datetime.fromtimestamp(event.pop("time"), UTC), event.pop("kind")
            if take := self._aside.get(kind):
                take(event)
            elif kind not in TOLD_HERE:
                self._take(kind, time, event)
        if told is None:
            self.ended = True
            self._arrived.set()

    def _take(self, kind: str, time: datetime, about: dict[str, Any]) -> None:
        self._last += 1
        self._kept.append(Event(self._last, f"{self._process}-{self._last}", time, kind, about))
        if logged := LOGGED.get(kind):
            level, message = logged
            getattr(log, level)(message, **about)
        self._arrived.set()
        self._arrived = asyncio.Event()
