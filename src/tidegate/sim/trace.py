"""Recorded requests: when they came, and how much they asked for."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tidegate.sim.model import Trace
from tidegate.sim.unit import MILLISECOND, SECOND


class Recorded(NamedTuple):
    """A request."""

    at: int
    """Nanoseconds since the first one."""
    input_tokens: int
    output_tokens: int
    key: int
    """Requests of the same key can share something; a number of its own where nothing is known."""


class Arrival(NamedTuple):
    """A request as the engine takes it, in nanoseconds."""

    at: int
    work: int
    key: int


def arrivals(trace: Trace) -> list[Arrival]:
    """The trace's requests in order, the first at 0.

    Raises OSError if the file cannot be read, ValueError if it is not of its format.
    """
    read = {"azure_llm": _azure_llm, "mooncake": _mooncake}[trace.format]
    try:
        requests = sorted(read(trace.file))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{trace.file} is not a trace of the format {trace.format}: {error}") from None
    if not requests:
        raise ValueError(f"{trace.file} has no requests")
    first = requests[0].at
    return [
        Arrival(
            one.at - first,
            one.input_tokens * trace.per_input + one.output_tokens * trace.per_output,
            one.key,
        )
        for one in requests
    ]


def sped_up(trace: list[Arrival], factor: float) -> list[Arrival]:
    """The same requests in 1/`factor` of the time."""
    return [one._replace(at=round(one.at / factor)) for one in trace]


def offered(trace: list[Arrival]) -> float:
    """Work that arrives in a second, in seconds."""
    return sum(one.work for one in trace) / max(trace[-1].at, 1)


def _azure_llm(file: Path) -> Iterator[Recorded]:
    """The Azure LLM inference trace of 2023 (Patel et al., *Splitwise*, ISCA 2024)."""
    with file.open(newline="", encoding="utf-8") as lines:
        for key, row in enumerate(csv.DictReader(lines)):
            # Seven digits of a second's fraction are one more than datetime takes.
            whole, _, fraction = row["TIMESTAMP"].partition(".")
            second = datetime.fromisoformat(whole + "+00:00").timestamp()
            nanoseconds = round(float(f"0.{fraction or 0}") * SECOND)
            at = int(second) * SECOND + nanoseconds
            yield Recorded(at, int(row["ContextTokens"]), int(row["GeneratedTokens"]), key)


def _mooncake(file: Path) -> Iterator[Recorded]:
    """A trace of Mooncake (Qin et al., FAST 2025): requests share blocks of their input, named by hash.

    The first block is nearly always the same, the system's prompt; so the second is the key.
    """
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            blocks = row["hash_ids"]
            key = blocks[min(1, len(blocks) - 1)]
            yield Recorded(row["timestamp"] * MILLISECOND, row["input_length"], row["output_length"], key)
