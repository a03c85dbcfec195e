"""A real tidegate process."""

import contextlib
import copy
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from .message import Response
from .metrics import Metrics
from .ports import free_port
from .raw import RawClient
from .waiting import eventually

Config = dict[str, Any]

_FAULT = re.compile(r"panicked|Traceback \(most recent call last\)|RUST_BACKTRACE")


def command() -> list[str] | None:
    """The product's command: `TIDEGATE_BIN`, or `tidegate` beside this Python; None where there is none."""
    if named := os.environ.get("TIDEGATE_BIN"):
        return shlex.split(named)
    beside = Path(sys.executable).with_name("tidegate")
    return [str(beside)] if beside.exists() else None


def complete(config: Config) -> Config:
    """A copy with free ports where an address is missing, and settings that suit a test."""
    config = copy.deepcopy(config)
    config.setdefault("workers", 2)
    config.setdefault("drain_timeout", "5s")
    config.setdefault("admin", {}).setdefault("address", f"127.0.0.1:{free_port()}")
    for listener in config.setdefault("listeners", [{"name": "web"}]):
        listener.setdefault("address", f"127.0.0.1:{free_port()}")
    return config


class Gateway:
    """One process, started with a configuration and stopped by SIGTERM."""

    def __init__(
        self,
        directory: Path,
        config: Config,
        *,
        args: tuple[str, ...] = (),
        token: str | None = None,
        product: Sequence[str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.config = complete(config)
        self.file = directory / "tidegate.yaml"
        self.log_file = directory / "gateway.log"
        self.write()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.admin = httpx.Client(
            base_url=f"http://{self.config['admin']['address']}", headers=headers, timeout=30
        )
        self._args = args
        self._product = product
        """Another command than the usual one."""
        self.good_exits = {0}
        """Exit codes that are as they should be."""
        self._process: subprocess.Popen[bytes] | None = None

    # Life

    def start(self, deadline: float = 30.0) -> "Gateway":
        """Start and wait until the gateway says that it is ready."""
        product = self._product or command()
        assert product is not None, "no tidegate command: build it, or name one in TIDEGATE_BIN"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*product, "run", "--config", str(self.file), *self._args],
                cwd=self.directory,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "NO_COLOR": "1"},
            )
        eventually(self._ready, f"the gateway is ready\n{self.log}", deadline)
        return self

    def _ready(self) -> bool:
        assert self._running.poll() is None, f"the gateway ended at its start:\n{self.log}"
        try:
            return self.admin.get("/v1/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._running.send_signal(number)

    def wait(self, deadline: float = 20.0) -> int:
        """Wait for the process to end; its exit code."""
        return self._running.wait(deadline)

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._running.poll() is not None

    def stop(self) -> None:
        """SIGTERM; the process must end by itself, with exit code 0 and without a fault in its log."""
        self.admin.close()
        if self._process is None:
            return
        try:
            if not self.ended:
                self.signal(signal.SIGTERM)
            code = self.wait()
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
            raise AssertionError(f"the gateway did not stop after SIGTERM\n{self.log}") from None
        assert code in self.good_exits, f"exit code {code}\n{self.log}"
        fault = _FAULT.search(self.log)
        assert fault is None, f"a fault in the gateway's log\n{self.log}"

    # Configuration

    def write(self, config: Config | None = None) -> None:
        """Write the configuration file, in one step as an editor does; a running gateway may notice it."""
        if config is not None:
            self.config = config
        draft = self.file.with_suffix(".new")
        draft.write_text(yaml.safe_dump(self.config, sort_keys=False))
        draft.replace(self.file)

    def generation(self) -> int:
        """The number of the running configuration."""
        return int(self.admin.get("/v1/status").raise_for_status().json()["generation"]["number"])

    @contextlib.contextmanager
    def next_generation(self, deadline: float = 20.0) -> Iterator[None]:
        """Wait, on leaving, until a newer configuration runs than on entering."""
        before = self.generation()
        yield
        eventually(
            lambda: self.generation() > before, f"a generation after {before} runs\n{self.log}", deadline
        )

    # Looking at it

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the gateway was not started"
        return self._process

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running.pid

    @property
    def log(self) -> str:
        """What the process printed so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def rss(self) -> int:
        """Resident memory in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) * 1024

    def story(self, answer: Response | str) -> Any:
        """The story of an answer's request, or of one by its name; it is kept once the answer was sent."""
        name = answer if isinstance(answer, str) else answer.header("x-request-id")
        path = f"/v1/explain/{name}"
        eventually(lambda: self.admin.get(path).status_code == 200, "the request is explained")
        return self.admin.get(path).raise_for_status().json()

    def says(self, *args: str, exit_code: int = 0) -> str:
        """What a command prints that asks this gateway and ends so."""
        product = self._product or command()
        assert product is not None
        words = [*product, *args, "--admin", str(self.admin.base_url)]
        env = {**os.environ, "COLUMNS": "200"}
        ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=env)
        assert ended.returncode == exit_code, f"exit code {ended.returncode}\n{ended.stderr}"
        return ended.stdout

    def metrics(self) -> Metrics:
        """A scrape of `/metrics`."""
        return Metrics(self.admin.get("/metrics").raise_for_status().text)

    def port(self, listener: str = "web") -> int:
        """A listener's port."""
        address = next(entry["address"] for entry in self.config["listeners"] if entry["name"] == listener)
        return int(address.rpartition(":")[2])

    def connect(
        self, listener: str = "web", *, tls: ssl.SSLContext | None = None, **options: Any
    ) -> RawClient:
        """A raw HTTP/1 connection to a listener."""
        return RawClient(self.port(listener), tls=tls, **options)

    def url(self, path: str = "/", listener: str = "web", scheme: str = "http") -> str:
        """The URL of a path on a listener."""
        return f"{scheme}://localhost:{self.port(listener)}{path}"
