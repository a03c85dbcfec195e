"""An upstream whose requests cost what a number in their path says, which the online learner cannot know."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .configs import proxy
from .gateway import Config, Gateway
from .origin import Exchange, Origin

CLIENTS = 4
LEAST_SECONDS = 0.001


async def price(exchange: Exchange) -> None:
    """Answer `/items/<n>` after as many milliseconds as the logarithm of n."""
    await exchange.discard_body()
    number = int(exchange.request.path.rpartition("/")[2])
    await asyncio.sleep(LEAST_SECONDS * (1 + math.log1p(number)))
    await exchange.respond(200)


def sampled(origin: Origin, state_dir: object, **predict: Any) -> Config:
    """Everything goes to the origin, and every request is sampled."""
    origin.on_every_path(price)
    config = proxy(origin.address, workers=1, state_dir=str(state_dir))
    config["upstreams"][0] |= {"predict": {"mode": "shadow", "samples": 100, **predict}}
    return config


def ask(gateway: Gateway, requests: int) -> None:
    """Send so many requests, from several clients."""

    def asked(client: int) -> None:
        with gateway.connect() as connection:
            for number in range(client, requests, CLIENTS):
                assert connection.request(f"/items/{number * 7919 % 1000 + 1}").status == 200

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(asked, range(CLIENTS)))
