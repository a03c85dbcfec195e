"""A request under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from .answers import Gate
from .gateway import Gateway
from .origin import Origin
from .raw import RawClient


@contextmanager
def held_request(gateway: Gateway, origin: Origin) -> Iterator[tuple[RawClient, Gate]]:
    """A client whose request the origin has, and answers when the gate opens."""
    gate = Gate()
    origin.on("/gate", gate)
    with gateway.connect() as client:
        client.send_request("/gate")
        origin.wait(lambda: origin.requests, "the request is on its way")
        yield client, gate
