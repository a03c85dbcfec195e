"""/v1/revocations: tokens that are over before their time."""

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, Field

from tidegate.admin.context import TheAuthentication, TheAuthor
from tidegate.auth.revocations import Revocation, Revoked
from tidegate.control.gateway import MissingError

router = APIRouter(prefix="/v1/revocations", tags=["revocations"])


class NewRevocation(BaseModel, extra="forbid"):
    """Tokens that are not to be believed any more."""

    authenticator: str = Field(description="Whose tokens.", max_length=255)
    revoked: Revoked = Field(description="What `name` names.")
    name: str = Field(
        description="The token's id (`jti`), its subject (`sub`) or its session (`sid`).",
        min_length=1,
        max_length=1_024,
    )
    until: AwareDatetime = Field(description="When the last of these tokens has expired by itself.")
    reason: str | None = Field(None, description="Why, for people.", max_length=1_000)


class RevocationView(NewRevocation):
    """A revocation that holds."""

    id: str
    author: str
    time: datetime = Field(description="When it was made.")

    @classmethod
    def of(cls, revocation: Revocation) -> "RevocationView":
        """The view of a revocation."""
        return cls.model_validate(revocation, from_attributes=True)


@router.get("", summary="The revocations that hold")
async def listed(authentication: TheAuthentication) -> list[RevocationView]:
    """The oldest first."""
    return [RevocationView.of(each) for each in authentication.revocations.all()]


@router.post("", summary="Revoke tokens", status_code=201)
async def revoke(authentication: TheAuthentication, author: TheAuthor, told: NewRevocation) -> RevocationView:
    """Tokens of this id, subject or session are refused from now on. Another revocation of the same takes its
    place."""
    revocation = Revocation(**told.model_dump(), author=author, time=datetime.now(UTC))
    try:
        await authentication.revocations.add(revocation)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return RevocationView.of(revocation)


@router.delete("/{id}", summary="Take a revocation back", status_code=204)
async def take_back(authentication: TheAuthentication, id: str) -> None:
    """Tokens that have not expired are believed again."""
    if not await authentication.revocations.remove(id):
        raise MissingError(f"there is no revocation {id}")
