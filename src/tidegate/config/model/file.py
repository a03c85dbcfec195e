"""Options that name a file, and what becomes of it."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import Field


class Use(Enum):
    """What becomes of a file that an option names."""

    PEM = "its text takes the path's place in the plan"
    DER = "its bytes, in base64, take the path's place in the plan"
    SECRET = "it is read by the control plane"  # noqa: S105
    WRITTEN = "tidegate writes there"


@dataclass(frozen=True, slots=True)
class File:
    """Marks an option as a path, relative to the file that the option is written in."""

    use: Use


PemPath = Annotated[str, File(Use.PEM), Field(min_length=1)]
DerPath = Annotated[str, File(Use.DER), Field(min_length=1)]
SecretPath = Annotated[str, File(Use.SECRET), Field(min_length=1)]
OutputPath = Annotated[str, File(Use.WRITTEN), Field(min_length=1)]

STANDARD_OUTPUT = "-"
"""The output path that stands for standard output."""
