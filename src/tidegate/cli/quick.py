"""Commands and groups without what typer takes long for, and with whole sentences in lists of commands."""

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class _Quick:
    def get_params(self, context: Any) -> list[Any]:
        """The options. A flag that is not given is False; typer loads pydantic to say that it is None."""
        params: list[Any] = super().get_params(context)  # type: ignore[misc]
        for each in params:
            if getattr(each, "is_flag", False) and each.default is None:
                each.default = False
        return params

    def get_short_help_str(self, limit: int = 0) -> str:
        """What a list of commands says of it: the whole sentence."""
        summary: str = super().get_short_help_str(limit=1000)  # type: ignore[misc]
        return summary


class Command(_Quick, TyperCommand):
    """A command."""


class Group(_Quick, TyperGroup):
    """Several commands behind one name."""


def quick_app(**options: Any) -> typer.Typer:
    """An app whose pages are plain text: they need neither rich nor a terminal."""
    return typer.Typer(
        **{"cls": Group, "rich_markup_mode": None, "pretty_exceptions_enable": False, **options}
    )
