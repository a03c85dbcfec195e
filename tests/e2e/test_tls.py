"""TLS to clients: certificates by name, client certificates, versions, resumption, files that change."""

import base64
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from .conftest import Running, StartGateway
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.message import Echo, Fields
from .harness.origin import Origin
from .harness.raw import ClosedError
from .harness.waiting import eventually

SPOOFED: Fields = [
    ("Client-Cert", ":AAAA:"),
    ("client-cert", ":BBBB:"),
    ("Client_Cert", ":CCCC:"),
    ("Client-Cert-Chain", ":DDDD:"),
    ("Connection", "client-cert"),
]
"""What a client says of a certificate that it did not show."""
REFUSED = (ssl.SSLError, OSError, ClosedError)
"""How a refused handshake shows: with TLS 1.3 only when the client reads for the first time."""


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin, authority: Authority) -> Iterator[Gateway]:
    default = authority.issue("localhost", file="tls-default").config()
    exact = authority.issue("a.example.com", file="tls-exact").config()
    wildcard = authority.issue("*.example.com", file="tls-wildcard").config()
    client_auth = {"ca": str(authority.file)}
    config = proxy(module_origin.address)
    config["listeners"] = [
        listener("web"),
        listener("sni", tls={"certificates": [default, exact, wildcard]}),
        listener("only-1.3", tls={"certificates": [default], "min_version": "1.3"}),
        listener("mtls", tls={"certificates": [default], "client_auth": {**client_auth, "mode": "require"}}),
        listener("may", tls={"certificates": [default], "client_auth": {**client_auth, "mode": "optional"}}),
        listener("behind", trusted_proxies=["127.0.0.0/8"]),
    ]
    config["upstreams"].append({**config["upstreams"][0], "name": "asks", "client_cert_header": True})
    asks = {"name": "asks", "match": {"path": {"prefix": "/asks"}}, "upstream": "asks"}
    config["routes"].insert(0, asks)
    with running(config) as gateway:
        yield gateway


def served_names(gateway: Gateway, name: str, context: ssl.SSLContext, port: str = "sni") -> set[str]:
    """The names in the certificate that is served to a client asking for a name."""
    with gateway.connect(port, tls=context, server_name=name) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        der = client.sock.getpeercert(binary_form=True)
        assert der is not None
        assert client.request("/").status == 200
    extension = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return set(extension.value.get_values_for_type(x509.DNSName))


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("a.example.com", "a.example.com"),
        ("A.Example.COM", "a.example.com"),
        ("b.example.com", "*.example.com"),
        ("x.b.example.com", "localhost"),
        ("example.com", "localhost"),
        ("localhost", "localhost"),
        ("other.test", "localhost"),
    ],
)
def test_the_certificate_is_chosen_by_name(
    gateway: Gateway, origin: Origin, authority: Authority, asked: str, served: str
) -> None:
    context = authority.client()
    context.check_hostname = False
    assert served_names(gateway, asked, context) == {served}


