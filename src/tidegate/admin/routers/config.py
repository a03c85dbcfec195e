"""/v1/config: the configuration that is served, as one document."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from tidegate.admin.context import ChangeView, TheChange, TheDocument, TheGateway, TheOrigin, body
from tidegate.config.member import canonical
from tidegate.config.schema import json_schema
from tidegate.control.document import keep_secrets, merge_patch, redact

router = APIRouter(prefix="/v1/config", tags=["configuration"])

DESCRIBED = "See GET /v1/config/schema."


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


@router.put("", summary="Replace the configuration", openapi_extra=body(DESCRIBED))
async def replace(document: TheDocument, change: TheChange) -> ChangeView:
    """Serve this configuration instead. What it does not change is not disturbed."""
    return await change.edit(lambda current: keep_secrets(document, current))


@router.patch("", summary="Change the configuration", openapi_extra=body(DESCRIBED, patch=True))
async def patch(document: TheDocument, change: TheChange) -> ChangeView:
    """Change it by a JSON merge patch (RFC 7386): null removes, lists are replaced as a whole."""
    return await change.edit(lambda current: keep_secrets(merge_patch(current, document), current))


@router.post("/reload", summary="Read the configuration file again")
async def reload(response: Response, gateway: TheGateway, origin: TheOrigin) -> ChangeView:
    """Serve what the file says now, as SIGHUP does."""
    change = await gateway.reload(origin)
    response.headers["ETag"] = change.etag
    return ChangeView.of(change)
