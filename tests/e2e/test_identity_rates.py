"""Rate limits by identity: asked once it is known where a request comes from."""

from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.api_keys import api_key, entry, key_file
from .harness.gateway import Config, Gateway
from .harness.limited import limit, limited

IDENTITY = limit("per-user", {"quota": 2, "per": "1h"}, key=["identity"])


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """A file that knows three keys, of which two have a plan."""
    ada = entry("ada", subject="Ada", claims={"plan": "free"})
    bob = entry("bob", subject="Bob", claims={"plan": "free"})
    return key_file(tmp_path / "keys.json", ada, bob, entry("eve", subject="Eve"))


def guarded(keys: str, *limits: dict[str, Any], **access: Any) -> Config:
    config = limited(*limits)
    config["authenticators"] = [
        {"name": "robots", "api_key": {"file": keys, "from": [{"header": "x-api-key"}]}}
    ]
    config["routes"][0]["access"] = {"authenticate": ["robots"], **access}
    return config


def statuses(gateway: Gateway, count: int, key_id: str | None = None) -> list[int]:
    headers = [("x-api-key", api_key(key_id))] if key_id else []
    with gateway.connect() as connection:
        return [connection.request("/", headers=headers).status for _ in range(count)]


def test_each_identity_has_a_bucket_of_its_own(start_gateway: StartGateway, keys: str) -> None:
    gateway = start_gateway(guarded(keys, IDENTITY))
    assert statuses(gateway, 3, "ada") == [200, 200, 429]
    assert statuses(gateway, 3, "bob") == [200, 200, 429]


def test_identities_may_share_a_bucket_by_a_claim(start_gateway: StartGateway, keys: str) -> None:
    free = limit("free", {"quota": 3, "per": "1h"}, key=[{"claim": "plan"}], missing="skip")
    gateway = start_gateway(guarded(keys, free))
    assert statuses(gateway, 2, "ada") == [200, 200]
    assert statuses(gateway, 2, "bob") == [200, 429]
    assert statuses(gateway, 9, "eve") == [200] * 9, "the limit is not for those without the claim"


def test_requests_without_an_identity_share_a_bucket_where_they_are_let_go(
    start_gateway: StartGateway, keys: str
) -> None:
    gateway = start_gateway(guarded(keys, IDENTITY, anonymous=True))
    assert statuses(gateway, 3) == [200, 200, 429]
    assert statuses(gateway, 1, "ada") == [200]


def test_what_is_not_believed_costs_the_client_and_no_identity(
    start_gateway: StartGateway, keys: str
) -> None:
    per_client = limit("per-client", {"quota": 5, "per": "1h"}, key=["client"])
    gateway = start_gateway(guarded(keys, per_client, IDENTITY))
    assert statuses(gateway, 3) == [401] * 3
    assert statuses(gateway, 3, "ada") == [200, 200, 429], "the first pass stays charged, here by five"
    left = gateway.admin.get("/v1/rate-limits/per-user/key?part=robots:Ada").json()
    assert [each["left"] for each in left] == [0]


def test_what_the_second_pass_refuses_stays_charged_to_the_first(
    start_gateway: StartGateway, keys: str
) -> None:
    per_client = limit("per-client", {"quota": 9, "per": "1h"}, key=["client"])
    gateway = start_gateway(guarded(keys, per_client, IDENTITY))
    assert statuses(gateway, 4, "ada") == [200, 200, 429, 429]
    [window] = gateway.admin.get("/v1/rate-limits/per-client/key?part=127.0.0.1").json()
    assert window["left"] == 5


def test_a_client_is_told_of_both_passes(start_gateway: StartGateway, keys: str) -> None:
    per_client = limit("per-client", {"quota": 9, "per": "1h"}, key=["client"], headers="all")
    gateway = start_gateway(guarded(keys, per_client, IDENTITY))
    with gateway.connect() as connection:
        response = connection.request("/", headers=[("x-api-key", api_key("ada"))])
    told = [member.strip().split(";t=")[0] for member in (response.header("ratelimit") or "").split(",")]
    assert told == ['"per-client";r=8', '"per-user";r=1']


def test_failed_logins_are_counted_and_others_are_not(start_gateway: StartGateway, keys: str) -> None:
    logins = limit("logins", {"quota": 2, "per": "1h"}, key=["client"], cost={"status": [401, 403]})
    gateway = start_gateway(guarded(keys, logins))
    assert statuses(gateway, 5, "ada") == [200] * 5
    assert statuses(gateway, 3) == [401, 401, 429]
    assert statuses(gateway, 1, "ada") == [429], "until it is over"


def test_a_key_that_needs_an_identity_needs_a_route_that_finds_one_out(
    start_gateway: StartGateway, keys: str
) -> None:
    gateway = start_gateway(limited())
    config = guarded(keys, IDENTITY)
    del config["routes"][0]["access"]
    changed = {name: config[name] for name in ("rate_limits", "authenticators", "routes")}
    answer = gateway.admin.patch("/v1/config", json=changed)
    assert answer.status_code == 422
    assert "the key of `per-user` needs an identity, and this route finds out none" in answer.text
