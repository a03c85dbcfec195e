"""Models that a configuration names, as the gateway sees them: live values, given before it is served."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from tidegate.config.load import Loaded

Names = Mapping[str, str]
"""What models are called in a plan, by what a configuration calls them."""


class Absent(NamedTuple):
    """A model that is named and not used."""

    model: str
    """As the configuration calls it."""
    reason: str


class NamedModels(Protocol):
    """The models that the engine has. Used by one thread at a time."""

    def give(self, loaded: Loaded, *, served_before: bool) -> Names:
        """Give the engine what a configuration names, before it is served, and say what its plan calls it.

        Raises ConfigError with all models that are not to be had, but for those of a configuration that was
        `served_before`, and of the one that is served: the online learner predicts alone in their place.
        """

    def keep(self, names: Names) -> list[Absent]:
        """Take back all but those of what is served; says which of its models have become absent."""
