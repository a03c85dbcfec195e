"""/v1/listeners: the sockets that accept connections."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.members import add_members

router = APIRouter(prefix="/v1/listeners", tags=["listeners"])


@router.get("", summary="The listeners")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """As the engine sees them."""
    listeners: list[dict[str, Any]] = (await gateway.ask("status"))["listeners"]
    return listeners


add_members(router, "listeners", listed)
