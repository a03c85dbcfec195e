"""gRPC-Web: RPCs of clients that cannot read trailers, over every version of HTTP, to a service of gRPC."""

import base64
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from .conftest import Running
from .harness import grpc_breaks
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.grpc_breaks import BEGUN, LATE, RESET, Break
from .harness.grpc_service import SERVICE, GrpcService, message
from .harness.h2client import H2Client
from .harness.h2origin import H2Origin
from .harness.message import Fields, Response, first
from .harness.multiplexed_origin import Stream, grpc
from .harness.piecewise import CONNECT, Client, Piecewise
from .harness.ports import free_port

BINARY, TEXT = "application/grpc-web", "application/grpc-web-text"
PAGE = "https://shop.example"
TRAILERS = 0x80


def begin(client: Client, method: str, content_type: str) -> Piecewise:
    """Begin an RPC by the name of its method or a whole path."""
    headers = [("content-type", content_type), ("x-grpc-web", "1"), ("origin", PAGE)]
    path = method if method.startswith("/") else f"/{SERVICE}/{method}"
    return Piecewise(client, path, method="POST", headers=headers)


def ask(client: Client, method: str, *pieces: bytes, content_type: str = BINARY) -> Response:
    """A whole RPC whose request comes in these pieces."""
    rpc = begin(client, method, content_type)
    for piece in pieces:
        rpc.send(piece)
    rpc.end()
    return rpc.rest()


class Heard(NamedTuple):
    """What a response in gRPC-Web says."""

    messages: list[bytes]
    trailers: Fields
    """Without an empty `grpc-message`, which some services send."""


def heard(content: bytes) -> Heard:
    """Read content; the trailers must be its last frame."""
    messages: list[bytes] = []
    while content:
        flag, length = content[0], int.from_bytes(content[1:5], "big")
        frame, content = content[5 : 5 + length], content[5 + length :]
        if flag == TRAILERS:
            assert not content
            assert frame.endswith(b"\r\n")
            fields = [line.split(": ", 1) for line in frame.decode().split("\r\n")[:-1]]
            return Heard(messages, [(name, value) for name, value in fields if value])
        messages.append(frame)
    raise AssertionError("no trailers")


def decoded(text: bytes) -> bytes:
    """What pieces of base64 stand for, each with its own padding."""
    return b"".join(base64.b64decode(text[at : at + 4], validate=True) for at in range(0, len(text), 4))


def content_of(response: Response) -> bytes:
    """The content of a response in either format."""
    text = (response.header("content-type") or "").startswith("application/grpc-web-text")
    return decoded(response.body) if text else response.body


