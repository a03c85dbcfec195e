"""/v1/authenticators: how it is found out where requests come from."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidegate.admin import problem
from tidegate.admin.context import TheAuthentication, TheGateway
from tidegate.admin.routers.members import add_members, named
from tidegate.auth.provider import KeyState
from tidegate.control.gateway import Gateway, MissingError

SECTION = "authenticators"

router = APIRouter(prefix="/v1/authenticators", tags=["authenticators"])


class TokenQuestion(BaseModel, extra="forbid"):
    """A token, and the route that it is for."""

    route: str
    token: str = Field(max_length=1 << 20)


class Asked(BaseModel):
    """What an authenticator makes of the token."""

    authenticator: str
    result: str = Field(description="As metrics call it; `other`: the token is not for it.")
    reason: str | None


class TokenAnswer(BaseModel):
    """What would be decided of a request that carries the token."""

    status: int | None = Field(description="Of the answer; null: the request would be let go.")
    reason: str | None
    asked: list[Asked]
    subject: str | None
    claims: dict[str, Any] | None


@router.get("", summary="The authenticators")
async def listed(gateway: TheGateway, authentication: TheAuthentication) -> list[dict[str, Any]]:
    """With their kinds; where keys are fetched also with these, how old they are, and why the last fetch
    failed."""
    seen = await _seen(gateway)
    return [{**each, "fetch": _view(authentication.keys.state(each["name"]))} for each in seen]


@router.post("/check", summary="What would be decided of a token")
async def check(gateway: TheGateway, question: TokenQuestion) -> TokenAnswer:
    """No request is sent, no key is fetched, and nothing is remembered."""
    answer = await gateway.ask("check_token", route=question.route, token=question.token)
    if answer is None:
        raise MissingError(f"there is no route {question.route}")
    return TokenAnswer(**answer)


@router.post("/{name}/refresh", summary="Fetch keys now")
async def refresh(gateway: TheGateway, authentication: TheAuthentication, name: str) -> Any:
    """Those of an authenticator with an identity provider. The last good ones hold if that fails."""
    state = await authentication.keys.refresh(name)
    if state.error:
        return problem.problem(502, state.error)
    return named(await listed(gateway, authentication), SECTION, name)


async def _seen(gateway: Gateway) -> list[dict[str, Any]]:
    authenticators: list[dict[str, Any]] = await gateway.ask("authenticators")
    return authenticators


add_members(router, SECTION, _seen)


def _view(state: KeyState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {"source": state.source, "failures": state.failures, "error": state.error}
