"""gRPC: what the gateway itself says to clients of RPCs."""

from collections.abc import Iterator

import grpc
import pytest

from .conftest import Running
from .harness import answers, grpc_breaks
from .harness.api_keys import entry, key_file
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Config, Gateway
from .harness.grpc_breaks import BEGUN, LATE, RESET, Break
from .harness.grpc_service import HEADERS, GrpcClient, failure, message
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.h3client import H3Client
from .harness.limited import limit
from .harness.multiplexed import MultiplexedClient
from .harness.multiplexed_origin import Stream
from .harness.origin import Origin
from .harness.ports import free_port
from .harness.waiting import eventually


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
