"""uvicorn inside the process's own event loop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn

from tidegate.admin.app import create_app
from tidegate.ai.model_lifecycle import ModelLifecycle
from tidegate.auth.authentication import Authentication
from tidegate.control.gateway import Gateway

CONCURRENT = 256
"""Connections and requests at a time; more are answered with 503."""
KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 5


class AdminServer(uvicorn.Server):
    """Serves the admin API until `stop`; the process handles signals itself.

    It stops at once where no client is connected: uvicorn looks ten times a second whether it should, and
    then gives clients a tenth of a second to go.
    """

    def __init__(
        self, gateway: Gateway, authentication: Authentication, model_lifecycle: ModelLifecycle
    ) -> None:
        self._stopping = asyncio.Event()
        tls = gateway.running.config.admin.tls
        super().__init__(
            uvicorn.Config(
                create_app(gateway, authentication, model_lifecycle),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONCURRENT,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
                ssl_certfile=tls.cert if tls else None,
                ssl_keyfile=tls.key if tls else None,
                ssl_ca_certs=str(tls.client_ca) if tls and tls.client_ca else None,
                ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.client_ca else ssl.CERT_NONE,
            )
        )

    def stop(self) -> None:
        """Have it take no more requests, and end."""
        self.should_exit = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Keep the date of answers until it stops."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and let clients finish."""
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        if self.server_state.connections:
            await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
