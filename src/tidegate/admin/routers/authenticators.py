"""/v1/authenticators: how it is found out where requests come from."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.members import add_members

SECTION = "authenticators"

router = APIRouter(prefix="/v1/authenticators", tags=["authenticators"])


@router.get("", summary="The authenticators")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """With their kinds."""
    authenticators: list[dict[str, Any]] = await gateway.ask("authenticators")
    return authenticators


add_members(router, SECTION, listed)