def test_a_client_that_names_no_host_gets_the_first_certificate(
    gateway: Gateway, origin: Origin, authority: Authority
) -> None:
    context = authority.client()
    context.check_hostname = False
    assert served_names(gateway, "127.0.0.1", context) == {"localhost"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_modern_versions_are_spoken(
    gateway: Gateway, origin: Origin, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    with gateway.connect("sni", tls=context) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == version.name.replace("_", ".")
        seen = Echo.of(client.request("/"))
    assert seen.header("x-forwarded-proto") == "https"


def test_the_oldest_version_can_be_raised(gateway: Gateway, authority: Authority) -> None:
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        gateway.connect("only-1.3", tls=context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(
    gateway: Gateway, origin: Origin, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    session = None
    reused = []
    for _ in range(6):
        with gateway.connect("sni", tls=context, session=session) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            client.request("/")
            reused.append(client.sock.session_reused)
            session = client.sock.session
    # Whichever worker takes the connection: the keys of tickets belong to the process.
    assert reused == [False] + [True] * 5


def test_a_client_certificate_is_demanded(gateway: Gateway, origin: Origin, authority: Authority) -> None:
    identity = authority.issue("client.example", file="tls-client")
    with gateway.connect("mtls", tls=authority.client(identity=identity)) as client:
        assert client.request("/").status == 200
    with pytest.raises(REFUSED):
        _ask(gateway, "mtls", authority.client())


def test_a_client_certificate_of_another_authority_is_refused(
    gateway: Gateway, origin: Origin, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path).issue("client.example")
    for port in ("mtls", "may"):
        with pytest.raises(REFUSED):
            _ask(gateway, port, authority.client(identity=stranger))


def test_a_client_certificate_may_be_optional(gateway: Gateway, origin: Origin, authority: Authority) -> None:
    assert _ask(gateway, "may", authority.client()) == 200


def client_certs(
    gateway: Gateway, port: str, context: ssl.SSLContext | None, headers: Fields = SPOOFED
) -> list[str]:
    """What an upstream that asks gets in `Client-Cert`, and in no field that could be taken for it."""
    with gateway.connect(port, tls=context) as client:
        seen = Echo.of(client.request("/asks", headers=headers))
    told = {name.lower().replace("_", "-") for name, _ in seen.headers if "cert" in name.lower()}
    assert told <= {"client-cert"}
    return seen.values("client-cert")


def test_an_upstream_is_told_the_certificate_of_the_client(
    gateway: Gateway, origin: Origin, authority: Authority
) -> None:
    identity = authority.issue("client.example", file="tls-told")
    shown = f":{base64.b64encode(identity.der).decode()}:"
    context = authority.client(identity=identity)
    for port in ("mtls", "may"):
        assert client_certs(gateway, port, context) == [shown]
    assert client_certs(gateway, "may", authority.client()) == []
    assert client_certs(gateway, "web", None) == []


def test_an_upstream_that_does_not_ask_for_certificates_gets_none(
    gateway: Gateway, origin: Origin, authority: Authority
) -> None:
    identity = authority.issue("client.example", file="tls-not-told")
    with gateway.connect("mtls", tls=authority.client(identity=identity)) as client:
        seen = Echo.of(client.request("/x", headers=SPOOFED))
    assert not [name for name, _ in seen.headers if "cert" in name.lower()]


def test_the_certificate_that_a_trusted_proxy_tells_of_is_passed_on(gateway: Gateway, origin: Origin) -> None:
    assert client_certs(gateway, "behind", None, [("Client-Cert", ":AAAA:")]) == [":AAAA:"]


@pytest.mark.parametrize("mirror_asks", [True, False])
def test_a_mirror_is_told_the_certificate_only_if_it_asks(
    start_gateway: StartGateway, origin: Origin, authority: Authority, mirror_asks: bool
) -> None:
    tls = {
        "certificates": [authority.issue("localhost").config()],
        "client_auth": {"ca": str(authority.file)},
    }
    with Origin("copies") as copies:
        config = proxy(origin.address, listeners=[listener("web", tls=tls)])
        config["upstreams"][0]["client_cert_header"] = not mirror_asks
        config["upstreams"].append(upstream("copies", copies.address, client_cert_header=mirror_asks))
        config["routes"] = [route("all", "/", mirror={"upstream": "copies"})]
        gateway = start_gateway(config)
        assert _ask(gateway, "web", authority.client(identity=authority.issue("client.example"))) == 200
        copies.wait(lambda: copies.requests, "a copy comes")
        told = [bool(each.requests[0].values("client-cert")) for each in (origin, copies)]
    assert told == [not mirror_asks, mirror_asks]


def test_a_resumed_session_tells_the_same_certificate(
    gateway: Gateway, origin: Origin, authority: Authority
) -> None:
    context, session, told = (
        authority.client(identity=authority.issue("c.example", file="tls-again")),
        None,
        set(),
    )
    for _ in range(3):
        with gateway.connect("mtls", tls=context, session=session) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            told.add(Echo.of(client.request("/asks")).header("client-cert"))
            resumed, session = client.sock.session_reused, client.sock.session
    assert resumed
    assert len(told) == 1
    assert None not in told


def test_a_revocation_holds_as_soon_as_its_list_is_renewed(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    """For sessions that could be resumed too. Connections that are open go on."""
    good, bad = authority.issue("good.example"), authority.issue("bad.example")
    client_auth = {"ca": str(authority.file), "crl": str(authority.revoke())}
    tls = {"certificates": [authority.issue("localhost").config()], "client_auth": client_auth}
    gateway = start_gateway(proxy(origin.address, listeners=[listener("web", tls=tls)]))
    contexts = [authority.client(identity=identity) for identity in (good, bad)]
    with gateway.connect(tls=contexts[0]) as fine, gateway.connect(tls=contexts[1]) as old:
        assert fine.request("/").status == old.request("/").status == 200
        assert isinstance(old.sock, ssl.SSLSocket)
        session = old.sock.session
        with gateway.connect(tls=contexts[1], session=session) as again:
            assert again.request("/").status == 200
            assert isinstance(again.sock, ssl.SSLSocket)
            assert again.sock.session_reused
            session = again.sock.session
        authority.revoke(bad)
        eventually(lambda: _is_refused(gateway, contexts[1], session), "the revocation holds", 20)
        assert _is_refused(gateway, contexts[1], None)
        assert _ask(gateway, "web", contexts[0]) == 200
        assert fine.request("/").status == old.request("/").status == 200


def _is_refused(gateway: Gateway, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    try:
        with gateway.connect(tls=context, session=session) as client:
            client.request("/")
    except REFUSED:
        return True
    return False


def _ask(gateway: Gateway, port: str, context: ssl.SSLContext) -> int:
    with gateway.connect(port, tls=context) as client:
        return client.request("/").status


def test_plain_text_on_a_tls_port_is_refused_and_harms_nobody(
    gateway: Gateway, origin: Origin, authority: Authority
) -> None:
    with gateway.connect("sni") as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_to_end()
    assert not origin.requests
    assert _ask(gateway, "sni", authority.client()) == 200


def test_handshakes_are_counted(gateway: Gateway, origin: Origin, authority: Authority) -> None:
    def counted() -> float:
        metrics = gateway.metrics()
        return sum(
            s.value for s in metrics.samples if "handshake" in s.name and not s.name.endswith("_bucket")
        )

    before = counted()
    _ask(gateway, "sni", authority.client())
    eventually(lambda: counted() > before, "the handshake is counted")


def test_a_changed_certificate_file_is_served_without_a_restart(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    files = authority.issue("localhost", file="hot")
    gateway = start_gateway(
        proxy(origin.address, listeners=[listener("web", tls={"certificates": [files.config()]})])
    )
    context = authority.client()
    context.check_hostname = False
    assert served_names(gateway, "localhost", context, "web") == {"localhost"}
    with gateway.connect(tls=authority.client()) as old:
        assert old.request("/").status == 200
        authority.issue("renewed.example", file="hot")
        eventually(
            lambda: served_names(gateway, "localhost", context, "web") == {"renewed.example"},
            "the new certificate is served",
            20,
        )
        assert old.request("/").status == 200, "a connection of before the change goes on"


def test_a_broken_certificate_file_leaves_the_old_one_in_service(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    files = authority.issue("localhost", file="hot-broken")
    gateway = start_gateway(
        proxy(origin.address, listeners=[listener("web", tls={"certificates": [files.config()]})])
    )
    files.cert.write_text("not a certificate")
    answer = gateway.admin.post("/v1/config/reload")
    assert 400 <= answer.status_code < 500
    assert "cert" in answer.text
    assert served_names(gateway, "localhost", authority.client(), "web") == {"localhost"}


def test_a_stapled_ocsp_response_is_served(
    start_gateway: StartGateway, origin: Origin, authority: Authority, tmp_path: Path
) -> None:
    """The staple is passed on as it is (RFC 6066 §8): its content is the operator's business."""
    staple = tmp_path / "staple.der"
    staple.write_bytes(base64.b64decode("MAMKAQY="))  # OCSPResponse: unauthorized (RFC 6960 §4.2.1)
    certificate = {**authority.issue("localhost", file="ocsp").config(), "ocsp": str(staple)}
    gateway = start_gateway(
        proxy(origin.address, listeners=[listener("web", tls={"certificates": [certificate]})])
    )
    shown = subprocess.run(
        [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{gateway.port()}",
            "-servername",
            "localhost",
            "-status",
        ],
        input=b"",
        capture_output=True,
        timeout=20,
        check=False,
    ).stdout.decode(errors="replace")
    assert "OCSP response: no response sent" not in shown
    assert "unauthorized" in shown.lower()
