"""Revocations: tokens that are over before their time, by token id, subject or session.

They are live values of the engine. With a `state_dir` they are kept in a file there, and hold again from the
first request on when the process is started anew. One whose time is over is dropped.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, TypeAdapter

from tidegate._engine import Engine
from tidegate.control import logs
from tidegate.control.events import Events
from tidegate.control.state_file import StateFile
from tidegate.control.store import StoreError

FILE_NAME = "revocations.json"
MOST = 100_000
"""Revocations at a time."""

Revoked = Literal["token", "subject", "session"]

log = logs.Logger("tidegate.auth")


class TooManyRevocationsError(Exception):
    """No more revocations are taken until some have ended."""


@dataclass(frozen=True)
class Revocation:
    """Tokens of an authenticator that are not believed any more."""

    authenticator: str
    revoked: Revoked
    name: str
    """The token's id (`jti`), its subject (`sub`) or its session (`sid`)."""
    until: AwareDatetime
    """When the last of these tokens has expired by itself."""
    reason: str | None
    """Why, for people."""
    author: str
    time: AwareDatetime

    @property
    def id(self) -> str:
        """Tells it from others; another one of the same tokens takes its place."""
        parts = json.dumps([self.authenticator, self.revoked, self.name])
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


_FILE = TypeAdapter(list[Revocation])


class Revocations:
    """The revocations that hold. To be used from one event loop."""

    def __init__(self, engine: Engine, events: Events, state_dir: Path | None = None) -> None:
        """Let the revocations that are kept in `state_dir` hold again. Raises StoreError."""
        self._engine = engine
        self._events = events
        self._file = StateFile(state_dir, FILE_NAME, _FILE, "revocations")
        self._one_at_a_time = asyncio.Lock()
        self._revocations = _by_id(self._file.read())
        try:
            self._supply({each.authenticator for each in self.all()}, self._revocations)
        except ValueError as error:
            raise self._file.unusable(error) from error
        if self._revocations:
            log.info("revocations hold again", revocations=len(self._revocations))

    def all(self) -> list[Revocation]:
        """Every revocation that holds, the oldest first."""
        return sorted(_holding(self._revocations).values(), key=lambda each: each.time)

    async def add(self, revocation: Revocation) -> bool:
        """Let `revocation` hold; says whether that is new.

        Raises TooManyRevocationsError, and ValueError if its time is over or the engine refuses it; nothing
        has changed then.
        """
        if revocation.until <= datetime.now(UTC):
            raise ValueError("a revocation holds until a time that is to come")
        return await asyncio.shield(self._in_turn(revocation.authenticator, revocation.id, revocation))

    async def remove(self, id: str) -> bool:
        """Let a revocation end; says whether there was one."""
        found = self._revocations.get(id)
        return found is not None and await asyncio.shield(self._in_turn(found.authenticator, id, None))

    async def _in_turn(self, authenticator: str, id: str, revocation: Revocation | None) -> bool:
        async with self._one_at_a_time:
            after = _holding(self._revocations)
            before = after.pop(id, None)
            if revocation:
                after[id] = revocation
            if len(after) > MOST:
                raise TooManyRevocationsError(f"there are {MOST} revocations already")
            if before == revocation:
                return False
            await asyncio.to_thread(self._supply, {authenticator}, after)
            self._revocations = after
            await asyncio.to_thread(self._write, after.values())
        changed = revocation or before
        if changed:
            kind = "revoked" if revocation else "revocation_ended"
            self._events.tell(kind, authenticator=authenticator, id=id, revoked=changed.revoked)
        return before is None or revocation is None

    def _supply(self, authenticators: Iterable[str], revocations: Mapping[str, Revocation]) -> None:
        """Tell the engine which ones of these authenticators hold."""
        for authenticator in authenticators:
            holding = [
                {"revoked": each.revoked, "name": each.name, "until": int(each.until.timestamp())}
                for each in revocations.values()
                if each.authenticator == authenticator
            ]
            self._engine.supply("revocations", authenticator, json.dumps(holding).encode())

    def _write(self, revocations: Iterable[Revocation]) -> None:
        """Keep the revocations. That a disk is full is no reason to believe a token."""
        try:
            self._file.write(revocations)
        except StoreError as error:
            log.error("revocations are not kept; they end with the process", error=str(error))


def _by_id(revocations: Iterable[Revocation]) -> dict[str, Revocation]:
    return _holding({each.id: each for each in revocations})


def _holding(revocations: Mapping[str, Revocation]) -> dict[str, Revocation]:
    """Those whose time is not over."""
    now = datetime.now(UTC)
    return {id: each for id, each in revocations.items() if each.until > now}
