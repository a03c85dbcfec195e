"""Looks into the files that options name: whether they hold what the options need."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import ocsp

from tidegate.config.model.mark import File, Use
from tidegate.config.model.walk import Pattern, marked
from tidegate.config.problem import Problem
from tidegate.config.tree import OptionPath, Source, find_texts


class Inspection:
    """One look at all files; each is parsed once however often it is named."""

    def __init__(self, source: Source, contents: dict[Path, bytes], now: datetime) -> None:
        self._source = source
        self._contents = contents
        self._now = now
        self._leaves: dict[Path, bytes] = {}  # public keys of certificates
        self._keys: dict[Path, bytes] = {}  # public halves of private keys

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the files."""
        inspect = {
            Use.CERT: self._inspect_chain,
            Use.CA: self._inspect_chain,
            Use.KEY: self._inspect_key,
            Use.OCSP: self._inspect_ocsp,
            Use.TOKEN: self._inspect_token,
            Use.API_KEYS: self._inspect_api_keys,
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

    def _inspect_token(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        if len(self._contents[file].strip()) < 16:
            yield self._source.problem(path, f"expected a token of at least 16 characters in {file}")

    def _inspect_api_keys(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        # The engine reads them; here only what is no list at all is told.
        if not self._contents[file].lstrip().startswith(b"["):
            yield self._source.problem(path, f"expected a list of keys in {file}")

    def _inspect_ocsp(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            ocsp.load_der_ocsp_response(self._contents[file])
        except ValueError:
            yield self._source.problem(path, f"expected an OCSP response in DER in {file}")

    def _inspect_chain(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            chain = x509.load_pem_x509_certificates(self._contents[file])
            self._leaves[file] = _encoded(chain[0].public_key())
            unfit = [text for certificate in chain if (text := _outside_validity(certificate, self._now))]
        except (ValueError, UnsupportedAlgorithm):
            yield self._source.problem(path, f"expected certificates in PEM in {file}")
            return
        for text in unfit:
            yield replace(self._source.problem(path, f"{text} (in {file})"), severity="warning")

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
