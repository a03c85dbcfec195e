"""What all models of the configuration have in common."""

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from tidegate.config.model.retired import Retired
from tidegate.config.model.secret import REVEALED


def written(name: str) -> str:
    """How files write an option: names that Python has another use for end with a line here (`from_`)."""
    return name.rstrip("_")


class Options(BaseModel):
    """A group of options: unknown names are errors, values never change.

    The text below an option is its meaning: `tidegate.config.model.meaning`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        alias_generator=written,
        serialize_by_alias=True,
    )

    retired: ClassVar[tuple[Retired, ...]] = ()
    """Options that the group once had."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Options never change, so a default need not be copied each time it is used."""
        return self

    def data(self, *, exclude: Iterable[str] = (), exclude_unset: bool = False) -> dict[str, Any]:
        """The options in plain values, secrets included, as a file could hold them."""
        return self.model_dump(
            mode="json", exclude=set(exclude), exclude_unset=exclude_unset, context=REVEALED
        )

    def text(self) -> str:
        """What `data` gives, as JSON."""
        return self.model_dump_json(context=REVEALED)

    def given(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have a value."""
        return [name for name in names if getattr(self, name) is not None]

    def require_exactly_one(self, *names: str) -> None:
        """Raise ValueError unless exactly one of `names` has a value."""
        given = self.given(names)
        if len(given) != 1:
            found = f"found {' and '.join(given)}" if given else "found none"
            raise ValueError(f"expected exactly one of {', '.join(names)}; {found}")

    def require_at_most_one(self, *names: str) -> None:
        """Raise ValueError if more than one of `names` has a value."""
        given = self.given(names)
        if len(given) > 1:
            raise ValueError(f"expected at most one of {', '.join(names)}; found {' and '.join(given)}")
