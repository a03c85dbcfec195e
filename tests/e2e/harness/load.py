"""Background load: keep-alive connections that ask again and again and count what went wrong."""

import threading

from .raw import ClosedError, RawClient


class Load:
    """Connections, each in a thread of its own and never reopened: one that ends is a failure."""

    def __init__(self, port: int, target: str = "/", connections: int = 4) -> None:
        self.failures: list[str] = []
        self._port, self._target = port, target
        self._done = [0] * connections
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(i,), daemon=True) for i in range(connections)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.wait_for(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    @property
    def answered(self) -> int:
        """Good answers so far."""
        return sum(self._done)

    def wait_for(self, more: int) -> None:
        """Wait until every connection had this many further answers, or failed."""
        goals = [done + more for done in self._done]
        pause = threading.Event()
        while any(d < g for d, g in zip(self._done, goals, strict=True)) and not self.failures:
            pause.wait(0.005)

    def _ask(self, index: int) -> None:
        try:
            with RawClient(self._port) as client:
                while not self._stop.is_set():
                    response = client.request(self._target)
                    if response.status != 200 or not response.complete:
                        raise AssertionError(f"status {response.status}: {response.body[:300]!r}")
                    self._done[index] += 1
        except (AssertionError, ClosedError, OSError) as problem:
            self.failures.append(f"connection {index} after {self._done[index]} answers: {problem!r}")
