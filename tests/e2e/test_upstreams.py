"""The way to endpoints: TLS, Unix sockets, IPv6, names, pools and connections that die while idle."""

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.h2origin import H2Origin
from .harness.message import Echo
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually


@pytest.fixture(scope="module")
def origins(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Origin]]:
    """Origins behind every kind of address."""
    good = authority.server(authority.issue("good.example", "127.0.0.1", file="up-good"))
    other = authority.server(authority.issue("other.example", file="up-other"))
    strict = authority.server(authority.issue("good.example", file="up-strict"), ask_client=True)
    socket = str(tmp_path_factory.mktemp("s") / "origin.sock")
    servers = {
        "good": Origin("good", tls=good),
        "other": Origin("other", tls=other),
        "strict": Origin("strict", tls=strict),
        "unix": Origin("unix", unix=socket),
        "ipv6": Origin("ipv6", host="::1"),
    }
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def gateway(
    running: Running,
    origins: dict[str, Origin],
    authority: Authority,
    module_origin: Origin,
    h2_origin: H2Origin,
) -> Iterator[Gateway]:
    trusted = {"ca": str(authority.file), "server_name": "good.example"}
    identity = authority.issue("gateway.example", file="up-client")
    upstreams = [
        upstream("good", origins["good"].address, tls=trusted),
        upstream("address", origins["good"].address, tls={"ca": str(authority.file)}),
        upstream("wrong-name", origins["other"].address, tls=trusted),
        upstream("untrusted", origins["good"].address, tls={"server_name": "good.example"}),
        upstream("unverified", origins["other"].address, tls={"verify": False}),
        upstream("strict", origins["strict"].address, tls={**trusted, **identity.config()}),
        upstream("not-tls", h2_origin.address, tls=trusted),  # which speaks first, and not TLS
        upstream("unix", origins["unix"].address),
        upstream("ipv6", origins["ipv6"].address),
        upstream("named", f"localhost:{module_origin.port}"),
    ]
    config = proxy(module_origin.address)
    config["upstreams"] += upstreams
    config["routes"] += [
        route(entry["name"], f"/{entry['name']}", upstream=entry["name"]) for entry in upstreams
    ]
    with running(config) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/good", "good"),
        ("/address", "good"),
        ("/unverified", "other"),
        ("/strict", "strict"),
        ("/unix", "unix"),
        ("/ipv6", "ipv6"),
        ("/named", "origin"),
    ],
)
def test_an_endpoint_is_reached(gateway: Gateway, path: str, name: str) -> None:
    with gateway.connect() as client:
        for _ in range(3):
            assert Echo.of(client.request(path, method="POST", body=b"x")).origin == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("wrong-name", "not valid for name"),
        ("untrusted", "UnknownIssuer"),
        ("not-tls", "received corrupt message"),
    ],
)
def test_an_endpoint_that_cannot_be_trusted_gets_no_request_and_the_log_says_why(
    gateway: Gateway, origins: dict[str, Origin], name: str, why: str
) -> None:
    for server in origins.values():
        server.forget()
    with gateway.connect() as client:
        response = client.request(f"/{name}")
    assert response.status == 502
    assert "tls" in (response.header("proxy-status") or "")
    assert not any(server.requests for server in origins.values())
    said = [line for line in gateway.log.splitlines() if f'upstream="{name}"' in line and why in line]
    assert said and all("TLS with the endpoint does not come about" in line for line in said)


def test_the_path_to_a_unix_socket_is_not_shown_as_host(gateway: Gateway) -> None:
    with gateway.connect() as client:
        assert Echo.of(client.request("/unix", headers=[("Host", "a.example")])).header("host") == "a.example"


# Idle connections that end


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_that_ended_is_not_used(
    gateway: Gateway, origin: Origin, end: str, method: str
) -> None:
    """The origin closes after each answer without saying so, and the end is there before the next request."""

    async def answer_and_leave(exchange: Exchange) -> None:
        await exchange.discard_body()
        await exchange.respond(200, body=b"fine")
        if end == "reset":
            exchange.reset()
        else:
            exchange.close()

    origin.on("/leave", answer_and_leave)
    body = b"content" if method == "POST" else b""
    with gateway.connect() as client:
        for _ in range(30):
            response = client.request("/leave", method=method, body=body)
            assert (response.status, response.body) == (200, b"fine")
            origin.wait_for_end(origin.requests[-1].connection)


def test_a_connection_that_ends_at_the_moment_of_use_is_replaced_for_idempotent_requests(
    gateway: Gateway, origin: Origin
) -> None:
    """The origin takes the second request of a connection and closes without a word: a GET is sent again."""
    used: set[int] = set()

    async def once_per_connection(exchange: Exchange) -> None:
        number = exchange.request.connection
        if number in used:
            exchange.close()
        else:
            used.add(number)
            await exchange.respond(200, body=b"fine")

    origin.on("/once", once_per_connection)
    with gateway.connect() as client:
        for _ in range(20):
            assert client.request("/once").status == 200


