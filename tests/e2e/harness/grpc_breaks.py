"""Responses of RPCs that break off behind their first message, and what the gateway says of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .configs import route
from .gateway import Gateway
from .grpc_service import message
from .message import Fields
from .multiplexed_origin import Stream
from .waiting import eventually

BEGUN = message(b"begun")


@dataclass(frozen=True)
class Break:
    """One of them: its path, and the status and the words that its client is told."""

    path: str
    status: str
    words: str

    async def answer(self, stream: Stream) -> None:
        """As an endpoint: one message, then a reset when the request is complete, or nothing more."""
        stream.send_headers(200, [("content-type", "application/grpc")])
        await stream.send_data(BEGUN)
        if self is LATE:
            await stream.reset_by_peer.wait()
        else:
            await stream.complete.wait()
            stream.reset()

    @property
    def trailers(self) -> Fields:
        """What tells of it."""
        return [("grpc-status", self.status), ("grpc-message", self.words)]

    @contextmanager
    def counted(self, gateway: Gateway) -> Iterator[None]:
        """It happens once within, and is counted as an error."""
        before = self._errors(gateway)
        yield
        eventually(lambda: self._errors(gateway) == before + 1, "the failure is counted")

    def _errors(self, gateway: Gateway) -> float:
        return gateway.metrics().total("tidegate_errors_total", error=self.words.partition(":")[0])


RESET = Break(
    "/breaks/x", "14", "upstream_reset: The endpoint closed the connection before its response was complete."
)
LATE = Break("/late/x", "4", "request_timeout: The request took longer than its route allows.")


def routes(upstream: str, **options: Any) -> list[dict[str, Any]]:
    """Routes for both. The message that comes first does so in time on a busy machine too."""
    return [
        route("breaks", "/breaks", upstream=upstream, **options),
        route("late", "/late", upstream=upstream, timeout="2s", **options),
    ]
