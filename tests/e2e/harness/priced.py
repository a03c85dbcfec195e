"""An upstream whose requests cost what a number in their path says, which the online learner cannot know."""

import asyncio
from typing import Any

from .configs import proxy
from .gateway import Config, Gateway
from .origin import Exchange, Origin

LIGHT, HEAVY = 0.001, 0.016
"""Seconds."""
HEAVY_FROM = 500


async def price(exchange: Exchange) -> None:
    """Answer `/items/<n>`: where n is large, later."""
    await exchange.discard_body()
    number = int(exchange.request.path.rpartition("/")[2])
    await asyncio.sleep(HEAVY if number >= HEAVY_FROM else LIGHT)
    await exchange.respond(200)


def sampled(origin: Origin, state_dir: object, **predict: Any) -> Config:
    """Everything goes to the origin, and every request is sampled."""
    origin.on_every_path(price)
    config = proxy(origin.address, workers=1, state_dir=str(state_dir))
    config["upstreams"][0] |= {"predict": {"mode": "shadow", "samples": 100, **predict}}
    return config


def ask(gateway: Gateway, requests: int) -> None:
    """Send so many requests, one after the other: of one that is alone it is known what it costs."""
    with gateway.connect() as connection:
        for number in range(requests):
            assert connection.request(f"/items/{number * 7919 % 1000 + 1}").status == 200