def test_a_request_that_may_not_be_repeated_is_not(gateway: Gateway, origin: Origin) -> None:
    """A POST that reached the origin whole is sent once only, whatever became of the connection."""

    async def swallow(exchange: Exchange) -> None:
        await exchange.discard_body()
        exchange.close()

    origin.on("/swallow", swallow)
    with gateway.connect() as client:
        client.request("/warm")
        response = client.request("/swallow", method="POST", body=b"pay 100")
    assert response.status == 502
    assert [r.target for r in origin.requests].count("/swallow") == 1


# The pool


def test_an_unused_connection_is_closed_after_its_time(start_gateway: StartGateway, origin: Origin) -> None:
    config = proxy(origin.address)
    config["upstreams"][0]["pool"] = {"idle_timeout": "200ms"}
    gateway = start_gateway(config)
    before = origin.open
    with gateway.connect() as client:
        client.request("/")
        origin.wait(lambda: origin.open == before, "the idle connection is closed")
        assert client.request("/").status == 200


def test_a_connection_is_not_used_beyond_its_age(start_gateway: StartGateway, origin: Origin) -> None:
    config = proxy(origin.address, workers=1)
    config["upstreams"][0]["pool"] = {"max_age": "300ms"}
    gateway = start_gateway(config)
    with gateway.connect() as client:

        def another() -> bool:
            client.request("/")
            return origin.requests[-1].connection != origin.requests[0].connection

        eventually(another, "a fresh connection takes over")


def test_no_more_unused_connections_are_kept_than_allowed(
    start_gateway: StartGateway, origin: Origin
) -> None:
    config = proxy(origin.address, workers=1)
    config["upstreams"][0]["pool"] = {"max_idle": 2}
    gateway = start_gateway(config)
    gate = answers.Gate()
    origin.on("/gate", gate)
    before = origin.open
    clients = [gateway.connect() for _ in range(6)]
    for client in clients:
        client.send_request("/gate")
    origin.wait(lambda: origin.open == before + 6, "six connections at once")
    gate.open()
    for client in clients:
        assert client.read_response().status == 200
        client.close()
    origin.wait(lambda: origin.open <= before + 2, "all but two are closed")


def test_an_endpoint_gets_no_more_connections_than_allowed(
    start_gateway: StartGateway, origin: Origin
) -> None:
    config = proxy(origin.address, workers=1)
    config["upstreams"][0]["pool"] = {"max_connections": 2}
    gateway = start_gateway(config)
    gate = answers.Gate()
    origin.on("/gate", gate)
    clients = [gateway.connect() for _ in range(2)]
    for client in clients:
        client.send_request("/gate")
    origin.wait(lambda: len(origin.requests) == 2, "both requests arrive")
    with gateway.connect() as third:
        response = third.request("/other")
        assert response.status == 503
        assert "connection_limit_reached" in (response.header("proxy-status") or "")
    gate.open()
    for client in clients:
        assert client.read_response().status == 200
    with gateway.connect() as third:
        assert third.request("/other").status == 200
    for client in clients:
        client.close()


def test_unused_connections_of_one_worker_do_not_starve_another(
    start_gateway: StartGateway, origin: Origin
) -> None:
    config = proxy(origin.address, workers=2)
    config["upstreams"][0]["pool"] = {"max_connections": 2}
    gateway = start_gateway(config)
    for _ in range(40):  # whichever worker takes the client, the other holds unused connections
        with gateway.connect() as client:
            assert client.request("/").status == 200


def test_a_unix_listener_serves(start_gateway: StartGateway, origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "front.sock"
    config = proxy(origin.address)
    config["listeners"].append({"name": "local", "address": f"unix:{path}"})
    gateway = start_gateway(config)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://localhost/x").json()["target"] == "/x"
    gateway.stop()
    assert not path.exists(), "the socket's file goes when the process stops"


def test_the_file_of_a_unix_listener_has_the_rights_it_is_given(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "front.sock"
    rights = {"mode": "0620", "owner": str(os.getuid()), "group": grp.getgrgid(os.getgid()).gr_name}
    local = {"name": "local", "address": f"unix:{path}", "unix": rights}
    config = proxy(origin.address)
    config["listeners"].append(local)
    gateway = start_gateway(config)
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o620, os.getuid(), os.getgid())
    local["unix"] = {**rights, "mode": "666"}
    with gateway.next_generation():
        gateway.write(gateway.config | {"listeners": [gateway.config["listeners"][0], local]})
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_ino) == (0o666, found.st_ino)
    with gateway.next_generation():
        gateway.write(gateway.config | {"listeners": gateway.config["listeners"][:1]})
    assert not path.exists(), "it goes with its listener"


def test_a_unix_listener_may_get_another_name(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "front.sock"
    local = {"name": "local", "address": f"unix:{path}"}
    config = proxy(origin.address)
    config["listeners"].append(local)
    gateway = start_gateway(config)
    number = path.stat().st_ino
    other = {**local, "name": "other", "unix": {"mode": "0600"}}
    with gateway.next_generation():
        gateway.write(gateway.config | {"listeners": [gateway.config["listeners"][0], other]})
    assert (path.stat().st_ino, stat.S_IMODE(path.stat().st_mode)) == (number, 0o600)
    for _ in range(8):
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
            assert client.get("http://localhost/x").json()["target"] == "/x"
