"""gRPC: RPCs of every kind from clients of HTTP/2 and HTTP/3."""

import queue
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from .conftest import Running
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.grpc_service import HEADERS, SERVICE, GrpcClient, GrpcService, failure, message
from .harness.h3client import H3Client
from .harness.message import Fields, Response, first
from .harness.multiplexed import MultiplexedClient

BIG = bytes(range(256)) * 32_768
"""8 MiB."""
ENDPOINTS = ("plain", "tls", "quic")


@pytest.fixture(scope="module")
def tls_service(authority: Authority) -> Iterator[GrpcService]:
    with GrpcService(authority.issue("127.0.0.1", "localhost", file="grpc")) as service:
        yield service


@pytest.fixture(scope="module")
def inner_gateway(running: Running, plain_service: GrpcService, authority: Authority) -> Iterator[Gateway]:
    """An endpoint that speaks HTTP/3: another gateway, before the service."""
    tls = {"certificates": [authority.issue("127.0.0.1", "localhost", file="grpc-inner").config()]}
    config = proxy(plain_service.address)
    config["listeners"] = [listener("quic", tls=tls, protocols=["http3"])]
    config["upstreams"][0]["protocol"] = "http2"
    with running(config) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(
    running: Running,
    plain_service: GrpcService,
    tls_service: GrpcService,
    inner_gateway: Gateway,
    authority: Authority,
) -> Iterator[Gateway]:
    """A listener for each way from clients to endpoints: in plain text, over TLS, over QUIC."""
    tls = {"certificates": [authority.issue("localhost", file="grpc-front").config()]}
    options_by_client: dict[str, dict[str, Any]] = {
        "plain": {},
        "tls": {"tls": tls},
        "quic": {"tls": tls, "protocols": ["http3"]},
    }
    config = proxy(plain_service.address)
    config["upstreams"] = [
        upstream("plain", plain_service.address, protocol="http2"),
        upstream("tls", tls_service.address, protocol="http2", tls={"ca": str(authority.file)}),
        upstream(
            "quic",
            f"127.0.0.1:{inner_gateway.port('quic')}",
            protocol="http3",
            tls={"ca": str(authority.file)},
        ),
    ]
    config["listeners"] = [
        listener(f"{client}-{endpoint}", **options)
        for client, options in options_by_client.items()
        for endpoint in ENDPOINTS
    ]
    config["routes"] = [
        route(
            f"to-{endpoint}",
            upstream=endpoint,
            listeners=[f"{c}-{endpoint}" for c in ("plain", "tls", "quic")],
        )
        for endpoint in ENDPOINTS
    ]
    with running(config) as gateway:
        yield gateway


WAYS = [f"{client}-{endpoint}" for client in ("plain", "tls") for endpoint in ENDPOINTS]


@pytest.fixture(params=WAYS)
def client(request: pytest.FixtureRequest, gateway: Gateway, authority: Authority) -> Iterator[GrpcClient]:
    secure = str(request.param).startswith("tls")
    with GrpcClient(gateway.port(request.param), authority.file.read_bytes() if secure else None) as client:
        yield client


@pytest.fixture
def service(
    request: pytest.FixtureRequest, plain_service: GrpcService, tls_service: GrpcService
) -> GrpcService:
    """The one that the client of the test gets to."""
    return tls_service if "-tls]" in request.node.name else plain_service


def test_rpcs_of_every_kind_pass(client: GrpcClient) -> None:
    assert client.unary("Say")(b"hello", timeout=10) == b"hello"
    assert client.client_stream("Join")(iter([b"a", b"b", b""]), timeout=10) == b"a,b,"
    assert list(client.server_stream("Split")(b"a,b,", timeout=10)) == [b"a", b"b", b""]
    assert list(client.stream("Chat")(iter([b"a", b"b"]), timeout=10)) == [b"A", b"B"]


def test_a_stream_goes_both_ways_message_by_message(client: GrpcClient) -> None:
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    heard = client.stream("Chat")(iter(said.get, None), timeout=10)
    for word in (b"one", b"two", b"three"):
        said.put(word)
        assert next(heard) == word.upper()
    said.put(None)
    assert list(heard) == []
    assert heard.code() == grpc.StatusCode.OK


def test_large_messages_pass(client: GrpcClient) -> None:
    assert client.unary("Say")(BIG, timeout=30) == BIG
    assert b"".join(client.stream("Chat")(iter([BIG, b"end"]), timeout=30)) == BIG.upper() + b"END"


def test_metadata_passes_both_ways(client: GrpcClient) -> None:
    asked = (("x-ask", "a"), ("x-ask", "b"), ("x-ask-bin", b"\x00\xff"))
    _, call = client.unary("Say").with_call(b"", metadata=asked, timeout=10)
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    assert (initial["x-initial-bin"], trailing["x-trailing-bin"]) == (b"\x00\xff", b"\x00\xff")
    assert [value for name, value in call.trailing_metadata() if name == "x-trailing"] == ["a", "b"]


