"""/v1/api-keys: keys that are made here, beside those in files."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, Field

from tidegate.admin.context import TheAuthentication, TheAuthor, TheGateway
from tidegate.auth.api_key import ApiKey, Network, NewSecret
from tidegate.auth.api_keys import MadeKey
from tidegate.control.gateway import Gateway, MissingError

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"])

Text = Annotated[str, Field(min_length=1, max_length=255)]


class Wanted(BaseModel, extra="forbid"):
    """What is to be said of a key."""

    authenticator: Text | None = Field(None, description="Whose key it is; needed where there are several.")
    name: Text = Field(description="What people call it.")
    subject: Text | None = Field(None, description="Whom requests with it are from.")
    claims: dict[str, Any] = Field(default_factory=dict, max_length=64, description="What is said of them.")
    expires: AwareDatetime | None = Field(None, description="When it ends; null: never.")
    networks: list[Network] = Field(
        default_factory=list, max_length=64, description="Where it may come from; empty: from anywhere."
    )


class ApiKeyView(BaseModel):
    """What is known of a key."""

    id: str
    authenticator: str
    name: str
    subject: str | None
    claims: dict[str, Any]
    expires: datetime | None
    expired: bool
    networks: list[str]
    author: str
    time: datetime = Field(description="When it was made.")

    @classmethod
    def of(cls, made: MadeKey) -> "ApiKeyView":
        """The view of a key."""
        key = made.key
        return cls(
            id=key.id,
            authenticator=made.authenticator,
            name=key.name,
            subject=key.subject,
            claims=key.claims,
            expires=key.expires,
            expired=made.has_expired(datetime.now(UTC)),
            networks=key.networks,
            author=made.author,
            time=made.time,
        )


class NewApiKeyView(ApiKeyView):
    """A key that was made just now."""

    key: str = Field(description="The key itself. It is told here and never again.")


@router.get("", summary="The API keys that were made here")
async def listed(authentication: TheAuthentication) -> list[ApiKeyView]:
    """The oldest first; those in files are not among them."""
    return [ApiKeyView.of(made) for made in authentication.api_keys.all()]


@router.post("", summary="Make an API key", status_code=201)
async def make(
    gateway: TheGateway, authentication: TheAuthentication, author: TheAuthor, wanted: Wanted
) -> NewApiKeyView:
    """It is believed at once. Only its hash is kept, in `state_dir`; without that, until the process ends."""
    authenticator = _authenticator(gateway, wanted.authenticator)
    secret = NewSecret.drawn()
    about = wanted.model_dump(exclude={"authenticator"})
    key = ApiKey(id=secret.id, hash=secret.hash, **about)
    made = MadeKey(authenticator, key, author, datetime.now(UTC))
    try:
        await authentication.api_keys.add(made)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return NewApiKeyView(**ApiKeyView.of(made).model_dump(), key=secret.written)


@router.delete("/{id}", summary="Revoke an API key")
async def revoke(authentication: TheAuthentication, id: str) -> ApiKeyView:
    """It is refused from now on. A key in a file is revoked there."""
    made = await authentication.api_keys.revoke(id)
    if made is None:
        raise MissingError(f"there is no API key {id} that was made here")
    return ApiKeyView.of(made)


def _authenticator(gateway: Gateway, name: str | None) -> str:
    """The authenticator that is named, or the only one there is."""
    known = [each.name for each in gateway.running.config.authenticators if each.api_key is not None]
    if name in known:
        return name or ""
    if name is None and len(known) == 1:
        return known[0]
    expected = " or ".join(known) if known else "an authenticator with api_key, and there is none"
    raise HTTPException(422, f"authenticator: expected {expected}")
