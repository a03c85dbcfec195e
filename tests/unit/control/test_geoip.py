"""Databases of where addresses are: when the engine gets them, and what becomes of a broken one."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.control.gateways import document, make_gateway
from tidegate.config.problem import ConfigError
from tidegate.control.source import Source


def source(**geoip: Path) -> Source:
    """A configuration that names these databases."""
    return Source(document=document(geoip={kind: str(path) for kind, path in geoip.items()}))


def rewrite(file: Path, content: bytes) -> None:
    file.write_bytes(content)


@pytest.fixture
def country(tmp_path: Path) -> Path:
    file = tmp_path / "country.mmdb"
    file.write_bytes(b"one")
    return file


async def test_the_engine_gets_a_database_before_it_serves_what_needs_it(country: Path) -> None:
    gateway, engine = make_gateway(source=source(country=country))
    await gateway.apply(gateway.source.read, "start", dry_run=True)
    assert engine.databases == {}, "a dry run changes nothing"
    await gateway.apply(gateway.source.read, "start")
    assert engine.databases == {"country": b"one"}


async def test_it_gets_one_again_when_its_file_is_another(country: Path) -> None:
    gateway, engine = make_gateway(source=source(country=country))
    await gateway.apply(gateway.source.read, "start")
    engine.databases.clear()
    await gateway.reread("file")
    assert engine.databases == {}
    rewrite(country, b"another")
    await gateway.reread("file")
    assert engine.databases == {"country": b"another"}


async def test_a_broken_one_keeps_a_gateway_from_starting(country: Path) -> None:
    rewrite(country, b"<html>")
    gateway, _ = make_gateway(source=source(country=country))
    with pytest.raises(ConfigError) as refused:
        await gateway.apply(gateway.source.read, "start")
    (problem,) = refused.value.problems
    assert (problem.path, "it is no whole MaxMind database" in problem.message) == ("geoip.country", True)


async def test_of_a_file_that_was_good_the_last_good_content_stays(country: Path) -> None:
    gateway, engine = make_gateway(source=source(country=country))
    await gateway.apply(gateway.source.read, "start")
    rewrite(country, b"<html>")
    change = await gateway.reread("file")
    assert change.changed and engine.databases == {"country": b"one"}
    rewrite(country, b"good")
    await gateway.reread("file")
    assert engine.databases == {"country": b"good"}


async def test_one_that_is_not_named_any_more_is_taken_back(country: Path) -> None:
    gateway, engine = make_gateway(source=source(country=country))
    await gateway.apply(gateway.source.read, "start")

    def without(document: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in document.items() if name != "geoip"}

    await gateway.edit(without, "admin")
    assert engine.databases == {"country": b""}
