"""The keys of all authenticators that have them from identity providers."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate._engine import Engine
from tidegate.auth.provider import KeyState, Provider
from tidegate.config.load import Loaded
from tidegate.control import logs
from tidegate.control.events import Events
from tidegate.control.gateway import MissingError, Running

if TYPE_CHECKING:
    from tidegate.auth.jwks import KeySource

log = logs.Logger("tidegate.auth")


class Keys:
    """Follows what is served: one source of keys for each authenticator that needs one. To be used from one
    event loop."""

    def __init__(self, engine: Engine, events: Events, state_dir: Path | None = None) -> None:
        self._engine = engine
        self._state_dir = state_dir
        self._sources: dict[str, tuple[KeySource, asyncio.Task[None]]] = {}
        self._asked: set[asyncio.Task[KeyState]] = set()
        events.take_aside("unknown_key", self._unknown_key)

    def follow(self, running: Running) -> None:
        """Have the keys of the authenticators that are served now, and of no others."""
        wanted = {provider.authenticator: provider for provider in providers(running.loaded)}
        for name, (source, task) in list(self._sources.items()):
            if wanted.get(name) != source.provider:
                task.cancel()
                del self._sources[name]
        for name, provider in wanted.items():
            if name not in self._sources:
                self._sources[name] = self._begin(provider)

    def state(self, authenticator: str) -> KeyState | None:
        """How the last fetch of its keys ended; None if they are not fetched."""
        found = self._sources.get(authenticator)
        return found[0].state if found else None

    async def refresh(self, authenticator: str) -> KeyState:
        """Fetch its keys now. Raises MissingError if they are not fetched at all."""
        found = self._sources.get(authenticator)
        if found is None:
            raise MissingError(f"authenticator {authenticator} has no keys that are fetched")
        return await found[0].refresh()

    def _begin(self, provider: Provider) -> "tuple[KeySource, asyncio.Task[None]]":
        from tidegate.auth.jwks import KeySource  # noqa: PLC0415 - httpx is heavy, and often not needed

        source = KeySource(provider, self._engine, self._state_dir)
        task = asyncio.get_running_loop().create_task(source.run())
        task.add_done_callback(_ended)
        return source, task

    def _unknown_key(self, about: dict[str, Any]) -> None:
        """A token names a key that is not there. The engine asks no more often than it should."""
        if found := self._sources.get(about["authenticator"]):
            task = asyncio.get_running_loop().create_task(found[0].refresh())
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("keys are not fetched any more", exc_info=error)


def providers(loaded: Loaded) -> list[Provider]:
    """The identity providers that a configuration names."""
    found = []
    for authenticator in loaded.config.authenticators:
        jwt = authenticator.jwt
        if jwt and jwt.jwks and (source := jwt.jwks.url or (jwt.jwks.discover and jwt.issuer)):
            authorities = loaded.contents[Path(jwt.jwks.ca)] if jwt.jwks.ca else None
            found.append(Provider(authenticator.name, source, jwt.jwks.url, authorities))
    return found
