"""/v1/routes: the table of routes, and which of them takes a request."""

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from tidegate.admin.context import TheGateway
from tidegate.control.question import question

router = APIRouter(prefix="/v1/routes", tags=["routes"])


class Question(BaseModel):
    """A request that is only asked about."""

    model_config = ConfigDict(extra="forbid")

    method: str = "GET"
    url: str = Field(examples=["https://api.example.com/v1/users?page=2"])
    headers: list[tuple[str, str]] = []
    client: str = Field("127.0.0.1", description="The client's address.")
    listener: str | None = Field(None, description="The listener it comes in by; null: any.")


class Considered(BaseModel):
    """A route that was looked at, and why it does not take the request."""

    route: str
    matched: bool
    reason: str | None


class Explanation(BaseModel):
    """Which route takes the request."""

    route: str | None
    captures: dict[str, str]
    considered: list[Considered]


@router.get("", summary="The routes in order of precedence")
async def listed(gateway: TheGateway) -> list[dict[str, Any]]:
    """Who is asked first stands first."""
    table: list[dict[str, Any]] = await gateway.ask("table")
    return table


@router.post("/explain", summary="Which route takes a request, and why")
async def explain(gateway: TheGateway, asked: Question) -> Explanation:
    """No request is sent."""
    try:
        request = question(asked.method, asked.url, asked.headers, asked.client, asked.listener)
        answer = await gateway.ask("route", **request)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return Explanation.model_validate(answer)
