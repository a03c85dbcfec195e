"""One member of a section of the configuration (`/v1/routes/{name}` and its like), and changes of it.

All sections have the same shape. A change costs what the member costs, however large the configuration is.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Response

from tidegate.admin.context import ChangeView, TheChange, TheDocument, TheGateway, body
from tidegate.config.member import kinds
from tidegate.control.document import Document, redact
from tidegate.control.gateway import Gateway
from tidegate.control.members import adding, missing, patching, removing, replacing

Seen = dict[str, Any]
"""A member as the engine sees it."""

Name = Annotated[str, Path(description="Its name.")]


def named(seen: list[Seen], section: str, name: str, key: str = "name") -> Seen:
    """The one of that name. Raises MissingError."""
    found = next((each for each in seen if each[key] == name), None)
    if found is None:
        raise missing(section, name)
    return found


def add_members(
    router: APIRouter, section: str, live: Callable[[Gateway], Awaitable[list[Seen]]], key: str = "name"
) -> None:
    """Add the operations on the members of a section; `live` gives them all, each with its name as `key`."""
    kind = kinds()[section]
    described = f"As `{section}[]` in GET /v1/config/schema."

    @router.get("/{name}", summary=f"One {kind}")
    async def show(gateway: TheGateway, name: Name, response: Response) -> dict[str, Any]:
        """As the engine sees it, with all its `options`, and with what was given of them as `configured`."""
        member = gateway.running.loaded.members[section].get(name)
        if member is None:
            raise missing(section, name)
        seen = named(await live(gateway), section, name, key)
        options = member.model.model_dump(mode="json", exclude={"name", *seen})
        (configured,) = redact({section: [member.document]})[section]
        response.headers["ETag"] = gateway.running.generation.etag
        return {**seen, "options": options, "configured": configured}

    @router.post("", summary=f"Add a {kind}", status_code=201, openapi_extra=body(described))
    async def add(change: TheChange, document: TheDocument) -> ChangeView:
        """It comes last; that there is one of its name is a conflict."""
        return await change.edit_member(section, str(document.get("name", "")), adding(section, document))

    @router.put("/{name}", summary=f"Replace or add a {kind}", openapi_extra=body(described))
    async def replace(change: TheChange, name: Name, document: TheDocument) -> ChangeView:
        """It stays in its place; where there was none of its name, it comes last."""
        member = {"name": name, **document}
        _check_name(member, name)
        return await change.edit_member(section, name, replacing(section, member))

    @router.patch("/{name}", summary=f"Change a {kind}", openapi_extra=body(described, patch=True))
    async def patch(change: TheChange, name: Name, document: TheDocument) -> ChangeView:
        """Change it by a JSON merge patch (RFC 7386): null removes, lists are replaced as a whole."""
        _check_name({"name": name, **document}, name)
        return await change.edit_member(section, name, patching(section, name, document))

    @router.delete("/{name}", summary=f"Remove a {kind}")
    async def remove(change: TheChange, name: Name) -> ChangeView:
        """What it serves is finished. One that others refer to stays: that is a mistake."""
        return await change.edit_member(section, name, removing(section, name))


def _check_name(document: Document, name: str) -> None:
    if document["name"] != name:
        raise HTTPException(422, f"The name is the identity: it stays {name}, or the other one is added.")
