"""The operator's words on endpoints while the gateway runs: their duty (to serve, to drain, …) and weight.

A word holds over what the configuration says of the same option, outlives every change of the configuration
and the endpoint's own absence from it, and ends when the operator takes it back. It is a live value of the
engine and makes no generation. With a `state_dir` words are kept in a file there, and hold again from the
first request on when the process is started anew.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import TypeAdapter

from tidegate._engine import Engine
from tidegate.config.model.upstream import Endpoint
from tidegate.control import logs
from tidegate.control.events import Events
from tidegate.control.state_file import StateFile
from tidegate.control.store import StoreError

FILE_NAME = "words.json"
MOST = 10_000
"""Words at a time."""

Option = Literal["duty", "weight"]
OPTIONS: tuple[Option, ...] = get_args(Option)
Duty = Literal["serving", "draining", "maintenance"]
Value = Duty | int

log = logs.Logger("tidegate.control")


class TooManyWordsError(Exception):
    """No more words are taken until some are taken back."""


@dataclass(frozen=True)
class Word:
    """What the operator says of one option of one endpoint."""

    upstream: str
    endpoint: str
    """Its address."""
    option: Option
    value: Value
    reason: str | None
    """Why, for people."""
    author: str
    time: datetime


_Key = tuple[str, str, Option]
_FILE = TypeAdapter(list[Word])


class Words:
    """The words that hold. To be used from one event loop."""

    def __init__(self, engine: Engine, events: Events, state_dir: Path | None = None) -> None:
        """Let the words that are kept in `state_dir` hold again. Raises StoreError."""
        self._engine = engine
        self._events = events
        self._file = StateFile(state_dir, FILE_NAME, _FILE, "operator's words")
        self._one_at_a_time = asyncio.Lock()
        self._words: dict[_Key, Word] = {_key(word): word for word in self._file.read()}
        try:
            for upstream, endpoint in {(word.upstream, word.endpoint) for word in self.all()}:
                self._supply(upstream, endpoint, self._words)
        except ValueError as error:
            raise self._file.unusable(error) from error
        if self._words:
            log.info("the operator's words hold again", words=len(self._words))

    def all(self) -> list[Word]:
        """Every word, the oldest first."""
        return sorted(self._words.values(), key=lambda word: word.time)

    def of(self, upstream: str, endpoint: str) -> list[Word]:
        """The words on an endpoint."""
        return _of(upstream, endpoint, self._words)

    async def say(
        self,
        upstream: str,
        endpoint: str,
        values: Mapping[Option, Value | None],
        *,
        author: str,
        reason: str | None = None,
    ) -> bool:
        """Let these values hold, and take back the words on options whose value is None.

        Says whether that changed anything. Raises TooManyWordsError, and ValueError if the engine refuses
        a value; nothing has changed then.
        """
        said = {
            option: Word(upstream, endpoint, option, value, reason, author, datetime.now(UTC))
            for option, value in values.items()
            if value is not None
        }
        return await asyncio.shield(self._in_turn(upstream, endpoint, values.keys(), said, author))

    async def _in_turn(
        self, upstream: str, endpoint: str, options: Iterable[Option], said: dict[Option, Word], author: str
    ) -> bool:
        async with self._one_at_a_time:
            after = dict(self._words)
            taken_back = [
                word for option in options if (word := after.pop((upstream, endpoint, option), None))
            ]
            after |= {_key(word): word for word in said.values()}
            if len(after) > MOST:
                raise TooManyWordsError(f"there are {MOST} words already: take some back first")
            if not said and not taken_back:
                return False
            await asyncio.to_thread(self._supply, upstream, endpoint, after)
            await asyncio.to_thread(self._write, after)
            self._words = after
        for word in said.values():
            self._events.tell("word_given", **_told(word), author=author)
        for word in taken_back:
            if word.option not in said:
                self._events.tell("word_taken_back", **_told(word), author=author)
        return True

    def _supply(self, upstream: str, endpoint: str, words: Mapping[_Key, Word]) -> None:
        """Tell the engine what holds of an endpoint."""
        holding = {word.option: word for word in _of(upstream, endpoint, words)}
        said: dict[str, Value | str | None] = {option: word.value for option, word in holding.items()}
        if "duty" in holding:
            said["reason"] = holding["duty"].reason
        told = {"address": endpoint, "word": said or None}
        self._engine.supply("endpoint", upstream, json.dumps(told).encode())

    def _write(self, words: Mapping[_Key, Word]) -> None:
        """Keep the words. That a disk is full is no reason not to take an endpoint out of service."""
        try:
            self._file.write(words.values())
        except StoreError as error:
            log.error("the operator's words are not kept; they end with the process", error=str(error))


def configured(endpoint: Endpoint) -> dict[Option, Value]:
    """What the configuration says of what words can be said of."""
    duty: Duty = "maintenance" if endpoint.maintenance else "draining" if endpoint.drain else "serving"
    return {"duty": duty, "weight": endpoint.weight}


def _key(word: Word) -> _Key:
    return (word.upstream, word.endpoint, word.option)


def _of(upstream: str, endpoint: str, words: Mapping[_Key, Word]) -> list[Word]:
    return [word for option in OPTIONS if (word := words.get((upstream, endpoint, option)))]


def _told(word: Word) -> dict[str, str | Value | None]:
    """What an event says of a word."""
    return {name: value for name, value in asdict(word).items() if name not in ("author", "time")}
