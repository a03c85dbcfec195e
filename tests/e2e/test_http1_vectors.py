"""The 251 vectors of llhttp: what it accepts is carried, what it refuses is refused.

llhttp is a parser for more than a gateway's front: it reads RTSP and ICE, and leaves checks such as
that of `Host` to its user. Where the gateway judges otherwise, the table below says why; a difference
that is not in the table fails, and so does a line of the table that is no difference any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .conftest import Running
from .harness import answers
from .harness.configs import listener, proxy
from .harness.gateway import Gateway
from .harness.llhttp import Vector, read_vectors
from .harness.origin import Origin
from .harness.raw import ClosedError

REQUESTS = read_vectors("request")
RESPONSES = read_vectors("response")

if not REQUESTS:
    pytest.skip("../shared/data/http1/llhttp is absent", allow_module_level=True)

NO_TUNNELS = "CONNECT is not carried out by a reverse proxy (RFC 9110 §9.3.6)"
NOT_HTTP = "RTSP and ICE are other protocols (RFC 9112 §2.3: the name of the protocol is HTTP)"
NO_EMPTY_LINE = "only servers may skip empty lines, before a request line (RFC 9112 §2.2)"
CUT_SHORT = "the connection ends before the length that was said"
UNASKED = "the request asked for no upgrade (RFC 9110 §15.2.2)"
NO_DEFLATE = "a coding that is not undone cannot be passed on (RFC 9112 §6.1); the target is wrong besides"
ANY_METHOD = "every token may be a method (RFC 9110 §9.1); llhttp knows a list"

STRICTER = {
    "request method: ANNOUNCE request with RTSP": NOT_HTTP,
    "request method: CONNECT request": NO_TUNNELS,
    "request method: CONNECT request with CAPS": NO_TUNNELS,
    "request method: CONNECT with body": NO_TUNNELS,
    "request method: M-SEARCH request": "the asterisk is a target of OPTIONS alone (RFC 9112 §3.2.4)",
    "request method: OPTIONS request with RTSP": NOT_HTTP,
    "request method: SOURCE request with ICE": NOT_HTTP,
    "request sample: No HTTP version": "HTTP/0.9 is not spoken (RFC 9112 §3)",
    "request transfer-encoding: POST with `chunked` as last transfer-encoding": NO_DEFLATE,
    "request transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)": NO_DEFLATE,
    "request uri: Fragment in URI": "a target has no fragment (RFC 9112 §3.2.1)",
    "request uri: Quotes in URI": "quotes and backslashes are no characters of a URI (RFC 3986 §2)",
    "request uri: Underscore in hostname": NO_TUNNELS,
    "request uri: `host:port` and basic auth": "user information in a target is an error (RFC 9110 §4.2.4)",
    "response connection: HTTP 100 first, then 400": NO_EMPTY_LINE,
    "response connection: HTTP 101 response with Upgrade and Content-Length header": UNASKED,
    "response connection: HTTP 101 response with Upgrade and Transfer-Encoding header": UNASKED,
    "response connection: HTTP 103 first, then 200": CUT_SHORT,
    "response content-length: Content-Length reset when no body is received": CUT_SHORT,
    "response sample: HTTP version 0.9": "HTTP/0.9 has no status line (RFC 9112 §2.3)",
    "response sample: ICE response": NOT_HTTP,
    "response sample: RTSP response": NOT_HTTP,
    "response sample: Response starting with CRLF": NO_EMPTY_LINE,
}
"""Accepted by llhttp, refused here, each with its reason."""

MORE_LENIENT = {
    "request invalid: HTTP protocol and ANNOUNCE method": ANY_METHOD,
    "request invalid: Invalid method": ANY_METHOD,
}
"""Refused by llhttp, accepted here, each with its reason."""

PATIENCE = 1.0
"""Seconds without an answer after which a gateway is taken to wait for more; its own timeouts are longer."""


@dataclass
class Verdict:
    """What a gateway made of a vector."""

    answered: int = 0
    """Answers that came from the origin."""
    refused: int | None = None
    """The status of the gateway's own answer, or 0 for a connection closed without one."""


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    patient = {"header_read": "20s", "request_body": "20s", "idle": "20s"}
    with running(proxy(module_origin.address, listeners=[listener("web", timeouts=patient)])) as gateway:
        yield gateway


