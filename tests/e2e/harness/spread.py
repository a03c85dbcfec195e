"""Which of several origins answer."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .gateway import Gateway
from .message import Fields
from .origin import Origin

NAMES = ("a", "b", "c")


@contextmanager
def three_origins() -> Iterator[dict[str, Origin]]:
    """Origins by their names: a, b and c."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Origin(name)) for name in NAMES}


def spread(
    gateway: Gateway, count: int, target: str = "/", headers: Fields | None = None, *, clients: int = 1
) -> Counter[str]:
    """How often each origin answers `count` requests of each client in turn; `None` is the gateway itself."""
    counts: Counter[str] = Counter()
    for _ in range(clients):
        with gateway.connect() as client:
            for _ in range(count):
                counts[str(client.request(target, headers=headers).header("x-origin"))] += 1
    return counts
