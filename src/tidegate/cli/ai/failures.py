"""How what goes wrong with samples and models becomes a sentence and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.cli import exits


@contextmanager
def told() -> Iterator[None]:
    """Around what needs libraries, samples and models. Raises CommandError."""
    from tidegate.ai.extra import MissingExtraError
    from tidegate.ai.package import PackageError
    from tidegate.ai.registry import RegistryError
    from tidegate.ai.sample_files import SamplesError
    from tidegate.control.store import StoreError

    try:
        yield
    except (MissingExtraError, PackageError, RegistryError, SamplesError, StoreError) as error:
        raise exits.CommandError(exits.FAILED, str(error)) from None