@pytest.fixture(scope="module")
def gateway(
    running: Running, plain_service: GrpcService, h2_origin: H2Origin, authority: Authority
) -> Iterator[Gateway]:
    tls = {"certificates": [authority.issue("localhost", file="grpc-web").config()]}
    config = proxy(plain_service.address)
    config["listeners"].append(listener("quic", tls=tls, protocols=["http3"]))
    config["upstreams"] = [
        upstream("app", plain_service.address, protocol="http2"),
        upstream("scripted", h2_origin.address, protocol="http2"),
        upstream("down", f"127.0.0.1:{free_port()}"),
    ]
    cors = {
        "origins": [PAGE],
        "headers": ["content-type", "x-grpc-web"],
        "expose": ["grpc-status", "grpc-message"],
    }
    config["routes"] = [
        route("web", f"/{SERVICE}", grpc_web=True, cors={**cors, "methods": ["POST"]}),
        route("scripted", "/scripted", upstream="scripted", grpc_web=True),
        route("down", "/down", upstream="down", grpc_web=True),
        *grpc_breaks.routes("scripted", grpc_web=True),
        route("small", "/small", upstream="scripted", grpc_web=True, limits={"body": "8B"}),
        route("as-it-is", "/as-it-is", upstream="scripted"),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.fixture(params=CONNECT)
def client(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Client]:
    with CONNECT[request.param](gateway) as client:
        yield client


def test_an_rpc_passes_in_binary(client: Client) -> None:
    response = ask(client, "Say", message(b"hello"))
    assert (response.status, response.header("content-type")) == (200, BINARY)
    assert response.trailers == [], "they are in the content"
    assert heard(response.body) == ([b"hello"], [("grpc-status", "0")])


def test_an_rpc_passes_in_text_however_it_is_cut_and_padded(client: Client) -> None:
    said = message(b"hello")
    text = base64.b64encode(said[:1]) + base64.b64encode(said[1:6]) + base64.b64encode(said[6:])
    response = ask(client, "Say", text[:3], text[3:4], text[4:11], text[11:], content_type=TEXT)
    assert (response.status, response.header("content-type")) == (200, TEXT)
    assert heard(decoded(response.body)) == ([b"hello"], [("grpc-status", "0")])


def test_a_text_of_a_known_length_passes(client: Client) -> None:
    """Its length is not that of what it stands for."""
    text = base64.b64encode(message(b"hello"))
    headers = [("content-type", TEXT), ("content-length", str(len(text)))]
    response = client.request(f"/{SERVICE}/Say", method="POST", headers=headers, body=text)
    assert heard(decoded(response.body)) == ([b"hello"], [("grpc-status", "0")])


@pytest.mark.parametrize("content_type", [BINARY, TEXT])
def test_many_messages_pass_both_ways(client: Client, content_type: str) -> None:
    said = [message(b"a"), message(b"b" * 100_000), message(b"")]
    pieces = [base64.b64encode(each) for each in said] if content_type == TEXT else said
    response = ask(client, "Chat", *pieces, content_type=content_type)
    assert heard(content_of(response)) == ([b"A", b"B" * 100_000, b""], [("grpc-status", "0")])


@pytest.mark.parametrize("content_type", [BINARY, TEXT])
def test_each_message_is_there_before_the_next_is_sent(
    client: Client, h2_origin: H2Origin, content_type: str
) -> None:
    """The service sends each message only when the client has told that it got the one before."""
    frames = [message(word) for word in (b"one", b"two!", b"three")]
    wire = [base64.b64encode(frame) for frame in frames] if content_type == TEXT else frames

    async def answer(stream: Stream) -> None:
        stream.send_headers(200, [("content-type", "application/grpc+proto")])
        for count, frame in enumerate(frames, 1):
            await stream.received(len(message(b"")) * count)
            await stream.send_data(frame)
        await stream.complete.wait()
        stream.send_trailers([("grpc-status", "0")])

    h2_origin.on("/scripted/turns", answer)
    acknowledgement = base64.b64encode(message(b"")) if content_type == TEXT else message(b"")
    rpc = begin(client, "/scripted/turns", content_type)
    for frame in wire:
        rpc.send(acknowledgement)
        assert rpc.read(len(frame)) == frame
    rpc.end()
    rest = rpc.rest().body
    assert heard(decoded(rest) if content_type == TEXT else rest) == ([], [("grpc-status", "0")])


def test_a_failure_of_the_service_is_in_the_head(client: Client) -> None:
    response = ask(client, "Fail", message(b"out of stock"))
    assert (response.status, response.header("content-type"), response.body) == (200, BINARY, b"")
    assert (response.header("grpc-status"), response.header("grpc-message")) == ("9", "out of stock")


def test_what_the_gateway_says_itself_is_in_the_head(client: Client) -> None:
    response = ask(client, "/down/x", message(b""), content_type=TEXT)
    assert (response.status, response.header("content-type"), response.body) == (
        200,
        "application/grpc-web-text",
        b"",
    )
    assert response.header("grpc-status") == "14"
    assert response.header("grpc-message") == "connect_refused: The endpoint refused the connection."


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        (TEXT, b"AAAAAAF*"),
        (TEXT, b"AAAAAAFh" + b"A"),
        (TEXT, b"AA=A"),
        (BINARY, message(b"hello")[:-1]),
        (BINARY, b"\x80" + message(b"x")[1:]),
    ],
    ids=["no base64", "a part of a group", "padding within a group", "a part of a frame", "a foreign frame"],
)
def test_content_that_is_no_grpc_web_is_refused_with_words(
    client: Client, content_type: str, content: bytes
) -> None:
    response = ask(client, "Join", content, content_type=content_type)
    assert (response.status, response.header("grpc-status")) == (200, "13")
    assert response.header("grpc-message") == (
        "malformed_grpc_web: The request's body is no gRPC-Web: "
        "its base64 or one of its frames is malformed or cut off."
    )


