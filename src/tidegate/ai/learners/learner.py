"""What a learner makes of samples."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from tidegate.ai.dataset import Dataset
from tidegate.ai.manifest import ModelFile
from tidegate.ai.matrix import Matrix, Vector


class Learned(NamedTuple):
    """A model, not yet calibrated."""

    file: ModelFile
    content: bytes
    answer: Callable[[Matrix], Vector]
    """What the library says of rows."""
    gains: Mapping[str, float]
    """Which part of what forks gained is each feature's; empty for what has no forks."""


class Learner(Protocol):
    """Learns what the online learner is wrong by."""

    def __call__(self, samples: Dataset, later: Dataset, seed: int, /) -> Learned:
        """A model of `samples`; `later` tells when to stop. The same samples and seed give the same model."""