def test_an_rpc_that_fails_before_it_answers_says_why(client: GrpcClient) -> None:
    wrong = failure(lambda: client.unary("Fail")("100 % naïve".encode(), timeout=10))
    assert wrong == (grpc.StatusCode.FAILED_PRECONDITION, "100 % naïve")
    assert failure(lambda: client.unary("Nothing")(b"", timeout=10))[0] == grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_reaches_the_service_and_ends_the_rpc_there(
    client: GrpcClient, service: GrpcService, path: str
) -> None:
    assert 0 < float(client.unary("Left")(b"", timeout=30)) < 60
    assert float(client.unary("Left")(b"")) > 1e9, "no deadline is one that is far off"
    held = client.server_stream("Hold")(path.encode(), timeout=1)
    assert next(held) == b"begun"
    assert failure(lambda: next(held))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
    assert service.named(path).wait(10)


def test_what_its_client_cancels_ends_at_the_service(
    client: GrpcClient, service: GrpcService, path: str
) -> None:
    held = client.server_stream("Hold")(path.encode())
    assert next(held) == b"begun"
    held.cancel()
    assert service.named(path).wait(10)


def test_what_the_service_cancels_ends_at_its_client(client: GrpcClient, service: GrpcService) -> None:
    held = client.server_stream("Quit")(b"")
    assert next(held) == b"begun"
    assert failure(lambda: next(held))[0] == grpc.StatusCode.CANCELLED


@pytest.fixture(params=[f"quic-{endpoint}" for endpoint in ENDPOINTS])
def h3_client(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[H3Client]:
    with H3Client(gateway.port(request.param)) as client:
        yield client


def begin(client: MultiplexedClient, method: str, *messages: bytes, headers: Fields = HEADERS) -> int:
    """Begin an RPC, which stays open for further messages."""
    body = b"".join(map(message, messages))
    return client.send_request(f"/{SERVICE}/{method}", method="POST", headers=headers, body=body, end=False)


def finished(client: MultiplexedClient, stream: int) -> Response:
    """The response to an RPC that gets no further messages."""
    client.send_body(stream, b"", end=True)
    return client.wait(stream)


def test_rpcs_of_every_kind_pass_over_http_3(h3_client: H3Client) -> None:
    for method, said, heard in [
        ("Say", [b"hello"], [b"hello"]),
        ("Join", [b"a", b"b"], [b"a,b"]),
        ("Split", [b"a,b"], [b"a", b"b"]),
        ("Chat", [b"a", b"b"], [b"A", b"B"]),
        ("Say", [BIG], [BIG]),
    ]:
        response = finished(h3_client, begin(h3_client, method, *said))
        assert (response.status, response.body) == (200, b"".join(map(message, heard))), method
        assert first(response.trailers, "grpc-status") == "0"


def test_a_stream_goes_both_ways_message_by_message_over_http_3(h3_client: H3Client) -> None:
    stream = begin(h3_client, "Chat")
    heard = h3_client.responses[stream]
    for word in (b"one", b"two", b"three"):
        before = bytes(heard.body)
        h3_client.send_body(stream, message(word), end=False)
        wanted = before + message(word.upper())
        h3_client.pump(lambda: heard.body == wanted, f"{word!r} comes back")  # noqa: B023
    assert first(finished(h3_client, stream).trailers, "grpc-status") == "0"


def test_an_answer_of_trailers_alone_passes_over_http_3(h3_client: H3Client) -> None:
    response = finished(h3_client, begin(h3_client, "Fail", b"50 %"))
    assert (response.status, response.body, response.trailers) == (200, b"", [])
    assert (response.header("grpc-status"), response.header("grpc-message")) == ("9", "50 %25")


def test_what_a_client_of_http_3_gives_up_ends_at_the_service(
    h3_client: H3Client, service: GrpcService, path: str
) -> None:
    stream = begin(h3_client, "Hold", path.encode())
    h3_client.pump(lambda: h3_client.responses[stream].body == message(b"begun"), "its beginning")
    h3_client.cancel(stream)
    assert service.named(path).wait(10)


def test_a_deadline_is_kept_for_clients_of_http_3(
    h3_client: H3Client, service: GrpcService, path: str
) -> None:
    stream = begin(h3_client, "Hold", path.encode(), headers=[*HEADERS, ("grpc-timeout", "500m")])
    response = finished(h3_client, stream)
    assert (response.body, response.complete) == (message(b"begun"), True)
    assert first(response.trailers, "grpc-status") == "4"
    assert service.named(path).wait(10)
