"""Who is let in."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.admin.conftest import Admin
from tidegate.admin import guard
from tidegate.admin.credentials import is_protected
from tidegate.config.model import Admin as AdminOptions

RIGHT = {"Authorization": "Bearer a-token-of-enough-length"}


async def test_without_the_token_nothing_is_told(guarded: Admin) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic " + RIGHT["Authorization"][7:]},
    ):
        answer = await guarded.http.get("/v1/status", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await guarded.http.get("/v1/status", headers=RIGHT)).status_code == 200


async def test_health_is_told_without_a_token(guarded: Admin) -> None:
    assert (await guarded.http.get("/v1/health/ready")).status_code == 200


async def test_a_new_token_holds_at_once(guarded: Admin) -> None:
    change = {"admin": {"token": "another-token-of-enough-length"}}
    assert (await guarded.http.patch("/v1/config", json=change, headers=RIGHT)).status_code == 200
    assert (await guarded.http.get("/v1/status", headers=RIGHT)).status_code == 401


async def test_taking_the_token_away_does_not_open_the_network(guarded: Admin) -> None:
    change = {"admin": {"token": None, "address": "127.0.0.1:9090"}}
    answer = await guarded.http.patch("/v1/config", json=change, headers=RIGHT)
    assert answer.json()["restart_required"] == ["admin.address"]
    assert (await guarded.http.get("/v1/status")).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1:9090", "[::2]", "[::1", "[x]", "]"]
)
async def test_on_loopback_another_host_name_is_refused(admin: Admin, host: str) -> None:
    answer = await admin.http.get("/v1/status", headers={"Host": host})
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["localhost:9090", "127.0.0.1", "[::1]:9090", "LOCALHOST"])
async def test_loopback_hosts_are_let_in(admin: Admin, host: str) -> None:
    assert (await admin.http.get("/v1/status", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8080", "http://[", ""])
async def test_a_page_of_another_origin_cannot_change_anything(admin: Admin, origin: str) -> None:
    answer = await admin.http.post("/v1/generations/1/rollback", headers={"Origin": origin})
    assert answer.status_code == 403
    assert (await admin.http.get("/v1/status", headers={"Origin": origin})).status_code == 200


async def test_a_page_of_the_same_origin_can(admin: Admin) -> None:
    headers = {"Origin": "http://127.0.0.1:9090"}
    assert (await admin.http.patch("/v1/config", json={}, headers=headers)).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_is_refused(admin: Admin, media_type: str) -> None:
    answer = await admin.http.put("/v1/config", content=b"{}", headers={"Content-Type": media_type})
    assert answer.status_code == 415


async def test_a_body_that_is_too_large_is_refused_announced_or_not(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_BYTES", 10)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"[1,2]"

    json = {"Content-Type": "application/json"}
    assert (await admin.http.put("/v1/config", content=b'{"workers": 1}', headers=json)).status_code == 413
    assert (await admin.http.put("/v1/config", content=chunks(), headers=json)).status_code == 413


async def test_a_body_that_never_ends_is_given_up(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.01)
    never = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    json = {"Content-Type": "application/json"}
    assert (await admin.http.put("/v1/config", content=stalling(), headers=json)).status_code == 408


@pytest.mark.parametrize(
    ("options", "protected"),
    [
        ({"address": "127.0.0.1:1"}, True),
        ({"address": "[::1]:1"}, True),
        ({"address": "unix:/run/tidegate.sock"}, True),
        ({"address": "0.0.0.0:1"}, False),
        ({"address": "0.0.0.0:1", "token": "a-token-of-enough-length"}, True),
        ({"address": "0.0.0.0:1", "tls": {"cert": "c", "key": "k"}}, False),
        ({"address": "0.0.0.0:1", "tls": {"cert": "c", "key": "k", "client_ca": "a"}}, True),
    ],
)
def test_the_network_needs_a_token_or_certificates(options: dict[str, object], protected: bool) -> None:
    assert is_protected(AdminOptions.model_validate(options)) is protected
