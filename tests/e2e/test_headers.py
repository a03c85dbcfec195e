"""Header fields: which are the connection's own, and what a gateway says about itself and its client."""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import listener, proxy
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.message import Echo, Fields
from .harness.origin import Origin

UUID_OR_HEX = re.compile(r"[0-9A-Za-z-]{16,64}")
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address, name="edge-1")
    own = ["CDN-Client", "x_zone"]
    config["listeners"] += [
        listener("behind-a-proxy", trusted_proxies=["127.0.0.0/8"], forwarding_headers=own),
        listener("with-more", forwarding_headers=own),
    ]
    with running(config) as gateway:
        yield gateway


def ask(gateway: Gateway, headers: Fields | None = None, listener_name: str = "web") -> Echo:
    """What the origin sees of a request with these fields."""
    with gateway.connect(listener_name) as client:
        return Echo.of(client.request("/x", headers=headers))


def test_hop_by_hop_fields_of_a_request_are_removed(gateway: Gateway, origin: Origin) -> None:
    seen = ask(
        gateway,
        [
            ("Connection", "close, X-Named, x-other"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("TE", "gzip"),
            ("X-Named", "1"),
            ("X-Other", "2"),
            ("X-Kept", "3"),
        ],
    )
    names = {name.lower() for name, _ in seen.headers}
    assert not names & {"keep-alive", "proxy-connection", "x-named", "x-other", "te"}
    assert seen.header("connection") in (None, "keep-alive")
    assert seen.header("x-kept") == "3"


def test_hop_by_hop_fields_of_a_response_are_removed(gateway: Gateway, origin: Origin) -> None:
    reply = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Authenticate: Basic\r\nX-Kept: 3\r\nContent-Length: 0\r\n\r\n"
    )
    origin.on("/reply", answers.raw(reply))
    with gateway.connect() as client:
        response = client.request("/reply")
    names = {name.lower() for name, _ in response.headers}
    assert not names & {"x-named", "keep-alive"}
    assert response.header("x-kept") == "3"


def test_content_length_named_by_connection_stays(gateway: Gateway, origin: Origin) -> None:
    """Who may remove the framing field may smuggle a request."""
    with gateway.connect() as client:
        response = client.request(
            "/x", method="POST", headers=[("Connection", "Content-Length")], body=b"abc"
        )
    assert response.status == 400 or Echo.of(response).length == 3


