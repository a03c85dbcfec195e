"""/v1/stores: where several gateways keep what they share."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.members import add_members

SECTION = "stores"

router = APIRouter(prefix="/v1/stores", tags=["stores"])


@router.get("", summary="The stores")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """Whether they answer, since when, why not, how many gateways share them, and for which rate limits and
    caches."""
    stores: list[dict[str, Any]] = await gateway.ask("stores")
    return stores


add_members(router, SECTION, listed)
