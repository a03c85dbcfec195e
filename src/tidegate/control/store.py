"""The store of generations: SQLite, in a file under `state_dir`, or in memory where there is none.

A generation is stored as what it changes in the one before, and now and then as a whole.
"""

import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from tidegate.control.delta import Delta, applied, delta
from tidegate.control.document import Document
from tidegate.control.generation import Generation, Origin, Summary

KEPT_ON_DISK = 1000
KEPT_IN_MEMORY = 100
WHOLE_EVERY = 50
"""So many generations at most are put together to read one."""
FILE_NAME = "generations.db"

SCHEMA = (
    """
CREATE TABLE generations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    origin TEXT NOT NULL,
    etag TEXT NOT NULL,
    summary TEXT NOT NULL,
    document BLOB NOT NULL
)
""",
    "ALTER TABLE generations ADD COLUMN whole INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE generations ADD COLUMN source TEXT",
)
"""One version of the schema after another, each as what makes it of the one before."""
NEWEST = 2**63 - 1
"""A number that none is above."""


class StoreError(Exception):
    """The store cannot be opened, read or written; the message says which file and why."""


class Store:
    """Generations and their documents. Its methods may be called from any thread, and raise StoreError."""

    def __init__(self, state_dir: Path | None = None) -> None:
        """Open the store, and make it where it does not exist yet."""
        self._lock = threading.Lock()
        self._last: tuple[Generation, Document] | None = None
        """The newest generation, if it was added here."""
        self._keep = KEPT_ON_DISK if state_dir else KEPT_IN_MEMORY
        self._place = str(state_dir / FILE_NAME) if state_dir else ":memory:"
        with self._faults_told("opened"):
            if state_dir:
                _make_private(state_dir / FILE_NAME)
            self._database = _open(self._place)

    def add(
        self, origin: Origin, etag: str, summary: Summary, document: Document, source: str | None = None
    ) -> Generation:
        """Record a generation and forget those beyond the number that is kept."""
        now = datetime.now(UTC)
        with self._faults_told("written"), self._lock, self._database:
            before = self._last[1] if self._last and self._last[0].number % WHOLE_EVERY else None
            stored = document if before is None else delta(before, document)
            cursor = self._database.execute(
                "INSERT INTO generations (time, origin, etag, summary, document, whole, source) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (now.timestamp(), origin, etag, json.dumps(summary), _packed(stored), before is None, source),
            )
            generation = Generation(cursor.lastrowid or 0, now, origin, etag, summary, source)
            self._forget(generation.number - self._keep)
        self._last = (generation, document)
        return generation

    def saw(self, source: str | None) -> None:
        """Note what the configuration file says while the newest generation is served."""
        with self._faults_told("written"), self._lock, self._database:
            self._database.execute(
                "UPDATE generations SET source = ? "
                "WHERE number = (SELECT max(number) FROM generations) AND source IS NOT ?",
                (source, source),
            )

    def last(self) -> Generation | None:
        """The newest generation."""
        return next(iter(self.newest(1)), None)

    def get(self, number: int) -> Generation | None:
        """The generation of that number."""
        return next((found for found in self._select(number, 1) if found.number == number), None)

    def newest(self, count: int) -> list[Generation]:
        """Up to `count` generations, the newest first."""
        return self._select(NEWEST, count)

    def document(self, number: int) -> Document | None:
        """The document of the generation of that number."""
        with self._faults_told("read"), self._lock:
            rows = self._database.execute(
                "SELECT number, document FROM generations WHERE number <= ? AND number >= "
                "(SELECT max(number) FROM generations WHERE whole AND number <= ?) ORDER BY number",
                (number, number),
            ).fetchall()
            if not rows or rows[-1][0] != number:
                return None
            whole, *changes = (_unpacked(packed) for _, packed in rows)
            document: Document = reduce(applied, changes, whole)
        return document

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def _forget(self, last: int) -> None:
        """Forget the generations up to that one, but for those that later ones build on."""
        self._database.execute(
            "DELETE FROM generations WHERE number <= ? AND number < "
            "(SELECT max(number) FROM generations WHERE whole AND number <= ?)",
            (last, last + 1),
        )

    def _select(self, highest: int, count: int) -> list[Generation]:
        with self._faults_told("read"), self._lock:
            rows = self._database.execute(
                "SELECT number, time, origin, etag, summary, source FROM generations "
                "WHERE number <= ? AND number > (SELECT max(number) FROM generations) - ? "
                "ORDER BY number DESC LIMIT ?",
                (highest, self._keep, count),
            ).fetchall()
            return [
                Generation(
                    number, datetime.fromtimestamp(time, UTC), origin, etag, json.loads(summary), source
                )
                for number, time, origin, etag, summary, source in rows
            ]

    @contextmanager
    def _faults_told(self, done: str) -> Iterator[None]:
        """Tell what goes wrong as StoreError: a file may hold anything after a disk has failed."""
        try:
            yield
        except (OSError, sqlite3.Error, zlib.error, LookupError, TypeError, ValueError) as error:
            raise StoreError(f"the store of generations {self._place} cannot be {done}: {error}") from error


def _open(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(SCHEMA):
        raise sqlite3.DatabaseError(
            f"it was written by a newer tidegate (schema {version}, not {len(SCHEMA)})"
        )
    if version < len(SCHEMA):
        with database:
            for step in SCHEMA[version:]:
                database.execute(step)
            database.execute(f"PRAGMA user_version = {len(SCHEMA)}")
    return database


def _packed(stored: Document | Delta) -> bytes:
    return zlib.compress(json.dumps(stored, separators=(",", ":"), ensure_ascii=False).encode())


def _unpacked(packed: bytes) -> Any:
    return json.loads(zlib.decompress(packed))


def _make_private(file: Path) -> None:
    """Make the database's file readable by its owner alone before SQLite writes to it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    file.chmod(0o600)
