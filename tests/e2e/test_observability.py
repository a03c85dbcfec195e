"""What can be seen of the gateway: metrics, access log, its own log."""

import contextlib
import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tidegate.sim.cache import trace
from tidegate.sim.cache.model import CacheTrace

from .conftest import Running, StartGateway
from .harness import answers
from .harness.configs import listener, proxy, route
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.load import Load
from .harness.metrics import Metrics
from .harness.origin import Origin
from .harness.ports import free_port
from .harness.raw import ClosedError
from .harness.waiting import eventually


@pytest.fixture
def gateway(start_gateway: StartGateway, origin: Origin) -> Gateway:
    """A gateway with its whole config to itself, so that its counters start at zero."""
    config = proxy(origin.address)
    config["routes"].append(route("nowhere", "/dead", upstream="dead"))
    config["upstreams"].append({"name": "dead", "endpoints": [f"127.0.0.1:{free_port()}"]})
    return start_gateway(config)


def requests(metrics: Metrics, **labels: str) -> float:
    """The number of requests."""
    return metrics.total("tidegate_requests_total", **labels)


# Metrics


def test_what_is_scraped_is_good_prometheus(gateway: Gateway, promtool: str) -> None:
    with gateway.connect() as client:
        client.request("/")
        client.request("/dead")
    with H2Client(gateway.port()) as h2:
        h2.request("/", method="POST", body=b"x")
    with gateway.connect() as client:
        client.send("BROKEN\r\n\r\n")
        client.read_to_end()
    text = gateway.metrics().text
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_requests_are_counted_by_route_upstream_and_class(gateway: Gateway, origin: Origin) -> None:
    origin.on("/missing", answers.fixed(404))
    with gateway.connect() as client:
        for target in ("/", "/", "/missing", "/dead"):
            client.request(target)

    def seen() -> dict[str, float]:
        metrics = gateway.metrics()
        return {
            code: sum(
                sample.value
                for sample in metrics.find("tidegate_requests_total")
                if code in sample.labels.values() and sample.labels.get("listener", "web") == "web"
            )
            for code in ("2xx", "4xx", "5xx")
        }

    eventually(lambda: seen() == {"2xx": 2, "4xx": 1, "5xx": 1}, f"the requests are counted {seen()}")
    metrics = gateway.metrics()
    assert requests(metrics, route="all") == 3
    assert requests(metrics, route="nowhere") == 1


@pytest.mark.parametrize(
    "part",
    [
        "requests",
        "duration_seconds",
        "bytes",
        "connections",
        "in_flight",
        "retries",
        "errors",
        "handshake",
        "reloads",
        "worker",
    ],
)
def test_every_kind_of_metric_is_there(gateway: Gateway, part: str) -> None:
    with gateway.connect() as client:
        client.request("/")
        client.request("/dead")
    described = re.findall(r"^# TYPE (\w+)", gateway.metrics().text, re.MULTILINE)
    assert any(name.startswith("tidegate_") and part in name for name in described), described


def test_bytes_of_bodies_are_counted_by_listener_and_by_route(gateway: Gateway, origin: Origin) -> None:
    origin.on("/answer", answers.fixed(200, body=b"x" * 500))
    with gateway.connect() as client:
        client.request("/answer", method="POST", body=b"y" * 300)
    with H2Client(gateway.port()) as h2:
        h2.request("/answer", method="POST", body=b"y" * 700)

    def seen(of: str, **labels: str) -> list[float]:
        return [
            gateway.metrics().total(f"tidegate_{of}{direction}_body_bytes_total", **labels)
            for direction in ("request", "response")
        ]

    eventually(lambda: seen("listener_", listener="web") == [1000, 1000], "both bodies of both are counted")
    assert seen("", route="all") == [1000, 1000]


