"""HTTP/3 and the death of a process: what its clients hold is understood by the next one."""

import signal
import stat
import time
from pathlib import Path

import pytest

from .conftest import StartGateway
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.gateway import Gateway
from .harness.h3client import H3Client
from .harness.origin import Origin
from .harness.waiting import eventually


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file of the secret that keys are made of."""
    return tmp_path / "state" / "quic.key"


@pytest.fixture
def gateway(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority, secret: Path
) -> Gateway:
    config = proxy(module_origin.address)
    config["listeners"] = [
        quic_listener(authority),
        quic_listener(authority, "wary", http3={"retry": "always"}),
    ]
    config["state_dir"] = str(secret.parent)
    return start_gateway(config)


def restart(gateway: Gateway) -> None:
    gateway.signal(signal.SIGKILL)
    gateway.wait()
    gateway.start()


def is_reset(client: H3Client) -> bool:
    """Whether the connection's next packet is answered by a stateless reset (RFC 9000 §10.3.1)."""
    token = client.quic._peer_cid.stateless_reset_token
    assert token is not None
    client.quic.handle_timer(now=time.monotonic())
    client.send_request("/")
    client.sock.settimeout(0.2)
    try:
        return client.sock.recv(65_536).endswith(token)
    except TimeoutError:
        return False


def test_a_client_is_told_with_its_next_packet_that_its_connection_is_gone(gateway: Gateway) -> None:
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/").status == 200
        restart(gateway)
        eventually(lambda: is_reset(client), "it is told")


def test_an_address_that_was_shown_need_not_be_shown_again(gateway: Gateway) -> None:
    tokens: list[bytes] = []
    with H3Client(gateway.port("wary"), on_token=tokens.append) as client:
        client.pump(lambda: bool(tokens), "a token comes")
        assert client.was_asked
    restart(gateway)
    with H3Client(gateway.port("wary"), token=tokens[0]) as client:
        assert client.request("/").status == 200
        assert not client.was_asked


def test_a_secret_that_is_damaged_is_replaced_and_the_log_says_so(gateway: Gateway, secret: Path) -> None:
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    before = secret.read_bytes()
    secret.write_bytes(before[:20])
    restart(gateway)
    assert len(secret.read_bytes()) == len(before)
    assert secret.read_bytes() != before
    assert "a new one is made" in gateway.log
    with H3Client(gateway.port("quic")) as client:
        assert client.request("/").status == 200
