"""What requests will cost is learnt, and those that wait are let in by it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .conftest import StartGateway
from .harness.configs import proxy
from .harness.gateway import Gateway
from .harness.h2client import H2Client
from .harness.message import Response
from .harness.origin import Exchange, Origin
from .harness.waiting import eventually

LIGHT, HEAVY = 0.001, 0.03


class Classes:
    """Answers `/light/…` and `/heavy/…`, each with its own work, and holds `/held` until it is let go."""

    def __init__(self, origin: Origin) -> None:
        self.order: list[str] = []
        self.held = asyncio.Event()
        self._origin = origin
        self._loop: asyncio.AbstractEventLoop | None = None
        origin.on_every_path(self)

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.discard_body()
        self._loop = asyncio.get_running_loop()
        name = exchange.request.target.split("/")[1]
        self.order.append(name)
        exchange.origin.changed()
        if name == "held":
            await self.held.wait()
        else:
            await asyncio.sleep(HEAVY if name == "heavy" else LIGHT)
        await exchange.respond(200)

    def let_go(self) -> None:
        """Answer the one that is held."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.held.set)


def one_at_a_time(origin: Origin, mode: str) -> Any:
    config = proxy(origin.address, workers=1)
    config["upstreams"][0] |= {"predict": {"mode": mode}, "limits": {"requests": 1}}
    return config


def teach(gateway: Gateway, requests: int = 800) -> None:
    """Send requests of which each eighth is heavy, from two clients: so the endpoint is never idle."""

    def ask(numbers: range) -> None:
        with gateway.connect() as client:
            for number in numbers:
                name = "light" if number % 8 else "heavy"
                assert client.request(f"/{name}/{number}").status == 200

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, [range(0, requests, 2), range(1, requests, 2)]))


def become(gateway: Gateway, mode: str) -> None:
    """Have this mode configured."""
    with gateway.next_generation():
        gateway.config["upstreams"][0]["predict"]["mode"] = mode
        gateway.write()


def prediction(gateway: Gateway) -> Any:
    return gateway.admin.get("/v1/upstreams").raise_for_status().json()[0]["prediction"]


def heavy_and_light(gateway: Gateway, classes: Classes) -> tuple[Response, Response]:
    """The responses to a heavy and a light request that came so, while another had the place."""
    classes.order.clear()
    classes.held.clear()
    with H2Client(gateway.port()) as client:
        streams = [client.send_request("/held")]
        eventually(lambda: classes.order == ["held"], "one has the only place")
        streams += [client.send_request(path) for path in ("/heavy/1", "/light/1")]
        eventually(lambda: gateway.metrics().total("tidegate_upstream_requests_queued") == 2, "two wait")
        classes.let_go()
        held, heavy, light = (client.wait(stream) for stream in streams)
    assert [response.status for response in (held, heavy, light)] == [200, 200, 200]
    return heavy, light


def served(gateway: Gateway, classes: Classes) -> list[str]:
    """In which order they are let in."""
    heavy_and_light(gateway, classes)
    return classes.order[1:]


@pytest.mark.parametrize(
    ("mode", "order"),
    [
        ("off", ["heavy", "light"]),
        ("shadow", ["heavy", "light"]),
        ("auto", ["light", "heavy"]),
    ],
)
def test_a_light_request_goes_before_a_heavy_one_where_predictions_are_used(
    start_gateway: StartGateway, origin: Origin, mode: str, order: list[str]
) -> None:
    classes = Classes(origin)
    gateway = start_gateway(one_at_a_time(origin, mode))
    teach(gateway)
    # Now and then a request goes without predictions, to see what they do.
    eventually(lambda: served(gateway, classes) == order, "they are let in in this order")


def test_nothing_follows_from_predictions_before_they_are_worth_something(
    start_gateway: StartGateway, origin: Origin
) -> None:
    classes = Classes(origin)
    gateway = start_gateway(one_at_a_time(origin, "auto"))
    teach(gateway, 100)
    assert prediction(gateway)["weight"] == 0
    assert served(gateway, classes) == ["heavy", "light"]


def test_what_predictions_are_worth_is_shown_and_survives_a_reload(
    start_gateway: StartGateway, origin: Origin
) -> None:
    Classes(origin)
    gateway = start_gateway(one_at_a_time(origin, "shadow"))
    teach(gateway)
    shown = prediction(gateway)
    assert shown["mode"] == "shadow"
    assert shown["skill"] > 0.5
    assert shown["weight"] == 1
    assert LIGHT * 1000 < shown["mean_cost_ms"] < HEAVY * 1000
    metrics = gateway.metrics()
    assert metrics.total("tidegate_predict_weight", upstream="app") == 1
    assert metrics.total("tidegate_predict_skill", upstream="app") > 0.5
    become(gateway, "auto")
    compared = prediction(gateway)
    assert compared["comparison"]["state"] == "open"
    assert compared | {"mode": "shadow", "comparison": None} == shown
    become(gateway, "off")
    assert prediction(gateway) is None


def test_what_was_learnt_outlives_the_process(
    start_gateway: StartGateway, origin: Origin, tmp_path: Path
) -> None:
    classes = Classes(origin)
    config = one_at_a_time(origin, "auto") | {"state_dir": str(tmp_path)}
    first = start_gateway(config)
    teach(first)
    shown = prediction(first)
    first.stop()
    again = start_gateway(config)
    assert prediction(again)["weight"] == shown["weight"] == 1
    eventually(lambda: served(again, classes) == ["light", "heavy"], "they are let in in this order")


def test_what_was_predicted_of_a_request_is_explained(start_gateway: StartGateway, origin: Origin) -> None:
    classes = Classes(origin)
    config = one_at_a_time(origin, "auto")
    config["explain"] = {"sample": 100}
    gateway = start_gateway(config)
    teach(gateway)

    def overtaking() -> tuple[Response, Response] | None:
        responses = heavy_and_light(gateway, classes)
        return responses if classes.order[1:] == ["light", "heavy"] else None

    # Now and then a request goes without predictions, to see what they do.
    responses = eventually(overtaking, "the light one goes first")
    assert responses is not None
    heavy, light = (gateway.story(response)["prediction"] for response in responses)
    assert (heavy["overtaken"], light["overtaken"]) == (1, 0)
    assert light["cost_ms"] < heavy["usual_ms"] < heavy["cost_ms"]
    assert light["boost_ms"] > heavy["boost_ms"]
    assert [factor["by"] for factor in heavy["factors"]] == ["route", "method", "template"]
    assert heavy["factors"][-1]["times"] > 1 > light["factors"][-1]["times"]
    assert 0 < heavy["weight"] <= 1
    said = gateway.says("explain", str(responses[0].header("x-request-id")))
    assert "times by template; believed by" in said and "1 that came later went before it" in said
