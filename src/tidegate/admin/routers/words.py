"""/v1/words: the operator's words on endpoints."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tidegate.admin.context import TheGateway
from tidegate.config.model.upstream import Endpoint
from tidegate.control.gateway import Gateway
from tidegate.control.words import Option, Value, Word, configured

router = APIRouter(prefix="/v1/words", tags=["words"])


class WordView(BaseModel):
    """What the operator says of an option of an endpoint."""

    option: Option
    value: Value
    reason: str | None = Field(description="Why, for people.")
    author: str
    time: datetime = Field(description="When it was said.")

    @classmethod
    def of(cls, word: Word) -> "WordView":
        """The view of a word."""
        return cls.model_validate(word, from_attributes=True)


class PlacedWordView(WordView):
    """A word with the endpoint that it is on."""

    upstream: str
    endpoint: str
    absent: bool = Field(description="Whether the upstream has no such endpoint now.")
    configured: Value | None = Field(description="What the configuration says; null: nothing.")


@router.get("", summary="The operator's words on endpoints")
async def listed(gateway: TheGateway) -> list[PlacedWordView]:
    """Every word that holds, the oldest first, with what the configuration says of the same option."""
    words = gateway.words.all()
    endpoints = _configured(gateway, {word.upstream for word in words})
    return [_placed(word, endpoints.get((word.upstream, word.endpoint))) for word in words]


def _placed(word: Word, endpoint: Endpoint | None) -> PlacedWordView:
    return PlacedWordView(
        **WordView.of(word).model_dump(),
        upstream=word.upstream,
        endpoint=word.endpoint,
        absent=endpoint is None,
        configured=configured(endpoint)[word.option] if endpoint else None,
    )


def _configured(gateway: Gateway, upstreams: set[str]) -> dict[tuple[str, str], Endpoint]:
    return {
        (upstream.name, endpoint.address): endpoint
        for upstream in gateway.running.config.upstreams
        if upstream.name in upstreams
        for endpoint in upstream.endpoints
    }
