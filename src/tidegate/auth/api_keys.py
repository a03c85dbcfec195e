"""API keys that were made by the admin API.

They are live values of the engine, beside those of an authenticator's file. With a `state_dir` what is known
of them is kept in a file there, and holds again from the first request on when the process is started anew.
A key itself is told once, to the request that asked for it, and is kept nowhere.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter

from tidegate._engine import Engine
from tidegate.auth.api_key import ApiKey
from tidegate.control import logs
from tidegate.control.events import Events
from tidegate.control.state_file import StateFile
from tidegate.control.store import StoreError

FILE_NAME = "api_keys.json"
MOST = 10_000
"""Keys at a time: more belong into a file."""

log = logs.Logger("tidegate.auth")


class TooManyApiKeysError(Exception):
    """No more keys are made until some are revoked."""


@dataclass(frozen=True)
class MadeKey:
    """A key that the admin API made."""

    authenticator: str
    key: ApiKey
    author: str
    time: AwareDatetime

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.key.expires is not None and self.key.expires <= now


_FILE = TypeAdapter(list[MadeKey])


class ApiKeys:
    """The keys that the admin API made and that are not revoked. To be used from one event loop."""

    def __init__(self, engine: Engine, events: Events, state_dir: Path | None = None) -> None:
        """Let the keys that are kept in `state_dir` hold again. Raises StoreError."""
        self._engine = engine
        self._events = events
        self._file = StateFile(state_dir, FILE_NAME, _FILE, "API keys that the admin API made")
        self._one_at_a_time = asyncio.Lock()
        self._keys = {made.key.id: made for made in self._file.read()}
        try:
            for authenticator in {made.authenticator for made in self._keys.values()}:
                self._supply(authenticator, self._keys)
        except ValueError as error:
            raise self._file.unusable(error) from error
        if self._keys:
            log.info("API keys hold again", keys=len(self._keys))

    def all(self) -> list[MadeKey]:
        """Every key, the oldest first."""
        return sorted(self._keys.values(), key=lambda made: made.time)

    async def add(self, made: MadeKey) -> None:
        """Let a key be believed.

        Raises TooManyApiKeysError, StoreError if it cannot be kept, and ValueError if the engine refuses it;
        nothing has changed then.
        """
        await asyncio.shield(self._add(made))

    async def revoke(self, id: str) -> MadeKey | None:
        """Believe a key no more; None if there is none of this id.

        Raises StoreError if that cannot be kept: the key is refused then until the process is started anew.
        """
        return await asyncio.shield(self._revoke(id))

    async def _add(self, made: MadeKey) -> None:
        async with self._one_at_a_time:
            if len(self._keys) >= MOST:
                raise TooManyApiKeysError(
                    f"there are {MOST} API keys already: revoke some, or use a file of keys"
                )
            after = {**self._keys, made.key.id: made}
            await asyncio.to_thread(self._supply, made.authenticator, after)
            try:
                await asyncio.to_thread(self._file.write, after.values())
            except StoreError:
                await asyncio.to_thread(self._supply, made.authenticator, self._keys)
                raise
            self._keys = after
        self._tell("api_key_made", made, made.author)

    async def _revoke(self, id: str) -> MadeKey | None:
        async with self._one_at_a_time:
            after = dict(self._keys)
            made = after.pop(id, None)
            if made is None:
                return None
            await asyncio.to_thread(self._supply, made.authenticator, after)
            self._keys = after
            await asyncio.to_thread(self._file.write, after.values())
        self._tell("api_key_revoked", made, None)
        return made

    def _tell(self, kind: str, made: MadeKey, author: str | None) -> None:
        about = {"authenticator": made.authenticator, "id": made.key.id, "name": made.key.name}
        self._events.tell(kind, **about, **({"author": author} if author else {}))

    def _supply(self, authenticator: str, keys: Mapping[str, MadeKey]) -> None:
        """Tell the engine which keys of this authenticator there are."""
        listed = [made.key.entry() for made in keys.values() if made.authenticator == authenticator]
        self._engine.supply("api_key", authenticator, json.dumps(listed).encode())
