"""/v1/config: the configuration that is served, as one document."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from tidegate.admin.context import ChangeView, TheChange, TheGateway, TheOrigin
from tidegate.config.member import canonical
from tidegate.config.schema import json_schema
from tidegate.control.document import Document, keep_secrets, merge_patch, redact

router = APIRouter(prefix="/v1/config", tags=["configuration"])


def _body(*media_types: str) -> dict[str, Any]:
    schema = {"type": "object", "description": "See GET /v1/config/schema."}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


@router.get(
    "", summary="The configuration", responses={200: {"model": dict[str, Any]}}, response_class=Response
)
async def show(gateway: TheGateway) -> Response:
    """What was configured, without defaults. Secrets are shown as `***`, and kept when sent back so."""
    running = gateway.running
    text = await asyncio.to_thread(lambda: canonical(redact(running.document)))
    return Response(text, media_type="application/json", headers={"ETag": running.generation.etag})


@router.get("/schema", summary="The configuration's JSON Schema")
async def schema() -> dict[str, Any]:
    """What a configuration may say."""
    return json_schema()


@router.put("", summary="Replace the configuration", openapi_extra=_body("application/json"))
async def replace(request: Request, change: TheChange) -> ChangeView:
    """Serve this configuration instead. What it does not change is not disturbed."""
    document = await _document(request)
    return await change.edit(lambda current: keep_secrets(document, current))


@router.patch(
    "",
    summary="Change the configuration",
    openapi_extra=_body("application/merge-patch+json", "application/json"),
)
async def patch(request: Request, change: TheChange) -> ChangeView:
    """Change it by a JSON merge patch (RFC 7386): null removes, lists are replaced as a whole."""
    document = await _document(request)
    return await change.edit(lambda current: keep_secrets(merge_patch(current, document), current))


@router.post("/reload", summary="Read the configuration file again")
async def reload(response: Response, gateway: TheGateway, origin: TheOrigin) -> ChangeView:
    """Serve what the file says now, as SIGHUP does."""
    change = await gateway.reload(origin)
    response.headers["ETag"] = change.etag
    return ChangeView.of(change)


async def _document(request: Request) -> Document:
    body = await request.body()
    try:
        document = await asyncio.to_thread(json.loads, body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"The body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise HTTPException(422, "The body must be a JSON object.")
    return document
