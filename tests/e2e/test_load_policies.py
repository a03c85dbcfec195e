"""Policies that look at load: slow, failing and reporting endpoints over real connections."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import uvicorn

import tidegate.probe
from tidegate.probe import Meter

from .conftest import Running, Spoken, StartGateway
from .harness import answers, multiplexed_origin
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.origin import Exchange, Handler, Origin
from .harness.spread import NAMES, spread, three_origins
from .harness.waiting import eventually

COMPARED: dict[str, Any] = {
    "fastest_free": "fastest_free",
    "least_request": "least_request",
    "two choices": {"policy": "least_request", "choices": 2},
    "peak_ewma": "peak_ewma",
    "prequal": "prequal",
}
REPORT = "endpoint-load-metrics"


@pytest.fixture
def origins() -> Iterator[dict[str, Origin]]:
    with three_origins() as servers:
        yield servers


def slow(seconds: float) -> Handler:
    """An answer that takes its time."""

    async def answer(exchange: Exchange) -> None:
        await exchange.discard_body()
        await asyncio.sleep(seconds)
        await exchange.respond(200)

    return answer


def balanced(running: Running, origins: dict[str, Origin], balance: Any, limits: Any = None) -> Any:
    config = proxy(*(server.address for server in origins.values()))
    config["upstreams"][0] |= {"balance": balance, "limits": limits or {}}
    # What is looked at here is load, not health, and each request is one try.
    config["routes"][0]["retry"] = {"attempts": 1}
    return running(config)


@pytest.mark.parametrize("policy", ["peak_ewma", "prequal"])
def test_traffic_leaves_a_slow_endpoint(running: Running, origins: dict[str, Origin], policy: str) -> None:
    origins["b"].on_every_path(slow(0.2))
    with balanced(running, origins, policy) as gateway:
        spread(gateway, 20)
        counts = spread(gateway, 100)
    assert counts["b"] < 10, "a third, had nobody looked at the latency"


@pytest.mark.parametrize("policy", COMPARED)
@pytest.mark.parametrize("status", [503, 429])
def test_a_fast_failure_wins_no_traffic(
    running: Running, origins: dict[str, Origin], policy: str, status: int
) -> None:
    for name in ("a", "c"):
        origins[name].on_every_path(slow(0.005))
    origins["b"].on_every_path(answers.fixed(status))
    with balanced(running, origins, COMPARED[policy]) as gateway:
        spread(gateway, 30)
        counts = spread(gateway, 120)
    assert counts["b"] < 20, "a third or all, had nobody looked at the failures"


class Workers:
    """A handler of two workers and a queue. Each tenth request takes long; `most` were there at a time.

    While it is `stuck` nothing is answered.
    """

    def __init__(self, origin: Origin) -> None:
        self._free = asyncio.Semaphore(2)
        self._served = self.inside = self.most = 0
        self.stuck = False
        origin.on_every_path(self)

    async def __call__(self, exchange: Exchange) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        async with self._free:
            self._served += 1
            await asyncio.sleep(0.002 if self._served % 10 else 0.05)
            while self.stuck:  # noqa: ASYNC110 - by another thread
                await asyncio.sleep(0.002)
        self.inside -= 1
        await exchange.respond(200)


def test_the_workers_of_endpoints_are_learnt_and_what_they_cannot_take_waits_but_not_for_ever(
    running: Running, origins: dict[str, Origin]
) -> None:
    workers = [Workers(server) for server in origins.values()]
    learnt, enough = threading.Event(), threading.Event()

    def client(gateway: Gateway, pauses: random.Random) -> int:
        answered = 0
        with gateway.connect() as connection:
            while not enough.is_set():
                assert connection.request("/").status == 200
                answered += 1
                # Only load that varies shows at which number of requests in flight overtaking ends.
                if not learnt.is_set():
                    time.sleep(pauses.uniform(0, 0.02))
        return answered

    def known(gateway: Gateway) -> list[int | None]:
        endpoints = gateway.admin.get("/v1/upstreams/app/endpoints").json()
        return [endpoint["workers"] for endpoint in endpoints]

    def stop() -> None:
        enough.set()
        for each in workers:
            each.stuck = False

    limits = {"queue": {"timeout": "500ms"}}
    with (
        balanced(running, origins, "fastest_free", limits) as gateway,
        ThreadPoolExecutor(12) as pool,
        contextlib.ExitStack() as cleanup,
    ):
        clients = [pool.submit(client, gateway, random.Random(number)) for number in range(12)]
        cleanup.callback(stop)
        eventually(lambda: known(gateway) == [2, 2, 2], "two workers each are known", 30)
        learnt.set()
        for each in workers:
            each.most = 0
        queued = gateway.metrics().total("tidegate_upstream_queue_seconds_count", upstream="app")
        eventually(
            lambda: (
                gateway.metrics().total("tidegate_upstream_queue_seconds_count", upstream="app")
                > queued + 100
            ),
            "a hundred more had to wait",
            30,
        )
        # One more than all have workers may be on its way.
        assert sum(each.most for each in workers) <= 3 * 2 + 3
        for each in workers:
            each.stuck = True
        eventually(lambda: sum(each.inside for each in workers) == 12, "all were sent on in the end", 30)
        stop()
        assert all(each.result() for each in clients)


def test_an_endpoint_that_cannot_be_connected_to_fails_too(
    running: Running, origins: dict[str, Origin]
) -> None:
    gone = origins["b"]
    with balanced(running, origins, "least_request") as gateway:
        gone.stop()
        spread(gateway, 60)
        counts = spread(gateway, 60)
    assert counts["None"] < 20, "the answers of the gateway itself"


def reporting(report: str) -> Handler:
    return answers.fixed(headers=[(REPORT, report)], body=b"done")


BUSY = "TEXT named_metrics.in_flight=90, named_metrics.latency_ms=800"
IDLE = 'JSON {"named_metrics": {"in_flight": 0, "latency_ms": 0.2}}'


@pytest.mark.parametrize("forward", [False, True])
def test_an_endpoints_own_report_decides_and_is_not_told_to_clients_unasked(
    running: Running, origins: dict[str, Origin], forward: bool
) -> None:
    for name, server in origins.items():
        server.on_every_path(reporting(BUSY if name == "b" else IDLE))
    with balanced(running, origins, {"policy": "prequal", "forward_reports": forward}) as gateway:
        spread(gateway, 20)
        counts = spread(gateway, 100)
        with gateway.connect() as client:
            shown = client.request("/").header(REPORT)
    assert counts["b"] < 10
    assert shown == (IDLE if forward else None)


@pytest.mark.parametrize("forward", [False, True])
def test_a_report_in_the_trailers_decides_too(
    running: Running, origins: dict[str, Origin], forward: bool
) -> None:
    for name, server in origins.items():
        trailers = [(REPORT, BUSY if name == "b" else IDLE), ("x-sum", "1")]
        server.on_every_path(answers.fixed(body=b"done", chunked=True, trailers=trailers))
    with balanced(running, origins, {"policy": "prequal", "forward_reports": forward}) as gateway:
        spread(gateway, 20)
        counts = spread(gateway, 100)
        with gateway.connect() as client:
            shown = client.request("/", headers=[("TE", "trailers")]).trailers
    assert counts["b"] < 10
    assert dict(shown) == ({REPORT: IDLE} if forward else {}) | {"x-sum": "1"}


def test_a_grpc_services_report_decides(start_gateway: StartGateway, spoken: Spoken) -> None:
    def reporting(report: str) -> multiplexed_origin.Handler:
        async def answer(stream: multiplexed_origin.Stream) -> None:
            await stream.complete.wait()
            stream.send_headers(200, [("content-type", "application/grpc")])
            await stream.send_data(b"done")
            stream.send_trailers([("grpc-status", "0"), (REPORT, report)])

        return answer

    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(spoken.origin(name)) for name in NAMES}
        for name, server in servers.items():
            server.on("/", reporting(BUSY if name == "b" else IDLE))
        config = proxy(*(server.address for server in servers.values()))
        config["upstreams"][0] |= {"balance": "prequal", **spoken.options}
        gateway = start_gateway(config)
        spread(gateway, 20)
        assert spread(gateway, 100)["b"] < 10


def test_a_policy_without_use_for_reports_leaves_them_alone(
    running: Running, origins: dict[str, Origin]
) -> None:
    for server in origins.values():
        server.on_every_path(reporting(BUSY))
    with balanced(running, origins, "peak_ewma") as gateway, gateway.connect() as client:
        assert client.request("/").header(REPORT) == BUSY


async def asgi_app(scope: Any, _receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-origin", b"asgi")]})
    await send({"type": "http.response.body", "body": b"done"})


def wsgi_app(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("X-Origin", "wsgi"), ("Content-Length", "4")])
    return [b"done"]


@contextlib.contextmanager
def asgi_server(meter: Meter) -> Iterator[str]:
    app: Any = tidegate.probe.asgi(asgi_app, meter=meter)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, "uvicorn listens")
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"{host}:{port}"
    server.should_exit = True
    thread.join(10)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def wsgi_server(meter: Meter) -> Iterator[str]:
    app: Any = tidegate.probe.wsgi(wsgi_app, meter=meter)
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize("busy", ["asgi", "wsgi"])
def test_services_answer_probes_by_the_middleware(running: Running, busy: str) -> None:
    meters = {"asgi": Meter(), "wsgi": Meter()}
    with asgi_server(meters["asgi"]) as asgi, wsgi_server(meters["wsgi"]) as wsgi:
        # Which of the two is busy is known to the services alone: they report it on requests and on probes.
        config = proxy(asgi, wsgi)
        config["upstreams"][0]["balance"] = {
            "policy": "prequal",
            "probe": {"interval": "50ms"},
            "prequal": {"percentile": 40},
        }
        with running(config) as gateway:
            spread(gateway, 40)
            held = [meters[busy].begin() for _ in range(50)]
            other = "wsgi" if busy == "asgi" else "asgi"
            eventually(lambda: spread(gateway, 20)[other] >= 19, f"probes tell that {other} is the idle one")
            for began in held:
                meters[busy].end(began, None)
            eventually(lambda: spread(gateway, 40)[busy] > 0, "and that the busy one is idle again")


def test_probes_go_out_without_requests_on_a_connection_that_is_kept(
    running: Running, origins: dict[str, Origin]
) -> None:
    for server in origins.values():
        server.on("/load", answers.fixed(body=b'{"in_flight": 2, "latency_ms": 7.5}'))
    balance = {"policy": "prequal", "probe": {"path": "/load", "interval": "20ms", "limit": 2}}
    with balanced(running, origins, balance):
        for server in origins.values():
            server.wait(lambda server=server: len(server.requests) >= 5, "five probes come")  # type: ignore[misc]
            assert {request.target for request in server.requests} == {"/load"}
            assert server.accepted == 1


def test_probes_go_out_by_the_protocol_of_the_upstream(running: Running, spoken: Spoken) -> None:
    async def report(stream: multiplexed_origin.Stream) -> None:
        stream.send_headers(200)
        await stream.send_data(b'{"in_flight": 2, "latency_ms": 7.5}', end=True)

    with spoken.origin("one") as one:
        one.on("/load", report)
        balance = {"policy": "prequal", "probe": {"path": "/load", "interval": "20ms", "limit": 2}}
        config = proxy(one.address)
        config["upstreams"][0] |= {"balance": balance, **spoken.options}
        with running(config):
            eventually(lambda: len(one.streams) >= 5, "five probes come")
            assert {stream.path for stream in one.streams} == {"/load"}
            assert one.accepted == 1


def test_without_answers_to_probes_the_gateway_goes_by_what_it_sees(
    running: Running, origins: dict[str, Origin]
) -> None:
    origins["a"].on("/load", answers.fixed(404))
    origins["b"].on("/load", answers.fixed(body=b"[]"))
    origins["c"].on("/load", answers.reset())
    balance = {"policy": "prequal", "probe": {"path": "/load", "interval": "20ms"}}
    with balanced(running, origins, balance) as gateway:
        for server in origins.values():
            server.wait(lambda server=server: len(server.requests) >= 2, "probes come")  # type: ignore[misc]
        assert sum(spread(gateway, 60).values()) == 60
