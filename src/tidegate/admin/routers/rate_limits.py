"""/v1/rate-limits: how often requests may come, and what keys have left."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tidegate.admin.context import TheGateway, callers_mistakes
from tidegate.admin.routers.members import add_members, named

SECTION = "rate_limits"
ABSENT = "-"
"""Stands for a part of a key that requests lack."""

router = APIRouter(prefix="/v1/rate-limits", tags=["rate limits"])

Parts = Annotated[
    list[str],
    Query(
        alias="part",
        default_factory=list,
        description="What the key is made of, in the order of the limit's option `key`; "
        f"`{ABSENT}` stands for a part that requests lack.",
    ),
]


class Left(BaseModel):
    """What a key has left of a window."""

    window: str = Field(description="As clients are told of it.")
    left: int
    full_in_seconds: float = Field(description="Time until all is back.")


class Heavy(BaseModel):
    """A key that many requests have."""

    parts: list[str | None] = Field(
        description="In the order of the limit's option `key`; null is what its requests lack."
    )
    requests: int = Field(description="How many had it, let go or not; never too few.")
    at_most_too_many: int = Field(description="How many too many these are at most.")


@router.get("", summary="The rate limits")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """About how many keys have spent something, how many requests wait, and how many keys were forgotten too
    early for want of room."""
    limits: list[dict[str, Any]] = await gateway.ask("rate_limits")
    return limits


add_members(router, SECTION, listed)


@router.get("/{name}/key", summary="What a key has left")
async def key(gateway: TheGateway, name: str, parts: Parts) -> list[Left]:
    """By window; of a key that has spent nothing, all."""
    named(await listed(gateway), SECTION, name)
    with callers_mistakes():
        found = await gateway.ask("rate_limit_key", limit=name, parts=_parts(parts))
    return [Left(**each) for each in found or ()]


@router.delete("/{name}/key", summary="Give a key a fresh bucket")
async def forget(gateway: TheGateway, name: str, parts: Parts) -> list[Left]:
    """What it has spent is forgotten; the answer is what it has left then."""
    named(await listed(gateway), SECTION, name)
    value = json.dumps(_parts(parts)).encode()
    with callers_mistakes():
        await asyncio.to_thread(gateway.engine.supply, "fresh_bucket", name, value)
    return await key(gateway, name, parts)


@router.get("/{name}/top", summary="The heaviest keys")
async def top(
    gateway: TheGateway, name: str, count: Annotated[int, Query(alias="n", ge=1, le=1000)] = 20
) -> list[Heavy]:
    """Those with the most requests, the heaviest first, of a limit that says `identities: true`."""
    named(await listed(gateway), SECTION, name)
    with callers_mistakes():
        found = await gateway.ask("rate_limit_top", limit=name, count=count)
    return [Heavy(**each) for each in found or ()]


def _parts(parts: list[str]) -> list[str | None]:
    return [None if part == ABSENT else part for part in parts]
