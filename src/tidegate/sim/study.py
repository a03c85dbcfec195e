"""What all studies have in common."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Positive
from tidegate.sim.recording import Recording


class AnyStudy(Options, ABC):
    """Policies that are compared, and what on."""

    description: str = ""
    """What is asked, for the heading."""
    trace: Recording | None = None
    """What was recorded, instead of what comes at random."""
    seeds: Positive = 5
    """Runs of each policy, with the seeds 1, 2, and so on; all policies see the same requests."""

    @abstractmethod
    def policy_names(self) -> tuple[str, ...]:
        """The policies, by the names that tables and plots call them."""

    def below(self, folder: Path) -> Self:
        """The same, with its files relative to `folder`."""
        return self.model_copy(update={"trace": self.trace.below(folder)}) if self.trace else self
