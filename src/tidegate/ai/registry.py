"""The registry: the models that a gateway has, as folders `models/<name>/<digest>/` of its `state_dir`.

A model is written beside its place and then renamed, so a reader finds all of it or nothing. Nothing is
changed later: a file that is not what the digest was made of has been tampered with, and the model is not
used.

What reads the files of models is loaded with the first of them: most gateways have none.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from tidegate.ai.file_names import MANIFEST
from tidegate.control.state_file import make_folder, sync_folder
from tidegate.control.store import StoreError

if TYPE_CHECKING:
    from tidegate.ai.manifest import Manifest
    from tidegate.ai.package import Package

FOLDER = "models"
MOST = 100
"""Models that are kept."""
SHORT = 12
"""So many digits of a digest are shown to people."""
LEAST_PREFIX = 4
NOWHERE = "models are kept in state_dir, and there is none: set state_dir"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REFERENCE = re.compile(rf"({_NAME.pattern})@([0-9a-f]{{{LEAST_PREFIX},64}})")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class RegistryError(Exception):
    """The registry cannot do what is asked; the message says why, and what to do."""


class UnknownModelError(RegistryError):
    """There is no such model, or several; the message lists those that there are."""


class TamperedError(RegistryError):
    """A model's files are not those that it was made of; the message names the first such file."""


class ModelId(NamedTuple):
    """What a model is called."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}"

    @property
    def short(self) -> str:
        """As people are shown it."""
        return f"{self.name}@{self.digest[:SHORT]}"

    @classmethod
    def parsed(cls, text: str) -> Self:
        """The name and the digits of `name@digits`. Raises UnknownModelError if it is not of that form."""
        if (parts := _REFERENCE.fullmatch(text)) is None:
            raise UnknownModelError(
                f"expected a model like shop-cost@3f9c, with at least {LEAST_PREFIX} digits; found {text!r}"
            )
        return cls(parts[1], parts[2])


@dataclass(frozen=True)
class Entry:
    """A model of the registry."""

    id: ModelId
    manifest: "Manifest | None"
    """None: it cannot be read."""
    problem: str | None
    """What is wrong with it, if its manifest is."""


class Registry:
    """The models under a `state_dir`; without one there are none, and none can be added."""

    def __init__(self, state_dir: Path | None) -> None:
        self._root = state_dir / FOLDER if state_dir else None

    def entries(self) -> list[Entry]:
        """All models, by name, and of each name the latest first."""
        entries = [self.entry(id) for id in self._ids()]
        entries.sort(key=lambda each: each.manifest.created.timestamp() if each.manifest else 0, reverse=True)
        return sorted(entries, key=lambda each: each.id.name)

    def find(self, reference: str) -> ModelId:
        """The model that `name@digits` means. Raises UnknownModelError."""
        wanted = ModelId.parsed(reference)
        if self._root is None:
            raise UnknownModelError(NOWHERE)
        known = list(self._ids())
        found = [id for id in known if id.name == wanted.name and id.digest.startswith(wanted.digest)]
        if len(found) > 1:
            raise UnknownModelError(f"{reference} means {_listed(found)}: write more digits")
        if not found:
            raise UnknownModelError(f"there is no model {reference}; {_those_there_are(known)}")
        return found[0]

    def meant(self, text: str) -> ModelId:
        """The model that `name@digits` means, or a name of which there is one. Raises UnknownModelError."""
        if "@" in text:
            return self.find(text)
        known = list(self._ids())
        found = [id for id in known if id.name == text]
        if len(found) > 1:
            raise UnknownModelError(f"{text} means {_listed(found)}: write which")
        if not found:
            raise UnknownModelError(f"there is no model {text}; {_those_there_are(known)}")
        return found[0]

    def read(self, id: ModelId) -> "Package":
        """The model's files. Raises UnknownModelError, TamperedError and OSError."""
        from tidegate.ai.package import Package, PackageError, sha256  # noqa: PLC0415 - see above

        folder = self._folder(id)
        if not folder.is_dir():
            raise UnknownModelError(f"there is no model {id.short}; {_those_there_are(list(self._ids()))}")
        files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        if sha256(files.get(MANIFEST, b"")) != id.digest:
            raise _tampered(id, f"{folder / MANIFEST} is not the file that the model is named after")
        try:
            return Package.of(files)
        except PackageError as error:
            raise _tampered(id, f"{folder}: {error}") from None

    def add(self, name: str, package: "Package") -> ModelId:
        """Keep a model, all of it or nothing. Raises RegistryError, and StoreError if it is not written."""
        if self._root is None:
            raise RegistryError(NOWHERE)
        if not _NAME.fullmatch(name):
            raise RegistryError(
                f"expected a name of at most 63 small letters, digits and hyphens, like shop-cost; "
                f"found {name!r}"
            )
        id = ModelId(name, package.digest)
        kept = list(self._ids())
        if id not in kept and len(kept) >= MOST:
            raise RegistryError(f"there are {MOST} models already: remove the folder of one in {self._root}")
        try:
            self._write(id, package)
        except OSError as error:
            raise StoreError(f"the model cannot be kept in {self._root}: {error.strerror}") from error
        return id

    def _write(self, id: ModelId, package: "Package") -> None:
        place = self._folder(id)
        make_folder(place.parent)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
        try:
            for file, content in package.files.items():
                _write(draft / file, content)
            root = place.parent.parent
            _give_to_owner(root.parent, root, place.parent, draft, *draft.iterdir())
            shutil.rmtree(place, ignore_errors=True)  # it has the same files, or some that were tampered with
            draft.rename(place)
            sync_folder(place.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def entry(self, id: ModelId) -> Entry:
        """A model, as far as its manifest can be read."""
        from tidegate.ai.manifest import Manifest, ManifestError  # noqa: PLC0415 - see above

        try:
            return Entry(id, Manifest.read((self._folder(id) / MANIFEST).read_bytes()), None)
        except (OSError, ManifestError) as error:
            return Entry(id, None, f"{MANIFEST}: {error}")

    def _ids(self) -> Iterator[ModelId]:
        if self._root is None or not self._root.is_dir():
            return
        for folder in sorted(self._root.iterdir()):
            if _NAME.fullmatch(folder.name) and folder.is_dir():
                names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
                yield from (ModelId(folder.name, name) for name in names if _DIGEST.fullmatch(name))

    def _folder(self, id: ModelId) -> Path:
        if self._root is None:
            raise UnknownModelError(NOWHERE)
        return self._root / id.name / id.digest


def _tampered(id: ModelId, what: str) -> TamperedError:
    return TamperedError(
        f"the model {id.short} was tampered with and is not used: {what}; import or train it anew"
    )


def _those_there_are(known: list[ModelId]) -> str:
    return f"there are {_listed(known)}" if known else "there are none: tidegate ai train makes one"


def _listed(ids: list[ModelId]) -> str:
    return ", ".join(id.short for id in ids)


def _write(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())


def _give_to_owner(of: Path, *paths: Path) -> None:
    """What root writes into the folder of another user belongs to that user, whose gateway is to read it."""
    if os.geteuid() == 0:
        owner = of.stat()
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)
