"""HTTP/3 to endpoints that come and go, that are trusted or not, and that are checked."""

from collections.abc import Iterator
from typing import Any

import pytest
from aioquic.quic.packet import QuicProtocolVersion

from .conftest import Running, StartGateway
from .harness.certs import Authority
from .harness.configs import listener
from .harness.gateway import Gateway
from .harness.h3client import H3Client
from .harness.h3origin import NO_ERROR, H3Origin, to
from .harness.message import Echo
from .harness.multiplexed_origin import Stream
from .harness.waiting import eventually


def endpoint(gateway: Gateway) -> Any:
    """How the one endpoint is."""
    return gateway.admin.get("/v1/upstreams").raise_for_status().json()[0]["endpoints"][0]


@pytest.fixture(scope="module")
def gateway(running: Running, h3_origin: H3Origin, authority: Authority) -> Iterator[Gateway]:
    with running(to(h3_origin, authority)) as gateway:
        yield gateway


def test_an_endpoint_that_died_and_came_back_is_used_again(
    start_gateway: StartGateway, authority: Authority
) -> None:
    """It died without a word: nothing but its silence tells."""
    files = authority.issue("localhost", file="dies")
    with H3Origin(files, "first") as first:
        config = to(first, authority, timeouts={"idle": "1s", "connect": "1s"})
        config["upstreams"][0]["health"] = {"outlier": {"connect_failures": 100}}
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert Echo.of(client.request("/x")).origin == "first"
            first.vanish()
            with H3Origin(files, "second", port=first.port):
                assert Echo.of(client.request("/x")).origin == "second"


def test_an_endpoint_that_says_goodbye_is_connected_to_again(gateway: Gateway, h3_origin: H3Origin) -> None:
    async def leave(stream: Stream) -> None:
        stream.send_headers(200, end=True)

    h3_origin.on("/leave", leave)
    with gateway.connect() as client:
        assert client.request("/leave").status == 200
        before = h3_origin.accepted
        h3_origin.call(h3_origin.streams[-1].close)
        eventually(lambda: not endpoint(gateway)["connections"], "the goodbye arrives")
        for _ in range(3):
            assert Echo.of(client.request("/pay", method="POST", body=b"x")).length == 1
        assert h3_origin.accepted == before + 1


def test_an_ordinary_end_of_a_connection_is_no_breach(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    config = to(h3_origin, authority)
    tls = {"certificates": [authority.issue("localhost", file="ordinary").config()]}
    config["listeners"].append(listener("quic", protocols=["http3"], tls=tls))
    gateway = start_gateway(config)
    gateway.admin.put("/v1/log", json={"level": "debug"}).raise_for_status()
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/x").status == 200
    h3_origin.call(h3_origin.streams[-1].close)
    eventually(lambda: "HTTP/3 connection to an endpoint ended" in gateway.log, "it has ended")
    gateway.stop()
    assert "breaks HTTP/3" not in gateway.log


def test_endpoints_are_told_when_the_gateway_ends(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    async def check(stream: Stream) -> None:
        stream.send_headers(200, end=True)

    h3_origin.on("/healthz", check)
    health = {"http": {"path": "/healthz"}, "interval": "50ms", "initial": "unhealthy", "rise": 1}
    gateway, before = start_gateway(to(h3_origin, authority, health=health)), len(h3_origin.ended)
    with gateway.connect() as client:
        eventually(lambda: client.request("/x").status == 200, "a check passes")
    gateway.stop()
    eventually(lambda: h3_origin.ended[before:] == [NO_ERROR] * 2, "worker and checker say goodbye")


def test_an_endpoint_that_speaks_another_version_of_quic_alone_is_not_waited_for(
    start_gateway: StartGateway, authority: Authority
) -> None:
    """It says so (RFC 9000 §6), and nothing else of HTTP/3 can be tried."""
    files = authority.issue("localhost", file="v2")
    with H3Origin(files, versions=(QuicProtocolVersion.VERSION_2,)) as origin:
        config = to(origin, authority, timeouts={"connect": "60s"})
        gateway = start_gateway(config)
        with gateway.connect() as client:
            assert client.request("/x").status == 502
        assert gateway.metrics().total("tidegate_errors_total", error="connect_failed") == 1


def test_an_endpoint_that_cannot_be_trusted_gets_no_request(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    config = to(h3_origin, authority)
    config["upstreams"][0]["tls"] = {"ca": str(authority.file), "server_name": "other.example"}
    gateway = start_gateway(config)
    before = len(h3_origin.streams)
    with gateway.connect() as client:
        assert client.request("/x").status == 502
    assert gateway.metrics().total("tidegate_errors_total", error="upstream_tls") == 1
    assert len(h3_origin.streams) == before
    assert "TLS with the endpoint does not come about" in gateway.log and "not valid for name" in gateway.log


def test_checks_go_by_http3_too(
    start_gateway: StartGateway, h3_origin: H3Origin, authority: Authority
) -> None:
    statuses = {"now": 200}

    async def check(stream: Stream) -> None:
        stream.send_headers(statuses["now"], end=True)

    h3_origin.on("/healthz", check)
    health = {"http": {"path": "/healthz"}, "interval": "50ms", "interval_down": "50ms", "rise": 1, "fall": 1}
    gateway = start_gateway(to(h3_origin, authority, health={**health, "initial": "unhealthy"}))

    eventually(lambda: endpoint(gateway)["state"] == "healthy", "a check passes")
    statuses["now"] = 503
    eventually(lambda: endpoint(gateway)["state"] == "unhealthy", "a check fails")
