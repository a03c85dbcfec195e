"""Exit codes, and how failures become them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tidegate.cli import output

REFUSED = 1
USAGE = 2
UNREACHABLE = 3
FAILED = 4
INTERRUPTED = 130


class ExitCode(NamedTuple):
    """A code and what it says."""

    number: int
    meaning: str


TABLE = (
    ExitCode(0, "all went well"),
    ExitCode(REFUSED, "the configuration is refused, or no route takes the request"),
    ExitCode(USAGE, "the command line is wrong"),
    ExitCode(UNREACHABLE, "the admin API cannot be reached"),
    ExitCode(FAILED, "another failure"),
    ExitCode(
        INTERRUPTED, "interrupted; 128 and the signal's number where a second signal cut the drain short"
    ),
)


class CommandError(Exception):
    """The command ends: with what to say, and the code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def explained() -> Iterator[None]:
    """End the process with the code that belongs to what went wrong, and with a sentence about it."""
    try:
        yield
    except CommandError as end:
        output.error(str(end))
        sys.exit(end.code)
    except BrokenPipeError:  # the reader of our output has left
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # the disk that our output goes to is full, the working directory is gone
        output.error((error.strerror or str(error)).lower())
        sys.stdout = None  # what it holds cannot be written at the end either
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