def _id(vector: Vector) -> str:
    return vector.name.replace(" ", "_")


def judge_request(gateway: Gateway, vector: Vector) -> Verdict:
    """Send a vector and see what becomes of it."""
    verdict = Verdict()
    with gateway.connect(deadline=PATIENCE) as client:
        client.try_send(vector.as_request())
        try:
            while vector.refused or verdict.answered < vector.messages:
                response = client.read_response("HEAD" if vector.data.startswith(b"HEAD") else "GET")
                if response.from_origin:
                    verdict.answered += 1
                else:
                    verdict.refused = response.status
                    break
        except ClosedError:
            verdict.refused = 0
        except AssertionError:
            pass  # it waits for more
    return verdict


@pytest.mark.parametrize("vector", [v for v in REQUESTS if not v.lenient], ids=_id)
def test_a_request_is_judged_as_llhttp_does(gateway: Gateway, origin: Origin, vector: Vector) -> None:
    verdict = judge_request(gateway, vector)
    if vector.refused:
        # A message that breaks off is no more than incomplete: the gateway waits, and nothing is answered.
        refused = verdict.refused is not None and verdict.answered <= vector.messages
        agreed = refused or "finish=2" in vector.log
    else:
        agreed = verdict.refused is None
    table = MORE_LENIENT if vector.refused else STRICTER
    assert agreed != (vector.name in table), f"{verdict} for {vector.data!r}: {table.get(vector.name)}"
    if agreed:
        assert verdict.refused in (None, 0, 400, 501, 505), "a refusal is told by 400, or by closing"


@pytest.mark.parametrize("vector", [v for v in REQUESTS if v.lenient], ids=_id)
def test_what_only_a_lenient_parser_reads_does_no_harm(
    gateway: Gateway, origin: Origin, vector: Vector
) -> None:
    """These say what llhttp does with checks switched off. Here no check is; the origin fixture watches."""
    judge_request(gateway, vector)
    with gateway.connect() as client:
        assert client.request("/after").status == 200


def judge_response(gateway: Gateway, origin: Origin, vector: Vector) -> Verdict:
    """Let the origin answer with a vector and see what reaches the client."""
    origin.on("/vector", answers.raw(vector.data, close=True))
    with gateway.connect() as client:
        try:
            response = client.request("/vector")
        except ClosedError:
            return Verdict(refused=0)
        if "error=" in (response.header("proxy-status") or ""):
            return Verdict(refused=response.status)
        return Verdict(answered=1) if response.complete else Verdict(refused=0)


@pytest.mark.parametrize("vector", [v for v in RESPONSES if not v.lenient], ids=_id)
def test_a_response_is_judged_as_llhttp_does(gateway: Gateway, origin: Origin, vector: Vector) -> None:
    verdict = judge_response(gateway, origin, vector)
    # Every vector is followed by the connection's end, so that one that breaks off is refused too. What
    # follows the first message belongs to no request and is thrown away with the connection.
    refused = vector.messages == 0 and (vector.refused or not _ends_by_close(vector))
    agreed = (verdict.refused is not None) == refused
    table = MORE_LENIENT if refused else STRICTER
    assert agreed != (vector.name in table), f"{verdict} for {vector.data!r}: {table.get(vector.name)}"
    assert verdict.refused in (None, 0, 502), "either 502 or a transfer that breaks off"


def _ends_by_close(vector: Vector) -> bool:
    """Whether the close is the end of a message whose head is complete (RFC 9112 §6.3, rule 8)."""
    head = vector.data.lower().partition(b"\r\n\r\n")[0]
    framed = b"content-length" in head or b"chunked" in head
    return vector.heads > 0 and not framed


@pytest.mark.parametrize("vector", [v for v in RESPONSES if v.lenient], ids=_id)
def test_a_response_for_lenient_parsers_does_no_harm(
    gateway: Gateway, origin: Origin, vector: Vector
) -> None:
    judge_response(gateway, origin, vector)
    with gateway.connect() as client:
        assert client.request("/after").status == 200


def test_the_tables_name_vectors_that_exist() -> None:
    names = {vector.name for vector in REQUESTS + RESPONSES}
    assert STRICTER.keys() | MORE_LENIENT.keys() <= names
