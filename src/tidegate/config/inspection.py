"""Looks into the files that options name: whether they hold what the options need."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import ocsp

from tidegate.config.include import decoded
from tidegate.config.key_list import key_list
from tidegate.config.model.mark import File, Use
from tidegate.config.model.walk import Pattern, marked
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.tree import OptionPath, Source, find_texts

_PEM_LIST = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


class Inspection:
    """One look at all files; each is parsed once however often it is named."""

    def __init__(self, source: Source, contents: dict[Path, bytes], now: datetime) -> None:
        self._source = source
        self._contents = contents
        self._now = now
        self._leaves: dict[Path, bytes] = {}  # public keys of certificates
        self._keys: dict[Path, bytes] = {}  # public halves of private keys
        self._authorities: dict[Path, list[x509.Certificate]] = {}
        self._lists: dict[Path, list[x509.CertificateRevocationList]] = {}

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the files."""
        inspect = {
            Use.CERT: self._inspect_chain,
            Use.CA: self._inspect_authorities,
            Use.KEY: self._inspect_key,
            Use.OCSP: self._inspect_ocsp,
            Use.CRL: self._inspect_crl,
            Use.TOKEN: self._inspect_token,
            Use.JWKS: self._inspect_jwks,
            Use.PUBLIC_KEY: self._inspect_public_key,
            Use.SECRET: self._inspect_secret,
            Use.API_KEYS: self._inspect_api_keys,
            Use.PASSWORDS: self._inspect_passwords,
            Use.PASSWORD: self._inspect_password,
        }
        files = marked(File)
        for pattern, mark in files.items():
            for path, name in find_texts(self._source.root, pattern):
                if mark.use in inspect and Path(name) in self._contents:
                    yield from inspect[mark.use](path, Path(name))
        keys = {pattern[:-1]: pattern[-1] for pattern, mark in files.items() if mark.use is Use.KEY}
        for pattern, mark in files.items():
            if mark.use is Use.CERT:
                yield from self._mismatches(pattern, keys[pattern[:-1]])
            if mark.use is Use.CRL:
                yield from self._unlisted(pattern)

    def _inspect_token(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        if len(self._contents[file].strip()) < 16:
            yield self._source.problem(path, f"expected a token of at least 16 characters in {file}")

    def _inspect_api_keys(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        """Only what the engine cannot find, which reads the list itself."""
        try:
            key_list(self._contents[file], file)
        except ConfigError as error:
            yield self._source.problem(path, str(error.problems[0]))

    def _inspect_passwords(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        """Only what the engine cannot find, which reads the lines itself."""
        try:
            if not decoded(self._contents[file], file).strip():
                yield self._source.problem(path, f"expected names and hashes of passwords in {file}")
        except ConfigError as error:
            yield self._source.problem(path, str(error.problems[0]))

    def _inspect_jwks(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        # The engine reads the keys; so it does those of the next.
        if not self._contents[file].lstrip().startswith(b"{"):
            yield self._source.problem(path, f"expected a JSON Web Key Set in {file}")

    def _inspect_public_key(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        if b"-----BEGIN" not in self._contents[file]:
            yield self._source.problem(path, f"expected public keys in PEM in {file}")

    def _inspect_secret(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        if len(self._contents[file].rstrip(b"\r\n")) < 32:
            yield self._source.problem(path, f"expected a secret of at least 32 bytes in {file}")

    def _inspect_password(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        if not self._contents[file].strip(b"\r\n"):
            yield self._source.problem(path, f"expected a password in {file}, which is empty")

    def _inspect_ocsp(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            ocsp.load_der_ocsp_response(self._contents[file])
        except ValueError:
            yield self._source.problem(path, f"expected an OCSP response in DER in {file}")

    def _inspect_crl(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            self._lists[file] = _lists(self._contents[file])
        except (ValueError, x509.InvalidVersion):
            yield self._source.problem(path, f"expected revocation lists in PEM, or one in DER, in {file}")
            return
        for each in self._lists[file]:
            if each.next_update_utc and each.next_update_utc < self._now:
                message = (
                    f"the list of {each.issuer.rfc4514_string()} was to be renewed at "
                    f"{each.next_update_utc:%Y-%m-%d %H:%M} UTC; it still holds (in {file})"
                )
                yield self._warning(path, message)

    def _unlisted(self, pattern: Pattern) -> Iterator[Problem]:
        """Authorities that signed none of the revocation lists, at `pattern`, beside them."""
        for path, name in find_texts(self._source.root, pattern):
            ca = self._source.text((*path[:-1], "ca"))
            lists, authorities = self._lists.get(Path(name)), self._authorities.get(Path(ca)) if ca else None
            if lists is None or authorities is None:
                continue
            for authority in authorities:
                if not any(_signed(one, authority) for one in lists):
                    issuer = authority.subject.rfc4514_string()
                    message = f"there is no list of {issuer}: all of its certificates are refused (in {name})"
                    yield self._warning(path, message)

    def _inspect_authorities(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        problems = list(self._inspect_chain(path, file))
        if not any(problem.severity == "error" for problem in problems):
            self._authorities[file] = x509.load_pem_x509_certificates(self._contents[file])
        yield from problems

    def _inspect_chain(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            chain = x509.load_pem_x509_certificates(self._contents[file])
            self._leaves[file] = _encoded(chain[0].public_key())
            unfit = [text for certificate in chain if (text := _outside_validity(certificate, self._now))]
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            yield self._source.problem(path, f"expected certificates in PEM in {file}")
            return
        for text in unfit:
            yield self._warning(path, f"{text} (in {file})")

    def _inspect_key(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            self._keys[file] = _encoded(
                load_pem_private_key(self._contents[file], password=None).public_key()
            )
        except TypeError:
            yield self._source.problem(
                path, f"the key in {file} is encrypted", hint="store it without a passphrase"
            )
        except (ValueError, UnsupportedAlgorithm):
            yield self._source.problem(path, f"expected a private key in PEM in {file}")

    def _warning(self, path: OptionPath, message: str) -> Problem:
        return replace(self._source.problem(path, message), severity="warning")

    def _mismatches(self, pattern: Pattern, key_option: str) -> Iterator[Problem]:
        """Keys that do not belong to the certificates, at `pattern`, beside them."""
        for path, cert_file in find_texts(self._source.root, pattern):
            beside = (*path[:-1], key_option)
            key_file = self._source.text(beside)
            leaf = self._leaves.get(Path(cert_file))
            key = self._keys.get(Path(key_file)) if key_file else None
            if key and leaf and key != leaf:
                message = f"the key in {key_file} does not belong to the certificate in {cert_file}"
                yield self._source.problem(beside, message)


def _lists(content: bytes) -> list[x509.CertificateRevocationList]:
    """The revocation lists in a file. Raises ValueError if there is none, or one that cannot be read."""
    sections = _PEM_LIST.findall(content)
    if sections or b"-----BEGIN" in content:
        if not sections:
            raise ValueError("no revocation list")
        return [x509.load_pem_x509_crl(section) for section in sections]
    return [x509.load_der_x509_crl(content)]


def _signed(one: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    """Whether the authority issued this list."""
    if one.issuer != authority.subject:
        return False
    try:
        return one.is_signature_valid(cast(CertificateIssuerPublicKeyTypes, authority.public_key()))
    except (TypeError, UnsupportedAlgorithm):
        return False


def _encoded(public: PublicKeyTypes) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _outside_validity(certificate: x509.Certificate, now: datetime) -> str | None:
    """What is to be said of a certificate that is not valid now."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins <= now <= ends:
        return None
    what = (
        f"expired at {ends:%Y-%m-%d %H:%M} UTC"
        if now > ends
        else f"is not valid before {begins:%Y-%m-%d %H:%M} UTC"
    )
    return f"the certificate {certificate.subject.rfc4514_string()} {what}"
