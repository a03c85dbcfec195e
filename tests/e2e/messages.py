"""One table of heads, lengths, targets and trailers, and what becomes of each in every version of HTTP."""

from dataclasses import dataclass, field
from typing import Any

from .harness.transports import Answer, Request

FIELDS = 100
"""A listener's default limit on the number of a request's fields."""


@dataclass(frozen=True)
class Passed:
    """The endpoint gets the request, or the client the response."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    """Values of fields there; none where it must not have come."""
    trailers: dict[str, list[str]] = field(default_factory=dict)
    target: str | None = None
    length: int | None = None


@dataclass(frozen=True)
class Refused:
    """The message goes no further: a status, or over HTTP/2 a reset (RFC 9113 §8.1.1)."""

    status: int = 400


@dataclass(frozen=True)
class Routed:
    """A route answers the request with this status: the conditions saw the value as the endpoint would."""

    status: int


BROKEN = Refused(0)
"""What has gone on already breaks off, so that its receiver does not take it for complete."""

Outcome = Passed | Refused | Routed | None
"""None: the version cannot say this."""


@dataclass(frozen=True)
class Case:
    """A message and what becomes of it."""

    message: Request | Answer
    outcome: Outcome
    over: dict[str, Outcome] = field(default_factory=dict)
    """What becomes of it in a version of which that does not hold."""
    because: str | None = None
    """Why not."""

    def __post_init__(self) -> None:
        assert bool(self.over) == (self.because is not None), "a version judges otherwise for a reason"

    def expected(self, version: str) -> Outcome:
        """What becomes of it where it is sent in this version."""
        return self.over.get(version, self.outcome)


def request(*fields: tuple[str, str], **parts: Any) -> Request:
    """A request with these fields."""
    return Request(fields=fields, **parts)


def answer(*fields: tuple[str, str], **parts: Any) -> Answer:
    """An endpoint's answer with these fields."""
    return Answer(fields=fields, **parts)


OWS = "blanks around a value belong to the line (RFC 9112 §5.1), to no value in HTTP/2 (RFC 9113 §8.2.1)"
HOP_BY_HOP = (
    "fields of the connection are taken off (RFC 9110 §7.6.1), and malformed in HTTP/2 (RFC 9113 §8.2.2)"
)
CASE = "names are written in any case (RFC 9110 §5.1), and in HTTP/2 in lower case alone (RFC 9113 §8.2.1)"
WAITS = "HTTP/1 has no end but the length, and waits for it or takes what is beyond for the next request"
TARGET = "the host of a target in absolute form overrules `Host` (RFC 9112 §3.2.2), :authority does not"
FRAMES = "its frames say that the content ends, and the length something else (RFC 9113 §8.1.1)"
LIST = "a list is read where fields may be joined on their way (RFC 9112 §6.3), which no frame is"

