"""A real Redis or Valkey server, which can be killed, stopped and started again."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .ports import free_port
from .waiting import eventually

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")


class ValkeyServer:
    """One process, which keeps nothing; its address stays the same through all its lives."""

    def __init__(
        self, directory: Path, *options: str, port: int | None = None, sentinel: bool = False
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._directory = directory
        self._sentinel = sentinel
        self._file = directory / "server.conf"
        given = ["bind 127.0.0.1", f"port {self.port}", f"dir {directory}", *options]
        self._file.write_text("\n".join(given if sentinel else [*given, 'save ""', "appendonly no"]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ValkeyServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    # Life

    def start(self) -> "ValkeyServer":
        """Start it and wait until it listens."""
        assert PROGRAM is not None
        with (self._directory / "server.log").open("ab") as log:
            command = [PROGRAM, str(self._file), *(["--sentinel"] if self._sentinel else [])]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        eventually(self._listens, f"a server listens on {self.address}")
        return self

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL: its connections break at once. Nothing to do when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """SIGSTOP: the kernel still accepts its connections, nothing answers."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the server does not run"
        return self._process

    # Looking at it

    def says(self, *words: str, login: Sequence[str] = ()) -> str:
        """What it answers to a command, as it stands in the protocol."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            if login:
                _send(connection, ("AUTH", *login))
            return _send(connection, words)


def _send(connection: socket.socket, words: Sequence[str]) -> str:
    parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    connection.sendall(f"*{len(words)}\r\n{parts}".encode())
    return connection.recv(1 << 16).decode()