def test_the_host_named_by_connection_stays(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        response = client.request("/x", headers=[("Connection", "Host"), ("Host", "a.example")])
    assert response.status == 400 or Echo.of(response).header("host") == "a.example"


def test_the_gateway_names_itself_in_via(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        response = client.request("/x", headers=[("Via", "1.0 earlier")])
    via = ", ".join(Echo.of(response).values("via"))
    assert re.fullmatch(r"1\.0 earlier, 1\.1 edge-1 \([0-9a-f]{16}\)", via)


def test_via_tells_the_version_the_client_spoke(gateway: Gateway, origin: Origin) -> None:
    with H2Client(gateway.port()) as client:
        response = client.request("/x")
    assert (Echo.of(response).header("via") or "").startswith("2.0 edge-1 (")


def test_the_client_is_told_to_the_origin(gateway: Gateway, origin: Origin) -> None:
    seen = ask(gateway, [("Host", "shop.example")])
    assert seen.values("x-forwarded-for") == ["127.0.0.1"]
    assert seen.values("x-forwarded-proto") == ["http"]
    assert seen.values("x-forwarded-host") == ["shop.example"]
    forwarded = _forwarded(seen)
    assert len(forwarded) == 1
    assert forwarded[0]["for"] == "127.0.0.1"
    assert (forwarded[0]["proto"], forwarded[0]["host"]) == ("http", "shop.example")


SPOOFED: Fields = [
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=6.6.6.6;proto=https;host=evil.example"),
]


def test_what_an_untrusted_client_says_about_others_is_replaced(gateway: Gateway, origin: Origin) -> None:
    seen = ask(gateway, [("Host", "shop.example"), *SPOOFED])
    assert seen.values("x-forwarded-for") == ["127.0.0.1"]
    assert seen.values("x-forwarded-proto") == ["http"]
    assert seen.values("x-forwarded-host") == ["shop.example"]
    assert "6.6.6.6" not in ", ".join(seen.values("forwarded"))
    assert "evil" not in ", ".join(seen.values("forwarded"))


def test_what_a_trusted_proxy_says_is_kept_and_added_to(gateway: Gateway, origin: Origin) -> None:
    seen = ask(gateway, [("Host", "shop.example"), *SPOOFED], "behind-a-proxy")
    assert ", ".join(seen.values("x-forwarded-for")) == "6.6.6.6, 127.0.0.1"
    assert seen.values("x-forwarded-proto") == ["https"]
    assert seen.values("x-forwarded-host") == ["evil.example"]
    forwarded = _forwarded(seen)
    assert [element["for"] for element in forwarded] == ["6.6.6.6", "127.0.0.1"]


FORWARDING: Fields = [
    ("X-Forwarded-Port", "1"),
    ("X-Forwarded-Prefix", "/"),
    ("X-Forwarded-Tls-Client-Cert", "1"),
    ("X_Forwarded_For", "6.6.6.6"),
    ("X-Real-IP", "6.6.6.6"),
    ("X_Real_IP", "6.6.6.6"),
    ("X-Original-URL", "/admin"),
]
ADDED: Fields = [("CDN-Client", "6.6.6.6"), ("cdn_client", "6.6.6.6"), ("X-Zone", "a")]


def test_forwarding_fields_of_untrusted_clients_are_taken_off(gateway: Gateway, origin: Origin) -> None:
    """In every spelling that servers may take for them, and with those that the listener adds."""
    # Of a proxy that is trusted, too, none may stand beside the gateway's own word in another spelling.
    imitation = [("X_Forwarded_For", "6.6.6.6")]
    cases = (("web", FORWARDING), ("with-more", FORWARDING + ADDED), ("behind-a-proxy", imitation))
    for name, taken_off in cases:
        seen = ask(gateway, [*FORWARDING, *ADDED, ("X-Kept", "1")], name)
        names = {name.lower() for name, _ in taken_off}
        kept = {name.lower() for name, _ in [*FORWARDING, *ADDED, ("X-Kept", "1")]} - names
        got = {name.lower() for name, _ in seen.headers}
        assert not names & got, name
        assert kept <= got, name


def test_a_proxy_behind_a_unix_socket_does_not_hide_the_client(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    address = f"unix:{tmp_path}/inner.sock"
    trusting = {"trusted_proxies": ["127.0.0.0/8"]}
    inner = proxy(origin.address, listeners=[{"name": "web", "address": address, **trusting}])
    start_gateway(inner)
    outer = start_gateway(proxy(address, listeners=[listener("web", **trusting)]))
    seen = ask(outer, [("X-Forwarded-For", "203.0.113.7")])
    assert seen.values("x-forwarded-for") == ["203.0.113.7, 127.0.0.1"]


def _forwarded(seen: Echo) -> list[dict[str, str]]:
    """The elements of `Forwarded` (RFC 7239 §4)."""
    elements = ", ".join(seen.values("forwarded")).split(",")
    return [
        {
            name.strip().lower(): value.strip('" ')
            for name, _, value in (p.partition("=") for p in e.split(";"))
        }
        for e in elements
    ]


def test_every_request_gets_an_id_that_the_response_returns(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        responses = [client.request("/x") for _ in range(3)]
    ids = [Echo.of(response).header("x-request-id") for response in responses]
    assert all(identity and UUID_OR_HEX.fullmatch(identity) for identity in ids)
    assert len(set(ids)) == 3
    assert [response.header("x-request-id") for response in responses] == ids


def test_a_request_id_is_kept_from_a_trusted_proxy(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect("behind-a-proxy") as client:
        response = client.request("/x", headers=[("X-Request-Id", "abc-123")])
    assert Echo.of(response).values("x-request-id") == ["abc-123"]
    assert response.header("x-request-id") == "abc-123"


def test_a_trace_is_begun_where_there_is_none(gateway: Gateway, origin: Origin) -> None:
    first, second = (ask(gateway).header("traceparent") for _ in range(2))
    assert first and TRACEPARENT.fullmatch(first)
    assert second and second != first


def test_a_trace_is_passed_on(gateway: Gateway, origin: Origin) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    given = f"00-{trace}-b7ad6b7169203331-01"
    seen = ask(gateway, [("traceparent", given), ("tracestate", "vendor=1")])
    match = TRACEPARENT.fullmatch(seen.header("traceparent") or "")
    assert match is not None
    assert match[1] == trace
    assert seen.header("tracestate") == "vendor=1"


@pytest.mark.parametrize("broken", ["zz", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-1-2-3"])
def test_a_malformed_trace_is_begun_anew(gateway: Gateway, origin: Origin, broken: str) -> None:
    seen = ask(gateway, [("traceparent", broken), ("tracestate", "vendor=1")])
    assert len(seen.values("traceparent")) == 1
    assert TRACEPARENT.fullmatch(seen.header("traceparent") or "")
    assert seen.header("traceparent") != broken


def test_a_response_without_date_gets_one(gateway: Gateway, origin: Origin) -> None:
    with gateway.connect() as client:
        date = client.request("/x").header("date")
    assert date is not None
    assert parsedate_to_datetime(date).tzinfo is not None


def test_the_origins_date_is_kept(gateway: Gateway, origin: Origin) -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    origin.on("/dated", answers.fixed(headers=[("Date", date)]))
    with gateway.connect() as client:
        assert client.request("/dated").values("date") == [date]


def test_repeated_fields_keep_their_order(gateway: Gateway, origin: Origin) -> None:
    origin.on("/cookies", answers.fixed(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    with gateway.connect() as client:
        assert client.request("/cookies").values("set-cookie") == ["a=1", "b=2"]
    assert ask(gateway, [("X-Many", "1"), ("X-Many", "2")]).values("x-many") == ["1", "2"]


def test_bytes_above_ascii_in_values_pass(gateway: Gateway, origin: Origin) -> None:
    assert ask(gateway, [("X-Latin", "caf\xe9")]).header("x-latin") == "caf\xe9"


def test_the_host_reaches_the_origin_unchanged(gateway: Gateway, origin: Origin) -> None:
    assert ask(gateway, [("Host", "Shop.Example:8080")]).values("host") == ["Shop.Example:8080"]
