"""gRPC: RPCs of every kind from clients of HTTP/2 and HTTP/3, and what the gateway says to them itself."""

import queue
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from .conftest import Running, StartGateway
from .harness import answers, grpc_breaks
from .harness.api_keys import entry, key_file
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Config, Gateway
from .harness.grpc_breaks import BEGUN, LATE, RESET, Break
from .harness.grpc_service import SERVICE, GrpcClient, GrpcService, failure, message
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.h3client import H3Client
from .harness.limited import limit
from .harness.message import Fields, Response, first
from .harness.multiplexed import MultiplexedClient
from .harness.multiplexed_origin import Stream
from .harness.origin import Origin
from .harness.ports import free_port
from .harness.waiting import eventually

HEADERS = [("content-type", "application/grpc"), ("te", "trailers")]
BIG = bytes(range(256)) * 32_768
"""8 MiB."""
ENDPOINTS = ("plain", "tls", "quic")


@pytest.fixture(scope="module")
def plain_service() -> Iterator[GrpcService]:
    with GrpcService() as service:
        yield service


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


# What the gateway says itself


def failing(plain: Origin, framed: H2Origin, keys: str) -> Config:
    """Routes that fail in each their way, by path; `keys` is a file of API keys."""
    config = proxy(plain.address)
    config["access_log"] = {"format": "json", "path": "access.log"}
    config["authenticators"] = [{"name": "keys", "api_key": {"from": [{"header": "x-key"}], "file": keys}}]
    config["rate_limits"] = [limit("one", {"quota": 1, "per": "1h"})]
    config["upstreams"] += [
        upstream("down", f"127.0.0.1:{free_port()}"),
        upstream("drained", {"address": plain.address, "drain": True}),
        upstream("slow", plain.address),
        upstream("framed", framed.address, protocol="http2"),
    ]
    config["routes"] = [
        route("plain", "/plain"),
        route("down", "/down", upstream="down"),
        route("drained", "/drained", upstream="drained"),
        route("slow", "/slow", upstream="slow", timeout="200ms"),
        *grpc_breaks.routes("framed"),
        route("small", "/small", limits={"body": "4B"}),
        route("limited", "/limited", limits={"rate": ["one"]}),
        route("secret", "/secret", access={"authenticate": ["keys"]}),
        route(
            "labelled",
            "/labelled",
            upstream="drained",
            request_headers={"set": {"content-type": "application/grpc"}},
        ),
        route("bare", "/bare", upstream="drained", request_headers={"remove": ["content-type"]}),
        route("elsewhere", "/elsewhere", access={"networks": {"deny": ["127.0.0.0/8"]}}),
        route(
            "fixed", "/fixed", respond={"status": 403, "body": "no", "headers": {"content-type": "text/html"}}
        ),
    ]
    return config


