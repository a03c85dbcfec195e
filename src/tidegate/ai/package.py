"""A model as one value: its files, checked against one another, and the archive that they travel in.

The archive is an uncompressed tar (POSIX ustar) of these files in one order, and nothing else. It is read
here and not by `tarfile`, which follows extensions, links and sizes that an upload has no need of.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tidegate.ai.file_names import GOLDEN, MANIFEST
from tidegate.ai.manifest import Manifest, ManifestError, ModelFile

MOST_BYTES = 16 * 1024 * 1024
BLOCK = 512


class PackageError(ValueError):
    """Files are no model; the message says which, and what is wrong with it."""


@dataclass(frozen=True)
class Package:
    """A model whose files are those that its manifest names."""

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    """All, by name, in the order of the archive."""

    @classmethod
    def made(cls, model: ModelFile, content: bytes, golden: bytes, **about: Any) -> Self:
        """A new model, of which the manifest says what it is `about`."""
        files = {GOLDEN: golden, model: content}
        digests = {name: sha256(content) for name, content in files.items()}
        manifest = Manifest(model=model, files=digests, **about)
        return cls(manifest, {MANIFEST: manifest.written(), **files})

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Self:
        """The model that has these files. Raises PackageError, which names the first that is wrong."""
        if MANIFEST not in files:
            raise PackageError(f"{MANIFEST} is missing")
        try:
            manifest = Manifest.read(files[MANIFEST])
        except ManifestError as error:
            raise PackageError(f"{MANIFEST}: {error}") from None
        expected = (MANIFEST, GOLDEN, manifest.model)
        for name in expected[1:]:
            if name not in files:
                raise PackageError(f"{name} is missing")
            if sha256(files[name]) != manifest.files[name]:
                raise PackageError(
                    f"{name} is not the file that {MANIFEST} was written for: its SHA-256 differs"
                )
        if more := sorted(files.keys() - set(expected)):
            raise PackageError(f"{more[0]} does not belong to a model: expected {', '.join(expected)}")
        return cls(manifest, {name: files[name] for name in expected})

    @classmethod
    def of_archive(cls, archive: bytes) -> Self:
        """The model in an archive. Raises PackageError."""
        if len(archive) > MOST_BYTES:
            raise PackageError(f"a model may have {MOST_BYTES} bytes; found {len(archive)}")
        files: dict[str, bytes] = {}
        for name, content in _entries(archive):
            if name in files:
                raise PackageError(f"{name} is in the archive twice")
            files[name] = content
        package = cls.of(files)
        if list(files) != list(package.files):
            raise PackageError(f"expected the files in the order {', '.join(package.files)}")
        return package

    @property
    def digest(self) -> str:
        """What the model is called by: it covers all files, for the manifest has their hashes."""
        return sha256(self.files[MANIFEST])

    def archive(self) -> bytes:
        """The files in one value, the same for the same files. Raises PackageError if it is too large."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        archive = packed.getvalue()
        if len(archive) > MOST_BYTES:
            raise PackageError(f"a model may have {MOST_BYTES} bytes; this one has {len(archive)}")
        return archive


def sha256(content: bytes) -> str:
    """Its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _entries(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a ustar archive (IEEE Std 1003.1, pax: ustar Interchange Format)."""
    at = 0
    while header := archive[at : at + BLOCK].strip(b"\0"):
        header = archive[at : at + BLOCK]
        if len(header) < BLOCK or header[257:262] != b"ustar":
            raise PackageError("it is no tar archive (POSIX ustar, uncompressed)")
        name = header[:100].rstrip(b"\0").decode("ascii", "replace")
        if header[156:157] not in (b"0", b"\0") or header[345:500].strip(b"\0"):
            raise PackageError(f"{name} is no plain file of the archive's own folder")
        size, start = _size(header, name), at + BLOCK
        if len(content := archive[start : start + size]) < size:
            raise PackageError(f"{name} is cut short: expected {size} bytes, found {len(content)}")
        yield name, content
        at = start + -(-size // BLOCK) * BLOCK


def _size(header: bytes, name: str) -> int:
    digits = header[124:136].strip(b" \0")
    if not digits.isdigit() or any(digit > ord("7") for digit in digits):
        raise PackageError(f"{name} has no size that can be read")
    return int(digits, 8)
