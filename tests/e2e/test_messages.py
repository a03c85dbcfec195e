"""Messages are judged alike over every version of HTTP on both sides: the table in `messages.py`."""

from collections.abc import Iterator

import pytest

from .conftest import Running
from .harness.certs import Authority
from .harness.configs import listener, route, upstream
from .harness.gateway import Gateway
from .harness.h2origin import H2Origin
from .harness.h3origin import H3Origin, trusting
from .harness.message import Echo
from .harness.origin import Origin
from .harness.transports import CLIENTS, Answer, Endpoint, Http1Endpoint, MultiplexedEndpoint, Request, send
from .messages import ANSWERS, BROKEN, REQUESTS, Passed, Refused, Routed

ENDPOINTS = ("http1", "http2", "http3")


@pytest.fixture(scope="module")
def endpoints(
    module_origin: Origin, h2_origin: H2Origin, h3_origin: H3Origin, authority: Authority
) -> dict[str, Endpoint]:
    return {
        "http1": Http1Endpoint(module_origin),
        "http2": MultiplexedEndpoint(h2_origin, {"protocol": "http2"}),
        "http3": MultiplexedEndpoint(h3_origin, trusting(authority.file)),
    }


@pytest.fixture(scope="module")
def gateway(running: Running, endpoints: dict[str, Endpoint], authority: Authority) -> Iterator[Gateway]:
    internal = {"headers": [{"name": "x-internal", "exact": "1"}]}
    quic = {"protocols": ["http3"], "tls": {"certificates": [authority.issue("localhost").config()]}}
    with running(
        {
            "listeners": [
                *(listener(f"to-{version}") for version in endpoints),
                *(listener(f"quic-to-{version}", **quic) for version in endpoints),
            ],
            "routes": [
                route("internal", match=internal, respond={"status": 403}),
                *(
                    route(version, listeners=[f"to-{version}", f"quic-to-{version}"], upstream=version)
                    for version in endpoints
                ),
            ],
            "upstreams": [
                upstream(version, endpoint.address, **endpoint.options)
                for version, endpoint in endpoints.items()
            ],
        }
    ) as gateway:
        yield gateway


SENT = [(client, name) for client in CLIENTS for name in REQUESTS if REQUESTS[name].expected(client)]


@pytest.mark.parametrize(("client", "name"), SENT)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_request_is_judged_alike_in_every_version(
    gateway: Gateway,
    endpoints: dict[str, Endpoint],
    origin: Origin,
    client: str,
    endpoint: str,
    name: str,
) -> None:
    case = REQUESTS[name]
    expected = case.expected(client)
    assert isinstance(case.message, Request) and expected is not None
    taken = endpoints[endpoint].taken()
    response = send(gateway, client, endpoint, case.message)
    if isinstance(expected, Passed):
        seen = Echo.of(response)
        fields = [("host" if key == ":authority" else key, value) for key, value in seen.headers]
        check(expected, fields, seen.trailers)
        assert expected.target in (None, seen.target)
        assert expected.length in (None, seen.length)
    elif isinstance(expected, Routed):
        assert response.status == expected.status
    else:
        # A malformed request may be answered by a reset (RFC 9113 §8.1.1, RFC 9114 §4.1.2).
        reset = client != "http1" and expected.status in (0, 400) and response.status == 0
        assert reset or response.status == (expected.status or 400), response
        assert endpoints[endpoint].taken() == taken


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_response_is_judged_alike_in_every_version(
    gateway: Gateway,
    endpoints: dict[str, Endpoint],
    origin: Origin,
    client: str,
    endpoint: str,
    name: str,
) -> None:
    case = ANSWERS[name]
    expected = case.expected(endpoint)
    assert isinstance(case.message, Answer)
    endpoints[endpoint].answer("/answer", case.message)
    response = send(gateway, client, endpoint, Request(path="/answer"))
    if isinstance(expected, Passed):
        assert (response.status, response.complete) == (case.message.status, True), response
        check(expected, response.headers, response.trailers)
        assert expected.length in (None, len(response.body))
    elif expected == BROKEN:
        assert not response.complete or response.status == 502
    else:
        assert isinstance(expected, Refused)
        assert response.status == expected.status, response
        assert not response.from_origin


def check(expected: Passed, fields: list[tuple[str, str]], trailers: list[tuple[str, str]]) -> None:
    """That the receiver has got what is expected."""
    for wanted, got in ((expected.fields, fields), (expected.trailers, trailers)):
        seen = {name: [value for key, value in got if key.lower() == name] for name in wanted}
        assert seen == wanted


@pytest.mark.parametrize("protocol", [{}, {"protocol": "http2"}], ids=["http1", "http2"])
def test_a_request_without_host_gets_one_whatever_its_upstream_is_called(
    running: Running, module_origin: Origin, h2_origin: H2Origin, protocol: dict[str, str]
) -> None:
    """Endpoints need one, and HTTP/1.0 may leave it out."""
    address = h2_origin.address if protocol else module_origin.address
    routes = [route("named", "/named", upstream="app"), route("rest", "/", upstream="my app")]
    upstreams = [upstream(name, address, **protocol) for name in ("app", "my app")]
    with running({"routes": routes, "upstreams": upstreams}) as gateway:
        for target, host in (("/named", "app"), ("/x", "localhost")):
            with gateway.connect() as client:
                client.send(f"GET {target} HTTP/1.0\r\n\r\n")
                seen = Echo.of(client.read_response())
            assert (seen.header("host") or seen.header(":authority")) == host
