"""/v1/generations: the configurations that were served, one after another."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query

from tidegate.admin.context import ChangeView, EditView, GenerationView, TheChange, TheGateway
from tidegate.control.diff import compare
from tidegate.control.document import Document, redact

router = APIRouter(prefix="/v1/generations", tags=["generations"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="The generation's number.")]


class GenerationDetail(GenerationView):
    """A generation with its document."""

    document: Document


@router.get("", summary="The generations, the newest first")
async def listed(
    gateway: TheGateway, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[GenerationView]:
    """At most `limit` of those that are kept."""
    generations = await asyncio.to_thread(gateway.store.newest, limit)
    return [GenerationView.of(generation) for generation in generations]


@router.get("/{number}", summary="One generation, with its document")
async def show(gateway: TheGateway, number: Number) -> GenerationDetail:
    """What was configured then."""
    generation = await gateway.generation(number)
    document = redact(await gateway.document(number))
    return GenerationDetail(**GenerationView.of(generation).model_dump(), document=document)


@router.get("/{number}/diff", summary="What differs between two generations")
async def diff(
    gateway: TheGateway,
    number: Number,
    against: Annotated[
        int | None,
        Query(ge=1, le=2**63 - 1, description="The older one; without it, the one that is served now."),
    ] = None,
) -> list[EditView]:
    """Every option that differs: `old` as in `against`, `new` as in this generation."""
    new = await gateway.document(number)
    old = gateway.running.document if against is None else await gateway.document(against)
    edits = await asyncio.to_thread(compare, old, new)
    return [EditView(path=edit.path, old=edit.old, new=edit.new) for edit in edits]


@router.post("/{number}/rollback", summary="Serve an earlier generation again")
async def rollback(change: TheChange, number: Number) -> ChangeView:
    """The earlier document becomes a new generation; files that it names are read as they are now."""
    return await change.rollback(number)
