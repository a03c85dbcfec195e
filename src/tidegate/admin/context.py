"""What the resources have in common: the gateway, preconditions, and the shape of a change's answer."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel

from tidegate.admin.problem import ErrorView
from tidegate.ai.model_lifecycle import ModelLifecycle
from tidegate.auth.authentication import Authentication
from tidegate.control.document import Document
from tidegate.control.gateway import Change, Gateway
from tidegate.control.generation import Generation, Origin, Summary
from tidegate.control.members import Edit


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _authentication(request: Request) -> Authentication:
    authentication: Authentication = request.app.state.authentication
    return authentication


def _model_lifecycle(request: Request) -> ModelLifecycle:
    model_lifecycle: ModelLifecycle = request.app.state.model_lifecycle
    return model_lifecycle


def _expected(if_match: Annotated[str | None, Header()] = None) -> frozenset[str] | None:
    """The entity tags of If-Match (RFC 9110 §13.1.1); a weak tag never matches."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(tag.strip() for tag in if_match.split(","))


def _origin(user_agent: Annotated[str, Header(include_in_schema=False)] = "") -> Origin:
    return "cli" if user_agent.startswith("tidegate-cli/") else "admin"


def _author(
    request: Request,
    origin: Annotated[Origin, Depends(_origin)],
    person: Annotated[
        str | None,
        Header(alias="From", max_length=200, description="Who speaks (RFC 9110 §10.1.2), to be shown."),
    ] = None,
) -> str:
    """Who asks, as far as that can be told: by their own word, and from which address."""
    named = "".join(character for character in person or "" if character.isprintable()) or origin
    return f"{named} from {request.client.host}" if request.client and request.client.host else named


async def _document(request: Request) -> Document:
    """The body, which is a JSON object."""
    text = await request.body()
    try:
        document = await asyncio.to_thread(json.loads, text)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"The body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise HTTPException(422, "The body must be a JSON object.")
    return document


@contextmanager
def callers_mistakes() -> Iterator[None]:
    """What the engine says against a value is the caller's mistake."""
    try:
        yield
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


def body(described: str, *, patch: bool = False) -> dict[str, Any]:
    """What OpenAPI says of an operation whose body is a document, or a merge patch of one."""
    media_types = ("application/merge-patch+json",) * patch + ("application/json",)
    schema = {"type": "object", "description": described}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


TheGateway = Annotated[Gateway, Depends(_gateway)]
TheAuthentication = Annotated[Authentication, Depends(_authentication)]
TheModelLifecycle = Annotated[ModelLifecycle, Depends(_model_lifecycle)]
Expected = Annotated[frozenset[str] | None, Depends(_expected)]
TheOrigin = Annotated[Origin, Depends(_origin)]
TheDocument = Annotated[Document, Depends(_document)]
TheAuthor = Annotated[str, Depends(_author)]
DryRun = Annotated[bool, Query(description="Only say what the change would do.")]


class EditView(BaseModel):
    """An option that differs; null stands for one that is not there."""

    path: str
    old: Any
    new: Any


class GenerationView(BaseModel):
    """A configuration that was committed."""

    number: int
    time: datetime
    origin: str
    etag: str
    summary: Summary

    @classmethod
    def of(cls, generation: Generation) -> "GenerationView":
        """The view of a generation."""
        return cls.model_validate(generation, from_attributes=True)


class ChangeView(BaseModel):
    """What a change did, or with `dry_run` would do."""

    changed: bool
    generation: int | None
    etag: str
    summary: Summary
    changes: list[EditView]
    restart_required: list[str]
    warnings: list[ErrorView]

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        """The view of a change."""
        return cls(
            changed=change.changed,
            generation=change.generation.number if change.generation else None,
            etag=change.etag,
            summary=change.summary,
            changes=[EditView(path=edit.path, old=edit.old, new=edit.new) for edit in change.edits],
            restart_required=change.restart_required,
            warnings=[ErrorView.of(warning) for warning in change.warnings],
        )


class Changing:
    """A request for a change: who asks, what is expected to be served, and whether it is only tried."""

    def __init__(
        self,
        response: Response,
        gateway: TheGateway,
        origin: TheOrigin,
        expected: Expected,
        dry_run: DryRun = False,
    ) -> None:
        self.dry_run = dry_run
        self._response, self._gateway = response, gateway
        self._origin, self._expected = origin, expected

    async def edit(self, edit: Callable[[Document], Document]) -> ChangeView:
        """Serve what `edit` makes of the document that is served."""
        change = await self._gateway.edit(edit, self._origin, expect=self._expected, dry_run=self.dry_run)
        return self._changed(change)

    async def edit_member(self, section: str, name: str, edit: Edit) -> ChangeView:
        """Serve what `edit` makes of one member."""
        change = await self._gateway.edit_member(
            (section, name), edit, self._origin, expect=self._expected, dry_run=self.dry_run
        )
        return self._changed(change)

    async def rollback(self, number: int) -> ChangeView:
        """Serve an earlier generation again."""
        change = await self._gateway.rollback(number, expect=self._expected, dry_run=self.dry_run)
        return self._changed(change)

    def _changed(self, change: Change) -> ChangeView:
        """The answer to a change."""
        if self.dry_run:
            self._response.status_code = 200
        self._response.headers["ETag"] = change.etag
        return ChangeView.of(change)


TheChange = Annotated[Changing, Depends()]
