"""Where a configuration comes from, and what the command line says over it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from tidegate.config.amend import amended
from tidegate.config.default import default_config
from tidegate.config.load import Loaded, RefusedError, load_data, load_file
from tidegate.config.member import NONE, Members
from tidegate.config.stamp import Stamps
from tidegate.control.document import Document, document_of, etag_of, merge_patch


def default_document() -> Document:
    """What runs when nothing is configured."""
    document: Document = default_config().data(exclude_unset=True)
    return document


@dataclass
class Source:
    """The file, or the document given in its place, that the process starts from.

    What the command line says (`overrides`, a merge patch) holds over every candidate, whoever brings it.
    """

    file: Path | None = None
    document: Document = field(default_factory=default_document)
    overrides: Document = field(default_factory=dict)
    own: frozenset[Path] = field(default=frozenset(), init=False)
    """The file and what it includes, when it was read last."""
    files: Stamps = field(default_factory=dict, init=False)
    """These and the files that options named, as they were then."""
    said: Document = field(default_factory=dict, init=False)
    """The configuration when it was last read without mistakes."""
    etag: str | None = field(default=None, init=False)
    """That of what the file itself said then; None if there is no file."""

    @property
    def base(self) -> Path:
        """The folder that relative paths in the configuration start from."""
        return self.file.absolute().parent if self.file else Path.cwd()

    def read(self, known: Members = NONE) -> Loaded:
        """The configuration as the file says now, built on members that are known.

        Raises ConfigError.
        """
        if self.file is None:
            return self.load(self.document, known)
        loaded = self._read(self.file, known)
        etag = etag_of(loaded)
        if self.overrides:
            document = merge_patch(document_of(loaded), self.overrides)
            overridden = load_data(document, self.base, loaded.members)
            loaded = replace(loaded, config=overridden.config, members=overridden.members)
        self.etag, self.said = etag, document_of(loaded)
        return loaded

    def load(self, document: Document, known: Members = NONE) -> Loaded:
        """The configuration that `document` describes, built on members that are known.

        Raises ConfigError.
        """
        return load_data(merge_patch(document, self.overrides), self.base, known)

    def amend(self, loaded: Loaded, section: str, name: str, given: Document | None) -> Loaded | None:
        """`loaded`, which was loaded here, with a member given so, or without it; None: look at the whole."""
        return amended(loaded, section, name, given, self.base)

    def _read(self, file: Path, known: Members) -> Loaded:
        try:
            loaded = load_file(file, known)
        except RefusedError as error:
            self.own, self.files = error.own, error.files
            raise
        self.own, self.files = loaded.own, loaded.files
        return loaded
