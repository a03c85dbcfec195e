"""Three small upstream servers, in a process of their own.

Apart from the gateway, they neither share its interpreter nor hold up its event loop. The process ends when
its standard input does: it never outlives the one that started it, however that ends.
"""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SLOW_SECONDS = 0.2
DELAYS = {"quick-1": 0.0, "quick-2": 0.0, "slow": SLOW_SECONDS}


class DemoError(Exception):
    """The demo cannot be shown."""


@dataclass(frozen=True)
class DemoUpstream:
    """One server: its name, where it listens, and how long it takes to answer."""

    name: str
    address: str
    delay_seconds: float


@contextlib.contextmanager
def started_upstreams() -> Iterator[list[DemoUpstream]]:
    """The servers, running until the context ends."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin and process.stdout
        try:
            said = process.stdout.readline()
            if not said:
                raise DemoError("the demo's upstreams have not started")
            addresses: dict[str, str] = json.loads(said)
            yield [DemoUpstream(name, address, DELAYS[name]) for name, address in addresses.items()]
        finally:
            process.stdin.close()


class Demo:
    """An ASGI application that says who it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.served = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer a request; /healthz at once, anything else after the server's delay."""
        if scope["path"] == "/healthz":
            await _answer(send, {"status": "ok", "upstream": self.name})
            return
        self.served += 1
        await asyncio.sleep(DELAYS[self.name])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        await _answer(
            send,
            {
                "upstream": self.name,
                "served": self.served,
                "method": scope["method"],
                "path": scope["path"],
                "headers": headers,
            },
        )


async def _answer(send: Any, content: dict[str, Any]) -> None:
    body = json.dumps(content, indent=2).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _serve() -> None:
    """Serve until standard input ends."""
    import uvicorn  # noqa: PLC0415 - the parent needs none of it

    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent decides when to end
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in DELAYS}
    for name, listener in listeners.items():
        config = uvicorn.Config(
            Demo(name), lifespan="off", log_level="error", timeout_keep_alive=600, server_header=False
        )
        threading.Thread(target=uvicorn.Server(config).run, args=([listener],), daemon=True).start()
    print(
        json.dumps({name: f"127.0.0.1:{each.getsockname()[1]}" for name, each in listeners.items()}),
        flush=True,
    )
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
