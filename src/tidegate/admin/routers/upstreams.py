"""/v1/upstreams: the upstreams with the live state of their endpoints."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway, TheModelLifecycle
from tidegate.admin.routers.members import add_members
from tidegate.admin.routers.words import WordView
from tidegate.control.gateway import Gateway

router = APIRouter(prefix="/v1/upstreams", tags=["upstreams"])


@router.get("", summary="The upstreams")
async def listed(gateway: TheGateway, model_lifecycle: TheModelLifecycle) -> list[dict[str, Any]]:
    """As the engine sees them: every endpoint with its health and load; and where requests are sampled, how
    many samples were `written` and `lost`, and why none are written now (`stopped`).
    """
    upstreams = await live_upstreams(gateway)
    for upstream in upstreams:
        if prediction := upstream.get("prediction"):
            prediction["samples"] |= model_lifecycle.samples.seen(upstream["name"])
    return upstreams


async def live_upstreams(gateway: Gateway) -> list[dict[str, Any]]:
    """All upstreams with their live state, and with the operator's words on their endpoints."""
    upstreams: list[dict[str, Any]] = (await gateway.ask("status"))["upstreams"]
    for upstream in upstreams:
        for endpoint in upstream["endpoints"]:
            words = gateway.words.of(upstream["name"], endpoint["address"])
            endpoint["words"] = [WordView.of(word).model_dump(mode="json") for word in words]
    return upstreams


add_members(router, "upstreams", live_upstreams)
