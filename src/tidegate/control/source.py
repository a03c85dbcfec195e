"""Where a configuration comes from, and what the command line says over it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from tidegate.config.default import default_config
from tidegate.config.load import Loaded, load_data, load_file
from tidegate.config.member import NONE, Members
from tidegate.control.document import Document, document_of, merge_patch


def default_document() -> Document:
    """What runs when nothing is configured."""
    document: Document = default_config().data(exclude_unset=True)
    return document


@dataclass(frozen=True)
class Source:
    """The file, or the document given in its place, that the process starts from.

    What the command line says (`overrides`, a merge patch) holds over every candidate, whoever brings it.
    """

    file: Path | None = None
    document: Document = field(default_factory=default_document)
    overrides: Document = field(default_factory=dict)

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
        loaded = load_file(self.file, known)
        if not self.overrides:
            return loaded
        document = merge_patch(document_of(loaded), self.overrides)
        overridden = load_data(document, self.base, loaded.members)
        return replace(loaded, config=overridden.config, members=overridden.members)

    def load(self, document: Document, known: Members = NONE) -> Loaded:
        """The configuration that `document` describes, built on members that are known.

        Raises ConfigError.
        """
        return load_data(merge_patch(document, self.overrides), self.base, known)
