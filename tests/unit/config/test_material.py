"""Certificates, keys and other files that options name."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.conftest import Find
from tidegate.config.load import Loaded, load_file
from tidegate.config.plan import build_plan
from tidegate.config.problem import ConfigError

SECURE = (
    "listeners:\n  - name: a\n    address: 127.0.0.1:443\n    tls: {certificates: [{cert: CERT, key: KEY}]}\n"
    "routes: [{name: all, respond: {}}]\n"
)


def secure(cert: str = "cert.pem", key: str = "key.pem") -> str:
    return SECURE.replace("CERT", cert).replace("KEY", key)


def test_the_plan_holds_the_texts_of_certificates(load: Callable[..., Loaded], certificates: Path) -> None:
    loaded = load(secure())
    (pair,) = build_plan(loaded).data["listeners"][0]["tls"]["certificates"]
    assert pair["cert"] == (certificates / "cert.pem").read_text()
    assert pair["key"] == (certificates / "key.pem").read_text()
    assert pair["ocsp"] is None
    assert {certificates / "cert.pem", certificates / "key.pem"} <= loaded.files.keys()
    assert loaded.warnings == ()


def test_authorities_and_client_certificates_are_read(
    load: Callable[..., Loaded], certificates: Path
) -> None:
    text = "upstreams: [{name: a, tls: {ca: internal-ca.pem, cert: cert.pem, key: key.pem}}]"
    tls = build_plan(load(text)).data["upstreams"][0]["tls"]
    assert tls["ca"] == (certificates / "internal-ca.pem").read_text()
    assert tls["key"].startswith("-----BEGIN")


def asking(crl: str) -> str:
    client_auth = f"client_auth: {{ca: clients-ca.pem, crl: {crl}}}"
    return secure().replace("]}\n", f"], {client_auth}}}\n", 1)


def revoking(
    until: datetime, name: str = "clients", key: ec.EllipticCurvePrivateKey | None = None
) -> x509.CertificateRevocationList:
    """A list of an authority of this name, to be renewed at `until`."""
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateRevocationListBuilder(issuer, datetime(2020, 1, 1), until)
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


@pytest.fixture
def clients_key(certificates: Path) -> ec.EllipticCurvePrivateKey:
    """The key of the authority in clients-ca.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clients")])
    now = datetime.now(UTC)
    authority = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = authority.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (certificates / "clients-ca.pem").write_bytes(pem)
    return key


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_the_plan_holds_revocation_lists_as_they_are(
    load: Callable[..., Loaded],
    certificates: Path,
    clients_key: ec.EllipticCurvePrivateKey,
    encoding: serialization.Encoding,
) -> None:
    content = revoking(datetime(2999, 1, 1), key=clients_key).public_bytes(encoding)
    (certificates / "clients.crl").write_bytes(content)
    loaded = load(asking("clients.crl"))
    (listener,) = build_plan(loaded).data["listeners"]
    assert base64.b64decode(listener["tls"]["client_auth"]["crl"]) == content
    assert certificates / "clients.crl" in loaded.files, "it is watched"
    assert loaded.warnings == ()


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"])
def test_a_file_without_revocation_lists_is_refused(
    problems: Find, certificates: Path, content: bytes
) -> None:
    (certificates / "clients.crl").write_bytes(content)
    (problem,) = problems(asking("clients.crl"))
    assert "expected revocation lists" in problem.message
    assert "clients.crl" in problem.message


def test_a_revocation_list_that_is_out_of_date_is_told_and_holds(
    load: Callable[..., Loaded], certificates: Path, clients_key: ec.EllipticCurvePrivateKey
) -> None:
    content = revoking(datetime(2021, 2, 3), key=clients_key).public_bytes(serialization.Encoding.PEM)
    (certificates / "clients.crl").write_bytes(content)
    (warning,) = load(asking("clients.crl")).warnings
    assert "the list of CN=clients was to be renewed at 2021-02-03 00:00 UTC" in warning.message


