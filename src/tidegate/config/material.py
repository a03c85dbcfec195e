"""Reads the files that options name: certificates, keys, authorities, OCSP responses, tokens."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import ocsp

from tidegate.config.include import read_bounded, reason
from tidegate.config.model.file import Use
from tidegate.config.model.walk import file_options
from tidegate.config.problem import Problem
from tidegate.config.tree import OptionPath, Source, find_texts

CERTIFICATES = frozenset({"cert", "ca", "client_ca"})
"""Options whose files hold certificates; the other PEM files hold a key."""


@dataclass(slots=True)
class Material:
    """The contents of the files that a configuration names, and what is wrong with them."""

    contents: dict[Path, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_material(source: Source, now: datetime | None = None) -> Material:
    """Read every file that an option in `source` names, and check that it holds what the option needs."""
    material = Material()
    for pattern, use in file_options().items():
        if use is Use.WRITTEN:
            continue
        for path, name in find_texts(source.root, pattern):
            if name and (problem := _read(material, source, path, Path(name))):
                material.problems.append(problem)
    material.problems += _Inspection(source, material.contents, now or datetime.now(UTC)).problems()
    return material


def _read(material: Material, source: Source, path: OptionPath, file: Path) -> Problem | None:
    if file not in material.contents:
        try:
            material.contents[file] = read_bounded(file)
        except OSError as error:
            return source.problem(path, f"cannot read {file}: {reason(error)}")
        except ValueError:
            return source.problem(path, f"expected the path of a file; found {str(file)!r}")
    return None


class _Inspection:
    """Looks into the files; each is parsed once however often it is named."""

    def __init__(self, source: Source, contents: dict[Path, bytes], now: datetime) -> None:
        self._source = source
        self._contents = contents
        self._now = now
        self._leaves: dict[Path, bytes] = {}  # public keys of certificates
        self._keys: dict[Path, bytes] = {}  # public halves of private keys

    def problems(self) -> Iterator[Problem]:
        for pattern, use in file_options().items():
            for path, name in find_texts(self._source.root, pattern):
                if Path(name) in self._contents:
                    yield from self._inspect(path, use, Path(name))
        for pattern in file_options():
            if pattern[-1] == "key":
                yield from self._mismatches(pattern)

    def _inspect(self, path: OptionPath, use: Use, file: Path) -> Iterator[Problem]:
        content = self._contents[file]
        if use is Use.SECRET:
            if len(content.strip()) < 16:
                yield self._source.problem(path, f"expected a token of at least 16 characters in {file}")
        elif use is Use.DER:
            try:
                ocsp.load_der_ocsp_response(content)
            except ValueError:
                yield self._source.problem(path, f"expected an OCSP response in DER in {file}")
        elif path[-1] in CERTIFICATES:
            yield from self._inspect_chain(path, file)
        else:
            yield from self._inspect_key(path, file)

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

    def _mismatches(self, pattern: tuple[str, ...]) -> Iterator[Problem]:
        """Keys, at `pattern`, that do not belong to the certificate beside them."""
        for path, key_file in find_texts(self._source.root, pattern):
            cert_file = self._source.text((*path[:-1], "cert"))
            key = self._keys.get(Path(key_file))
            leaf = self._leaves.get(Path(cert_file)) if cert_file else None
            if key and leaf and key != leaf:
                message = f"the key in {key_file} does not belong to the certificate in {cert_file}"
                yield self._source.problem(path, message)


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
