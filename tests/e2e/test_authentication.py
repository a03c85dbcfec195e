"""Authentication: whose credentials are believed, what follows, and what upstreams learn."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.api_keys import api_key, entry, key_file
from .harness.configs import proxy, route
from .harness.gateway import Config, Gateway
from .harness.message import Response
from .harness.origin import Origin
from .harness.waiting import eventually

READER = {"claim": "role", "equals": "reader"}


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """A file that knows two keys."""
    ada = entry("ada", subject="Ada", claims={"role": "reader", "teams": ["a", "b"]})
    return key_file(tmp_path / "keys.json", ada, entry("bob", expires="2020-01-01T00:00:00Z"))


def guarded(origin: Origin, keys: str, access: dict[str, Any] | None = None, **options: Any) -> Config:
    """The route `all` wants a key; the route `open` wants nothing."""
    config = proxy(origin.address, explain={"sample": 100})
    config["authenticators"] = [
        {
            "name": "robots",
            "api_key": {"file": keys, "from": [{"header": "x-api-key"}, "bearer", {"query": "key"}]},
        }
    ]
    config["routes"] = [
        route("open", "/open"),
        route("all", "/", access={"authenticate": ["robots"], **(access or {})}, **options),
    ]
    return config


def ask(gateway: Gateway, path: str = "/", **fields: str) -> Response:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    with gateway.connect() as connection:
        return connection.request(path, headers=headers)


def test_a_request_with_a_known_key_goes_on_and_others_do_not(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys))
    assert ask(gateway, x_api_key=api_key("ada")).status == 200
    for wrong in ("", "tg_ada_x", api_key("ada", "other"), api_key("eve"), api_key("bob")):
        answer = ask(gateway, x_api_key=wrong)
        assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer"), wrong
    assert ask(gateway).status == 401
    assert ask(gateway, "/open").status == 200
    counts = gateway.metrics()
    results = {
        result: counts.total("tidegate_auth_total", authenticator="robots", result=result)
        for result in ("ok", "missing", "invalid", "unknown_key", "expired")
    }
    assert results == {"ok": 1, "missing": 1, "invalid": 3, "unknown_key": 1, "expired": 1}


def test_a_credential_is_taken_off_and_the_identity_told(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    told = {"x-user": {"subject": True}, "x-teams": {"claim": "teams"}, "x-none": {"claim": "none"}}
    gateway = start_gateway(guarded(origin, keys, identity_headers=told))
    ask(gateway, "/a?b=1", x_api_key=api_key("ada"), x_none="mallory")
    ask(gateway, f"/a?key={api_key('ada')}&b=1")
    ask(gateway, authorization=f"Bearer {api_key('ada')}")
    for request in origin.requests:
        assert request.header("x-user") == "Ada"
        assert request.header("x-teams") == "a,b"
        names = {name.lower() for name, _ in request.headers}
        assert not names & {"x-api-key", "authorization", "x-none"}
    assert [request.target for request in origin.requests] == ["/a?b=1", "/a?b=1", "/"]


def test_credentials_are_kept_where_that_is_asked_for(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    config = guarded(origin, keys)
    config["authenticators"][0]["keep_credentials"] = True
    ask(start_gateway(config), x_api_key=api_key("ada"))
    assert origin.requests[0].header("x-api-key") == api_key("ada")


def test_no_client_can_write_what_tells_of_an_identity(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys, identity_headers={"x-user": {"subject": True}}))
    forged = [("X-User", "root"), ("x_user", "root"), ("X-USER", "admin")]
    with gateway.connect() as connection:
        connection.request("/open", headers=forged)
        connection.request("/", headers=[*forged, ("x-api-key", api_key("ada"))])
    found = [
        [value for name, value in request.headers if name.lower().replace("_", "-") == "x-user"]
        for request in origin.requests
    ]
    assert found == [[], ["Ada"]]


def test_a_field_that_clients_send_credentials_in_tells_of_no_identity(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys))
    told = {"X-API-Key": {"subject": True}}
    routes = [gateway.config["routes"][0], {**gateway.config["routes"][1], "identity_headers": told}]
    answer = gateway.admin.patch("/v1/config", json={"routes": routes})
    assert answer.status_code == 422
    assert "clients send credentials in this field" in answer.text


def test_of_several_credentials_none_is_passed_on_unseen(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    config = guarded(origin, keys)
    config["authenticators"][0]["keep_credentials"] = True
    gateway = start_gateway(config)
    assert ask(gateway, f"/?key={api_key('eve')}", x_api_key=api_key("ada")).status == 401


def test_what_stands_beside_a_credential_that_is_believed_is_taken_off_too(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys))
    with gateway.connect() as connection:
        forged = [("x-api-key", api_key("ada")), ("X_Api_Key", "root"), ("authorization", "Bearer root")]
        assert connection.request("/?key=root", headers=forged).status == 200
    (request,) = origin.requests
    assert request.target == "/"
    assert not {name.lower() for name, _ in request.headers} & {"x-api-key", "x_api_key", "authorization"}


def test_the_access_log_keeps_no_credential(
    start_gateway: StartGateway, origin: Origin, keys: str, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    gateway = start_gateway({**guarded(origin, keys), "access_log": {"path": str(log)}})
    assert ask(gateway, f"/?a=1&key={api_key('ada')}").status == 200
    line = json.loads(eventually(lambda: log.read_text() if log.exists() else "", "a line is written"))
    assert line["query"] == "a=1&key=***"


def test_a_request_without_a_credential_may_be_let_go(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys, {"anonymous": True}))
    assert ask(gateway).status == 200
    assert ask(gateway, x_api_key=api_key("eve")).status == 401


def test_an_identity_must_have_what_the_route_requires(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    access = {"require": [READER, {"none": [{"claim": "teams", "contains": "c"}]}]}
    gateway = start_gateway(guarded(origin, keys, access))
    assert ask(gateway, x_api_key=api_key("ada")).status == 200
    access["require"] = [
        READER,
        {"any": [{"claim": "teams", "contains": "c"}, {"claim": "x", "present": True}]},
    ]
    gateway = start_gateway(guarded(origin, keys, access))
    answer = ask(gateway, x_api_key=api_key("ada"))
    assert answer.status == 403
    story = gateway.story(answer)
    assert story["error"] == "forbidden"
    assert story["auth"] == [{"authenticator": "robots", "result": "ok", "reason": None}]
    rule = "any of: claim teams contains `c`; claim x is present"
    assert story["access"] == {"by": "require", "rule": rule}


def test_explain_says_why_a_credential_is_not_believed_and_the_client_does_not_learn_it(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys))
    answers = [ask(gateway, x_api_key=key) for key in (api_key("bob"), api_key("eve"))]
    assert len({answer.body.split(b"request id")[0] for answer in answers}) == 1
    stories = [gateway.story(answer)["auth"] for answer in answers]
    assert [story[0]["result"] for story in stories] == ["expired", "unknown_key"]
    assert all(story[0]["reason"] for story in stories)


def test_explain_keeps_the_subject_only_where_it_is_told_to(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    for identities, subject in ((False, None), (True, "Ada")):
        config = guarded(origin, keys)
        config["explain"]["identities"] = identities
        gateway = start_gateway(config)
        story = gateway.story(ask(gateway, x_api_key=api_key("ada")))
        assert story["subject"] == subject


@pytest.mark.parametrize(
    ("subjects", "logged"),
    [("plain", "Ada"), ("hashed", hashlib.sha256(b"Ada").hexdigest()[:16]), ("none", None)],
)
def test_the_access_log_names_the_subject_as_it_is_told_to(
    start_gateway: StartGateway, origin: Origin, keys: str, tmp_path: Path, subjects: str, logged: str | None
) -> None:
    log = tmp_path / "access.log"
    config = guarded(origin, keys)
    config["access_log"] = {"path": str(log), "subjects": subjects}
    ask(start_gateway(config), x_api_key=api_key("ada"))
    line = json.loads(eventually(lambda: log.read_text() if log.exists() else "", "a line is written"))
    assert (line["authenticator"], line.get("subject")) == ("robots", logged)


def test_a_key_that_is_taken_out_of_the_file_is_not_known_any_more(
    start_gateway: StartGateway, origin: Origin, keys: str
) -> None:
    gateway = start_gateway(guarded(origin, keys))
    assert ask(gateway, x_api_key=api_key("ada")).status == 200
    with gateway.next_generation():
        key_file(Path(keys), entry("eve"))
    assert ask(gateway, x_api_key=api_key("ada")).status == 401
    assert ask(gateway, x_api_key=api_key("eve")).status == 200