@pytest.mark.parametrize("name", ["clients", "others"])
def test_an_authority_without_a_revocation_list_is_told(
    load: Callable[..., Loaded], certificates: Path, clients_key: ec.EllipticCurvePrivateKey, name: str
) -> None:
    """Neither a list of another name will do, nor one of that name which another key has signed."""
    content = revoking(datetime(2999, 1, 1), name).public_bytes(serialization.Encoding.PEM)
    (certificates / "clients.crl").write_bytes(content)
    (warning,) = load(asking("clients.crl")).warnings
    assert "there is no list of CN=clients: all of its certificates are refused" in warning.message


@pytest.mark.parametrize(
    ("cert", "key", "message"),
    [
        ("none.pem", "key.pem", "no such file"),
        (".", "key.pem", "is a directory"),
        ("key.pem", "key.pem", "expected certificates in PEM"),
        ("cert.pem", "cert.pem", "expected a private key in PEM"),
        ("cert.pem", "other-key.pem", "does not belong to the certificate"),
    ],
)
def test_a_file_that_will_not_do_is_refused(
    problems: Find, certificates: Path, cert: str, key: str, message: str
) -> None:
    (problem,) = problems(secure(cert, key))
    assert message in problem.message
    assert problem.line == 4


def test_a_certificate_of_an_unknown_version_is_refused(problems: Find, certificates: Path) -> None:
    (certificate,) = x509.load_pem_x509_certificates((certificates / "cert.pem").read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert der.count(b"\xa0\x03\x02\x01\x02") == 1, "version 3 is written as 2"
    body = base64.encodebytes(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03")).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    (certificates / "cert.pem").write_text(pem)
    (problem,) = problems(secure())
    assert "expected certificates in PEM" in problem.message


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), byte=st.integers(0, 255), name=st.sampled_from(["cert.pem", "key.pem"]))
def test_a_damaged_file_is_used_or_refused(certificates: Path, where: float, byte: int, name: str) -> None:
    original = (certificates / name).read_bytes()
    position = int(where * (len(original) - 1))
    (certificates / name).write_bytes(original[:position] + bytes([byte]) + original[position + 1 :])
    (certificates / "f.yaml").write_text(secure())
    try:
        build_plan(load_file(certificates / "f.yaml"))
    except ConfigError as error:
        assert error.problems
    finally:
        (certificates / name).write_bytes(original)


def test_an_encrypted_key_is_refused_with_advice(problems: Find, certificates: Path) -> None:
    key = serialization.load_pem_private_key((certificates / "key.pem").read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (certificates / "key.pem").write_bytes(locked)
    (problem,) = problems(secure())
    assert problem.hint == "store it without a passphrase"


def test_an_expired_certificate_is_a_warning(
    load: Callable[..., Loaded], certificates: Path, authority: trustme.CA
) -> None:
    issued = authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    issued.cert_chain_pems[0].write_to_path(certificates / "cert.pem")
    issued.private_key_pem.write_to_path(certificates / "key.pem")
    (warning,) = load(secure()).warnings
    assert "expired at" in warning.message
    assert warning.severity == "warning"


def test_an_ocsp_response_is_base64_in_the_plan(
    load: Callable[..., Loaded], problems: Find, certificates: Path, authority: trustme.CA
) -> None:
    text = secure().replace("key: key.pem", "key: key.pem, ocsp: ocsp.der")
    (certificates / "ocsp.der").write_bytes(b"nonsense")
    (problem,) = problems(text)
    assert "OCSP response" in problem.message

    response = _ocsp(certificates, authority)
    (certificates / "ocsp.der").write_bytes(response)
    (pair,) = build_plan(load(text)).data["listeners"][0]["tls"]["certificates"]
    assert base64.b64decode(pair["ocsp"]) == response


def _ocsp(certificates: Path, authority: trustme.CA) -> bytes:
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=x509.load_pem_x509_certificate((certificates / "cert.pem").read_bytes()),
            issuer=issuer,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=datetime.now(UTC),
            next_update=None,
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )
    return response.public_bytes(serialization.Encoding.DER)


def test_a_token_file_must_hold_a_token(problems: Find, certificates: Path) -> None:
    (certificates / "token").write_text("short\n")
    (problem,) = problems("admin: {token_file: token}")
    assert "at least 16 characters" in problem.message
