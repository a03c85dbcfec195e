"""Waiting for something to become true, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], what: str, deadline: float = 10.0) -> T:
    """The first true value of `probe`; fails after `deadline` seconds, saying `what` did not happen.

    For states of other processes, which offer no event to wait on.
    """
    end = time.monotonic() + deadline
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what}; last seen: {value!r}")
        time.sleep(0.02)
