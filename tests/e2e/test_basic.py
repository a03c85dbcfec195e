"""Basic authentication: names and passwords."""

import base64
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.configs import proxy, route
from .harness.gateway import Config, Gateway, command
from .harness.message import Response
from .harness.origin import Origin
from .harness.waiting import eventually

QUICK = "$2b$04$ZaFQS9EV0Gl1zp1i9opJGOyZsG7lhz8692eFaw2GWyE8dTFCSSPNy"
SLOW = "$2b$11$JkHVjhNrERoe4cm.bQG1n.MssMM4el96ol33hnuOmDM8Z4qlIRPnC"
SLOWEST = "$2b$14$89iySR6P.fWg0x913iaMnuOKQnG4rZWnp2Bx.Ojh8Ynzwh6hvO4Xy"
"""Hashes of `secret`, by bcrypt: of a millisecond, a tenth of a second and a second."""


def credentials(name: str, password: str) -> tuple[str, str]:
    """The field that carries them."""
    return "authorization", f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def guarded(origin: Origin, file: Path, **basic: Any) -> Config:
    """The route `all` wants a password; the route `open` wants nothing."""
    config = proxy(origin.address, explain={"sample": 100}, workers=1)
    config["authenticators"] = [{"name": "staff", "basic": {"file": str(file), **basic}}]
    access = {"authenticate": ["staff"]}
    told = {"x-user": {"subject": True}}
    config["routes"] = [route("open", "/open"), route("all", "/", access=access, identity_headers=told)]
    return config


def ask(gateway: Gateway, path: str = "/", *fields: tuple[str, str]) -> Response:
    with gateway.connect() as connection:
        return connection.request(path, headers=list(fields))


@pytest.fixture
def staff(tmp_path: Path) -> Path:
    """A file with one name."""
    file = tmp_path / "staff"
    file.write_text(f"ann:{QUICK}\n")
    return file


def results(gateway: Gateway, *names: str) -> dict[str, float]:
    counts = gateway.metrics()
    return {name: counts.total("tidegate_auth_total", authenticator="staff", result=name) for name in names}


def test_a_right_password_is_an_identity_and_is_remembered(
    start_gateway: StartGateway, origin: Origin, staff: Path
) -> None:
    gateway = start_gateway(guarded(origin, staff))
    assert ask(gateway, "/", credentials("ann", "secret")).status == 200
    assert ask(gateway, "/", credentials("ann", "secret")).status == 200
    assert results(gateway, "ok", "cached") == {"ok": 1, "cached": 1}
    for request in origin.requests:
        assert request.header("x-user") == "ann"
        assert request.header("authorization") is None


def test_all_else_is_asked_for_a_password(start_gateway: StartGateway, origin: Origin, staff: Path) -> None:
    gateway = start_gateway(guarded(origin, staff, realm='the "inner" circle'))
    wrong = [
        credentials("ann", "Secret"),
        credentials("bob", "secret"),
        credentials("", ""),
        ("authorization", "Basic !"),
        ("authorization", "Basic"),
        ("authorization", "Bearer abc"),
        ("x-nothing", "at all"),
    ]
    answers = [ask(gateway, "/", field) for field in wrong]
    challenge = 'Basic realm="the \\"inner\\" circle", charset="UTF-8"'
    assert {(each.status, each.header("www-authenticate")) for each in answers} == {(401, challenge)}
    assert ask(gateway, "/", credentials("ann", "secret")).status == 200
    assert ask(gateway, "/", credentials("ann", "Secret")).status == 401, "another one is remembered"


def test_a_password_that_the_command_writes_is_right_at_once_when_the_file_is_read(
    start_gateway: StartGateway, origin: Origin, staff: Path
) -> None:
    gateway = start_gateway(guarded(origin, staff))
    assert ask(gateway, "/", credentials("ann", "secret")).status == 200
    product = command()
    assert product is not None
    with gateway.next_generation():
        arguments = [*product, "passwd", str(staff), "ann", "--stdin"]
        subprocess.run(arguments, input="open sesame\n", text=True, check=True, timeout=60)
    assert ask(gateway, "/", credentials("ann", "secret")).status == 401, "it is forgotten"
    assert ask(gateway, "/", credentials("ann", "open sesame")).status == 200


def test_a_file_that_is_broken_while_the_gateway_runs_changes_nothing(
    start_gateway: StartGateway, origin: Origin, staff: Path
) -> None:
    gateway = start_gateway(guarded(origin, staff))
    staff.write_text("ann:$apr1$salt$hash\nbob:plain")
    for told in (
        "line 1 (`ann`): MD5",
        "`tidegate passwd FILE ann` sets the password anew",
        "line 2 (`bob`)",
    ):
        eventually(partial(lambda told: told in gateway.log, told), f"{told} is told")
    assert ask(gateway, "/", credentials("ann", "secret")).status == 200


def test_other_requests_are_answered_while_a_hash_is_computed(
    start_gateway: StartGateway, origin: Origin, staff: Path
) -> None:
    staff.write_text(f"ann:{SLOWEST}\n")
    gateway = start_gateway(guarded(origin, staff))
    with gateway.connect() as slow, gateway.connect() as quick:
        slow.send_request("/", headers=[credentials("ann", "wrong")])
        for _ in range(20):
            assert quick.request("/open").status == 200
        assert slow.silent(0.01), "its hash takes a second of work"
        assert slow.read_response().status == 401


def test_when_too_many_hashes_wait_requests_are_told_to_come_back(
    start_gateway: StartGateway, origin: Origin, staff: Path
) -> None:
    staff.write_text(f"ann:{SLOW}\nbob:{QUICK}\n")
    gateway = start_gateway(guarded(origin, staff))
    assert ask(gateway, "/", credentials("bob", "secret")).status == 200
    waiting = [gateway.connect() for _ in range(90)]
    try:
        for number, connection in enumerate(waiting):
            connection.send_request("/", headers=[credentials("ann", f"guess {number}")])
        eventually(lambda: results(gateway, "unavailable")["unavailable"], "the queue is full")
        known = ask(gateway, "/", credentials("bob", "secret"))
        assert known.status == 200, "what is remembered needs no hash"
        answers = [connection.read_response() for connection in waiting]
        assert {answer.status for answer in answers} == {401, 503}, "those that waited are answered"
        refused = next(answer for answer in answers if answer.status == 503)
        assert b"auth_unavailable" in refused.body
        assert ask(gateway, "/", credentials("ann", "secret")).status == 200
    finally:
        for connection in waiting:
            connection.close()


def test_many_failed_passwords_are_limited(start_gateway: StartGateway, origin: Origin, staff: Path) -> None:
    config = guarded(origin, staff)
    window = {"quota": 3, "per": "1h"}
    logins = {"name": "logins", "key": ["client"], "windows": [window], "cost": {"status": [401]}}
    config["rate_limits"] = [logins]
    config["routes"][1]["limits"] = {"rate": ["logins"]}
    gateway = start_gateway(config)
    for _ in range(5):
        assert ask(gateway, "/", credentials("ann", "secret")).status == 200
    statuses = [ask(gateway, "/", credentials("ann", f"guess {n}")).status for n in range(6)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert ask(gateway, "/", credentials("ann", "secret")).status == 429, "right or wrong"
