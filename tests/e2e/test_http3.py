"""HTTP/3 to clients: one word in a listener's protocols."""

import signal
import time
from collections.abc import Iterator

import pytest
from aioquic.buffer import encode_uint_var

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy, quic_listener
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.h3client import PRIORITY_UPDATE, H3Client, frame
from .harness.message import Echo
from .harness.origin import Origin
from .harness.waiting import eventually

CONTROL_STREAM = 2
"""The client's first unidirectional stream."""
ANY = (1 << 62) - 4
"""The stream that a first GOAWAY names: none is refused yet."""


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    outer = {"alt_svc": {"max_age": "1h", "port": 443}, "retry": "always", "congestion": "bbr"}
    config["listeners"] = [
        quic_listener(authority),
        quic_listener(authority, "alone", protocols=["http3"]),
        quic_listener(authority, "mapped", http3=outer),
        quic_listener(authority, "silent", http3={"alt_svc": None}),
        quic_listener(
            authority, "small", limits={"header_bytes": "4KiB", "streams": 4, "connections_per_client": 2}
        ),
        quic_listener(authority, "hasty", timeouts={"header_read": "1s", "request_body": "1s", "idle": "1s"}),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[H3Client]:
    with H3Client(gateway.port("quic")) as client:
        yield client


def test_a_request_reaches_an_origin(client: H3Client, origin: Origin) -> None:
    seen = Echo.of(client.request("/a?b=1", method="POST", headers=[("x-a", "1")], body=b"hello"))
    assert (seen.method, seen.target, seen.length) == ("POST", "/a?b=1", 5)
    assert (seen.header("x-a"), seen.header("x-forwarded-proto")) == ("1", "https")
    assert (seen.header("via") or "").startswith("3.0 ")


def test_a_request_that_is_given_up_is_cancelled_at_its_endpoint(
    gateway: Gateway, client: H3Client, origin: Origin
) -> None:
    def given_up() -> float:
        return gateway.metrics().total("tidegate_errors_total", error="client_gone")

    origin.on("/slow", answers.Gate())
    stream = client.send_request("/slow")
    eventually(lambda: [request for request in origin.requests if request.target == "/slow"], "it arrives")
    before = given_up()
    client.cancel(stream)
    eventually(lambda: given_up() > before, "it is given up")


@pytest.mark.parametrize("by", ["field", "frame", "frame before it"])
def test_the_more_urgent_response_comes_first(client: H3Client, origin: Origin, by: str) -> None:
    """Both are far larger than what may be on its way, and the less urgent one is asked for first."""
    origin.on("/big", answers.download(4_000_000))

    def update(stream: int, value: bytes) -> None:
        client.send(CONTROL_STREAM, frame(PRIORITY_UPDATE, encode_uint_var(stream) + value))

    if by == "frame before it":
        update(4, b"u=0")
    field = [("priority", "u=0")] if by == "field" else []
    later = client.send_request("/big", headers=[("priority", "u=7")])
    sooner = client.send_request("/big", headers=field)
    if by == "frame":
        update(sooner, b"u=0")
    client.wait(sooner)
    assert len(client.responses[later].body) < 3_500_000
    assert len(client.wait(later).body) == 4_000_000


def test_clients_of_other_versions_are_told_of_it(gateway: Gateway, authority: Authority) -> None:
    for name, expected in (
        ("quic", f'h3=":{gateway.port("quic")}"; ma=86400'),
        ("mapped", 'h3=":443"; ma=3600'),
        ("silent", None),
    ):
        with H2Client(gateway.port(name), tls=authority.client("h2")) as client:
            assert client.request("/").header("alt-svc") == expected
        with gateway.connect(name, tls=authority.client("http/1.1")) as old:
            assert old.request("/").header("alt-svc") == expected


def test_over_it_they_are_not(client: H3Client) -> None:
    assert client.request("/").header("alt-svc") is None


def test_what_an_endpoint_says_of_its_own_port_is_not_passed_on(
    gateway: Gateway, client: H3Client, origin: Origin
) -> None:
    origin.on("/alt", answers.fixed(headers=[("Alt-Svc", 'h3=":1"')]))
    assert client.request("/alt").header("alt-svc") is None


def test_a_listener_may_speak_nothing_else(gateway: Gateway) -> None:
    with H3Client(gateway.port("alone")) as client:
        assert client.request("/").status == 200
    with pytest.raises(ConnectionRefusedError):
        gateway.connect("alone")


def test_a_client_can_be_made_to_show_its_address_first(gateway: Gateway) -> None:
    with H3Client(gateway.port("mapped")) as client:
        assert client.request("/").status == 200
        assert client.was_asked


def test_its_settings_say_how_large_a_head_may_be(gateway: Gateway) -> None:
    with H3Client(gateway.port("small")) as client:
        client.pump(lambda: bool(client.settings), "settings")
        assert client.settings[0x06] == 4096
        response = client.request("/", headers=[("x-large", "x" * 5000)])
        assert response.status == 431
        assert client.request("/").status == 200, "the others go on"


def test_a_client_has_no_more_connections_than_its_limit(gateway: Gateway) -> None:
    with H3Client(gateway.port("small")) as one, H3Client(gateway.port("small")) as other:
        third = H3Client(gateway.port("small"), settings=None)
        assert third.closed is not None
        assert one.request("/").status == other.request("/").status == 200
    eventually(lambda: _is_let_in(gateway), "a place is free again")


def _is_let_in(gateway: Gateway) -> bool:
    with H3Client(gateway.port("small"), settings=None) as client:
        return client.closed is None


def test_a_head_a_body_or_a_request_that_does_not_come_ends_in_time(gateway: Gateway) -> None:
    with H3Client(gateway.port("hasty")) as client:
        head = client.begin_with(b"\x01\x20\x00", end=False)
        assert client.wait(head).status == 408
    with H3Client(gateway.port("hasty")) as client:
        stream = client.begin(
            [
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", b"localhost"),
                (b":path", b"/"),
                (b"content-length", b"5"),
            ],
            end=False,
        )
        assert client.wait(stream).status == 408
        assert client.wait_closed() == 0x100, "it is idle"


def test_a_connection_is_drained_in_two_steps(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    gate = answers.Gate()
    module_origin.on("/slow", gate)
    config = proxy(module_origin.address, listeners=[quic_listener(authority)])
    gateway = start_gateway(config)
    with H3Client(gateway.port("quic"), early=True) as client:
        # A client that is far away is given the time that its words take.
        time.sleep(0.5)
        client.pump(lambda: client.shaken, "the handshake ends")
        slow = client.send_request("/slow")
        eventually(lambda: [r for r in module_origin.requests if r.target == "/slow"], "it arrives")
        gateway.signal(signal.SIGTERM)
        client.pump(lambda: bool(client.goaways), "the client is told")
        late = client.send_request("/late")
        client.pump(lambda: len(client.goaways) == 2, "the client is told where it ends")
        assert client.goaways[0] == ANY and client.goaways[1] <= late + 4
        gate.open()
        assert client.wait(slow).text == "at last"
        assert client.wait(late).status == 200, "it came before the end"
        assert client.wait_closed() == 0x100
    assert gateway.wait() == 0


def test_what_is_still_on_its_way_at_a_drain_comes_whole(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    """The gateway is done with the response long before a client that acknowledges nothing has it."""
    module_origin.on("/large", answers.download(800_000))
    gateway = start_gateway(proxy(module_origin.address, listeners=[quic_listener(authority)]))
    with H3Client(gateway.port("quic")) as client:
        stream = client.send_request("/large")
        eventually(lambda: gateway.metrics().total("tidegate_requests_total") >= 1, "it is answered")
        gateway.signal(signal.SIGTERM)
        ready = "/v1/health/ready"
        eventually(lambda: gateway.admin.get(ready).status_code == 503, "the drain begins")
        response = client.wait(stream)
        assert (len(response.body), response.complete) == (800_000, True)
    assert gateway.wait() == 0


def test_a_connection_ends_with_its_time_to_drain(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    module_origin.on("/held", answers.Gate())
    web = listener("web")
    config = proxy(module_origin.address, listeners=[web, quic_listener(authority)], drain_timeout="1s")
    gateway = start_gateway(config)
    with H3Client(gateway.port("quic")) as client:
        client.send_request("/held")
        eventually(lambda: [r for r in module_origin.requests if r.target == "/held"], "it arrives")
        config["listeners"] = [web]
        with gateway.next_generation():
            gateway.write(config)
        client.wait_closed()
    open_connections = {"listener": "quic"}
    eventually(
        lambda: not gateway.metrics().total("tidegate_listener_open_connections", **open_connections),
        "it is gone",
    )


def test_a_client_that_may_not_connect_gets_no_answer_at_all(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    networks = {"allow": ["192.0.2.0/24"]}
    config = proxy(
        module_origin.address, listeners=[listener("web"), quic_listener(authority, networks=networks)]
    )
    gateway = start_gateway(config)
    with pytest.raises(AssertionError, match="not within"):
        H3Client(gateway.port("quic"), deadline=1)


def test_a_reload_adds_it_and_takes_it_away(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    plain = quic_listener(authority, protocols=["http1", "http2"])
    config = proxy(module_origin.address, listeners=[plain])
    gateway = start_gateway(config)
    port = gateway.port("quic")
    for protocols in (["http1", "http2", "http3"], ["http1", "http2"], ["http2", "http3"]):
        config["listeners"] = [{**plain, "protocols": protocols}]
        with gateway.next_generation():
            gateway.write(config)
        with H2Client(port, tls=authority.client("h2")) as old:
            answered = old.request("/")
            assert (answered.header("alt-svc") is not None) == ("http3" in protocols)
        if "http3" in protocols:
            with H3Client(port) as client:
                assert client.request("/").status == 200
