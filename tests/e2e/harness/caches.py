"""What tests of the cache begin with."""

import asyncio
import itertools

from .configs import proxy
from .gateway import Config, Gateway
from .message import Fields, Response
from .origin import Exchange, Handler, Origin

FRESH: Fields = [("Cache-Control", "max-age=3600")]


def cached(*endpoints: str, **options: object) -> Config:
    """Everything goes to one upstream through a cache."""
    config = proxy(*endpoints, caches=[{"name": "main", "memory": "16MB", "max_object": "3MB"}])
    config["routes"][0]["cache"] = {"name": "main", **options}
    return config


def numbered(headers: Fields = FRESH, status: int = 200) -> Handler:
    """Each response has its number."""
    numbers = itertools.count(1)

    async def answer(exchange: Exchange) -> None:
        await exchange.discard_body()
        await exchange.respond(status, headers, str(next(numbers)).encode())

    return answer


def filling(gateway: Gateway) -> tuple[int, int]:
    """Bytes and responses that are being filled."""
    cache = gateway.admin.get("/v1/cache").raise_for_status().json()[0]
    return cache["filling_bytes"], cache["fills"]


def get(gateway: Gateway, path: str, asked: str | None = None, **fields: str) -> Response:
    """The response to a request, for this range where it is given."""
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if asked is not None:
        headers.append(("Range", f"bytes={asked}"))
    with gateway.connect() as client:
        return client.request(path, headers=headers)


class Stalled:
    """Sends the head and the `first` bytes of a body, and the rest once it is let go."""

    def __init__(
        self,
        origin: Origin,
        path: str,
        body: bytes,
        first: int,
        headers: Fields = FRESH,
        *,
        announced: bool = True,
    ) -> None:
        self._body, self._first, self._headers, self._announced = body, first, headers, announced
        self._gates: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._origin = origin
        origin.on(path, self)

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.discard_body()
        gate = asyncio.Event()
        send = exchange.send if self._announced else exchange.send_chunk
        await exchange.send_head(200, self._headers, length=len(self._body) if self._announced else None)
        await send(self._body[: self._first])
        self._gates.append((asyncio.get_running_loop(), gate))
        exchange.origin.changed()
        await gate.wait()
        await send(self._body[self._first :])
        if not self._announced:
            await exchange.send(b"0\r\n\r\n")

    def wait_for(self, count: int) -> None:
        """Wait until so many responses have begun."""
        self._origin.wait(lambda: len(self._gates) >= count, f"response {count} has begun")

    def let_go(self) -> None:
        """Send the rest of all of them."""
        for loop, gate in self._gates:
            loop.call_soon_threadsafe(gate.set)


class Ranged:
    """Answers ranges of a body, which has a strong validator, and conditions on that."""

    def __init__(
        self, origin: Origin, path: str, body: bytes, headers: Fields = FRESH, tag: str = '"1"'
    ) -> None:
        self.body, self.tag = body, tag
        self.asked: list[str | None] = []
        """`Range` of each request."""
        self.validators: list[str | None] = []
        """`If-Range` of each request."""
        self.minds_if_range = True
        self.shift = 0
        """By how many bytes what is sent lies behind what was asked for."""
        self._headers, self._origin = headers, origin
        self._gate: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        origin.on(path, self)

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.discard_body()
        self._loop = asyncio.get_running_loop()
        asked, validator = exchange.request.header("range"), exchange.request.header("if-range")
        body, fields = self.body, [*self._headers, ("ETag", self.tag)]
        self.asked.append(asked)
        self.validators.append(validator)
        exchange.origin.changed()
        if self._gate is not None:
            await self._gate.wait()
        if exchange.request.header("if-none-match") == self.tag:
            await exchange.respond(304, fields)
            return
        is_other = self.minds_if_range and validator not in (None, self.tag)
        part = None if asked is None or is_other or exchange.request.method != "GET" else self._part(asked)
        if part is None:
            await exchange.respond(200, fields, body)
            return
        first, end = part
        if first >= end:
            await exchange.respond(416, [("Content-Range", f"bytes */{len(body)}")])
            return
        said = ("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")
        await exchange.respond(206, [*fields, said], body[first:end])

    def _part(self, asked: str) -> tuple[int, int]:
        """Where a range begins and ends."""
        first, _, last = asked.removeprefix("bytes=").partition("-")
        length = len(self.body)
        if not first:
            return max(0, length - int(last)), length
        end = min(length, int(last) + 1) if last else length
        return min(length, int(first) + self.shift), end

    def hold(self) -> None:
        """Hold requests from now on."""
        self._gate = asyncio.Event()

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        self._origin.wait(lambda: len(self.asked) >= count, f"request {count} is at the origin")

    def let_go(self) -> None:
        """Answer those that are held, and all that come."""
        assert self._loop is not None and self._gate is not None
        self._loop.call_soon_threadsafe(self._gate.set)


class Held:
    """Holds each request until it is let go; then it is answered with its number, or as `then` does."""

    def __init__(
        self, origin: Origin, path: str, headers: Fields = FRESH, then: Handler | None = None
    ) -> None:
        self.events: list[asyncio.Event] = []
        self._origin, self._headers, self._then = origin, headers, then
        self._loop: asyncio.AbstractEventLoop | None = None
        origin.on(path, self)

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.discard_body()
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self.events.append(event)
        number = len(self.events)
        exchange.origin.changed()
        await event.wait()
        if self._then is None:
            await exchange.respond(200, self._headers, str(number).encode())
        else:
            await self._then(exchange)

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        self._origin.wait(lambda: len(self.events) >= count, f"request {count} is at the origin")

    def let_go(self, number: int) -> None:
        """Answer that request."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.events[number - 1].set)
