"""/v1/routes: the routes, and which of them takes a request."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from tidegate.admin.context import TheGateway
from tidegate.admin.routers.members import add_members
from tidegate.control.question import question

router = APIRouter(prefix="/v1/routes", tags=["routes"])


class Question(BaseModel):
    """A request that is only asked about."""

    model_config = ConfigDict(extra="forbid")

    method: str = "GET"
    url: str = Field(examples=["https://api.example.com/v1/users?page=2"])
    headers: list[tuple[str, str]] = []
    listener: str | None = Field(
        None, description="The listener it comes in by; null: that of the URL's scheme and port."
    )


class Considered(BaseModel):
    """A route that was looked at, and why it does not take the request."""

    route: str
    matched: bool
    reason: str | None


class Explanation(BaseModel):
    """Which route takes the request."""

    route: str | None
    action: str | None = Field(description="What that route does, in words.")
    listener: str | None = Field(description="The listener it comes in by.")
    assumed: str | None = Field(description="What was assumed because the request does not say it.")
    host: str | None = Field(description="The `Host` that an endpoint gets.")
    path: str | None = Field(description="The path, with the query, that an endpoint gets.")
    location: str | None = Field(description="Where a redirect leads.")
    captures: dict[str, str]
    considered: list[Considered]


@router.get("", summary="The routes in order of precedence")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """Who is asked first stands first."""
    table: list[dict[str, Any]] = await gateway.ask("table")
    return table


add_members(router, "routes", listed, key="route")


@router.post("/explain", summary="Which route takes a request, and why")
async def explain(gateway: TheGateway, asked: Question) -> Explanation:
    """No request is sent."""
    try:
        about = question(gateway.running.config, asked.method, asked.url, asked.headers, asked.listener)
        answer = await gateway.ask("route", **about.request)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return Explanation(**answer, listener=about.request["listener"], assumed=about.assumed)
