"""/v1/revocations."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.admin.conftest import Admin

LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


async def test_tokens_are_revoked_listed_and_believed_again(admin: Admin) -> None:
    told = {"authenticator": "users", "revoked": "session", "name": "s1", "until": LATER, "reason": "stolen"}
    made = await admin.http.post("/v1/revocations", json=told, headers={"from": "ann"})
    assert made.status_code == 201
    assert made.json()["author"].startswith("ann from")
    assert [each["name"] for each in admin.engine.revocations["users"]] == ["s1"]
    listed = (await admin.http.get("/v1/revocations")).json()
    assert listed == [made.json()]
    assert (await admin.http.delete(f"/v1/revocations/{made.json()['id']}")).status_code == 204
    assert admin.engine.revocations["users"] == []
    assert (await admin.http.delete(f"/v1/revocations/{made.json()['id']}")).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"revoked": "user"},
        {"until": "2001-01-01T00:00:00Z"},
        {"until": "2100-01-01T00:00:00"},
        {"name": ""},
        {"name": "x" * 2_000},
        {"more": 1},
    ],
    ids=str,
)
async def test_what_is_no_revocation_is_refused(admin: Admin, wrong: dict[str, object]) -> None:
    told = {"authenticator": "users", "revoked": "session", "name": "s1", "until": LATER, **wrong}
    assert (await admin.http.post("/v1/revocations", json=told)).status_code == 422
    assert admin.engine.revocations == {}
