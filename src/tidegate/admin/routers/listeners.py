"""/v1/listeners: the sockets that accept connections."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.members import add_members
from tidegate.control.gateway import Gateway
from tidegate.control.members import missing

router = APIRouter(prefix="/v1/listeners", tags=["listeners"])


@router.get("", summary="The listeners")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """As the engine sees them."""
    listeners: list[dict[str, Any]] = (await gateway.ask("status"))["listeners"]
    return listeners


async def live_listener(gateway: Gateway, name: str) -> dict[str, Any]:
    """One listener as the engine sees it. Raises MissingError."""
    for listener in await listed(gateway):
        if listener["name"] == name:
            return listener
    raise missing("listeners", name)


add_members(router, "listeners", live_listener)
