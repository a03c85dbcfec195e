"""API keys: those of files while these change, and those that the admin API makes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.api_keys import api_key, entry, key_file
from .harness.configs import proxy, route
from .harness.gateway import Config, Gateway, command
from .harness.message import Response
from .harness.origin import Origin
from .harness.waiting import eventually


def guarded(origin: Origin, file: Path | None = None, **options: Any) -> Config:
    """Everything wants a key."""
    config = proxy(origin.address, **options)
    places: list[Any] = [{"header": "x-api-key"}, {"cookie": "key"}, {"query": "key"}, "bearer"]
    keys = {"from": places, **({"file": str(file)} if file else {})}
    config["authenticators"] = [{"name": "robots", "api_key": keys}]
    told = {"x-user": {"subject": True}, "x-plan": {"claim": "plan"}}
    config["routes"] = [route("all", "/", access={"authenticate": ["robots"]}, identity_headers=told)]
    return config


def ask(gateway: Gateway, key: str, path: str = "/") -> Response:
    with gateway.connect() as connection:
        return connection.request(path, headers=[("x-api-key", key)])


def test_a_key_may_stand_in_a_cookie_which_is_taken_off_alone(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    key_file(file, entry("ann"))
    gateway = start_gateway(guarded(origin, file))
    with gateway.connect() as connection:
        cookies = f"theme=dark; key={api_key('ann')}; lang=en"
        assert connection.request("/", headers=[("cookie", cookies)]).status == 200
    assert origin.requests[0].header("cookie") == "theme=dark; lang=en"


def test_a_key_comes_from_its_networks_alone(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    key_file(file, entry("here", networks=["127.0.0.0/8"]), entry("there", networks=["192.0.2.0/24"]))
    gateway = start_gateway(guarded(origin, file))
    assert ask(gateway, api_key("here")).status == 200
    assert ask(gateway, api_key("there")).status == 401


def test_keys_are_added_and_revoked_in_a_file_while_the_gateway_runs(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("# our robots\n[]\n")
    gateway = start_gateway(guarded(origin, file))
    product = command()
    assert product is not None
    with gateway.next_generation():
        made = subprocess.run(
            [*product, "key", "new", "--name", "CI", "--file", str(file), "--claim", "plan=gold"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    key = made.stdout.strip()
    assert key.split("_")[2][:30] not in file.read_text()
    assert ask(gateway, key).status == 200
    assert (origin.requests[0].header("x-user"), origin.requests[0].header("x-plan")) == ("CI", "gold")
    with gateway.next_generation():
        revoke = [*product, "key", "revoke", key.split("_")[1], "--file", str(file)]
        subprocess.run(revoke, timeout=60, check=True)
    assert ask(gateway, key).status == 401


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("keys.json", '[{"id": "ann", "ha', "EOF while parsing"),
        ("keys.json", "", "expected a JSON list of API keys"),
        ("keys.json", '[{"id": "a b", "hash": "x"}, {"id": "c"}]', "key 1: missing field `hash`"),
        ("keys.yaml", "- {id: ann, hash", "not valid YAML"),
        ("keys.yaml", "", "expected a list of API keys"),
        ("keys.yaml", "- {id: ann, hash: plain}", "key 0 (`ann`): `hash`: expected `sha256:`"),
    ],
)
def test_a_file_that_is_half_written_leaves_the_keys_that_were_known(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path, name: str, text: str, told: str
) -> None:
    file = tmp_path / name
    key_file(file, entry("ann"))
    gateway = start_gateway(guarded(origin, file))
    file.write_text(text)
    eventually(lambda: told in gateway.log, f"{told} is told")
    assert ask(gateway, api_key("ann")).status == 200
    with gateway.next_generation():
        key_file(file, entry("ben"))
    assert ask(gateway, api_key("ben")).status == 200


def test_a_key_of_the_admin_api_is_believed_until_it_is_revoked_whatever_happens(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    config = guarded(origin, state_dir=str(tmp_path / "state"))
    gateway = start_gateway(config)
    arguments = ["--name", "CI", "--subject", "Ann", "--claim", "plan=gold", "--expires", "30d"]
    key = gateway.says("key", "new", *arguments).strip()
    assert ask(gateway, key).status == 200
    assert (origin.requests[0].header("x-user"), origin.requests[0].header("x-plan")) == ("Ann", "gold")
    listed = gateway.says("key", "list", "--json")
    assert [each["name"] for each in json.loads(listed)] == ["CI"]
    assert key not in listed
    assert "sha256" not in listed
    with gateway.next_generation():
        gateway.config["routes"][0]["timeout"] = "7s"
        gateway.write()
    assert ask(gateway, key).status == 200, "a reload changes nothing"
    gateway.stop()
    again = start_gateway(gateway.config)
    assert ask(again, key).status == 200, "nor does a restart"
    again.says("key", "revoke", key.split("_")[1])
    assert ask(again, key).status == 401
    again.stop()
    assert ask(start_gateway(again.config), key).status == 401


def test_a_key_is_of_an_authenticator_that_there_is(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(guarded(origin))
    wrong = gateway.admin.post("/v1/api-keys", json={"name": "CI", "authenticator": "nobody"})
    assert wrong.status_code == 422
    assert "expected robots" in wrong.json()["detail"]
    assert gateway.admin.post("/v1/api-keys", json={"name": "CI", "networks": ["here"]}).status_code == 422
    assert gateway.admin.delete("/v1/api-keys/none").status_code == 404
    assert gateway.admin.get("/v1/api-keys").json() == []
