"""Samples become files; where they cannot be written nothing else is disturbed."""

import builtins
import errno
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("polars", reason="the extra tidegate[ai] is not installed")

import polars

from tidegate.ai import sample_writer, samples
from tidegate.ai.features import NAMES
from tidegate.ai.sample_files import COST, TIME, WEIGHT, all_files, files_of, folder_of
from tidegate.ai.samples import Samples
from tidegate.control.events import Events

DAY = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()


def rows(count: int, time: float = DAY) -> list[list[float]]:
    return [[time + number / 1000, 0.004, 1.0, *[float(number)] * len(NAMES)] for number in range(count)]


def told(count: int, upstream: str = "app") -> dict[str, Any]:
    return {"upstream": upstream, "features": "features/v1", "rows": rows(count)}


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "BATCH_SECONDS", 0)


async def written(taken: Samples) -> None:
    """Wait until what was taken is written, or was tried to be."""
    assert taken._writing is not None
    await taken._writing


def kinds(events: Events) -> list[str]:
    return [event.kind for event in events.read(0).events]


async def test_samples_are_found_in_a_file_of_their_upstream_and_day(tmp_path: Path, events: Events) -> None:
    taken = Samples(tmp_path, events)
    taken.take(told(3))
    taken.take(told(2, "a/b"))
    await written(taken)
    (file,) = files_of(tmp_path, "app")
    assert file.name == "2026-11-27.001.parquet"
    table = polars.read_parquet(file)
    assert table.columns == [TIME, COST, WEIGHT, *NAMES]
    assert table["expected"].to_list() == [0, 1, 2]
    assert len(files_of(tmp_path, "a/b")) == 1
    assert taken.written == {"app": 3, "a/b": 2}
    assert kinds(events) == []


async def test_only_their_owner_may_read_samples(tmp_path: Path, events: Events) -> None:
    taken = Samples(tmp_path, events)
    taken.take(told(1))
    await taken.close()
    (file,) = files_of(tmp_path, "app")
    assert file.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (file.parent, file.parent.parent)} == {0o700}


async def test_later_samples_of_a_day_join_the_earlier_ones(tmp_path: Path, events: Events) -> None:
    taken = Samples(tmp_path, events)
    for count in (3, 2):
        taken.take(told(count))
        await written(taken)
    (file,) = files_of(tmp_path, "app")
    assert len(polars.read_parquet(file)) == 5
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_what_waits_is_written_when_the_process_ends(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "BATCH_SECONDS", 600)
    taken = Samples(tmp_path, events)
    taken.take(told(3))
    await taken.close()
    assert taken.written == {"app": 3}


async def test_more_than_may_wait_are_dropped_and_counted(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MOST_WAITING", 4)
    taken = Samples(tmp_path, events)
    taken.take(told(3))
    taken.take(told(2))
    await written(taken)
    assert (taken.written, taken.lost) == ({"app": 3}, {"app": 2})


async def test_a_full_disk_stops_sampling_with_one_event_until_there_is_room(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Samples(tmp_path, events)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "app/2026-11-27.001.parquet")

    with monkeypatch.context() as patch:
        patch.setattr(sample_writer, "_replace", full)
        taken.take(told(3))
        await written(taken)
        taken.take(told(2))
    assert taken.stopped == "app/2026-11-27.001.parquet: No space left on device"
    assert taken.lost == {"app": 5}
    assert kinds(events) == ["sampling_stopped"]
    taken._rests_until = 0
    taken.take(told(1))
    await written(taken)
    assert taken.stopped is None
    assert kinds(events) == ["sampling_stopped", "sampling_resumed"]


async def test_without_the_library_that_is_said_once(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if "sample_writer" in (name, *(rest[2] or ())):
            raise ModuleNotFoundError("No module named 'polars'", name="polars")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    taken = Samples(tmp_path, events)
    taken.take(told(3))
    await written(taken)
    assert taken.stopped == "writing samples needs polars, which is not installed: pip install 'tidegate[ai]'"
    assert kinds(events) == ["sampling_stopped"]


async def test_without_a_state_dir_that_is_said(events: Events) -> None:
    taken = Samples(None, events)
    taken.take(told(3))
    await written(taken)
    assert taken.stopped == "there is no folder to keep them in: set state_dir"


def test_a_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_writer, "ROWS_OF_FILE", 4)
    for _ in range(3):
        sample_writer.append(tmp_path, "app", rows(3))
    assert [len(polars.read_parquet(file)) for file in files_of(tmp_path, "app")] == [6, 3]


def test_each_day_has_its_own_files(tmp_path: Path) -> None:
    sample_writer.append(tmp_path, "app", [*rows(2), *rows(1, DAY + 86_400)])
    names = [file.name for file in files_of(tmp_path, "app")]
    assert names == ["2026-11-27.001.parquet", "2026-11-28.001.parquet"]


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_that_is_broken_is_left_and_another_begun(tmp_path: Path, content: bytes) -> None:
    folder = folder_of(tmp_path, "app")
    folder.mkdir(parents=True)
    (folder / "2026-11-27.001.parquet").write_bytes(content)
    sample_writer.append(tmp_path, "app", rows(2))
    assert len(polars.read_parquet(folder / "2026-11-27.002.parquet")) == 2


def test_samples_of_long_ago_are_removed(tmp_path: Path) -> None:
    for day in range(16):
        sample_writer.append(tmp_path, "app", rows(1, DAY + day * 86_400))
    days = [file.name[:10] for file in files_of(tmp_path, "app")]
    assert (len(days), days[0], days[-1]) == (14, "2026-11-29", "2026-12-12")


def test_a_clock_that_is_wrong_for_a_while_costs_no_samples_of_before(tmp_path: Path) -> None:
    sample_writer.append(tmp_path, "app", rows(1))
    # A machine without a clock of its own began at the epoch, until it was told the time.
    sample_writer.append(tmp_path, "app", rows(1, 60.0))
    days = [file.name[:10] for file in files_of(tmp_path, "app")]
    assert days == ["1970-01-01", "2026-11-27"]
    sample_writer.append(tmp_path, "app", rows(1, DAY + 86_400))
    days = [file.name[:10] for file in files_of(tmp_path, "app")]
    assert days == ["2026-11-27", "2026-11-28"]


def test_of_too_much_the_oldest_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for upstream, day in (("app", 0), ("other", 1), ("app", 2)):
        sample_writer.append(tmp_path, upstream, rows(1, DAY + day * 86_400))
    sizes = [file.stat().st_size for file in all_files(tmp_path)]
    monkeypatch.setattr(sample_writer, "MOST_BYTES", sum(sizes) - 1)
    sample_writer.prune(tmp_path, date(2026, 11, 29))
    assert [file.name[:10] for file in all_files(tmp_path)] == ["2026-11-28", "2026-11-29"]


def names() -> Iterator[str]:
    yield from ("app", "a/b", "..", ".", "ü" * 255, "x" * 255, "a b")


def test_every_upstream_has_a_folder_of_its_own_whatever_its_name(tmp_path: Path) -> None:
    folders = [folder_of(tmp_path, name) for name in names()]
    assert len(set(folders)) == len(folders)
    for folder in folders:
        assert folder.parent == tmp_path / "samples"
        folder.mkdir(parents=True)
