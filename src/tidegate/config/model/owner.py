"""Users and groups of the system, as files belong to them."""

import grp
import pwd
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from tidegate.config.model.text import AsWritten

_HIGHEST = (1 << 32) - 2
"""Above it stands what the system takes for "no change"."""


def user_number(text: str) -> int:
    """The number of a user, by its name or number.

    Raises ValueError if there is none.
    """
    return _number("user", text, lambda name: pwd.getpwnam(name).pw_uid)


def group_number(text: str) -> int:
    """The number of a group, by its name or number.

    Raises ValueError if there is none.
    """
    return _number("group", text, lambda name: grp.getgrnam(name).gr_gid)


def _number(kind: str, text: str, look_up: Callable[[str], int]) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= _HIGHEST:
        return int(text)
    try:
        return look_up(text)
    except (KeyError, ValueError):
        raise ValueError(f"this system has no {kind} {text!r}") from None


def _known(number: Callable[[str], int]) -> AfterValidator:
    def check(text: str) -> str:
        number(text)
        return text

    return AfterValidator(check)


UserName = Annotated[str, _known(user_number), AsWritten()]
GroupName = Annotated[str, _known(group_number), AsWritten()]
