"""Certificates for tests, from a certificate authority that lives as long as the test run."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class CertFiles:
    """A certificate chain and its key, as files that a configuration can name."""

    cert: Path
    key: Path

    def config(self) -> dict[str, str]:
        """The entry for `tls.certificates`."""
        return {"cert": str(self.cert), "key": str(self.key)}

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_pem_x509_certificates(self.cert.read_bytes())[0]

    @property
    def der(self) -> bytes:
        """The certificate itself, as it is shown in a handshake."""
        return self.leaf.public_bytes(Encoding.DER)


class Authority:
    """A certificate authority."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, *names: str, file: str | None = None) -> CertFiles:
        """A certificate for host names, wildcards and addresses; `file` is overwritten when it exists."""
        leaf = self._ca.issue_cert(*names)
        stem = self._directory / (file or names[0].replace("*", "any").replace("/", "_"))
        files = CertFiles(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        files.cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(files.key)
        return files

    def identify(self, subject: str, *names: x509.GeneralName, file: str) -> CertFiles:
        """A certificate for a client of this common name, with these alternative names."""
        now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateBuilder(
            issuer_name=x509.load_pem_x509_certificate(self.file.read_bytes()).subject,
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        stem = self._directory / file
        files = CertFiles(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        files.cert.write_bytes(builder.sign(self._key(), hashes.SHA256()).public_bytes(Encoding.PEM))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _key(self) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        key = load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        return key

    def revoke(self, *revoked: CertFiles, file: str = "revoked") -> Path:
        """A list of revoked certificates; `file` is overwritten when it exists."""
        now = datetime.now(UTC)
        issuer = x509.load_pem_x509_certificate(self.file.read_bytes()).subject
        builder = x509.CertificateRevocationListBuilder(issuer, now, now + timedelta(days=1))
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder(each.leaf.serial_number, now).build()
            builder = builder.add_revoked_certificate(entry)
        path = self._directory / f"{file}.crl"
        path.write_bytes(builder.sign(self._key(), hashes.SHA256()).public_bytes(Encoding.PEM))
        return path

    def client(self, *alpn: str, identity: CertFiles | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority."""
        context = ssl.create_default_context(cafile=str(self.file))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if identity is not None:
            context.load_cert_chain(identity.cert, identity.key)
        return context

    def server(self, files: CertFiles, *alpn: str, ask_client: bool = False) -> ssl.SSLContext:
        """A server's context for an issued certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if ask_client:
            context.load_verify_locations(self.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
