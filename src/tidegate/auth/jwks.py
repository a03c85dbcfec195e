"""The keys of one authenticator, fetched from its identity provider again and again."""

import asyncio
import hashlib
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate._engine import Engine
from tidegate.auth.discovery import discover
from tidegate.auth.fetch import LONGEST_SECONDS, Fetcher, FetchError
from tidegate.auth.provider import KeyState, Provider
from tidegate.control import logs
from tidegate.control.state_file import replace_file

FOLDER_NAME = "keys"
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0

log = logs.Logger("tidegate.auth")


@dataclass(frozen=True)
class _KeySet:
    """Keys as they were fetched, which is what the engine is supplied with and what is kept."""

    source: str
    """Where they are from; the engine takes them for no other."""
    fetched: float
    """Seconds since 1970."""
    jwks: dict[str, Any]

    def text(self) -> bytes:
        return json.dumps({"source": self.source, "fetched": self.fetched, "jwks": self.jwks}).encode()


class KeySource:
    """Keeps the engine supplied with the keys of one authenticator. The last good ones hold until there are
    others."""

    def __init__(self, provider: Provider, engine: Engine, state_dir: Path | None) -> None:
        """Let the keys that are kept in `state_dir` hold again, if they are of this provider."""
        self.provider = provider
        self._engine = engine
        self._fetcher = Fetcher(provider.authorities)
        self._file = _file(state_dir, provider.authenticator) if state_dir else None
        self._keys: _KeySet | None = None
        self._etag: str | None = None
        self._address: str | None = provider.url
        self._discovered = 0.0
        self._failures = 0
        self._error: str | None = None
        self._due = 0.0
        self._moved = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._restore()

    @property
    def state(self) -> KeyState:
        """How the last fetch ended."""
        return KeyState(
            authenticator=self.provider.authenticator,
            source=self.provider.source,
            fetched=self._keys.fetched if self._keys else None,
            failures=self._failures,
            error=self._error,
        )

    async def run(self) -> None:
        """Fetch whenever it is time, until cancelled."""
        try:
            while True:
                await self.refresh()
                while (left := self._due - time.monotonic()) > 0:
                    self._moved.clear()
                    # Not wait_for, which loses a cancellation that comes with what it waits for.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(left):
                            await self._moved.wait()
        finally:
            await self._fetcher.close()

    async def refresh(self) -> KeyState:
        """Fetch the keys now, and say how that ended."""
        async with self._one_at_a_time:
            try:
                fresh_seconds = await self._fetch()
                self._failures, self._error = 0, None
                self._due = time.monotonic() + fresh_seconds
            except FetchError as error:
                self._fail(str(error))
            self._moved.set()
            return self.state

    async def _fetch(self) -> float:
        """Supply the engine with the keys of now; returns how long they are fresh. Raises FetchError."""
        address = await self._found()
        fetched = await self._fetcher.fetch(address, self._etag if self._keys else None)
        jwks = fetched.document
        if jwks is None:
            if self._keys is None:
                raise FetchError(f"{address} says that nothing has changed, and was not asked")
            jwks = self._keys.jwks
        keys = _KeySet(self.provider.source, time.time(), jwks)
        try:
            await asyncio.to_thread(self._supply, keys)
        except ValueError as error:
            raise FetchError(f"{address} is of no use: {error}") from error
        if self._keys is None or self._keys.jwks != jwks:
            log.info("keys fetched", authenticator=self.provider.authenticator, address=address)
        self._keys, self._etag = keys, fetched.etag
        await asyncio.to_thread(self._keep, keys)
        return fetched.fresh_seconds

    async def _found(self) -> str:
        """The address of the keys, which is looked up now and then, and after a failure."""
        if self.provider.url:
            return self.provider.url
        is_old = time.monotonic() - self._discovered > LONGEST_SECONDS
        if self._address is None or is_old or self._failures:
            self._address = await discover(self._fetcher, self.provider.source)
            self._discovered = time.monotonic()
        return self._address

    def _fail(self, error: str) -> None:
        wait = min(FIRST_RETRY_SECONDS * 2**self._failures, LAST_RETRY_SECONDS)
        self._failures, self._error = self._failures + 1, error
        # Gateways that failed together do not come back together.
        self._due = time.monotonic() + wait * random.uniform(0.5, 1)  # noqa: S311 - no secret
        log.warning(
            "keys not fetched",
            authenticator=self.provider.authenticator,
            error=error,
            hint="the last good ones hold" if self._keys else "its tokens cannot be verified",
        )

    def _supply(self, keys: _KeySet) -> None:
        self._engine.supply("keys", self.provider.authenticator, keys.text())

    def _keep(self, keys: _KeySet) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self._file, keys.text())
        except OSError as error:
            log.error("keys are not kept", authenticator=self.provider.authenticator, error=str(error))

    def _restore(self) -> None:
        if self._file is None or not self._file.exists():
            return
        try:
            keys = _KeySet(**json.loads(self._file.read_bytes()))
            if keys.source == self.provider.source:
                self._supply(keys)
                self._keys = keys
        except (OSError, ValueError, TypeError) as error:
            log.warning("kept keys cannot be used", file=str(self._file), error=str(error))


def _file(state_dir: Path, authenticator: str) -> Path:
    """Where the keys of an authenticator are kept, whose name need not be one of a file."""
    digest = hashlib.sha256(authenticator.encode()).hexdigest()[:16]
    return state_dir / FOLDER_NAME / f"{digest}.json"