@pytest.mark.parametrize(("word", "fits"), [(b"two", True), (b"four", False)])
def test_a_body_limit_counts_bytes_behind_base64(
    client: Client, h2_origin: H2Origin, word: bytes, fits: bool
) -> None:
    async def echo(stream: Stream) -> None:
        await stream.complete.wait()
        await grpc(stream)

    h2_origin.on("/small/x", echo)
    response = ask(client, "/small/x", base64.b64encode(message(word)), content_type=TEXT)
    if fits:
        assert heard(decoded(response.body)).messages == [word]
    else:
        assert response.header("grpc-status") == "8"


def test_the_service_gets_grpc(client: Client, h2_origin: H2Origin) -> None:
    async def tell(stream: Stream) -> None:
        await stream.complete.wait()
        stream.send_headers(200, [("content-type", "application/grpc+proto")])
        await stream.send_data(message(repr(stream.headers).encode()))
        stream.send_trailers([("grpc-status", "0"), ("x-twice", "a"), ("x-twice", "b")])

    h2_origin.on("/scripted/tell", tell)
    text = base64.b64encode(message(b"hello"))
    response = ask(client, "/scripted/tell", text, content_type=f"{TEXT}+proto")
    assert response.header("content-type") == f"{TEXT}+proto"
    messages, trailers = heard(decoded(response.body))
    fields = messages[0].decode()
    assert "('content-type', 'application/grpc+proto')" in fields
    assert "('te', 'trailers')" in fields
    assert "content-length" not in fields
    assert trailers == [("grpc-status", "0"), ("x-twice", "a"), ("x-twice", "b")]


@pytest.mark.parametrize("content_type", [BINARY, TEXT])
@pytest.mark.parametrize("broken", [RESET, LATE], ids=["reset", "late"])
def test_a_response_that_breaks_off_between_messages_says_why(
    gateway: Gateway, client: Client, h2_origin: H2Origin, content_type: str, broken: Break
) -> None:
    h2_origin.on(broken.path, broken.answer)
    begun = base64.b64encode(BEGUN) if content_type == TEXT else BEGUN
    with broken.counted(gateway):
        rpc = begin(client, broken.path, content_type)
        assert rpc.read(len(begun)) == begun
        rpc.end()
        response = rpc.rest()
        assert response.complete
        said = decoded(response.body) if content_type == TEXT else response.body
        assert heard(said) == ([], broken.trailers)


def test_a_connection_goes_on_after_a_break_that_was_told(gateway: Gateway, h2_origin: H2Origin) -> None:
    async def break_off(stream: Stream) -> None:
        stream.send_headers(200, [("content-type", "application/grpc")])
        await stream.complete.wait()
        stream.reset()

    h2_origin.on("/scripted/break", break_off)
    with gateway.connect() as client:
        assert dict(heard(ask(client, "/scripted/break", message(b"")).body).trailers)["grpc-status"] == "14"
        assert heard(ask(client, "Say", message(b"hello")).body).messages == [b"hello"]


def test_content_of_an_endpoint_that_is_no_grpc_is_told_apart(client: Client, h2_origin: H2Origin) -> None:
    async def answer(stream: Stream) -> None:
        await stream.complete.wait()
        stream.send_headers(200, [("content-type", "application/grpc")])
        await stream.send_data(b"<html>", end=True)

    h2_origin.on("/scripted/html", answer)
    messages, trailers = heard(ask(client, "/scripted/html", message(b"")).body)
    assert (messages, dict(trailers)["grpc-status"]) == ([], "13")


def test_a_response_that_breaks_off_within_a_message_is_cut_off(client: Client, h2_origin: H2Origin) -> None:
    begun = message(b"begun")[:-1]

    async def break_off(stream: Stream) -> None:
        stream.send_headers(200, [("content-type", "application/grpc")])
        await stream.send_data(begun)
        await stream.complete.wait()
        stream.reset()

    h2_origin.on("/scripted/cut", break_off)
    rpc = begin(client, "/scripted/cut", BINARY)
    assert rpc.read(len(begun)) == begun
    rpc.end()
    response = rpc.rest()
    assert (response.complete, response.body) == (False, b"")


