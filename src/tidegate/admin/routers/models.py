"""/v1/models: the models of the registry, where they are used, and how they come into use."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field

from tidegate import _engine
from tidegate.admin.context import ChangeView, Changing, TheChange, TheGateway, TheModelLifecycle, TheOrigin
from tidegate.ai.package import Package, PackageError
from tidegate.ai.promote import Standing, demotion, former_use, is_meant, promotion, using
from tidegate.ai.registry import Entry, ModelId, UnknownModelError
from tidegate.control import logs
from tidegate.control.gateway import ConflictError, Gateway, MissingError

ARCHIVE = "application/x-tar"

router = APIRouter(prefix="/v1/models", tags=["models"])

log = logs.Logger("tidegate.admin")

TheModel = Annotated[
    str, Path(description="Its name and the first digits of its digest; the name alone, where there is one.")
]
TheUpstream = Annotated[
    str | None, Query(description="The upstream; needed where not exactly one uses the model.")
]


class UseView(BaseModel):
    """An upstream that uses a model."""

    upstream: str
    stage: str = Field(description="shadow, canary or live.")
    share: float = Field(description="Percent of the requests that it predicts as a canary.")
    state: str = Field(description="serving, shadow, absent or fallback.")
    reason: str | None = Field(description="Why it is in that state.")
    skill: float | None = Field(
        description="Which part of what the online learner leaves unexplained it explains: the lower bound "
        "at 95 %; null: nothing has been seen."
    )
    predictions: int = Field(description="Of its predictions, how many were judged.")


class ModelView(BaseModel):
    """A model of the registry; null is what its manifest does not tell, because it cannot be read."""

    model: str = Field(description="Its name and the first digits of its digest.")
    name: str
    digest: str
    kind: str | None
    learner: str | None
    created: datetime | None
    author: str | None
    problem: str | None = Field(description="What is wrong with it.")
    uses: list[UseView]


class ModelDetail(ModelView):
    """A model, with all that its manifest tells."""

    manifest: dict[str, Any] | None


@router.get("", summary="The models")
async def listed(gateway: TheGateway, model_lifecycle: TheModelLifecycle) -> list[ModelView]:
    """By name, and of each name the latest first."""
    entries = await asyncio.to_thread(model_lifecycle.registry.entries)
    upstreams = await _upstreams(gateway)
    return [ModelView(**_told(entry, upstreams)) for entry in entries]


@router.post(
    "",
    summary="Add a model",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {ARCHIVE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def add(
    gateway: TheGateway,
    model_lifecycle: TheModelLifecycle,
    origin: TheOrigin,
    request: Request,
    name: Annotated[str, Query(description="What it is to be called.", examples=["shop-cost"])],
) -> ModelView:
    """The body is an archive, as `tidegate ai train --out` writes it. What does not hold what it says is
    refused. It is used nowhere until a configuration names it.
    """
    archive = await request.body()
    try:
        package = await asyncio.to_thread(Package.of_archive, archive)
        await asyncio.to_thread(_engine.score_model, archive, b"")
    except (PackageError, ValueError) as error:
        raise HTTPException(422, f"the archive is no model that can be used: {error}") from None
    id = await asyncio.to_thread(model_lifecycle.registry.add, name, package)
    log.info("a model is added", model=id.short, learner=package.manifest.learner)
    if any(is_meant(absent, id) for absent in model_lifecycle.models.absent):
        await gateway.reread(origin)
    return ModelView(**_told(Entry(id, package.manifest, None), await _upstreams(gateway)))


@router.get("/{model}", summary="One model")
async def show(gateway: TheGateway, model_lifecycle: TheModelLifecycle, model: TheModel) -> ModelDetail:
    """With its manifest: what it was made of, how good it was, and what was usual then."""
    id = await _meant(model_lifecycle, model)
    entry = await asyncio.to_thread(model_lifecycle.registry.entry, id)
    manifest = entry.manifest.model_dump(mode="json") if entry.manifest else None
    return ModelDetail(**_told(entry, await _upstreams(gateway)), manifest=manifest)


@router.get("/{model}/archive", summary="A model's files", response_class=Response)
async def archive(model_lifecycle: TheModelLifecycle, model: TheModel) -> Response:
    """As one archive, which another gateway takes."""
    id = await _meant(model_lifecycle, model)
    package = await asyncio.to_thread(model_lifecycle.registry.read, id)
    return Response(package.archive(), media_type=ARCHIVE)


class Step(NamedTuple):
    """A request for another stage of a model in an upstream."""

    gateway: Gateway
    change: Changing
    id: ModelId
    upstream: str


async def _step(
    gateway: TheGateway,
    model_lifecycle: TheModelLifecycle,
    change: TheChange,
    model: TheModel,
    upstream: TheUpstream = None,
) -> Step:
    id = await _meant(model_lifecycle, model)
    return Step(gateway, change, id, upstream or _only_use(gateway, id))


TheStep = Annotated[Step, Depends(_step)]


@router.post("/{model}/promote", summary="Use a model one stage further")
async def promote(step: TheStep) -> ChangeView:
    """From shadow to canary and from there to live, if it has shown that it is better than the online
    learner. In an upstream that does not use it yet it begins in shadow, in the place of the model that was
    used."""
    seen = {each["name"]: _seen(each, step.id) for each in await _upstreams(step.gateway)}.get(step.upstream)
    standing = Standing.of(seen) if seen else None
    edit = promotion(step.upstream, step.id, standing)
    return await step.change.edit_member("upstreams", step.upstream, edit)


@router.post("/{model}/rollback", summary="Use a model one stage less")
async def rollback(step: TheStep) -> ChangeView:
    """From live to canary and from there to shadow; from shadow to what the upstream used before, or to no
    model."""
    former = await asyncio.to_thread(former_use, step.gateway, step.upstream, step.id)
    edit = demotion(step.upstream, step.id, former)
    return await step.change.edit_member("upstreams", step.upstream, edit)


async def _meant(model_lifecycle: TheModelLifecycle, model: str) -> ModelId:
    """The model that is asked about. Raises MissingError."""
    try:
        return await asyncio.to_thread(model_lifecycle.registry.meant, model)
    except UnknownModelError as error:
        raise MissingError(str(error)) from None


def _only_use(gateway: Gateway, id: ModelId) -> str:
    found = using(gateway.running.document, id)
    if len(found) != 1:
        used = f"the upstreams {', '.join(found)} use" if found else "no upstream uses"
        raise ConflictError(f"{used} the model {id.short}: say which upstream is meant")
    return found[0]


async def _upstreams(gateway: Gateway) -> list[dict[str, Any]]:
    upstreams: list[dict[str, Any]] = (await gateway.ask("status"))["upstreams"]
    return upstreams


def _seen(upstream: dict[str, Any], id: ModelId) -> dict[str, Any] | None:
    """What the engine tells of a model in an upstream that uses it."""
    seen: dict[str, Any] | None = (upstream.get("prediction") or {}).get("model")
    return seen if seen and is_meant(seen["name"], id) else None


def _told(entry: Entry, upstreams: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = entry.manifest
    uses = [{**seen, "upstream": each["name"]} for each in upstreams if (seen := _seen(each, entry.id))]
    return {
        "model": entry.id.short,
        "name": entry.id.name,
        "digest": entry.id.digest,
        "kind": manifest and manifest.kind,
        "learner": manifest and manifest.learner,
        "created": manifest and manifest.created,
        "author": manifest and manifest.author,
        "problem": entry.problem,
        "uses": uses,
    }
