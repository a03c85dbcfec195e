"""Ways of an origin to answer: good, slow, broken. Each returns a handler for `Origin.on`."""

import asyncio
import itertools

from .message import Fields
from .origin import Exchange, Handler


def fixed(
    status: int = 200,
    headers: Fields | None = None,
    body: bytes = b"",
    *,
    chunked: bool = False,
    trailers: Fields | None = None,
) -> Handler:
    """A well-formed response, after the request's body."""

    async def answer(exchange: Exchange) -> None:
        await exchange.discard_body()
        await exchange.respond(status, headers, body, chunked=chunked, trailers=trailers)

    return answer


def every_other(status: int) -> Handler:
    """Well and with this status by turns, well first."""
    turns = itertools.cycle((200, status))

    async def answer(exchange: Exchange) -> None:
        await exchange.discard_body()
        await exchange.respond(next(turns))

    return answer


def raw(data: bytes, *, close: bool = False) -> Handler:
    """These very bytes, after the request's body."""

    async def answer(exchange: Exchange) -> None:
        await exchange.discard_body()
        await exchange.send(data)
        if close:
            exchange.close()

    return answer


def hang() -> Handler:
    """Never an answer; ends when the peer gives up."""
    return Exchange.gone


def begun(part: bytes) -> Handler:
    """The beginning of a response, and no more of it until the peer gives up."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send_head(200, length=len(part) + 1)
        await exchange.send(part)
        await exchange.gone()

    return answer


def reset(after: bytes = b"") -> Handler:
    """A reset of the connection, after these bytes were sent."""

    async def answer(exchange: Exchange) -> None:
        await exchange.discard_body()
        if after:
            await exchange.send(after)
            # The bytes must have left before the reset throws away what is queued.
            await asyncio.sleep(0.05)
        exchange.reset()

    return answer


def endless(part: bytes = b"x" * 65536) -> Handler:
    """Chunks without an end, until the peer is gone."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send_head(200, length=None)
        while True:
            await exchange.send_chunk(part)

    return answer


def download(size: int, part: bytes = bytes(range(256)) * 256) -> Handler:
    """A body of `size` bytes with a Content-Length, streamed."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send_head(200, length=size)
        left = size
        while left:
            await exchange.send(part[:left])
            left -= min(left, len(part))

    return answer


class Gate:
    """A handler that answers when `open` was called from the test's thread."""

    def __init__(self, body: bytes = b"at last") -> None:
        self._event = asyncio.Event()
        self._body = body
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, exchange: Exchange) -> None:
        self._loop = asyncio.get_running_loop()
        await exchange.discard_body()
        await self._event.wait()
        await exchange.respond(200, body=self._body)

    def open(self) -> None:
        """Let the answers go, now and later."""
        if self._loop is None:
            self._event.set()
        else:
            self._loop.call_soon_threadsafe(self._event.set)
