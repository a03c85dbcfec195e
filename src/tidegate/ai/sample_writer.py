"""Writes samples as parquet, and removes the oldest: they take a bounded part of the disk for a bounded
time.
"""

import io
import os
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars

from tidegate.ai.features import NAMES
from tidegate.ai.sample_files import COST, TIME, WEIGHT, all_files, folder_of
from tidegate.control.state_file import make_folder

MOST_DAYS = 14
MOST_BYTES = 1024 * 1024 * 1024
ROWS_OF_FILE = 50_000
"""Samples are added to a day's latest file, which is written anew for that, until it has so many."""

_SCHEMA = {
    TIME: polars.Float64,
    COST: polars.Float64,
    WEIGHT: polars.Float64,
    **dict.fromkeys(NAMES, polars.Float32),
}


def append(state_dir: Path, upstream: str, rows: list[list[float]]) -> None:
    """Keep samples of an upstream, in the order of the columns. Raises OSError; none of a day is kept
    then.
    """
    folder = folder_of(state_dir, upstream)
    make_folder(folder)
    days: dict[date, list[list[float]]] = defaultdict(list)
    for row in rows:
        days[datetime.fromtimestamp(row[0], UTC).date()].append(row)
    for day, of_day in days.items():
        _append(folder, day, polars.DataFrame(of_day, _SCHEMA, orient="row"))
    prune(state_dir, max(days))


def prune(state_dir: Path, today: date) -> None:
    """Remove samples of long ago, and the oldest of what is too much. Raises OSError."""
    first = (today - timedelta(days=MOST_DAYS - 1)).isoformat()
    files = all_files(state_dir)
    sizes = {file: file.stat().st_size for file in files}
    whole = sum(sizes.values())
    for file in files:
        if file.name < first or whole > MOST_BYTES:
            file.unlink(missing_ok=True)
            whole -= sizes[file]


def _append(folder: Path, day: date, rows: polars.DataFrame) -> None:
    existing = sorted(folder.glob(f"{day}.*.parquet"))
    number = len(existing) and int(existing[-1].name.split(".")[1])
    before = _read(existing[-1]) if existing else None
    if before is None or len(before) >= ROWS_OF_FILE:
        number += 1
    else:
        rows = before.vstack(rows)
    _replace(folder / f"{day}.{number:03}.parquet", rows)


def _read(file: Path) -> polars.DataFrame | None:
    """What is in a file; None if it cannot be added to."""
    try:
        found = polars.read_parquet(file)
    except polars.exceptions.PolarsError:
        return None
    return found if found.schema == polars.Schema(_SCHEMA) else None


def _replace(file: Path, rows: polars.DataFrame) -> None:
    """Write in memory first: so what fails is the file, and says so by itself."""
    content = io.BytesIO()
    rows.write_parquet(content)
    draft = file.with_suffix(".new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            written.write(content.getbuffer())
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error