@pytest.fixture(scope="module")
def failing_gateway(
    running: Running,
    module_origin: Origin,
    h2_origin: H2Origin,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    config = failing(
        module_origin, h2_origin, key_file(tmp_path_factory.mktemp("keys") / "keys.json", entry("ann"))
    )
    tls = {"certificates": [authority.issue("localhost", file="grpc-failing").config()]}
    config["listeners"].append(listener("quic", tls=tls, protocols=["http3"]))
    with running(config) as gateway:
        yield gateway


@pytest.fixture(params=["web", "quic"])
def failing_client(request: pytest.FixtureRequest, failing_gateway: Gateway) -> Iterator[MultiplexedClient]:
    port = failing_gateway.port(request.param)
    connection: H2Client | H3Client = H2Client(port) if request.param == "web" else H3Client(port)
    with connection:
        yield connection


CASES = {
    "/nowhere/x": (12, "no_route: No route takes this request."),
    "/down/x": (14, "connect_refused: The endpoint refused the connection."),
    "/drained/x": (14, "no_endpoint: No endpoint of the upstream is available."),
    "/bare/x": (14, "no_endpoint: No endpoint of the upstream is available."),
    "/slow/x": (4, "request_timeout: The request took longer than its route allows."),
    "/small/x": (8, "body_too_large: The request's body is larger than this route takes."),
    "/secret/x": (16, "unauthenticated: The request carries no valid credential."),
    "/elsewhere/x": (7, "forbidden: The request may not be made from there or with this identity."),
    "/fixed/x": (7, "HTTP status 403 Forbidden"),
}


@pytest.mark.parametrize("content_type", ["application/grpc", "APPLICATION/gRPC+proto ; x=y"])
@pytest.mark.parametrize("target", CASES)
def test_a_failure_is_told_as_grpc_tells_it(
    failing_client: MultiplexedClient, origin: Origin, target: str, content_type: str
) -> None:
    origin.on("/slow/x", answers.Gate())
    headers = [("content-type", content_type), ("te", "trailers")]
    response = failing_client.request(target, method="POST", headers=headers, body=message(b"hello"))
    assert (response.status, response.body, response.trailers) == (200, b"", [])
    assert response.header("content-type") == "application/grpc"
    told = (int(response.header("grpc-status") or -1), response.header("grpc-message"))
    assert told == CASES[target]


def test_a_spent_quota_is_told_as_grpc_tells_it(failing_client: MultiplexedClient, origin: Origin) -> None:
    answered = [
        failing_client.request("/limited/x", method="POST", headers=HEADERS, body=message(b""))
        for _ in range(2)
    ]
    assert answered[-1].header("grpc-status") == "8"
    assert answered[-1].header("retry-after")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 13),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 14),
        (500, 2),
        (502, 14),
        (503, 14),
        (504, 14),
        (418, 2),
    ],
)
def test_the_status_of_a_plain_endpoint_becomes_one_of_grpc(
    failing_client: MultiplexedClient, origin: Origin, status: int, code: int
) -> None:
    fields = [("Content-Type", "text/html"), ("X-Kept", "1")]
    origin.on("/plain/x", answers.fixed(status, headers=fields, body=b"<p>no"))
    response = failing_client.request("/plain/x", method="POST", headers=HEADERS, body=message(b""))
    assert (response.status, response.header("grpc-status"), response.body) == (200, str(code), b"")
    assert (response.header("grpc-message") or "").startswith(f"HTTP status {status}")
    assert (response.header("x-kept"), response.header("content-type")) == ("1", "application/grpc")


def test_a_malformed_rpc_is_refused_as_grpc_tells_it(failing_client: MultiplexedClient) -> None:
    headers = [*HEADERS, ("host", "another.example")]
    response = failing_client.request("/plain/x", method="POST", headers=headers, body=message(b""))
    assert (response.status, response.header("grpc-status"), response.body) == (200, "13", b"")
    words = "malformed_request: The request breaks the rules of HTTP."
    assert response.header("grpc-message") == words


@pytest.mark.parametrize("broken", [RESET, LATE], ids=["reset", "late"])
def test_what_breaks_a_response_off_is_told_in_its_trailers(
    failing_gateway: Gateway, failing_client: MultiplexedClient, h2_origin: H2Origin, broken: Break
) -> None:
    h2_origin.on(broken.path, broken.answer)
    with broken.counted(failing_gateway):
        stream = failing_client.send_request(broken.path, method="POST", headers=HEADERS, end=False)
        heard = failing_client.responses[stream]
        failing_client.pump(lambda: heard.body == BEGUN, "its beginning")
        if broken is RESET:
            failing_client.send_body(stream, b"", end=True)
        response = failing_client.wait(stream)
        assert (response.status, response.body) == (200, BEGUN)
        assert response.trailers == broken.trailers


