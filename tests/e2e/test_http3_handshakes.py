"""Handshakes of HTTP/3 that do not become a connection to serve, and what is counted of them."""

from collections.abc import Iterator

import pytest
from aioquic.quic.connection import QuicConnection

from .conftest import Running
from .harness.certs import Authority
from .harness.configs import listener, proxy
from .harness.gateway import Gateway
from .harness.h3client import H3Client
from .harness.origin import Origin
from .harness.waiting import eventually

STREAM_CREATION_ERROR = 0x103


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    certificate = authority.issue("localhost", file="http3").config()
    config["listeners"] = [
        listener(
            name,
            protocols=["http3"],
            tls={"certificates": [certificate]},
            http3={"early_data": name == "early"},
            timeouts={"handshake": "1s"},
        )
        for name in ("plain", "early")
    ]
    with running(config) as gateway:
        yield gateway


@pytest.mark.parametrize("name", ["plain", "early"])
def test_one_that_leaves_no_room_for_the_control_stream_is_complete_and_ends(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    connect = QuicConnection.connect

    def allow_none(connection: QuicConnection, *args: object, **options: object) -> None:
        connection._local_max_streams_uni.value = 0
        connect(connection, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(QuicConnection, "connect", allow_none)
    with H3Client(gateway.port(name)) as client:
        assert client.wait_closed() == STREAM_CREATION_ERROR

    def total(counter: str, **labels: str) -> float:
        return gateway.metrics().total(counter, listener=name, **labels)

    def stages() -> dict[str, float]:
        names = ("begun", "completed", "failed")
        return {stage: total("tidegate_quic_handshakes_total", stage=stage) for stage in names}

    eventually(lambda: stages()["completed"] + stages()["failed"] == 1, "the handshake is over")
    assert stages() == {"begun": 1, "completed": 1, "failed": 0}
    eventually(lambda: total("tidegate_quic_packets_total", event="sent"), "the connection is counted")
