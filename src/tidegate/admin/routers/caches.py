"""/v1/caches: where responses are stored."""

from typing import Any

from fastapi import APIRouter

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.members import add_members

SECTION = "caches"

router = APIRouter(prefix="/v1/caches", tags=["caches"])


@router.get("", summary="The caches")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """With the bytes of memory that they may use, that stored responses use and that are being filled, how
    many responses are stored, and how many are being filled; and how far purges of other gateways are
    applied."""
    caches: list[dict[str, Any]] = await gateway.ask("caches")
    return caches


add_members(router, SECTION, listed)