@pytest.mark.parametrize("content", [message(b"x"), b""], ids=["with content", "without"])
def test_a_status_in_the_head_is_not_told_again(client: Client, h2_origin: H2Origin, content: bytes) -> None:
    """What content there may be is in the format that the head says it is in."""

    async def answer(stream: Stream) -> None:
        await stream.complete.wait()
        stream.send_headers(200, [("content-type", "application/grpc"), ("grpc-status", "5")])
        await stream.send_data(content, end=True)

    h2_origin.on("/scripted/told", answer)
    response = ask(client, "/scripted/told", base64.b64encode(message(b"")), content_type=TEXT)
    assert (response.header("content-type"), response.header("grpc-status")) == (TEXT, "5")
    assert decoded(response.body) == content


def test_content_types_are_read_in_any_case_and_with_parameters(client: Client) -> None:
    text = base64.b64encode(message(b"hello"))
    response = ask(client, "Say", text, content_type="Application/GRPC-Web-Text+proto; charset=utf-8")
    assert response.header("content-type") == TEXT
    assert heard(decoded(response.body)).messages == [b"hello"]


def test_a_get_request_is_no_rpc_of_grpc_web(client: Client, h2_origin: H2Origin) -> None:
    seen: list[str | None] = []

    async def note(stream: Stream) -> None:
        seen.append(first(stream.headers, "content-type"))
        stream.send_headers(200, [("content-type", "application/grpc")], end=True)

    h2_origin.on("/scripted/get", note)
    response = client.request("/scripted/get", headers=[("content-type", BINARY)])
    assert (response.header("content-type"), seen) == ("application/grpc", [BINARY])


def test_a_preflight_and_what_a_page_may_read_are_the_routes(gateway: Gateway) -> None:
    with gateway.connect() as client:
        preflight = [
            ("origin", PAGE),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-grpc-web"),
        ]
        allowed = client.request(f"/{SERVICE}/Say", method="OPTIONS", headers=preflight)
        assert (allowed.status, allowed.header("access-control-allow-origin")) == (204, PAGE)
        response = ask(client, "Fail", message(b"no"))
        assert response.header("access-control-allow-origin") == PAGE
        assert response.header("access-control-expose-headers") == "grpc-status, grpc-message"


def test_a_route_that_does_not_translate_passes_it_as_it_is(client: Client, h2_origin: H2Origin) -> None:
    async def echo(stream: Stream) -> None:
        await stream.complete.wait()
        stream.send_headers(200, [("content-type", BINARY)])
        await stream.send_data(bytes(stream.body), end=True)

    h2_origin.on("/as-it-is/x", echo)
    response = ask(client, "/as-it-is/x", b"anything")
    assert (response.body, response.header("content-type")) == (b"anything", BINARY)


def test_an_rpc_of_grpc_itself_passes_where_grpc_web_is_translated(gateway: Gateway) -> None:
    headers = [("content-type", "application/grpc"), ("te", "trailers")]
    with H2Client(gateway.port()) as client:
        response = client.request(f"/{SERVICE}/Say", method="POST", headers=headers, body=message(b"x"))
    assert (response.body, dict(response.trailers)["grpc-status"]) == (message(b"x"), "0")


def test_a_response_of_any_length_needs_no_more_memory(gateway: Gateway, h2_origin: H2Origin) -> None:
    part, parts = message(bytes(1_000_000)), 64

    async def flood(stream: Stream) -> None:
        stream.send_headers(200, [("content-type", "application/grpc")])
        for _ in range(parts):
            await stream.send_data(part)
        stream.send_trailers([("grpc-status", "0")])

    h2_origin.on("/scripted/flood", flood)
    with gateway.connect() as client:
        before = gateway.rss()
        client.send_request("/scripted/flood", method="POST", headers=[("Content-Type", TEXT)])
        client.read_head()
        seen = 0
        while seen < parts * len(part) * 4 // 3:
            seen += len(client.read_some())
        assert gateway.rss() - before < 32_000_000
