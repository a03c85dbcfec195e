"""Changes of one member of the configuration: what becomes of it as it is given; None stands for none."""

from collections.abc import Callable
from typing import Any

from tidegate.config.member import kinds
from tidegate.control.document import Document, keep_secrets, merge_patch
from tidegate.control.gateway import ConflictError, MissingError

Data = dict[str, Any]
Edit = Callable[[Data | None], Data | None]


def adding(section: str, member: Data) -> Edit:
    """A member that is not there yet. Raises ConflictError."""

    def edit(current: Data | None) -> Data:
        if current is not None:
            raise ConflictError(f"there is a {kinds()[section]} {current['name']} already")
        return member

    return edit


def replacing(section: str, member: Data) -> Edit:
    """A member in the place of the one that is there, whose secrets stay where `***` is said."""
    return lambda current: member if current is None else _with_secrets(section, member, current)


def patching(section: str, name: str, patch: Data) -> Edit:
    """The member with a JSON merge patch (RFC 7386). Raises MissingError."""

    def edit(current: Data | None) -> Data:
        if current is None:
            raise missing(section, name)
        return _with_secrets(section, merge_patch(current, patch), current)

    return edit


def removing(section: str, name: str) -> Edit:
    """None in the place of the member. Raises MissingError."""

    def edit(current: Data | None) -> None:
        if current is None:
            raise missing(section, name)

    return edit


def missing(section: str, name: str) -> MissingError:
    """That there is no such member."""
    return MissingError(f"there is no {kinds()[section]} {name}")


def _with_secrets(section: str, member: Data, current: Data) -> Data:
    kept: Document = keep_secrets({section: [member]}, {section: [current]})
    changed: Data = kept[section][0]
    return changed
