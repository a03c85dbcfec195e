"""Logs: of the process, and of the requests."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.config.model.mark import OutputPath, ReadOnce
from tidegate.config.model.options import Options


class Log(Options):
    """The log of the process itself, on standard error."""

    level: Literal["error", "warn", "info", "debug", "trace"] = "info"
    """The least severe level that is kept."""
    format: Annotated[Literal["text", "json"], ReadOnce()] = "text"
    """Shape of a line: for people, or one JSON object a line."""


class AccessLog(Options):
    """The access log: one line per finished request."""

    format: Literal["json", "combined"] = "json"
    """Shape of a line: one JSON object, or the combined log format of Apache and nginx."""
    path: OutputPath = Field(default="-", examples=["/var/log/tidegate/access.log"])
    """A file's path; `-` is standard output."""
    subjects: Literal["plain", "hashed", "none"] = "plain"
    """How subjects of identities are written: as they are, as the first 16 hexadecimal digits of their
    SHA-256 (the same one is recognised, and only a guess shows which it is), or not at all."""
