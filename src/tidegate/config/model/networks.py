"""Networks: which addresses are let in."""

from typing import Self

from pydantic import Field, model_validator

from tidegate.config.model.mark import NetworksPath
from tidegate.config.model.options import Options
from tidegate.config.model.text import Network


class Networks(Options):
    """Which addresses are let in. The rule with the longest prefix decides; between two of one length `deny`
    does."""

    allow: tuple[Network, ...] = Field(default=(), examples=[["10.0.0.0/8", "192.0.2.7"]])
    """Networks or addresses that are let in. Where there are any, or a file of them, all others are not."""
    deny: tuple[Network, ...] = Field(default=(), examples=[["203.0.113.0/24"]])
    """Networks or addresses that are not."""
    allow_files: tuple[NetworksPath, ...] = Field(default=(), examples=[["offices.txt"]])
    """Paths of files with more networks to let in, one a line; what follows `#` or `;` is a remark."""
    deny_files: tuple[NetworksPath, ...] = Field(default=(), examples=[["drop.txt"]])
    """Paths of files with more networks not to let in."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.allow, self.deny, self.allow_files, self.deny_files)):
            raise ValueError("expected at least one of allow, deny, allow_files and deny_files")
        return self
