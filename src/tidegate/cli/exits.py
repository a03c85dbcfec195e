"""Exit codes, and how failures become them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.cli import output

REFUSED = 1
USAGE = 2
UNREACHABLE = 3
FAILED = 4

TABLE = (
    "Exit codes: 0 all went well; 1 the configuration is refused; 2 the command line is wrong; "
    "3 the admin API cannot be reached; 4 another failure."
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
    except KeyboardInterrupt:
        sys.exit(130)
