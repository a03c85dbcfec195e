"""/v1/cache: what is stored of responses, and purging it. The caches as members of the configuration are at
/v1/caches."""

import asyncio
import json
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from tidegate.admin.context import TheAuthor, TheGateway, callers_mistakes
from tidegate.admin.routers.caches import SECTION, listed
from tidegate.control.gateway import Gateway
from tidegate.control.members import missing

LONGEST = 8_192
"""Characters of what a purge names."""

KINDS = {"url", "key", "tag", "prefix", "host", "all"}
"""What a purge may name."""

router = APIRouter(prefix="/v1/cache", tags=["cache"])

Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Url = Annotated[
    str,
    Query(
        pattern="^https?://", max_length=LONGEST, description="As clients ask for it, with scheme and host."
    ),
]
CacheName = Annotated[str | None, Query(description="The cache; otherwise all.")]
Soft = Annotated[bool, Query(description="Let it be stale from now on, and not forgotten.")]


class Purge(BaseModel, extra="forbid"):
    """Which stored responses are not to be used as they are any more: exactly one of `url`, `key`, `tag`,
    `prefix`, `host` and `all` is given."""

    url: Text | None = Field(default=None, description="Of this URL, with all that is stored of it.")
    key: Text | None = Field(default=None, description="Of this key, as /v1/cache/entries tells it.")
    tag: Text | None = Field(default=None, description="With this tag.")
    prefix: Text | None = Field(default=None, description="Whose URL begins so.")
    host: Text | None = Field(default=None, description="Of this host.")
    all: Literal[True] | None = Field(default=None, description="All.")
    cache: str | None = Field(default=None, description="The cache; null: all caches.", max_length=255)
    soft: bool = Field(default=False, description="Let them be stale from now on, and not forgotten.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(self.of) != 1:
            raise ValueError(
                f"expected exactly one of url, key, tag, prefix, host and all; found {len(self.of)}"
            )
        return self

    @property
    def of(self) -> dict[str, str | bool]:
        """What is purged."""
        given: dict[str, str | bool] = self.model_dump(include=KINDS, exclude_none=True)
        return given


class Purged(Purge):
    """What was purged."""

    untold: list[str] = Field(
        default=[],
        description="Caches of which other gateways have not been told yet: they are when the store answers.",
    )


class Entry(BaseModel):
    """A stored response."""

    cache: str
    key: str = Field(description="What it is found by, as 32 hexadecimal digits.")
    url: str
    vary: dict[str, str | None] = Field(
        description="Fields of the request that selected it; null: the request had none."
    )
    status: int
    bytes: int = Field(description="Of its body.")
    held_bytes: int = Field(description="How many of them are stored: fewer where only parts of it are.")
    age_seconds: float
    ttl_seconds: float = Field(description="How long it is fresh, counted from when it was made.")
    freshness_by: str = Field(description="Which rule says so.")
    tags: list[str] = Field(description="Hashes of its tags, as hexadecimal digits.")
    tier: str = Field(description="Where its body is: `memory` or `disk`.")
    hits: int
    soft_purged: bool = Field(description="Whether it was made stale by a purge.")


@router.get("", summary="How full the caches are")
async def status(gateway: TheGateway) -> list[dict[str, Any]]:
    """As GET /v1/caches."""
    return await listed(gateway)


@router.get("/entries", summary="What is stored of a URL")
async def entries(gateway: TheGateway, url: Url, cache: CacheName = None) -> list[Entry]:
    """Every variant, in every cache or in one."""
    _check_cache(gateway, cache)
    with callers_mistakes():
        found = await gateway.ask("cache_entries", url=url, cache=cache)
    return [Entry(**each) for each in found]


@router.delete("/entries", summary="Purge a URL")
async def forget(
    gateway: TheGateway, author: TheAuthor, url: Url, cache: CacheName = None, soft: Soft = False
) -> Purged:
    """As POST /v1/cache/purge with the URL."""
    return await purge(gateway, author, Purge(url=url, cache=cache, soft=soft))


@router.post("/purge", summary="Purge stored responses")
async def purge(gateway: TheGateway, author: TheAuthor, told: Purge) -> Purged:
    """It holds when this is answered, for responses that are being stored too; the answer is what was asked
    for. Nothing is purged twice: what is stored later is used. Where gateways share a cache's purges, the
    others have been told of it, unless the cache is among `untold`."""
    _check_cache(gateway, told.cache)
    value = json.dumps({**told.of, "soft": told.soft}).encode()
    with callers_mistakes():
        await asyncio.to_thread(gateway.engine.supply, "purge", told.cache or "", value)
    gateway.events.tell("purged", cache=told.cache, **told.of, soft=told.soft, author=author)
    return Purged(**told.model_dump(), untold=await _untold(gateway, told.cache))


async def _untold(gateway: Gateway, cache: str | None) -> list[str]:
    """The caches of which other gateways have not been told of all purges yet."""
    caches = [each for each in await gateway.ask("caches") if cache in (None, each["name"])]
    return [each["name"] for each in caches if each["purges"] and each["purges"]["waiting"]]


def _check_cache(gateway: Gateway, name: str | None) -> None:
    """Raises MissingError."""
    if name is not None and name not in gateway.running.loaded.members[SECTION]:
        raise missing(SECTION, name)