@pytest.mark.parametrize(
    ("method", "target", "content_type"),
    [
        ("POST", "/drained/x", "text/plain"),
        ("POST", "/drained/x", "application/grpc-web"),
        ("POST", "/drained/x", "application/grpcx"),
        ("GET", "/drained/x", "application/grpc"),
        ("PUT", "/drained/x", "application/grpc"),
        ("POST", "/labelled/x", "text/plain"),
    ],
)
def test_what_is_no_rpc_is_answered_as_ever(
    failing_client: MultiplexedClient, method: str, target: str, content_type: str
) -> None:
    response = failing_client.request(target, method=method, headers=[("content-type", content_type)])
    assert (response.status, response.header("grpc-status")) == (503, None)
    assert "no_endpoint" in response.text


def test_the_answer_to_a_head_request_is_no_rpcs(failing_client: MultiplexedClient) -> None:
    response = failing_client.request("/drained/x", method="HEAD", headers=HEADERS)
    assert (response.status, response.header("grpc-status"), response.body) == (503, None, b"")


def test_a_status_that_is_no_number_passes_and_fails_nothing(
    failing_client: MultiplexedClient, h2_origin: H2Origin
) -> None:
    async def odd(stream: Stream) -> None:
        await stream.complete.wait()
        stream.send_headers(200, [("content-type", "application/grpc")])
        await stream.send_data(message(b"x"))
        stream.send_trailers([("grpc-status", "naught"), ("grpc-message", "100%, %zz, %4")])

    h2_origin.on("/breaks/odd", odd)
    response = failing_client.request("/breaks/odd", method="POST", headers=HEADERS, body=message(b""))
    assert response.body == message(b"x")
    assert response.trailers == [("grpc-status", "naught"), ("grpc-message", "100%, %zz, %4")]


def test_an_endpoints_own_grpc_status_is_left_alone(
    failing_client: MultiplexedClient, origin: Origin
) -> None:
    origin.on("/plain/x", answers.fixed(503, headers=[("Grpc-Status", "10")]))
    response = failing_client.request("/plain/x", method="POST", headers=HEADERS, body=message(b""))
    assert (response.status, response.header("grpc-status")) == (503, "10")


def test_metrics_and_log_have_the_failure_itself(failing_gateway: Gateway) -> None:
    def total(family: str, **labels: str) -> float:
        return failing_gateway.metrics().total(family, route="drained", **labels)

    failures, answered = total("tidegate_errors_total"), total("tidegate_requests_total", code="5xx")
    with H2Client(failing_gateway.port()) as client:
        client.request("/drained/logged", method="POST", headers=HEADERS, body=message(b""))
    eventually(lambda: total("tidegate_errors_total", error="no_endpoint") == failures + 1, "it is counted")
    eventually(lambda: total("tidegate_requests_total", code="5xx") == answered + 1, "its answer is counted")
    log = failing_gateway.directory / "access.log"
    wanted = '"path":"/drained/logged"'
    eventually(lambda: wanted in log.read_text(), "the line is written")
    [line] = [line for line in log.read_text().splitlines() if wanted in line]
    assert '"status":503' in line and '"error":"no_endpoint"' in line


def test_a_client_of_grpc_reads_what_the_gateway_says(failing_gateway: Gateway) -> None:
    with GrpcClient(failing_gateway.port()) as client:
        code, words = failure(lambda: client.at("/drained/x")(b"", timeout=10))
    assert (code, words) == (grpc.StatusCode.UNAVAILABLE, CASES["/drained/x"][1])


# Counts by method


