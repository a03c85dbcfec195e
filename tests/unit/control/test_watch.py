"""The watcher: what it takes for a change, however the file is replaced."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tidegate.config.stamp import Stamps, stamp_of
from tidegate.control import watch
from tidegate.control.watch import Watcher


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change made before the folder is watched is only found by looking."""
    monkeypatch.setattr(watch, "LOOK_MS", 200)


@asynccontextmanager
async def watching(files: Callable[[], Stamps]) -> AsyncIterator[asyncio.Queue[frozenset[Path]]]:
    """Yields the queue of what the watcher reports."""
    reports: asyncio.Queue[frozenset[Path]] = asyncio.Queue()
    task = asyncio.create_task(Watcher(files, reports.put).run())
    try:
        yield reports
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_file_that_is_written_in_place_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("one")
    async with watching(lambda: {file: stamp_of(file)}) as reports:
        file.write_text("another")
        assert await reports.get() == {file}


async def test_a_file_that_is_replaced_by_rename_is_reported_every_time(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("same")
    async with watching(lambda: {file: stamp_of(file)}) as reports:
        for _ in range(2):
            fresh = tmp_path / "fresh"
            fresh.write_text("same")
            fresh.rename(file)
            assert await reports.get() == {file}


async def test_a_folder_swapped_by_a_link_is_reported_as_its_files(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "tidegate.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("v1")
    file = tmp_path / "tidegate.yaml"
    file.symlink_to("..data/tidegate.yaml")
    async with watching(lambda: {file: stamp_of(file)}) as reports:
        (tmp_path / "..data_tmp").symlink_to("v2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        assert await reports.get() == {file}


async def test_other_files_in_the_folder_are_no_news(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("one")
    async with watching(lambda: {file: stamp_of(file)}) as reports:
        (tmp_path / "generations.db-wal").write_text("noise")
        file.write_text("another")
        assert await reports.get() == {file}
        assert reports.empty()


async def test_files_that_join_are_watched_and_their_joining_is_no_change(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    config, cert = tmp_path / "tidegate.yaml", tmp_path / "certs" / "cert.pem"
    config.write_text("one")
    files = {config: stamp_of(config)}
    async with watching(lambda: files) as reports:
        cert.write_text("old")
        files[cert] = stamp_of(cert)
        config.write_text("names the certificate")
        assert await reports.get() == {config}
        cert.write_text("renewed")
        report = await reports.get()
        assert report == {cert}


async def test_a_file_that_was_written_after_it_was_read_is_reported_however_late_it_joins(
    tmp_path: Path,
) -> None:
    config, extra = tmp_path / "tidegate.yaml", tmp_path / "extra.yaml"
    config.write_text("one")
    extra.write_text("as it was read")
    read = {config: stamp_of(config), extra: stamp_of(extra)}
    extra.write_text("as it is since")
    async with watching(lambda: read) as reports:
        assert await reports.get() == {extra}


async def test_a_file_that_vanishes_and_comes_back_is_reported_both_times(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("one")
    async with watching(lambda: {file: stamp_of(file)}) as reports:
        file.unlink()
        assert await reports.get() == {file}
        file.write_text("two")
        assert await reports.get() == {file}