def test_latency_is_a_histogram_in_seconds(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.request("/")

    def counts() -> list[float]:
        return [
            s.value for s in gateway.metrics().samples if s.name.endswith("request_duration_seconds_count")
        ]

    eventually(lambda: sum(counts()) >= 1, "the duration is observed")


def test_labels_are_bounded_whatever_clients_send(gateway: Gateway, origin: Origin) -> None:
    def ask(target: str, **options: Any) -> None:
        with gateway.connect() as client:
            client.request(target, **options)

    ask("/")
    ask("/dead")
    ask("/", method="X0")
    eventually(lambda: requests(gateway.metrics()) >= 3, "the requests are counted")
    before = len(gateway.metrics().samples)
    with gateway.connect() as client:
        for index in range(200):
            headers = [("Host", f"h{index}.example"), ("User-Agent", f"agent-{index}")]
            client.request(f"/path-{index}?q={index}", method=f"M{index}", headers=headers)
    eventually(lambda: requests(gateway.metrics()) >= 203, "the requests are counted")
    assert len(gateway.metrics().samples) <= before + 20


def test_requests_in_flight_come_and_go(gateway: Gateway, origin: Origin) -> None:
    gate = answers.Gate()
    origin.on("/gate", gate)

    def in_flight() -> float:
        metrics = gateway.metrics()
        name = next((n for n in sorted(metrics.names()) if re.search(r"endpoint.*in_flight", n)), "")
        return metrics.total(name, upstream="app")

    with gateway.connect() as client:
        client.send_request("/gate")
        origin.wait(lambda: origin.requests, "the request is on its way")
        eventually(lambda: in_flight() == 1, "one request in flight")
        gate.open()
        client.read_response()
        eventually(lambda: in_flight() == 0, "none in flight")


def test_the_state_of_an_endpoint_returns_to_rest(gateway: Gateway, origin: Origin) -> None:
    """Whatever way requests end, nothing is counted as in flight for ever."""
    origin.on("/reset", answers.reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
    origin.on("/endless", answers.endless())
    for target in ("/", "/reset", "/endless", "/dead"):
        with gateway.connect() as client:
            client.send_request(target)
            if target == "/endless":
                client.read_head()
            else:
                with contextlib.suppress(ClosedError):
                    client.read_response()

    def in_flight() -> float:
        return sum(s.value for s in gateway.metrics().samples if "in_flight" in s.name)

    eventually(lambda: in_flight() == 0, "nothing is in flight")


# The access log


def lines(path: Path, count: int) -> list[str]:
    """The log's lines, once there are so many."""

    def read() -> list[str]:
        found = path.read_text().splitlines() if path.exists() else []
        return found if len(found) >= count else []

    return eventually(read, f"{count} lines in {path.name}")


def logging(start_gateway: StartGateway, origin: Origin, path: str, log_format: str) -> Gateway:
    """A gateway that logs requests."""
    config = proxy(origin.address, access_log={"format": log_format, "path": path})
    config["routes"].append(route("fixed", "/fixed", respond={"status": 404, "body": "none"}))
    return start_gateway(config)


def test_the_json_log_has_a_line_for_each_request(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(path), "json")
    with gateway.connect() as client:
        response = client.request("/a?b=1", method="POST", body=b"12345", headers=[("User-Agent", "test/1")])
        client.request("/fixed")
    first, second = (json.loads(line) for line in lines(path, 2))
    text = json.dumps(first)
    assert first["method"] == "POST"
    assert first["status"] == 200
    assert first["route"] == "all"
    assert first["upstream"] == "app"
    for part in ("/a", "127.0.0.1", origin.address, response.header("x-request-id"), "test/1", "HTTP/1.1"):
        assert str(part) in text, part
    assert (second["status"], second["route"]) == (404, "fixed")


def test_the_json_log_tells_simulated_caches_what_was_asked_for(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(path), "json")
    bodies = []
    with gateway.connect() as client:
        for target in ("/a", "/a?page=2", "/a"):
            bodies.append(client.request(target).body)
        client.request("/a", method="POST")
        client.request("/fixed")
    lines(path, 5)
    found = trace.requests(CacheTrace(file=path, format="access_log"))
    assert [one.number for one in found] == [0, 1, 0]
    assert [one.size for one in found] == [len(body) for body in bodies]


def test_a_failure_is_told_in_the_log(start_gateway: StartGateway, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    config = proxy(f"127.0.0.1:{free_port()}", access_log={"path": str(path)})
    gateway = start_gateway(config)
    with gateway.connect() as client:
        client.request("/")
    entry = json.loads(lines(path, 1)[0])
    assert (entry["status"], entry["error"]) == (502, "connect_refused")


REFUSED = {
    "nothing of sense": (b"\x16\x03\x01\r\n\r\n", ("", "", ""), "- - -"),
    "a head that breaks off": (b"GET /cut", ("GET", "", ""), "GET - -"),
    "a broken field": (
        b"PUT /a?b HTTP/1.0\r\nX Y: z\r\n\r\n",
        ("PUT", "/a", "HTTP/1.0"),
        "PUT /a?b HTTP/1.0",
    ),
    "another version": (b"GET /a HTTP/3.0\r\nHost: a\r\n\r\n", ("GET", "/a", ""), "GET /a -"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("log_format", ["json", "combined"])
def test_what_is_no_request_is_logged_by_what_can_be_read_of_it(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path, log_format: str, name: str
) -> None:
    sent, (method, path, protocol), combined = REFUSED[name]
    log = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(log), log_format)
    with gateway.connect() as client:
        client.send(sent)
        client.sock.shutdown(socket.SHUT_WR)
        client.read_to_end()
    line = lines(log, 1)[0]
    if log_format == "json":
        entry = json.loads(line)
        assert (entry["method"], entry["path"], entry["protocol"]) == (method, path, protocol)
    else:
        match = COMBINED.fullmatch(line)
        assert match is not None, line
        assert match["request"] == combined


def test_a_refused_http_2_request_is_logged_with_its_target(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(path), "json")
    with H2Client(gateway.port()) as client:
        headers = [("expect", "much")]
        assert client.request("/a?b", method="PUT", headers=headers, body=b"x").status == 417
    entry = json.loads(lines(path, 1)[0])
    assert (entry["method"], entry["path"], entry["protocol"]) == ("PUT", "/a", "HTTP/2.0")
    assert (entry["status"], entry["error"]) == (417, "expectation_failed")


def test_the_log_names_the_client_that_a_trusted_proxy_names(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    listeners = [listener("web"), listener("behind-a-proxy", trusted_proxies=["127.0.0.0/8"])]
    gateway = start_gateway(proxy(origin.address, access_log={"path": str(path)}, listeners=listeners))
    for name in ("web", "behind-a-proxy"):
        with gateway.connect(name) as client:
            client.request("/", headers=[("X-Forwarded-For", "192.0.2.7, 198.51.100.9")])
    told = {entry["listener"]: entry["client"] for entry in map(json.loads, lines(path, 2))}
    assert told == {"web": "127.0.0.1", "behind-a-proxy": "198.51.100.9"}


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.7:51234", "203.0.113.7"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("203.0.113.7, ", "203.0.113.7"),
        ("203.0.113.7, ::ffff:127.0.0.9", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, unknown", "203.0.113.7"),
        ("203.0.113.7, unreadable", "127.0.0.1"),
    ],
)
def test_the_client_is_found_however_proxies_write_it(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path, told: str, client: str
) -> None:
    path = tmp_path / "access.log"
    listeners = [listener("web", trusted_proxies=["127.0.0.0/8"])]
    gateway = start_gateway(proxy(origin.address, access_log={"path": str(path)}, listeners=listeners))
    with gateway.connect() as connection:
        connection.request("/", headers=[("X-Forwarded-For", told)])
    assert json.loads(lines(path, 1)[0])["client"] == client


COMBINED = re.compile(
    r"(?P<client>\S+) - (?P<user>\S+) \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<bytes>\d+|-) '
    r'"(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)


def test_the_combined_log_is_what_tools_know(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(path), "combined")
    headers = [("User-Agent", "test/1"), ("Referer", "http://r.example/")]
    with gateway.connect() as client:
        client.request("/fixed?x", headers=headers)
    match = COMBINED.fullmatch(lines(path, 1)[0])
    assert match is not None, lines(path, 1)
    assert match.groupdict() == {
        "client": "127.0.0.1",
        "user": "-",
        "request": "GET /fixed?x HTTP/1.1",
        "status": "404",
        "bytes": "4",
        "referer": "http://r.example/",
        "agent": "test/1",
    }


@pytest.mark.parametrize("log_format", ["json", "combined"])
def test_nothing_a_client_sends_can_forge_a_line(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path, log_format: str
) -> None:
    path = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(path), log_format)
    agents = [
        'a" 200 1 "-" "forged',
        "a\\",
        "caf\xe9\xff",
        "\x1b[31mred".replace("\x1b", ""),
        "tab\there",
        '{"a":1}',
    ]
    with gateway.connect() as client:
        for agent in agents:
            client.request('/x"y%0a%0dz', headers=[("User-Agent", agent), ("Referer", agent)])
    written = lines(path, len(agents))
    assert len(written) == len(agents)
    for line in written:
        if log_format == "json":
            assert isinstance(json.loads(line), dict)
        else:
            match = COMBINED.fullmatch(line)
            assert match is not None, line
            assert match["status"] == "200"
        assert line.isprintable() or "\xe9" in line


def test_the_log_can_go_to_standard_output(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = logging(start_gateway, origin, "-", "combined")
    with gateway.connect() as client:
        client.request("/fixed")
    eventually(
        lambda: any(COMBINED.fullmatch(line) for line in gateway.log.splitlines()), "a line of the log"
    )


def test_a_log_that_nobody_takes_holds_up_no_request(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    """The log's place is a device that is always full: lines are dropped and counted."""
    gateway = logging(start_gateway, origin, "/dev/full", "json")
    with Load(gateway.port()) as load:
        load.wait_for(100)
    assert load.failures == []

    def dropped() -> float:
        return sum(s.value for s in gateway.metrics().samples if re.search("log.*drop|drop.*log", s.name))

    eventually(lambda: dropped() > 0, "dropped lines are counted")


def test_the_log_is_written_out_at_the_end(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    gateway = logging(start_gateway, origin, str(path), "json")
    with gateway.connect() as client:
        for _ in range(500):
            client.request("/fixed")
    gateway.stop()
    assert len(path.read_text().splitlines()) == 500


# The process's own log


def test_the_level_of_the_log_changes_at_run_time(gateway: Gateway) -> None:
    assert gateway.admin.get("/v1/log").json() == {"level": "info"}
    assert gateway.admin.put("/v1/log", json={"level": "debug"}).status_code == 200
    assert gateway.admin.get("/v1/log").json() == {"level": "debug"}
    assert gateway.admin.put("/v1/log", json={"level": "loud"}).status_code == 422


def test_the_log_can_be_json(running: Running, origin: Origin) -> None:
    with running(proxy(origin.address, log={"format": "json"})) as gateway:
        gateway.admin.post("/v1/config/reload")
        entries = [json.loads(line) for line in gateway.log.splitlines() if line.strip()]
    assert entries


def test_a_quiet_gateway_says_little(gateway: Gateway) -> None:
    with gateway.connect() as client:
        for _ in range(100):
            client.request("/")
    assert len(gateway.log.splitlines()) < 30
