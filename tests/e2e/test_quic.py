"""Connections over QUIC: clients that move, keys that change, sessions that are resumed, and reloads."""

import hashlib
import socket
from collections.abc import Callable, Iterator

import pytest
from aioquic.tls import Epoch, SessionTicket

from .conftest import Running, StartGateway
from .harness import answers, no_filter
from .harness.certs import Authority
from .harness.configs import proxy, quic_listener
from .harness.gateway import Gateway
from .harness.h3client import H3Client
from .harness.message import Echo
from .harness.origin import Origin
from .harness.waiting import eventually

PART = bytes(range(256)) * 256
PARTS = 40
MOVES = 5
CLIENTS = 4
"""So many that packets shared out by address would sooner or later reach a worker that does not know them."""


FILTERED = ["two workers", "three workers"]
UNFILTERED = "two workers without the filter"


@pytest.fixture(scope="module", params=[*FILTERED, UNFILTERED])
def gateway(
    request: pytest.FixtureRequest,
    running: Running,
    module_origin: Origin,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    config = proxy(module_origin.address, workers=3 if "three" in request.param else 2)
    config["listeners"] = [
        quic_listener(authority),
        quic_listener(authority, "asks", http3={"retry": "always"}),
    ]
    product = None
    if request.param == UNFILTERED:
        product = no_filter.product(tmp_path_factory.mktemp("product"))
    with running(config, product=product) as gateway:
        yield gateway
        handed_over = gateway.metrics().total("tidegate_quic_stray_packets_total", of="another_worker")
        assert (handed_over > 0) == (request.param == UNFILTERED)


def transfer(client: H3Client, now_and_then: Callable[[int], None]) -> Echo:
    """A large response and a large request side by side, both of which must come whole.

    `now_and_then` something is done in their middle.
    """
    down = client.send_request("/down")
    up = client.send_request("/up", method="POST", end=False)
    received = client.responses[down]
    for part in range(PARTS):
        if part % (PARTS // MOVES) == 0:
            now_and_then(part // (PARTS // MOVES))
        client.send_body(up, PART, end=part == PARTS - 1)
        enough = part * len(PART)
        client.pump(lambda enough=enough: len(received.body) >= enough, "it goes on")  # type: ignore[misc]
    assert client.wait(down).complete and received.body == PART * PARTS
    seen = Echo.of(client.wait(up))
    assert (seen.length, seen.sha256) == (len(PART) * PARTS, hashlib.sha256(PART * PARTS).hexdigest())
    return seen


@pytest.mark.parametrize("by", ["its network", "itself"])
def test_a_client_that_moves_in_mid_transfer_loses_nothing(gateway: Gateway, origin: Origin, by: str) -> None:
    """To other ports and addresses: unnoticed, as behind a NAT, or knowingly, by another connection id."""
    origin.on("/down", answers.download(len(PART) * PARTS))
    for _ in range(CLIENTS):
        with H3Client(gateway.port("quic")) as client:

            def move(turn: int, client: H3Client = client) -> None:
                client.move(f"127.0.0.{2 + turn}")
                if by == "itself":
                    client.quic.change_connection_id()

            seen = transfer(client, move)
            assert seen.header("x-forwarded-for") == "127.0.0.1", "it is told as it began"
            client.move("127.0.0.1")
            assert client.request("/").status == 200


def test_a_client_changes_its_keys_in_mid_transfer(gateway: Gateway, origin: Origin) -> None:
    origin.on("/down", answers.download(len(PART) * PARTS))
    with H3Client(gateway.port("quic")) as client:
        phases = set()

        def change(_: int) -> None:
            phases.add(client.quic._cryptos[Epoch.ONE_RTT].recv.key_phase)
            client.quic.request_key_update()

        transfer(client, change)
        assert phases == {0, 1}


def test_a_session_is_resumed_by_whichever_worker_takes_the_connection(gateway: Gateway) -> None:
    port = gateway.port("quic")
    tickets: list[SessionTicket] = []
    with H3Client(port, on_session=tickets.append) as client:
        assert client.request("/").status == 200
        client.pump(lambda: bool(tickets), "a session comes")
    for _ in range(CLIENTS):
        with H3Client(port, session_ticket=tickets[0]) as client:
            assert client.request("/").status == 200
            assert client.quic.tls.session_resumed


def test_each_client_is_asked_for_its_address_and_then_served(gateway: Gateway) -> None:
    for client in range(2 * CLIENTS):
        with H3Client(gateway.port("asks"), source=f"127.0.0.{2 + client}") as one:
            assert one.request("/").status == 200
            assert one.was_asked


def test_a_client_that_was_there_shows_its_address_by_a_token_once(gateway: Gateway) -> None:
    port = gateway.port("asks")
    tokens: list[bytes] = []
    with H3Client(port, on_token=tokens.append) as client:
        assert client.request("/").status == 200
        client.pump(lambda: len(tokens) >= 2, "tokens come")
    token, other, *_ = tokens
    for expected in (False, True):
        with H3Client(port, token=token) as again:
            assert again.was_asked == expected
            assert again.request("/").status == 200
    with H3Client(port, token=other, source="127.0.0.2") as elsewhere:
        assert elsewhere.was_asked, "a token is of an address"
    with H3Client(port, token=bytes(64)) as forged:
        assert forged.was_asked


def test_a_reload_that_adds_a_listener_disturbs_no_connection(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    gate = answers.Gate()
    origin.on("/held", gate)
    origin.on("/down", answers.download(len(PART) * PARTS))
    config = proxy(origin.address, workers=3, listeners=[quic_listener(authority)])
    gateway = start_gateway(config)
    clients = [H3Client(gateway.port("quic")) for _ in range(2 * CLIENTS)]
    held = [client.send_request("/held") for client in clients]
    eventually(lambda: len([r for r in origin.requests if r.target == "/held"]) == len(held), "they wait")
    first = config["listeners"][0]
    beside = quic_listener(authority, "beside")
    # The same port at another address: no socket of the one may be counted among those of the other.
    same_port = quic_listener(
        authority, "same-port", address=first["address"].replace("127.0.0.1", "127.0.0.9")
    )

    def reload(turn: int) -> None:
        config["listeners"] = [[first, beside], [first, beside, same_port], [first, same_port], [first]][
            turn % 4
        ]
        with gateway.next_generation():
            gateway.write(config)

    transfer(clients[0], reload)
    with H3Client(gateway.port("quic")) as new:
        assert new.request("/").status == 200
    gate.open()
    for client, stream in zip(clients, held, strict=True):
        assert client.wait(stream).text == "at last"
        client.move("127.0.0.2")
        assert client.request("/").status == 200, "the way to its worker is as it was"
        assert (client.closed, client.goaways) == (None, [])
        client.close()


@pytest.mark.parametrize("gateway", FILTERED, indirect=True)
def test_another_process_that_joins_the_port_is_given_nothing(gateway: Gateway) -> None:
    """As any of the same user can: the kernel counts its socket among those of the workers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", gateway.port("quic")))
        other.setblocking(False)
        for _ in range(4 * CLIENTS):
            with H3Client(gateway.port("quic")) as client:
                assert client.request("/").status == 200
        with pytest.raises(BlockingIOError):
            other.recv(2_000)
