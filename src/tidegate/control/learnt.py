"""What was learnt of requests' costs, kept in `state_dir` from one process to the next.

It is written when the process stops and supplied before anything is served. That it is missing or damaged is
no reason not to start: it is learnt anew.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tidegate._engine import Engine
from tidegate.control import logs
from tidegate.control.state_file import StateFile
from tidegate.control.store import StoreError

FILE_NAME = "learnt.json"

log = logs.Logger("tidegate.control")


@dataclass(frozen=True)
class LearntCosts:
    """What was learnt for one upstream, as the engine tells it and takes it."""

    upstream: str
    learnt: dict[str, Any]


_FILE = TypeAdapter(list[LearntCosts])


class Learnt:
    """What the engine has learnt, and what is kept of it."""

    def __init__(self, engine: Engine, state_dir: Path | None) -> None:
        self._engine = engine
        self._file = StateFile(state_dir, FILE_NAME, _FILE, "learnt costs")

    def restore(self) -> None:
        """Let upstreams begin with what is kept. What cannot be used is named in the log."""
        try:
            kept = self._file.read()
        except StoreError as error:
            log.error("what was learnt is not used: it is learnt anew", error=str(error))
            return
        for costs in kept:
            try:
                self._engine.supply("learnt", costs.upstream, json.dumps(costs.learnt).encode())
            except ValueError as error:
                log.error("what was learnt is not used", upstream=costs.upstream, error=str(error))

    def keep(self) -> None:
        """Keep what is learnt by now. That it cannot be kept is no reason not to stop."""
        try:
            self._file.write(_FILE.validate_json(self._engine.ask(b'{"learnt": {}}')))
        except StoreError as error:
            log.error("what was learnt is not kept", error=str(error))
