"""uvicorn inside the process's own event loop."""

import contextlib
import ssl
from collections.abc import Iterator

import uvicorn

from tidegate.admin.app import create_app
from tidegate.control.gateway import Gateway

CONCURRENT = 256
"""Connections and requests at a time; more are answered with 503."""
KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 5


class AdminServer(uvicorn.Server):
    """Serves the admin API; the process handles signals itself, and ends it by `should_exit`."""

    def __init__(self, gateway: Gateway) -> None:
        tls = gateway.running.config.admin.tls
        super().__init__(
            uvicorn.Config(
                create_app(gateway),
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

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
