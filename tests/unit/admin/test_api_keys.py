"""/v1/api-keys."""

import pytest

from tests.unit.admin.conftest import Admin, connect
from tests.unit.control.gateways import started_gateway
from tidegate.auth.api_key import checksum
from tidegate.control.source import Source

PATH = "/v1/api-keys"


async def started(*names: str) -> Admin:
    """The admin API of a gateway with these authenticators."""
    document = {"authenticators": [{"name": name, "api_key": {}} for name in names]}
    gateway, engine = await started_gateway(source=Source(document=document))
    return Admin(connect(gateway), gateway, engine)


async def test_a_key_is_told_when_it_is_made_and_never_again() -> None:
    admin = await started("robots")
    wanted = {"name": "CI", "subject": "Ann", "claims": {"plan": "gold"}, "networks": ["10.0.0.0/8"]}
    made = await admin.http.post(PATH, json=wanted)
    assert made.status_code == 201
    key = made.json().pop("key")
    assert key[-6:] == checksum(key[:-6])
    (listed,) = (await admin.http.get(PATH)).json()
    assert listed == {name: value for name, value in made.json().items() if name != "key"}
    assert (listed["authenticator"], listed["subject"], listed["expired"]) == ("robots", "Ann", False)
    (supplied,) = admin.engine.api_keys["robots"]
    assert supplied["id"] == key.split("_")[1]
    assert key.split("_")[2][:30] not in str(supplied)


async def test_a_key_is_revoked_once() -> None:
    admin = await started("robots")
    id = (await admin.http.post(PATH, json={"name": "CI"})).json()["id"]
    assert (await admin.http.delete(f"{PATH}/{id}")).json()["id"] == id
    assert admin.engine.api_keys["robots"] == []
    assert (await admin.http.delete(f"{PATH}/{id}")).status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": ""},
        {"name": "CI", "networks": ["here"]},
        {"name": "CI", "expires": "2027-01-31T00:00:00"},
        {"name": "CI", "hash": "sha256:00"},
        {"name": "CI", "authenticator": "nobody"},
    ],
)
async def test_what_cannot_be_meant_makes_no_key(wanted: dict[str, object]) -> None:
    admin = await started("robots")
    assert (await admin.http.post(PATH, json=wanted)).status_code == 422
    assert admin.engine.api_keys == {}


async def test_where_there_are_several_authenticators_one_is_named() -> None:
    admin = await started("robots", "partners")
    assert "robots or partners" in (await admin.http.post(PATH, json={"name": "CI"})).json()["detail"]
    made = await admin.http.post(PATH, json={"name": "CI", "authenticator": "partners"})
    assert made.json()["authenticator"] == "partners"
    none = await started()
    assert "there is none" in (await none.http.post(PATH, json={"name": "CI"})).json()["detail"]
