"""A service in a process of its own, so that it can be killed, stopped and started again."""

import signal
import subprocess
import sys
from pathlib import Path

from .ports import free_port

PROGRAM = Path(__file__).with_name("replica_program.py")


class Replica:
    """One process of `replica_program.py`; its address stays the same through all its lives."""

    def __init__(self, workers: int = 4) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._workers = workers
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Replica":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    # Life

    def start(self) -> "Replica":
        """Start it and wait until it listens."""
        # Isolated and without site packages: it starts in a third of the time.
        command = [sys.executable, "-I", "-S", str(PROGRAM), str(self.port), str(self._workers)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        answer = self._read(self._process)
        assert answer == "ready", f"the replica did not start: {answer!r}"
        return self

    def kill(self) -> None:
        """SIGKILL: its connections break at once. Nothing to do when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._end(self._process)

    def stop(self) -> None:
        """SIGTERM, and wait until it has finished what it had."""
        self._running.terminate()
        self._end(self._running)

    def hang(self) -> None:
        """SIGSTOP: the kernel still accepts its connections, nothing answers."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    # Faults; each returns the number of requests for work so far in this life

    def speed(self, factor: float) -> int:
        """Work at this multiple of the normal speed."""
        return self._tell(f"speed {factor}")

    def serve(self) -> int:
        """Be well again; its speed stays."""
        return self._tell("serve")

    def fail(self, status: int = 503) -> int:
        """Answer all work with an error, at once."""
        return self._tell(f"fail {status}")

    def reset(self) -> int:
        """Accept connections, and reset them when a request comes."""
        return self._tell("reset")

    @property
    def pid(self) -> int:
        """The process's id; another one in each life."""
        return self._running.pid

    @property
    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "the replica does not run"
        return self._process

    def _tell(self, command: str) -> int:
        assert self._running.stdin is not None
        self._running.stdin.write(f"{command}\n")
        return int(self._read(self._running))

    @staticmethod
    def _read(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def _end(self, process: "subprocess.Popen[str]") -> None:
        process.communicate()
        self._process = None
