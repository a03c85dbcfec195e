"""/v1/upstreams: the upstreams with the live state of their endpoints."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.words import WordView
from tidegate.control.gateway import Gateway, MissingError

router = APIRouter(prefix="/v1/upstreams", tags=["upstreams"])


@router.get("", summary="The upstreams")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """As the engine sees them: every endpoint with its health and load."""
    return await live_upstreams(gateway)


@router.get("/{name}", summary="One upstream")
async def show(gateway: TheGateway, name: str) -> dict[str, Any]:
    """As the engine sees it, with the options it was given as `options`."""
    upstream = await live_upstream(gateway, name)
    planned = next(each for each in gateway.running.config.upstreams if each.name == name)
    return {**upstream, "options": planned.model_dump(mode="json", exclude={"name", "endpoints", "tls"})}


async def live_upstreams(gateway: Gateway) -> list[dict[str, Any]]:
    """All upstreams with their live state, and with the operator's words on their endpoints."""
    upstreams: list[dict[str, Any]] = (await gateway.ask("status"))["upstreams"]
    for upstream in upstreams:
        for endpoint in upstream["endpoints"]:
            words = gateway.words.of(upstream["name"], endpoint["address"])
            endpoint["words"] = [WordView.of(word).model_dump(mode="json") for word in words]
    return upstreams


async def live_upstream(gateway: Gateway, name: str) -> dict[str, Any]:
    """One upstream with its live state. Raises MissingError."""
    for upstream in await live_upstreams(gateway):
        if upstream["name"] == name:
            return upstream
    raise MissingError(f"there is no upstream {name}")