REQUESTS: dict[str, Case] = {
    "nothing unusual": Case(request(("x-a", "1")), Passed({"x-a": ["1"]}, target="/x")),
    # Values
    "a blank before a value": Case(request(("x-internal", " 1")), Refused(), {"http1": Routed(403)}, OWS),
    "a blank after a value": Case(request(("x-internal", "1 ")), Refused(), {"http1": Routed(403)}, OWS),
    "a tab before a value": Case(request(("x-internal", "\t1")), Refused(), {"http1": Routed(403)}, OWS),
    "blanks for a value": Case(request(("x-a", "  ")), Refused(), {"http1": Passed({"x-a": [""]})}, OWS),
    "an empty value": Case(request(("x-a", "")), Passed({"x-a": [""]})),
    "blanks within a value": Case(request(("x-a", "a \t b")), Passed({"x-a": ["a \t b"]})),
    "bytes beyond ASCII in a value": Case(request(("x-a", "caf\xe9")), Passed({"x-a": ["caf\xe9"]})),
    "a control in a value": Case(request(("x-a", "a\x01b")), Refused()),
    "DEL in a value": Case(request(("x-a", "a\x7fb")), Refused()),
    "a NUL in a value": Case(request(("x-a", "a\x00b")), Refused()),
    "a CR in a value": Case(request(("x-a", "a\rb")), Refused()),
    # Names
    "a blank in a name": Case(request(("x a", "1")), Refused()),
    "a byte beyond ASCII in a name": Case(request(("x\xe9", "1")), Refused()),
    "an empty name": Case(request(("", "1")), Refused()),
    "capitals in a name": Case(request(("X-A", "1")), Refused(), {"http1": Passed({"x-a": ["1"]})}, CASE),
    # Fields of a connection
    "connection": Case(request(("connection", "x-a")), Refused(), {"http1": Passed()}, HOP_BY_HOP),
    "keep-alive": Case(
        request(("keep-alive", "5")), Refused(), {"http1": Passed({"keep-alive": []})}, HOP_BY_HOP
    ),
    "proxy-connection": Case(
        request(("proxy-connection", "close")),
        Refused(),
        {"http1": Passed({"proxy-connection": []})},
        HOP_BY_HOP,
    ),
    "upgrade": Case(
        request(("upgrade", "websocket")), Refused(), {"http1": Passed({"upgrade": []})}, HOP_BY_HOP
    ),
    "te of a coding": Case(request(("te", "gzip")), Refused(), {"http1": Passed({"te": []})}, HOP_BY_HOP),
    "transfer-encoding": Case(
        request(("transfer-encoding", "chunked"), body=b"0\r\n\r\n"),
        Refused(),
        {"http1": Passed(length=0)},
        HOP_BY_HOP,
    ),
    # Lengths
    "the length of the content": Case(request(("content-length", "3"), body=b"abc"), Passed(length=3)),
    "an empty length": Case(request(("content-length", ""), body=b"abc"), Refused()),
    "an empty length of no content": Case(request(("content-length", "")), Refused()),
    "a signed length": Case(request(("content-length", "+3"), body=b"abc"), Refused()),
    "a length with letters": Case(request(("content-length", "3x"), body=b"abc"), Refused()),
    "a length beyond 64 bits": Case(request(("content-length", "9" * 20), body=b"abc"), Refused()),
    "a list of lengths": Case(request(("content-length", "3, 3"), body=b"abc"), Refused()),
    "two equal lengths": Case(
        request(("content-length", "3"), ("content-length", "3"), body=b"abc"), Refused()
    ),
    "two lengths": Case(request(("content-length", "3"), ("content-length", "4"), body=b"abc"), Refused()),
    "a length without content": Case(request(("content-length", "3")), Refused(), {"http1": None}, WAITS),
    "a length of nothing without content": Case(request(("content-length", "0")), Passed(length=0)),
    "less content than its length": Case(
        request(("content-length", "4"), body=b"abc"), Refused(), {"http1": None}, WAITS
    ),
    "more content than its length": Case(
        request(("content-length", "2"), body=b"abc"), Refused(), {"http1": None}, WAITS
    ),
    # Targets
    "a query": Case(request(path="/x?a=/?b"), Passed(target="/x?a=/?b")),
    "an empty target": Case(request(path=""), Refused()),
    "no target": Case(request(path=None), Refused()),
    "a target that is no path": Case(request(path="x"), Refused()),
    "a target that is a query alone": Case(request(path="?x"), Refused()),
    "an asterisk for GET": Case(request(path="*"), Refused()),
    "an asterisk for OPTIONS": Case(request(method="OPTIONS", path="*"), Passed(target="*")),
    "a fragment": Case(request(path="/x#y"), Refused()),
    "a fragment behind a query": Case(request(path="/x?y#z"), Refused()),
    "a blank in the path": Case(request(path="/a b"), Refused()),
    "a blank in the query": Case(request(path="/?a b"), Refused()),
    "a control in the path": Case(request(path="/a\x01"), Refused()),
    "a NUL in the path": Case(request(path="/a\x00"), Refused()),
    "DEL in the path": Case(request(path="/a\x7f"), Refused()),
    "raw UTF-8 in the path": Case(request(path="/caf\xc3\xa9"), Refused()),
    "raw UTF-8 in the query": Case(request(path="/?caf\xc3\xa9"), Refused()),
    "raw Latin-1 in the path": Case(request(path="/caf\xe9"), Refused()),
    "a backslash in the path": Case(request(path="/a\\b"), Passed(target="/a%5Cb")),
    "a long target": Case(request(path="/" + "x" * 9000), Refused(414)),
    "another scheme": Case(request(scheme="ftp", host="a.example"), Refused()),
    # Hosts
    "no host": Case(request(authority=None), Refused()),
    "an empty host": Case(request(authority=None, host=""), Refused()),
    "an empty authority": Case(request(authority=""), Refused()),
    "a port alone": Case(request(authority=None, host=":80"), Refused()),
    "a host alone": Case(request(authority=None, host="b.example"), Passed({"host": ["b.example"]})),
    "an IPv6 address": Case(request(authority="[::1]:80"), Passed({"host": ["[::1]:80"]})),
    "an open IPv6 address": Case(request(authority="[::1"), Refused()),
    "a percent-encoded authority": Case(request(authority="a%2eb"), Refused()),
    "a percent-encoded host": Case(request(authority=None, host="%61.example"), Refused()),
    "user information": Case(request(authority="u@a.example"), Refused()),
    "a slash in the host": Case(request(authority=None, host="a/b"), Refused()),
    "a blank in the host": Case(request(authority=None, host="a b"), Refused()),
    "a port that is none": Case(request(authority=None, host="a:x"), Refused()),
    "a port beyond the last": Case(request(authority=None, host="a:65536"), Refused()),
    "two hosts": Case(request(("host", "a.example"), authority=None, host="a.example"), Refused()),
    "the same host in another case": Case(request(host="A.EXAMPLE"), Passed({"host": ["a.example"]})),
    "the same host with its port": Case(request(host="a.example:80"), Passed({"host": ["a.example"]})),
    "another host": Case(
        request(host="b.example"), Refused(), {"http1": Passed({"host": ["a.example"]})}, TARGET
    ),
    # Numbers
    "as many fields as may be": Case(request(*[("x-a", "1")] * (FIELDS - 1)), Passed()),
    "one field too many": Case(request(*[("x-a", "1")] * FIELDS), Refused(431)),
    "more cookies than fields": Case(
        request(cookies=tuple(f"c{n}={n}" for n in range(FIELDS + 1))),
        Passed({"cookie": ["; ".join(f"c{n}={n}" for n in range(FIELDS + 1))]}),
    ),
    # Expectations
    "an unknown expectation": Case(request(("expect", "x"), body=b"abc"), Refused(417)),
    "a known and an unknown expectation": Case(
        request(("expect", "100-continue"), ("expect", "x"), body=b"abc"), Refused(417)
    ),
    "an expectation": Case(
        request(("expect", "100-continue"), body=b"abc"), Passed({"expect": []}, length=3)
    ),
    # Forwarding fields
    "forwarding fields": Case(
        request(
            ("x-forwarded-port", "1"),
            ("x-forwarded-tls-client-cert", "1"),
            ("x-real-ip", "1"),
            ("x-original-url", "/admin"),
        ),
        Passed(
            {"x-forwarded-port": [], "x-forwarded-tls-client-cert": [], "x-real-ip": [], "x-original-url": []}
        ),
    ),
    "forwarding fields in other spellings": Case(
        request(
            ("x_forwarded_for", "1"), ("x-forwarded_proto", "1"), ("x_real_ip", "1"), ("client_cert", "1")
        ),
        Passed({"x_forwarded_for": [], "x-forwarded_proto": [], "x_real_ip": [], "client_cert": []}),
    ),
    # Trailers
    "trailers": Case(
        request(("te", "trailers"), body=b"abc", trailers=(("x-sum", "6"),)),
        Passed(trailers={"x-sum": ["6"]}, length=3),
    ),
    "trailers that none may have": Case(
        request(
            body=b"abc",
            trailers=(
                ("host", "b"),
                ("content-length", "1"),
                ("authorization", "x"),
                ("x-forwarded-for", "1"),
            ),
        ),
        Passed(
            trailers={"host": [], "content-length": [], "authorization": [], "x-forwarded-for": []}, length=3
        ),
    ),
    "a blank after a trailer's value": Case(
        request(body=b"abc", trailers=(("x-sum", "6 "),)),
        BROKEN,
        {"http1": Passed(trailers={"x-sum": ["6"]})},
        OWS,
    ),
    "a control in a trailer": Case(request(body=b"abc", trailers=(("x-sum", "\x01"),)), BROKEN),
    "more trailers than may be": Case(request(body=b"abc", trailers=(("x-sum", "6"),) * 65), Refused(431)),
}

