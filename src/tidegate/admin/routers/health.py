"""/v1/health: for orchestrators and load balancers in front."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from tidegate.admin.context import TheGateway

router = APIRouter(prefix="/v1/health", tags=["health"])


class HealthView(BaseModel):
    """Whether the process lives, and whether it takes requests."""

    live: Literal[True] = True
    ready: bool


@router.get("/live", summary="Whether the process lives")
async def live(gateway: TheGateway) -> HealthView:
    """Always 200: who answers, lives."""
    return HealthView(ready=gateway.ready)


@router.get("", summary="Whether requests are served")
@router.get("/ready", summary="Whether requests are served")
async def ready(gateway: TheGateway, response: Response) -> HealthView:
    """200 while requests are served, 503 while the process starts or drains."""
    response.status_code = 200 if gateway.ready else 503
    return HealthView(ready=gateway.ready)
