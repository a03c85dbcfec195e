"""/v1/status: the process at a glance."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidegate._engine import version
from tidegate.admin.context import GenerationView, TheGateway
from tidegate.admin.problem import ErrorView

router = APIRouter(prefix="/v1/status", tags=["status"])


class RefusalView(BaseModel):
    """A change that was refused."""

    time: datetime
    origin: str
    errors: list[ErrorView]


class StatusView(BaseModel):
    """The process at a glance; `listeners` are as the engine sees them."""

    version: str
    started: datetime
    uptime_seconds: float
    workers: int
    ready: bool
    generation: GenerationView
    restart_required: list[str]
    counts: dict[str, int]
    listeners: list[dict[str, Any]]
    panic_mode: list[str] = Field(
        description="Upstreams of which too few endpoints are well, so that requests go to all in service."
    )
    refused: list[RefusalView]


@router.get("", summary="The process at a glance")
async def show(gateway: TheGateway) -> StatusView:
    """Version, uptime, listeners, counts, upstreams in panic mode, and refused changes, the newest first."""
    live = await gateway.ask("status")
    running = gateway.running
    config = running.config
    return StatusView(
        version=version(),
        started=gateway.started,
        uptime_seconds=(datetime.now(UTC) - gateway.started).total_seconds(),
        workers=gateway.workers,
        ready=gateway.ready,
        generation=GenerationView.of(running.generation),
        restart_required=gateway.restart_required,
        counts={
            "listeners": len(config.listeners),
            "routes": len(config.routes),
            "upstreams": len(config.upstreams),
            "endpoints": sum(len(upstream.endpoints) for upstream in config.upstreams),
        },
        listeners=live["listeners"],
        panic_mode=[each["name"] for each in live["upstreams"] if each["panic_mode"]],
        refused=[
            RefusalView(
                time=refusal.time,
                origin=refusal.origin,
                errors=[ErrorView.of(problem) for problem in refusal.problems],
            )
            for refusal in reversed(gateway.refusals)
        ],
    )
