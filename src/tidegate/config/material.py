"""Reads the files that options name: certificates, keys, authorities, OCSP responses, tokens."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import ocsp

from tidegate.config.include import reason
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
            material.contents[file] = file.read_bytes()
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
        self._chains: dict[Path, list[x509.Certificate]] = {}
        self._keys: dict[Path, PrivateKeyTypes] = {}

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
            self._chains[file] = x509.load_pem_x509_certificates(self._contents[file])
            self._contents[file].decode()
        except ValueError:
            yield self._source.problem(path, f"expected certificates in PEM in {file}")
            return
        for certificate in self._chains[file]:
            yield from self._outside_validity(path, file, certificate)

    def _outside_validity(
        self, path: OptionPath, file: Path, certificate: x509.Certificate
    ) -> Iterator[Problem]:
        ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
        if ends < self._now:
            what = f"expired at {ends:%Y-%m-%d %H:%M} UTC"
        elif begins > self._now:
            what = f"is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        else:
            return
        text = f"the certificate {certificate.subject.rfc4514_string()} in {file} {what}"
        yield replace(self._source.problem(path, text), severity="warning")

    def _inspect_key(self, path: OptionPath, file: Path) -> Iterator[Problem]:
        try:
            self._keys[file] = load_pem_private_key(self._contents[file], password=None)
        except TypeError:
            yield self._source.problem(
                path, f"the key in {file} is encrypted", hint="store it without a passphrase"
            )
        except ValueError:
            yield self._source.problem(path, f"expected a private key in PEM in {file}")

    def _mismatches(self, pattern: tuple[str, ...]) -> Iterator[Problem]:
        """Keys, at `pattern`, that do not belong to the certificate beside them."""
        for path, key_file in find_texts(self._source.root, pattern):
            cert_file = self._source.text((*path[:-1], "cert"))
            key = self._keys.get(Path(key_file))
            chain = self._chains.get(Path(cert_file)) if cert_file else None
            if key and chain and not _belong_together(key, chain[0]):
                yield self._source.problem(
                    path, f"the key in {key_file} does not belong to the certificate in {cert_file}"
                )


def _belong_together(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    def encoded(public: PublicKeyTypes) -> bytes:
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    return encoded(key.public_key()) == encoded(certificate.public_key())
