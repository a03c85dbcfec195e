"""The middleware for ASGI applications."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tidegate.probe.meter import PROBE_PATH, REPORT_FIELD, Meter

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Asgi:
    """An ASGI application that answers probes and reports its load in each response."""

    def __init__(self, app: App, path: str = PROBE_PATH, meter: Meter | None = None) -> None:
        self._app, self._path, self._meter = app, path, meter or Meter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == self._path:
            await self._answer(send)
        else:
            await self._serve(scope, receive, send)

    async def _answer(self, send: Send) -> None:
        body = self._meter.answer()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        status: int | None = None

        async def reporting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                report = (REPORT_FIELD.encode(), self._meter.report().encode())
                message = {**message, "headers": [*message.get("headers", ()), report]}
            await send(message)

        began = self._meter.begin()
        try:
            await self._app(scope, receive, reporting)
        except BaseException:
            status = None
            raise
        finally:
            self._meter.end(began, status)
