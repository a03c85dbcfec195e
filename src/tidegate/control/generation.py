"""Generations: the numbered configurations that were served, one after another."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tidegate.config.problem import Problem

Origin = Literal["start", "restore", "file", "signal", "admin", "cli", "rollback"]
"""What asked for a change."""

Summary = dict[str, dict[str, list[str]]]
"""Names of what a change touched: `{"routes": {"added": [...], "removed": [...], "changed": [...]}, ...}`."""


@dataclass(frozen=True)
class Generation:
    """A configuration that was committed; its document is in the store."""

    number: int
    time: datetime
    origin: Origin
    etag: str
    summary: Summary
    source: str | None = None
    """The etag of what the configuration file said when it was last read while this was served; None if there
    was none."""


@dataclass(frozen=True)
class Refusal:
    """A change that was refused, and everything that was wrong with it."""

    time: datetime
    origin: Origin
    problems: tuple[Problem, ...]
