"""/v1/rate-limits: how often requests may come, and what keys have left."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, status
from pydantic import BaseModel, Field

from tidegate.admin.context import TheGateway
from tidegate.control.gateway import MissingError

router = APIRouter(prefix="/v1/rate-limits", tags=["rate limits"])

Parts = Annotated[
    list[str],
    Query(
        alias="part",
        description="What the key is made of, in the order of the limit's option `key`; "
        "`-` stands for a part that requests lack.",
    ),
]
ABSENT = "-"


class RateLimitView(BaseModel):
    """A rate limit and how it is doing."""

    name: str
    keys: int = Field(description="Keys that have spent something that is not back yet.")
    waiting: int = Field(description="Requests that wait for their turn.")
    evictions: int = Field(description="Keys that were forgotten too early, for want of room.")
    options: dict[str, Any] = Field(description="What it was given.")


class Left(BaseModel):
    """What a key has left of a window."""

    window: str = Field(description="As clients are told of it.")
    left: int
    full_in_seconds: float = Field(description="Time until all is back.")


@router.get("", summary="The rate limits")
async def listed(gateway: TheGateway) -> list[RateLimitView]:
    """In the order of the configuration."""
    options = {limit.name: limit.data(exclude={"name"}) for limit in gateway.running.config.rate_limits}
    found = await gateway.ask("rate_limits")
    return [RateLimitView(**each, options=options.get(each["name"], {})) for each in found]


@router.get("/{name}", summary="One rate limit")
async def show(gateway: TheGateway, name: str) -> RateLimitView:
    """How it is doing, and what it was given."""
    for limit in await listed(gateway):
        if limit.name == name:
            return limit
    raise _missing(name)


@router.get("/{name}/key", summary="What a key has left")
async def key(gateway: TheGateway, name: str, parts: Parts = []) -> list[Left]:  # noqa: B006 - FastAPI's way
    """By window; of a key that has spent nothing, all."""
    with _told():
        found = await gateway.ask("rate_limit_key", limit=name, parts=_parts(parts))
    if found is None:
        raise _missing(name)
    return [Left(**each) for each in found]


@router.delete("/{name}/key", summary="Give a key a fresh bucket", status_code=status.HTTP_204_NO_CONTENT)
async def forget(gateway: TheGateway, name: str, parts: Parts = []) -> None:  # noqa: B006 - FastAPI's way
    """What it has spent is forgotten."""
    await show(gateway, name)
    with _told():
        await asyncio.to_thread(
            gateway.engine.supply, "fresh_bucket", name, json.dumps(_parts(parts)).encode()
        )


def _parts(parts: list[str]) -> list[str | None]:
    return [None if part == ABSENT else part for part in parts]


@contextmanager
def _told() -> Iterator[None]:
    """What the engine says against a key is the caller's mistake."""
    try:
        yield
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


def _missing(name: str) -> MissingError:
    return MissingError(f"there is no rate limit {name}")
