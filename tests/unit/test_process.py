"""The life of the process, without its signals."""

import asyncio
import resource
import socket
import weakref
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.control.gateways import YAML, authentication, file_source, make_gateway, model_lifecycle
from tidegate.config.member import NONE
from tidegate.config.model import Config
from tidegate.config.problem import ConfigError
from tidegate.control import systemd
from tidegate.control.gateway import Gateway
from tidegate.control.learnt import Learnt
from tidegate.process import StartError, _admin_listener, _last_generation, _Process, _raise_file_limit


def config(address: str) -> Config:
    return Config.model_validate({"admin": {"address": address}})


def process_of(gateway: Gateway, listener: socket.socket | None = None) -> _Process:
    learnt = Learnt(gateway.engine, None)
    return _Process(gateway, authentication(gateway), model_lifecycle(gateway), learnt, listener)


async def test_it_serves_reloads_a_changed_file_and_drains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(systemd, "notify", said.append)
    gateway, engine = make_gateway(source=file_source(tmp_path, "drain_timeout: 3s\n" + YAML))
    listener = _admin_listener(config("127.0.0.1:0"))
    assert listener
    process, served, committed = (
        process_of(gateway, listener),
        asyncio.Event(),
        asyncio.Event(),
    )
    life = asyncio.create_task(process.live(gateway.source.read, "start", served.set))
    await served.wait()
    assert said == ["READY=1"]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
        assert (await http.get("/v1/health/ready")).status_code == 200
    gateway.on_commit.append(lambda _: committed.set())
    assert gateway.source.file
    gateway.source.file.write_text("drain_timeout: 3s\n" + YAML.replace("5s", "6s"))
    await committed.wait()
    assert engine.served["routes"][0]["timeout"] == 6000
    process.stop.set()
    await life
    assert engine.drained_ms == [3000]
    assert not gateway.ready
    assert said[-1] == "STOPPING=1"


def _let_go(held: object) -> asyncio.Event:
    """Set when nobody holds it any more."""
    gone = asyncio.Event()
    weakref.finalize(held, asyncio.get_running_loop().call_soon_threadsafe, gone.set)
    return gone


async def test_a_configuration_is_let_go_when_another_is_served(tmp_path: Path) -> None:
    gateway, _ = make_gateway(source=file_source(tmp_path))
    process, served = process_of(gateway), asyncio.Event()
    first = [gateway.source.read()]
    loaded, config = _let_go(first[0]), _let_go(first[0].config)
    life = asyncio.create_task(process.live(lambda _: first.pop(), "start", served.set))
    await served.wait()
    await loaded.wait()  # where each option is written matters only while mistakes are told
    assert not config.is_set()
    await gateway.edit(lambda document: {**document, "drain_timeout": 1}, "admin")
    await config.wait()
    process.stop.set()
    await life


async def test_a_bad_file_leaves_the_running_configuration(tmp_path: Path) -> None:
    gateway, engine = make_gateway(source=file_source(tmp_path))
    process, served = process_of(gateway), asyncio.Event()
    life = asyncio.create_task(process.live(gateway.source.read, "start", served.set))
    await served.wait()
    assert gateway.source.file
    gateway.source.file.write_text("nonsense: 1\n")
    await process._reload("signal")
    assert gateway.refusals
    assert engine.commits == 1
    process.stop.set()
    await life


async def test_a_change_that_fails_unforeseen_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, engine = make_gateway(source=file_source(tmp_path))
    await gateway.apply(gateway.source.read, "start")
    process = process_of(gateway)

    def fail(_: str) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(engine, "prepare", fail)
    await process._reload("signal")
    assert gateway.running.generation.number == 1


async def test_the_access_log_is_reopened_for_a_log_rotator() -> None:
    gateway, engine = make_gateway()
    await process_of(gateway)._reopen_logs()
    assert engine.reopened == 1


async def test_a_hangup_without_a_file_ends_nothing() -> None:
    gateway, _ = make_gateway()
    await gateway.apply(gateway.source.read, "start")
    await process_of(gateway)._reload("signal")
    assert gateway.running.generation.number == 1


async def test_a_first_configuration_that_the_engine_refuses_ends_the_process() -> None:
    gateway, engine = make_gateway()
    engine.errors = [("listeners.0.address", "in use")]
    with pytest.raises(ConfigError, match="in use"):
        await process_of(gateway).live(gateway.source.read, "start", None)
    assert engine.drained_ms == [0]


async def test_the_log_level_follows_the_configuration_only_when_that_changes(tmp_path: Path) -> None:
    gateway, engine = make_gateway(source=file_source(tmp_path))
    await gateway.apply(gateway.source.read, "start")
    gateway.on_commit.append(process_of(gateway)._follow_log_level())
    engine.log_filter = "set by hand"
    await gateway.edit(lambda document: {**document, "drain_timeout": 1}, "admin")
    assert engine.log_filter == "set by hand"
    await gateway.edit(lambda document: {**document, "log": {"level": "debug"}}, "admin")
    assert engine.log_filter == "debug"


def test_an_admin_address_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartError, match=address):
            _admin_listener(config(address))


def test_answers_of_the_admin_api_do_not_wait_for_acknowledgements() -> None:
    listener = _admin_listener(config("127.0.0.1:0"))
    assert listener is not None
    with listener, socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_admin_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/admin.sock"
    first = _admin_listener(config(address))
    assert first
    with pytest.raises(StartError):
        _admin_listener(config(address))
    first.close()
    second = _admin_listener(config(address))
    assert second
    second.close()


def test_an_unprotected_admin_api_is_not_started() -> None:
    with pytest.raises(StartError, match="token"):
        _admin_listener(config("0.0.0.0:0"))


def test_the_last_generation_is_restored_if_there_is_one(tmp_path: Path) -> None:
    gateway, _ = make_gateway(source=file_source(tmp_path))
    assert _last_generation(gateway.source, gateway.store, NONE) is None
    _record(gateway, {"workers": 5})
    restored = _last_generation(gateway.source, gateway.store, NONE)
    assert restored
    assert restored.config.workers == 5
    _record(gateway, {"nonsense": 5})
    with pytest.raises(ConfigError):
        _last_generation(gateway.source, gateway.store, NONE)


def _record(gateway: Gateway, document: dict[str, Any]) -> None:
    gateway.store.add("admin", '"x"', {}, document)


def test_an_admin_port_in_use_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartError) as error:
            _admin_listener(config(address))
    told = "address already in use; is tidegate running already?"
    assert str(error.value) == f"the admin API cannot listen on {address}: {told}"


def test_the_limit_on_open_files_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        _raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
