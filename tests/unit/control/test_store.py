"""The store of generations."""

import sqlite3
import stat
import zlib
from pathlib import Path
from typing import Any

import pytest

from tidegate.control import store as module
from tidegate.control.store import FILE_NAME, Store, StoreError

SUMMARY = {"routes": {"added": ["all"], "removed": [], "changed": []}}


def test_generations_are_numbered_from_one_and_keep_what_they_were_given() -> None:
    store = Store()
    first = store.add("start", '"a"', SUMMARY, {"workers": 1})
    second = store.add("admin", '"b"', SUMMARY, {"workers": 2})
    assert (first.number, second.number) == (1, 2)
    assert store.last() == second
    assert store.get(1) == first
    assert store.newest(10) == [second, first]
    assert store.document(1) == {"workers": 1}


def test_what_is_not_there_is_none() -> None:
    store = Store()
    store.add("start", '"a"', SUMMARY, {})
    assert store.get(2) is None
    assert store.document(2) is None
    assert Store().last() is None


def test_a_store_on_disk_is_found_again_and_goes_on_counting(tmp_path: Path) -> None:
    first = Store(tmp_path / "state")
    first.add("start", '"a"', SUMMARY, {"workers": 1})
    first.close()
    again = Store(tmp_path / "state")
    assert again.document(1) == {"workers": 1}
    assert again.add("file", '"b"', SUMMARY, {}).number == 2


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    Store(tmp_path).add("start", '"a"', SUMMARY, {})
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_old_generations_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_IN_MEMORY", 3)
    store = Store()
    for number in range(5):
        store.add("admin", f'"{number}"', SUMMARY, {})
    assert [generation.number for generation in store.newest(10)] == [5, 4, 3]


def test_every_generation_that_is_kept_can_be_read_whatever_it_builds_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "KEPT_ON_DISK", 5)
    monkeypatch.setattr(module, "WHOLE_EVERY", 4)
    store = Store(tmp_path)
    routes: list[dict[str, Any]] = [{"name": str(number)} for number in range(10)]
    documents = {}
    for number in range(1, 25):
        routes = [*routes]
        routes[number % 10] = {"name": str(number % 10), "timeout": number}
        documents[number] = {"workers": number, "routes": routes}
        store.add("admin", f'"{number}"', SUMMARY, documents[number])
        if number % 7 == 0:  # the process is started anew
            store.close()
            store = Store(tmp_path)
        kept = [generation.number for generation in store.newest(100)]
        assert kept == list(range(number, max(number - 5, 0), -1))
        assert [store.document(each) for each in kept] == [documents[each] for each in kept]
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        assert database.execute("SELECT count(*) FROM generations").fetchone()[0] <= 5 + 4


def test_a_generation_costs_what_it_changes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    routes = [{"name": f"route-{number}"} for number in range(1000)]
    store.add("start", '"a"', SUMMARY, {"routes": routes})
    store.add("admin", '"b"', SUMMARY, {"routes": [{"name": "other"}, *routes[1:]]})
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        first, second = (size for (size,) in database.execute("SELECT length(document) FROM generations"))
    assert second * 10 < first


def test_the_store_of_an_earlier_version_is_read_and_goes_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        columns = "number INTEGER PRIMARY KEY AUTOINCREMENT, time REAL, origin TEXT, etag TEXT, summary TEXT"
        database.execute(f"CREATE TABLE generations ({columns}, document BLOB)")
        packed = zlib.compress(b'{"workers":1}')
        database.execute("INSERT INTO generations VALUES (7, 1.5, 'start', '\"a\"', '{}', ?)", (packed,))
        database.execute("PRAGMA user_version = 1")
    store = Store(tmp_path)
    assert store.document(7) == {"workers": 1}
    assert store.add("admin", '"b"', SUMMARY, {"workers": 2}).number == 8
    assert store.document(8) == {"workers": 2}


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("not a database, by any means" * 100)
    with pytest.raises(StoreError, match=FILE_NAME):
        Store(tmp_path)


def test_the_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer"):
        Store(tmp_path)


@pytest.mark.parametrize("column", ["document", "summary", "time"])
def test_a_row_that_was_damaged_is_told_with_the_file(tmp_path: Path, column: str) -> None:
    store = Store(tmp_path)
    store.add("start", '"a"', SUMMARY, {})
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute(f"UPDATE generations SET {column} = 'damaged'")
    with pytest.raises(StoreError, match=FILE_NAME):
        (store.last(), store.document(1))


def test_a_damaged_page_is_told_with_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add("start", '"a"', SUMMARY, {})
    store.close()
    file = tmp_path / FILE_NAME
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(StoreError, match=FILE_NAME):
        Store(tmp_path).last()


def test_a_folder_that_cannot_be_made_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StoreError, match=f"state/{FILE_NAME}"):
        Store(tmp_path / "state")
