"""What the extra `tidegate[ai]` brings.

Modules that need a library of it import that at their head, and are imported themselves where something is
trained, imported or written: inside `needed`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = frozenset(
    ["google", "lightgbm", "numpy", "onnx", "onnxruntime", "polars", "scipy", "sklearn", "threadpoolctl"]
)
"""The names that they are imported by."""


class MissingExtraError(Exception):
    """A library of the extra is not installed; the message says which, and how to install it."""


@contextmanager
def needed(purpose: str) -> Iterator[None]:
    """Around imports of libraries of the extra. Raises MissingExtraError where one is not there."""
    try:
        yield
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in LIBRARIES:
            raise
        message = f"{purpose} needs {error.name}, which is not installed: pip install 'tidegate[ai]'"
        raise MissingExtraError(message) from error
