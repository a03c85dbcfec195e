"""The life of a change."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.control.gateways import YAML, document, file_source, make_gateway, started_gateway
from tidegate.config.problem import ConfigError
from tidegate.control.document import Document
from tidegate.control.gateway import ConflictError, Gateway, MissingError, Running, StaleError
from tidegate.control.source import Source
from tidegate.control.store import Store, StoreError


def with_workers(count: int) -> Any:
    return lambda current: {**current, "workers": count}


def with_timeout(timeout: str) -> Any:
    def edit(current: Document) -> Document:
        return {**current, "routes": [{**current["routes"][0], "timeout": timeout}]}

    return edit


async def test_a_change_is_validated_prepared_committed_and_recorded() -> None:
    gateway, engine = make_gateway()
    assert not gateway.ready
    change = await gateway.apply(gateway.source.read, "start")
    assert change.changed
    assert change.generation == gateway.running.generation == gateway.store.last()
    assert change.summary["routes"] == {"added": ["all"], "removed": [], "changed": []}
    assert engine.served["routes"][0]["timeout"] == 5000
    assert gateway.ready


async def test_the_diff_names_what_changed() -> None:
    gateway, _ = await started_gateway()
    change = await gateway.edit(with_timeout("7s"), "admin")
    assert change.summary["routes"]["changed"] == ["all"]
    assert [(edit.path, edit.old, edit.new) for edit in change.edits] == [("routes[all].timeout", 5000, 7000)]


async def test_only_what_changed_is_sent_to_the_engine() -> None:
    gateway, engine = await started_gateway()
    assert engine.sent_whole == ["web", "all", "app"]
    await gateway.edit(with_timeout("7s"), "admin")
    assert engine.sent_whole == ["all"]
    await gateway.reread("file")
    assert engine.sent_whole == []


async def test_an_engine_that_has_lost_what_it_served_gets_it_again() -> None:
    gateway, engine = await started_gateway()
    engine.served = {}
    await gateway.edit(with_timeout("7s"), "admin")
    assert [route["timeout"] for route in engine.served["routes"]] == [7000]


async def test_a_refused_configuration_leaves_the_running_one_and_is_remembered() -> None:
    gateway, engine = await started_gateway()
    before = gateway.running
    with pytest.raises(ConfigError):
        await gateway.edit(lambda current: {**current, "listners": []}, "admin")
    assert gateway.running is before
    assert engine.commits == 1
    assert gateway.refusals[-1].origin == "admin"
    assert "listners" in gateway.refusals[-1].problems[0].path
    assert gateway.results == {"committed": 1, "refused": 1, "unchanged": 0}


async def test_what_the_engine_refuses_is_told_like_any_other_mistake(tmp_path: Path) -> None:
    source = file_source(tmp_path)
    gateway, engine = await started_gateway(source=source)
    engine.errors = [("listeners.0.address", "the address is in use")]
    assert source.file
    source.file.write_text(YAML.replace("8080", "8081"))
    with pytest.raises(ConfigError) as caught:
        await gateway.reload("file")
    problem = caught.value.problems[0]
    assert (problem.path, problem.message) == ("listeners.0.address", "the address is in use")
    assert (problem.file, problem.line) == (source.file, 3)


async def test_a_dry_run_tells_the_difference_and_changes_nothing() -> None:
    gateway, engine = await started_gateway()
    change = await gateway.edit(with_timeout("7s"), "admin", dry_run=True)
    assert change.changed
    assert change.generation is None
    assert change.edits[0].path == "routes[all].timeout"
    assert engine.commits == 1
    with pytest.raises(ConfigError):
        await gateway.edit(lambda _: {"nonsense": 1}, "admin", dry_run=True)
    assert not gateway.refusals


async def test_the_same_again_is_no_new_generation() -> None:
    gateway, engine = await started_gateway()
    change = await gateway.edit(lambda current: current, "admin")
    assert not change.changed
    assert change.generation == gateway.running.generation
    assert engine.commits == 1


async def test_of_two_writers_the_second_is_told_that_the_first_was_there() -> None:
    gateway, _ = await started_gateway()
    seen = frozenset({gateway.running.generation.etag})
    results = await asyncio.gather(
        gateway.edit(with_timeout("7s"), "admin", expect=seen),
        gateway.edit(with_timeout("8s"), "admin", expect=seen),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == ["Change", "StaleError"]
    assert gateway.running.document["routes"][0]["timeout"] == 7000
    with pytest.raises(StaleError):
        await gateway.edit(with_timeout("9s"), "admin", expect=seen)


async def test_changes_at_the_same_time_build_on_one_another() -> None:
    gateway, _ = await started_gateway()

    def adding(name: str) -> Any:
        return lambda current: {
            **current,
            "upstreams": [*current["upstreams"], {"name": name, "endpoints": []}],
        }

    await asyncio.gather(*(gateway.edit(adding(f"u{number}"), "admin") for number in range(5)))
    assert len(gateway.running.document["upstreams"]) == 6
    assert gateway.running.generation.number == 6


async def test_changes_take_turns_in_one_thread_which_keeps_their_memory() -> None:
    gateway, _ = await started_gateway()
    threads = set()

    def noted(timeout: str) -> Any:
        def edit(current: Document) -> Document:
            threads.add(threading.get_ident())
            edited: Document = with_timeout(timeout)(current)
            return edited

        return edit

    for timeout in ("1s", "2s", "3s"):
        await asyncio.gather(asyncio.to_thread(int), gateway.edit(noted(timeout), "admin"))
    assert len(threads) == 1


async def test_a_change_is_finished_even_if_its_caller_is_gone() -> None:
    gateway, _ = await started_gateway()
    committed = asyncio.Event()
    gateway.on_commit.append(lambda _: committed.set())
    task = asyncio.create_task(gateway.edit(with_timeout("7s"), "admin"))
    await asyncio.sleep(0)
    task.cancel()
    await committed.wait()
    assert gateway.running.generation.number == 2


async def test_a_rollback_is_a_new_generation_with_an_old_document() -> None:
    gateway, _ = await started_gateway()
    first = gateway.running
    await gateway.edit(with_timeout("7s"), "admin")
    change = await gateway.rollback(1)
    assert change.generation
    assert (change.generation.number, change.generation.origin) == (3, "rollback")
    assert gateway.running.document == first.document
    with pytest.raises(MissingError):
        await gateway.rollback(99)


async def test_a_restart_goes_on_with_what_was_committed_last(tmp_path: Path) -> None:
    first, _ = await started_gateway(store=Store(tmp_path))
    await first.edit(with_timeout("7s"), "admin")
    first.store.close()

    store = Store(tmp_path)
    last = store.last()
    assert last
    stored = store.document(last.number)
    assert stored
    again, engine = make_gateway(store=store)
    await again.apply(lambda known: again.source.load(stored, known), "restore")
    assert again.running.generation == last
    assert engine.served["routes"][0]["timeout"] == 7000
    assert len(store.newest(10)) == 2


async def test_options_that_need_a_restart_are_named_until_they_are_set_back() -> None:
    gateway, _ = await started_gateway()
    change = await gateway.edit(with_workers(7), "admin")
    assert change.restart_required == ["workers"]
    assert gateway.restart_required == ["workers"]
    assert gateway.workers == 1
    assert (await gateway.edit(with_workers(1), "admin")).restart_required == []


async def test_what_the_command_line_says_holds_over_every_candidate(tmp_path: Path) -> None:
    source = Source(
        file_source(tmp_path).file, overrides={"workers": 3, "admin": {"address": "127.0.0.1:9999"}}
    )
    gateway, _ = await started_gateway(source=source)
    assert gateway.running.config.workers == 3
    await gateway.edit(with_timeout("7s"), "admin")
    assert gateway.running.config.admin.address == "127.0.0.1:9999"
    assert source.file
    source.file.write_text(YAML.replace("5s", "6s"))
    change = await gateway.reload("file")
    assert change.restart_required == []
    assert gateway.running.config.workers == 3


async def test_a_renewed_certificate_is_a_change_though_no_option_changed(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("the-first-token-of-all")
    source = Source(document=document(admin={"token_file": str(token)}))
    gateway, _ = await started_gateway(source=source)
    seen: list[Running] = []
    gateway.on_commit.append(seen.append)
    assert not (await gateway.reread("file")).changed
    token.write_text("the-second-token-of-all")
    assert (await gateway.reread("file")).changed
    assert len(seen) == 1
    assert token in gateway.files
    assert token not in gateway.sources


async def test_the_files_of_a_refusal_are_watched_until_it_is_mended(tmp_path: Path) -> None:
    source = file_source(tmp_path)
    gateway, _ = await started_gateway(source=source)
    extra = tmp_path / "extra.yaml"
    extra.write_text("nonsense: 1\n")
    assert source.file
    source.file.write_text(YAML + "include: [extra.yaml]\n")
    with pytest.raises(ConfigError):
        await gateway.reload("file")
    assert extra in gateway.sources
    source.file.write_text(YAML.replace("5s", "6s"))
    await gateway.reload("file")
    assert extra not in gateway.files


async def test_the_store_knows_what_the_file_said_last_even_if_it_was_refused(tmp_path: Path) -> None:
    source = file_source(tmp_path)
    gateway, engine = await started_gateway(source=source)
    first = source.etag
    await gateway.edit(with_timeout("9s"), "admin")
    assert _last_source(gateway) == first
    engine.errors = [("listeners.0.address", "in use")]
    assert source.file
    source.file.write_text(YAML.replace("5s", "6s"))
    with pytest.raises(ConfigError):
        await gateway.reload("file")
    assert _last_source(gateway) == source.etag != first
    assert gateway.running.generation.number == 2


def _last_source(gateway: Gateway) -> str | None:
    last = gateway.store.last()
    assert last
    return last.source


async def test_without_a_file_there_is_nothing_to_reload() -> None:
    gateway, _ = await started_gateway()
    with pytest.raises(ConflictError):
        await gateway.reload("signal")


async def test_a_store_that_fails_does_not_take_the_change_back() -> None:
    gateway, engine = await started_gateway()

    def full(*_: Any) -> None:
        raise StoreError("database or disk is full")

    gateway.store.add = full  # type: ignore[assignment, method-assign]
    change = await gateway.edit(with_timeout("7s"), "admin")
    assert change.generation
    assert change.generation.number == 2
    assert engine.commits == 2


async def test_no_key_material_is_stored(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("the-first-token-of-all")
    gateway, _ = await started_gateway(source=Source(document=document(admin={"token_file": str(token)})))
    assert "the-first-token-of-all" not in json.dumps(gateway.store.document(1))
