"""/v1/events, read as it comes."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.unit.admin.conftest import Admin
from tests.unit.admin.test_server import serving
from tests.unit.control.gateways import started_gateway
from tidegate.admin.routers import events as module

FIRST = {"generation": 1, "origin": "start"}


def parsed(message: str) -> tuple[str | None, str, dict[str, Any]]:
    """Id, kind and data of a message."""
    fields = dict(line.split(": ", 1) for line in message.splitlines())
    return fields.get("id"), fields["event"], json.loads(fields["data"])


async def messages(response: httpx.Response) -> AsyncIterator[str]:
    """What comes, message by message."""
    text = ""
    async for part in response.aiter_text():
        *whole, text = (text + part).split("\n\n")
        for message in whole:
            yield message


async def test_events_come_as_they_happen_and_end_with_the_engine() -> None:
    gateway, engine = await started_gateway()
    gateway.events.hear(gateway.engine)
    async with serving(gateway) as port, httpx.AsyncClient(trust_env=False) as http:
        async with http.stream("GET", f"http://127.0.0.1:{port}/v1/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            coming = messages(response)
            id, kind, data = parsed(await anext(coming))
            assert (kind, data["kind"], data["generation"]) == ("committed", "committed", 1)
            assert id == data["id"]
            await gateway.words.say("app", "127.0.0.1:9001", {"duty": "draining"}, author="ann")
            assert parsed(await anext(coming))[2]["author"] == "ann"
            engine.told.put([{"time": 1.5, "kind": "health_changed", "to": "draining"}])
            assert parsed(await anext(coming))[1] == "health_changed"
            engine.drain(0)
            assert [message async for message in coming] == []
        assert gateway.events.readers == 0


@pytest.mark.parametrize("way", ["since", "Last-Event-ID"])
async def test_a_reader_goes_on_where_it_was(admin: Admin, way: str) -> None:
    await admin.http.put("/v1/config", json={"nonsense": 1})
    admin.gateway.events.ended = True  # so that the stream is whole
    id = admin.gateway.events.read(0).events[0].id
    known = {"params": {"since": id}} if way == "since" else {"headers": {way: id}}
    answer = await admin.http.get("/v1/events", **known)  # type: ignore[arg-type]
    assert [parsed(each)[1] for each in answer.text.split("\n\n") if each] == ["refused"]


async def test_a_reader_that_knows_another_process_is_told_that_it_missed_some(admin: Admin) -> None:
    admin.gateway.events.ended = True
    answer = await admin.http.get("/v1/events", headers={"Last-Event-ID": "18c0-7"})
    missed, committed = (parsed(each) for each in answer.text.split("\n\n") if each)
    assert missed == (None, "missed", {"kind": "missed", "count": None})
    assert committed[1] == "committed"


async def test_silence_is_filled_with_comments(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.001)
    coming = module._messages(admin.gateway.events, 1)
    assert [await anext(coming), await anext(coming)] == [":\n\n"] * 2


async def test_readers_are_bounded(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READERS", 1)
    with admin.gateway.events.reader():
        answer = await admin.http.get("/v1/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_as_json_it_is_a_list_of_what_is_kept(admin: Admin) -> None:
    answer = await admin.http.get("/v1/events", headers={"Accept": "application/json"})
    (event,) = answer.json()
    assert {name: event[name] for name in FIRST} == FIRST


async def test_a_malformed_id_is_refused(admin: Admin) -> None:
    assert (await admin.http.get("/v1/events", params={"since": "yesterday"})).status_code == 422
