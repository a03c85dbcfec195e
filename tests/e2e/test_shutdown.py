"""The end: SIGTERM finishes what is under way, tells clients, and keeps its deadline."""

import signal

import pytest

from .conftest import StartGateway
from .harness import answers
from .harness.configs import proxy
from .harness.h2client import H2Client
from .harness.held import held_request
from .harness.origin import Exchange, Origin
from .harness.raw import refuses
from .harness.waiting import eventually


def test_a_request_under_way_is_finished(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(proxy(origin.address))
    with held_request(gateway, origin) as (client, gate):
        gateway.signal(signal.SIGTERM)
        eventually(lambda: refuses(gateway.port()), "the listener is closed")
        assert not gateway.ended
        gate.open()
        response = client.read_response()
        assert (response.text, response.complete) == ("at last", True)
        assert (response.header("connection") or "").lower() == "close"
        client.wait_closed()
    assert gateway.wait() == 0


def test_a_transfer_under_way_is_finished(start_gateway: StartGateway, origin: Origin) -> None:
    origin.on("/down", answers.download(5_000_000))
    gateway = start_gateway(proxy(origin.address))
    with gateway.connect(receive_buffer=16384) as client:
        client.send_request("/down")
        client.read_head()
        gateway.signal(signal.SIGTERM)
        eventually(lambda: refuses(gateway.port()), "the listener is closed")
        assert len(client.read_exactly(5_000_000)) == 5_000_000
    assert gateway.wait() == 0


def test_idle_connections_are_closed_at_once(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(proxy(origin.address, drain_timeout="60s"))
    idle = [gateway.connect() for _ in range(10)]
    for client in idle:
        assert client.request("/").status == 200
    fresh = gateway.connect()
    gateway.signal(signal.SIGTERM)
    for client in [*idle, fresh]:
        client.wait_closed()
        client.close()
    assert gateway.wait() == 0


def test_http_2_clients_are_told_by_goaway(start_gateway: StartGateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/gate", gate)
    gateway = start_gateway(proxy(origin.address))
    with H2Client(gateway.port()) as client, H2Client(gateway.port()) as idle:
        assert idle.request("/").status == 200
        stream = client.send_request("/gate")
        origin.wait(lambda: any(r.target == "/gate" for r in origin.requests), "the request is on its way")
        gateway.signal(signal.SIGTERM)
        client.pump(lambda: client.goaway is not None, "GOAWAY")
        idle.pump(lambda: idle.closed, "the idle connection is closed")
        for goaway in (client.goaway, idle.goaway):
            assert goaway is not None
            assert goaway.error == 0
            assert goaway.last_stream >= 1
        gate.open()
        response = client.wait(stream)
        assert (response.text, response.complete) == ("at last", True)
        client.pump(lambda: client.closed, "the connection is closed after its last stream")
    assert gateway.wait() == 0


def test_the_deadline_is_kept(start_gateway: StartGateway, origin: Origin) -> None:
    """A request that does not finish is cut off: the process ends, and the client sees a broken answer."""

    async def never_ends(exchange: Exchange) -> None:
        await exchange.send_head(200, length=None)
        await exchange.send_chunk(b"beginning")
        await exchange.gone()

    origin.on("/never", never_ends)
    gateway = start_gateway(proxy(origin.address, drain_timeout="1s"))
    with gateway.connect() as client:
        client.send_request("/never")
        client.read_head()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        assert b"0\r\n\r\n" not in client.read_to_end()


def test_a_second_signal_ends_it_at_once(start_gateway: StartGateway, origin: Origin) -> None:
    origin.on("/hang", answers.hang())
    gateway = start_gateway(proxy(origin.address, drain_timeout="600s"))
    with gateway.connect() as client:
        client.send_request("/hang")
        origin.wait(lambda: origin.requests, "the request is on its way")
        gateway.signal(signal.SIGTERM)
        eventually(lambda: refuses(gateway.port()), "the listener is closed")
        gateway.signal(signal.SIGTERM)
        gateway.good_exits = {0, 128 + signal.SIGTERM}
        gateway.wait(15)


def test_readiness_ends_before_the_process_does(start_gateway: StartGateway, origin: Origin) -> None:
    """A load balancer in front must learn of it while requests are still finished."""
    gateway = start_gateway(proxy(origin.address))
    with held_request(gateway, origin) as (client, gate):
        gateway.signal(signal.SIGTERM)
        eventually(lambda: gateway.admin.get("/v1/health/ready").status_code == 503, "not ready any more")
        assert gateway.admin.get("/v1/health/live").status_code == 200
        gate.open()
        client.read_response()
    assert gateway.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_usual_signals_stop_it_cleanly(start_gateway: StartGateway, number: signal.Signals) -> None:
    gateway = start_gateway({})
    gateway.signal(number)
    assert gateway.wait() == 0


def test_a_stopped_gateway_leaves_its_address_free(start_gateway: StartGateway, origin: Origin) -> None:
    first = start_gateway(proxy(origin.address))
    with first.connect() as client:
        client.request("/")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    second = start_gateway(first.config)
    with second.connect() as client:
        assert client.request("/").status == 200
