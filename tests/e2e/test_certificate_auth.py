"""Certificates as credentials: by which of its names one is known, and what is refused."""

import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from .conftest import Running
from .harness.certs import Authority, CertFiles
from .harness.configs import listener, proxy, route
from .harness.gateway import Gateway
from .harness.message import Echo, Response
from .harness.origin import Origin

URI = "spiffe://example.org/billing"
TOLD = {"x-subject": {"subject": True}, "x-uris": {"claim": "uri"}, "x-mails": {"claim": "email"}}


@pytest.fixture(scope="module")
def device(authority: Authority) -> CertFiles:
    """A certificate with names of every kind."""
    names = (
        x509.UniformResourceIdentifier("urn:device:7"),
        x509.UniformResourceIdentifier(URI),
        x509.DNSName("d7.example.org"),
        x509.RFC822Name("d7@example.org"),
    )
    return authority.identify("device 7", *names, file="device")


@pytest.fixture(scope="module")
def nameless(authority: Authority) -> CertFiles:
    """A certificate with a subject alone."""
    return authority.identify("device 8", file="nameless")


def by(device: CertFiles) -> dict[str, dict[str, str]]:
    """One condition for each kind of name, all of the device's certificate alone."""
    leaf = device.leaf
    return {
        "subject": {"subject": "CN=device 7"},
        "uri": {"uri": "spiffe://example.org/*"},
        "dns": {"dns": "*.Example.org"},
        "email": {"email": "*@example.org"},
        "serial": {"serial": f"00:{leaf.serial_number:X}"},
        "sha256": {"sha256": leaf.fingerprint(hashes.SHA256()).hex(":").upper()},
    }


@pytest.fixture(scope="module")
def gateway(
    running: Running, module_origin: Origin, authority: Authority, device: CertFiles
) -> Iterator[Gateway]:
    tls = {
        "certificates": [authority.issue("localhost", file="certificate-auth").config()],
        "client_auth": {"ca": str(authority.file), "mode": "optional"},
    }
    config = proxy(module_origin.address, listeners=[listener("web", tls=tls), listener("plain")])
    certificates: dict[str, Any] = {
        kind: {"match": [condition], "subject": "uri"} for kind, condition in by(device).items()
    }
    certificates |= {
        "any": {},
        "mail": {"subject": "email"},
        "others": {"match": [{"uri": "spiffe://elsewhere/*"}, {"serial": "1"}]},
    }
    config["authenticators"] = [{"name": name, "certificate": each} for name, each in certificates.items()]
    config["authenticators"].append({"name": "key", "api_key": {}})
    config["routes"] = [
        route(name, f"/{name}", access={"authenticate": [name]}, identity_headers=TOLD)
        for name in certificates
    ]
    finance = {"authenticate": ["any"], "require": [{"claim": "uri", "contains": URI}]}
    config["routes"] += [
        route("two", "/two", access={"authenticate": ["any", "key"], "anonymous": True}),
        route("required", "/required", access=finance),
    ]
    with running(config) as gateway:
        yield gateway


def ask(gateway: Gateway, target: str, context: ssl.SSLContext | None, **options: Any) -> Response:
    with gateway.connect("web" if context else "plain", tls=context) as client:
        return client.request(target, **options)


@pytest.mark.parametrize("kind", ["subject", "uri", "dns", "email", "serial", "sha256"])
def test_a_certificate_is_known_by_any_of_its_names(
    gateway: Gateway, origin: Origin, authority: Authority, device: CertFiles, nameless: CertFiles, kind: str
) -> None:
    seen = Echo.of(ask(gateway, f"/{kind}", authority.client(identity=device)))
    # Of several, the one that a condition is about comes first.
    assert seen.header("x-subject") == (URI if kind == "uri" else "urn:device:7")
    assert seen.header("x-uris") == f"urn:device:7,{URI}"
    assert seen.header("x-mails") == "d7@example.org"
    assert ask(gateway, f"/{kind}", authority.client(identity=nameless)).status == 401


def test_a_certificate_that_is_none_of_those_is_refused(
    gateway: Gateway, origin: Origin, authority: Authority, device: CertFiles
) -> None:
    response = ask(gateway, "/others", authority.client(identity=device))
    assert response.status == 401
    assert response.header("www-authenticate") is None
    assert "certificate" not in response.text, "the client does not learn why"
    assert "none of those" in gateway.says("explain", response.header("x-request-id") or "")


def test_a_certificate_without_the_name_that_tells_whose_it_is_is_refused(
    gateway: Gateway, origin: Origin, authority: Authority, device: CertFiles, nameless: CertFiles
) -> None:
    assert ask(gateway, "/mail", authority.client(identity=device)).status == 200
    assert ask(gateway, "/mail", authority.client(identity=nameless)).status == 401
    assert ask(gateway, "/any", authority.client(identity=nameless)).status == 200


def test_a_client_without_a_certificate_carries_none(
    gateway: Gateway, origin: Origin, authority: Authority
) -> None:
    for context in (authority.client(), None):
        assert ask(gateway, "/any", context).status == 401
        assert ask(gateway, "/two", context).status == 200, "another authenticator was asked"


def test_what_an_identity_must_have_is_read_from_the_certificate(
    gateway: Gateway, origin: Origin, authority: Authority, device: CertFiles, nameless: CertFiles
) -> None:
    assert ask(gateway, "/required", authority.client(identity=device)).status == 200
    assert ask(gateway, "/required", authority.client(identity=nameless)).status == 403


def test_requests_of_one_connection_are_judged_by_the_authenticators_of_their_routes(
    gateway: Gateway, origin: Origin, authority: Authority, device: CertFiles
) -> None:
    context, session = authority.client(identity=device), None
    for _ in range(2):  # the second time a session is resumed
        with gateway.connect("web", tls=context, session=session) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            for _ in range(2):
                assert client.request("/others").status == 401
                assert Echo.of(client.request("/uri")).header("x-subject") == URI
                assert Echo.of(client.request("/mail")).header("x-subject") == "d7@example.org"
            session = client.sock.session