def test_rpcs_are_counted_by_the_methods_that_their_route_names(
    start_gateway: StartGateway, plain_service: GrpcService
) -> None:
    config = proxy(plain_service.address)
    config["upstreams"][0]["protocol"] = "http2"
    named = [f"/{SERVICE}/{method}" for method in ("Say", "Chat", "Fail", "Hold", "Nothing")]
    config["routes"] = [
        route("named", "/", grpc_methods=named),
        route("unnamed", "/unnamed", template="/test.Echo/{method}"),
        route("refusing", "/refusing", grpc_methods=["/refusing/Say"], respond={"status": 403}),
    ]
    gateway = start_gateway(config)

    def count(method: str, code: str, route: str = "named") -> float:
        labels = {"route": route, "method": method, "code": code}
        return gateway.metrics().total("tidegate_grpc_requests_total", **labels)

    with GrpcClient(gateway.port()) as client:
        for _ in range(3):
            client.unary("Say")(b"", timeout=10)
        list(client.stream("Chat")(iter([b"a"]), timeout=10))
        failure(lambda: client.unary("Fail")(b"", timeout=10))
        failure(lambda: client.unary("Nothing")(b"", timeout=10))
        client.unary("Left")(b"", timeout=10)
        failure(lambda: client.at("/test.Other/Say")(b"", timeout=10))
        failure(lambda: client.at("/unnamed/Say")(b"", timeout=10))
        failure(lambda: client.at("/refusing/Say")(b"", timeout=10))
        held = client.server_stream("Hold")(b"counted")
        assert next(held) == b"begun"
        held.cancel()
    # An RPC is counted when it is over, which may be after its client has the answer.
    eventually(
        lambda: gateway.metrics().total("tidegate_grpc_requests_total") == 10,
        "as many as there were are counted",
    )
    assert count("test.Echo/Hold", "cancelled") == 1
    assert (count("test.Echo/Say", "ok"), count("test.Echo/Chat", "ok")) == (3, 1)
    assert count("test.Echo/Fail", "failed_precondition") == 1
    assert count("test.Echo/Nothing", "unimplemented") == 1
    assert (count("other", "ok"), count("other", "unimplemented")) == (1, 1)
    assert count("refusing/Say", "permission_denied", "refusing") == 1
    assert gateway.metrics().total("tidegate_grpc_requests_total", route="unnamed") == 0


def by_method(gateway: Gateway) -> dict[str, float]:
    """How many RPCs are counted as of which method."""
    samples = gateway.metrics().find("tidegate_grpc_requests_total")
    return {sample.labels["method"]: sample.value for sample in samples}


def counted(gateway: Gateway, expected: dict[str, float]) -> None:
    """Wait until so many are counted, each of which is over a moment after its answer."""
    eventually(lambda: by_method(gateway) == expected, f"the RPCs are counted as {expected}")


def test_no_client_makes_the_metrics_longer(start_gateway: StartGateway, module_origin: Origin) -> None:
    """An endpoint that answers whatever it is asked, and requests that are no RPCs."""
    config = proxy(module_origin.address)
    config["routes"] = [route("named", "/", grpc_methods=["/shop.Orders/Place"])]
    gateway = start_gateway(config)

    with H2Client(gateway.port()) as client:
        for number in range(120):
            client.request(f"/shop.Orders/M{number}", method="POST", headers=HEADERS, body=message(b""))
        counted(gateway, {"other": 120})
        client.request("/shop.Orders/Place", headers=HEADERS)
        client.request("/shop.Orders/Place", method="POST", body=b"x")
        counted(gateway, {"other": 120})
        client.request("/shop.Orders/Pl%61ce", method="POST", headers=HEADERS, body=message(b""))
        counted(gateway, {"other": 120, "shop.Orders/Place": 1})


def test_counts_of_a_method_outlive_a_change_of_the_list(
    start_gateway: StartGateway, plain_service: GrpcService
) -> None:
    config = proxy(plain_service.address)
    config["upstreams"][0]["protocol"] = "http2"
    config["routes"][0]["grpc_methods"] = ["/test.Echo/Say"]
    gateway = start_gateway(config)

    with GrpcClient(gateway.port()) as client:
        client.unary("Say")(b"", timeout=10)
        client.unary("Left")(b"", timeout=10)
        counted(gateway, {"other": 1, "test.Echo/Say": 1})
        config["routes"][0]["grpc_methods"] = ["/test.Echo/Left", "/test.Echo/Say"]
        with gateway.next_generation():
            gateway.write(config)
        client.unary("Say")(b"", timeout=10)
        client.unary("Left")(b"", timeout=10)
    counted(gateway, {"other": 1, "test.Echo/Say": 2, "test.Echo/Left": 1})
