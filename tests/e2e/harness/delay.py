"""A relay between clients and a server that takes its time."""

import asyncio
import contextlib
import threading
from types import TracebackType

from .ports import free_port


class Delay:
    """Passes bytes on, each so many seconds after they came, in both directions."""

    def __init__(self, server_port: int, seconds: float = 0.0) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.seconds = seconds
        """Each way; may be changed at any time."""
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listens = threading.Event()
        self._ends = asyncio.Event()

    def __enter__(self) -> "Delay":
        self._thread.start()
        assert self._listens.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self._listens.set()
        await self._ends.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            await asyncio.gather(self._pass(reader, to_writer), self._pass(to_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def write() -> None:
            while True:
                due, data = await late.get()
                await asyncio.sleep(max(due - self._loop.time(), 0))
                writer.write(data)
                if not data:
                    writer.close()
                    return
                await writer.drain()

        async def read() -> None:
            data = b"?"
            while data:
                data = await reader.read(1 << 16)
                late.put_nowait((self._loop.time() + self.seconds, data))

        await asyncio.gather(read(), write())
