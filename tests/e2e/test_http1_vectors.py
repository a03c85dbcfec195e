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

# ruff: noqa: E501 - the reasons stand beside the cases

STRICTER: dict[str, str] = {
    "method: CONNECT request": "CONNECT is not carried out: 501",
    "method: CONNECT request with CAPS": "CONNECT is not carried out: 501",
    "method: CONNECT with body": "CONNECT is not carried out: 501",
    "uri: Underscore in hostname": "CONNECT is not carried out: 501",
    "method: SOURCE request with ICE": "only HTTP/1.0 and 1.1 are spoken here",
    "method: OPTIONS request with RTSP": "only HTTP/1.0 and 1.1 are spoken here",
    "method: ANNOUNCE request with RTSP": "only HTTP/1.0 and 1.1 are spoken here",
    "method: M-SEARCH request": "RFC 9112 §3.2.4: asterisk-form is for OPTIONS alone",
    "sample: No HTTP version": "HTTP/0.9 is not spoken here",
    "transfer-encoding: POST with `chunked` as last transfer-encoding": "RFC 9112 §3.2: the target has a fragment",
    "transfer-encoding: POST with `chunked` as last transfer-encoding (multiple headers)": "RFC 9112 §3.2: the target has a fragment",
    "uri: Quotes in URI": "RFC 3986 §2: quotes and backslashes are no characters of a URI",
    "uri: Fragment in URI": "RFC 9112 §3.2: a target has no fragment",
    "uri: `host:port` and basic auth": "RFC 9110 §4.2.4: userinfo in a target is an error",
    "connection: HTTP 101 response with Upgrade and Content-Length header": "nobody asked to switch protocols",
    "connection: HTTP 101 response with Upgrade and Transfer-Encoding header": "nobody asked to switch protocols",
    "connection: HTTP 100 first, then 400": "RFC 9112 §2.2: only a server skips empty lines before a message",
    "sample: RTSP response": "only HTTP/1.0 and 1.1 are spoken here",
    "sample: ICE response": "only HTTP/1.0 and 1.1 are spoken here",
    "sample: HTTP version 0.9": "only HTTP/1.0 and 1.1 are spoken here",
    "sample: Response starting with CRLF": "RFC 9112 §2.2: only a server skips empty lines before a message",
}
"""Accepted by llhttp, refused here, each with its reason."""

MORE_LENIENT: dict[str, str] = {
    "content-length: Error on `Content-Length` overflow": "an incomplete head is judged when it is complete or its time is over; nothing of it is passed on",
    "content-length: Error on duplicate `Content-Length`": "an incomplete head is judged when it is complete or its time is over; nothing of it is passed on",
    "invalid: Invalid HTTP version": "an incomplete head is judged when it is complete or its time is over; nothing of it is passed on",
    "invalid: Invalid space after start line": "an incomplete head is judged when it is complete or its time is over; nothing of it is passed on",
    "invalid: Invalid method": "RFC 9110 §9.1: any token is a method",
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
        client.try_send(vector.with_host())
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
        agreed = verdict.refused is not None or "finish=2" in vector.log
    else:
        agreed = verdict.refused is None
    table = MORE_LENIENT if vector.refused else STRICTER
    assert agreed != (vector.name in table), f"{verdict} for {vector.data!r}: {table.get(vector.name)}"
    if agreed:
        assert verdict.answered <= vector.messages, "more answers than messages"
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
        response = client.request("/vector")
        ours = "error=" in (response.header("proxy-status") or "")
        if ours or not response.complete:
            return Verdict(refused=response.status)
        return Verdict(answered=1)


@pytest.mark.parametrize("vector", [v for v in RESPONSES if not v.lenient], ids=_id)
def test_a_response_is_judged_as_llhttp_does(gateway: Gateway, origin: Origin, vector: Vector) -> None:
    verdict = judge_response(gateway, origin, vector)
    # Every vector is followed by the connection's end, so that one that breaks off is refused too. What
    # follows the first message belongs to no request and is thrown away with the connection.
    refused = vector.messages == 0 and (vector.refused or not _ends_by_close(vector))
    agreed = (verdict.refused is not None) == refused
    table = MORE_LENIENT if refused else STRICTER
    assert agreed != (vector.name in table), f"{verdict} for {vector.data!r}: {table.get(vector.name)}"
    if verdict.refused is not None:
        assert verdict.refused in (200, 502), "either 502 or a transfer that breaks off"


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
