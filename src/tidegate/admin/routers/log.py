"""/v1/log: the level of the process's own log, until the next start."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from tidegate.admin.context import TheGateway
from tidegate.control import logs
from tidegate.control.logs import Level

router = APIRouter(prefix="/v1/log", tags=["log"])


class LogView(BaseModel):
    """The level that is logged from."""

    model_config = ConfigDict(extra="forbid")

    level: Level


class LogChange(LogView):
    """The level to log from, and finer directives for the engine where wanted."""

    engine: str | None = Field(
        None, description="Directives for the engine alone, like `info,tidegate_proxy::listen=debug`."
    )


@router.get("", summary="The log level")
async def show() -> LogView:
    """The level that is logged from now."""
    return LogView(level=logs.level())


@router.put("", summary="Set the log level")
async def replace(gateway: TheGateway, wanted: LogChange) -> LogView:
    """Log from this level on. It makes no generation; the configuration's level holds again after a start."""
    try:
        gateway.engine.supply("log", "filter", (wanted.engine or wanted.level).encode())
    except ValueError as error:
        raise HTTPException(422, f"The engine's directives are malformed: {error}") from None
    logs.set_level(wanted.level)
    return LogView(level=wanted.level)