ANSWERS: dict[str, Case] = {
    "nothing unusual": Case(answer(("x-a", "1"), body=b"abc"), Passed({"x-a": ["1"]}, length=3)),
    # Values and names
    "a blank before a value": Case(
        answer(("x-a", " 1")), Refused(502), {"http1": Passed({"x-a": ["1"]})}, OWS
    ),
    "a blank after a value": Case(
        answer(("x-a", "1 ")), Refused(502), {"http1": Passed({"x-a": ["1"]})}, OWS
    ),
    "an empty value": Case(answer(("x-a", "")), Passed({"x-a": [""]})),
    "a control in a value": Case(answer(("x-a", "a\x01b")), Refused(502)),
    "a NUL in a value": Case(answer(("x-a", "a\x00b")), Refused(502)),
    "a blank in a name": Case(answer(("x a", "1")), Refused(502)),
    "capitals in a name": Case(answer(("X-A", "1")), Refused(502), {"http1": Passed({"x-a": ["1"]})}, CASE),
    # Fields of a connection
    "keep-alive": Case(
        answer(("keep-alive", "5")), Refused(502), {"http1": Passed({"keep-alive": []})}, HOP_BY_HOP
    ),
    "connection": Case(answer(("connection", "x-a")), Refused(502), {"http1": Passed()}, HOP_BY_HOP),
    "transfer-encoding": Case(
        answer(("transfer-encoding", "chunked"), body=b"0\r\n\r\n"),
        Refused(502),
        {"http1": Passed(length=0)},
        HOP_BY_HOP,
    ),
    # Lengths
    "the length of the content": Case(
        answer(("content-length", "3"), body=b"abc"), Passed({"content-length": ["3"]}, length=3)
    ),
    "an empty length": Case(answer(("content-length", ""), body=b"abc"), Refused(502)),
    "an empty length of no content": Case(answer(("content-length", "")), Refused(502)),
    "a signed length": Case(answer(("content-length", "+3"), body=b"abc"), Refused(502)),
    "two lengths": Case(answer(("content-length", "3"), ("content-length", "4"), body=b"abc"), Refused(502)),
    "two equal lengths": Case(
        answer(("content-length", "3"), ("content-length", "3"), body=b"abc"),
        Passed({"content-length": ["3"]}, length=3),
    ),
    "a list of equal lengths": Case(
        answer(("content-length", "3, 3"), body=b"abc"),
        Passed({"content-length": ["3"]}, length=3),
        {"http2": Refused(502)},
        LIST,
    ),
    "a list of lengths": Case(answer(("content-length", "3, 4"), body=b"abc"), Refused(502)),
    "less content than its length": Case(answer(("content-length", "4"), body=b"abc"), BROKEN),
    "a length without content": Case(
        answer(("content-length", "4")), Refused(502), {"http1": BROKEN}, FRAMES
    ),
    "a length of no content": Case(
        answer(("content-length", "0"), status=204), Passed({"content-length": []}, length=0)
    ),
    # Numbers
    "as many fields as may be": Case(answer(*[("x-a", "1")] * 198), Passed()),
    "too many fields": Case(answer(*[("x-a", "1")] * 201), Refused(502)),
    # Interim responses
    "a blank in an interim response": Case(
        answer(interim=(("link", "</a> "),)), Refused(502), {"http1": Passed()}, OWS
    ),
    # Trailers
    "trailers": Case(
        answer(body=b"abc", trailers=(("x-sum", "6"),)), Passed(trailers={"x-sum": ["6"]}, length=3)
    ),
    "trailers that none may have": Case(
        answer(body=b"abc", trailers=(("set-cookie", "a=1"), ("content-length", "1"), ("location", "/"))),
        Passed(trailers={"set-cookie": [], "content-length": [], "location": []}, length=3),
    ),
    "a blank after a trailer's value": Case(
        answer(body=b"abc", trailers=(("x-sum", "6 "),)),
        BROKEN,
        {"http1": Passed(trailers={"x-sum": ["6"]})},
        OWS,
    ),
    "more trailers than may be": Case(answer(body=b"abc", trailers=(("x-sum", "6"),) * 65), BROKEN),
}
