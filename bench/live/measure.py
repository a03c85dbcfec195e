"""One measurement: replicas, a proxy before them, load, and what happens meanwhile."""

import asyncio
import contextlib
import gc
import tempfile
from pathlib import Path

from tests.e2e.harness.replica import Replica

from bench.live.client import Client, Outcome
from bench.live.figures import Figures, figures
from bench.live.proxies import Proxy
from bench.live.scenarios import Scenario, Stage
from bench.live.workload import REPLICAS, WORKERS, arrivals, capacity

WARM_UP = 2.0
"""Seconds of load before the measurement, left out of its figures."""


def measure(scenario: Scenario, proxy: Proxy, *, seconds: float, seed: int) -> Figures:
    """Run a scenario with a proxy."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="live-")))
        replicas = [stack.enter_context(Replica(WORKERS)) for _ in range(REPLICAS)]
        port = stack.enter_context(proxy.running(folder, replicas, scenario))
        lives = [replica.pid for replica in replicas]
        outcomes = asyncio.run(_run(scenario, replicas, port, seconds, seed))
        tries = None
        if lives == [replica.pid for replica in replicas]:
            tries = sum(replica.serve() for replica in replicas)
    return figures(
        outcomes, scenario=scenario.name, proxy=proxy.name, seed=seed, seconds=seconds, tries=tries
    )


async def _run(
    scenario: Scenario, replicas: list[Replica], port: int, seconds: float, seed: int
) -> list[Outcome]:
    plan = arrivals(seed, scenario.load * capacity(), -WARM_UP, seconds)
    zero = asyncio.get_running_loop().time() + WARM_UP

    def act() -> None:
        stage = Stage(replicas, seconds, zero)
        stage.at(0)
        scenario.act(stage)

    gc.disable()  # a pause of the client would be taken for one of the proxy
    try:
        outcomes, _ = await asyncio.gather(Client(port).run(plan, zero), asyncio.to_thread(act))
    finally:
        gc.enable()
    return outcomes
