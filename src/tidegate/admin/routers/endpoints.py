"""/v1/upstreams/{name}/endpoints: an upstream's members. Every change makes a generation."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from tidegate.admin.context import ChangeView, DryRun, Expected, TheGateway, TheOrigin, changed
from tidegate.admin.routers.upstreams import live_upstream
from tidegate.control import endpoints

router = APIRouter(prefix="/v1/upstreams/{name}/endpoints", tags=["upstreams"])

Name = Annotated[str, Path(description="The upstream's name.")]
Address = Annotated[str, Path(description="The endpoint's address, as configured.")]


class EndpointOptions(BaseModel):
    """Options of an endpoint; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    weight: int = Field(1, description="Its share of the load beside the others'.")
    drain: bool = Field(False, description="Whether it gets no new requests.")
    priority: int = Field(0, description="Lower ones are preferred.")
    zone: str | None = Field(None, description="The zone that it runs in.")
    labels: dict[str, str] = Field({}, description="What routes may ask for.")


class NewEndpoint(EndpointOptions):
    """An endpoint to add."""

    address: str = Field(examples=["127.0.0.1:9001"])


@router.get("", summary="An upstream's endpoints")
async def listed(gateway: TheGateway, name: Name) -> list[dict[str, Any]]:
    """As the engine sees them, with their health and load."""
    live: list[dict[str, Any]] = (await live_upstream(gateway, name))["endpoints"]
    return live


@router.post("", summary="Add an endpoint", status_code=201)
async def add(
    response: Response,
    gateway: TheGateway,
    origin: TheOrigin,
    name: Name,
    endpoint: NewEndpoint,
    expected: Expected,
    dry_run: DryRun = False,
) -> ChangeView:
    """The upstream's other endpoints are not disturbed."""
    options = endpoint.model_dump(exclude_unset=True)
    change = await gateway.edit(
        lambda document: endpoints.add(document, name, options), origin, expect=expected, dry_run=dry_run
    )
    if dry_run:
        response.status_code = 200
    return changed(change, response)


@router.patch("/{address:path}", summary="Change an endpoint's options, or drain it")
async def change(
    response: Response,
    gateway: TheGateway,
    origin: TheOrigin,
    name: Name,
    address: Address,
    options: EndpointOptions,
    expected: Expected,
    dry_run: DryRun = False,
) -> ChangeView:
    """An endpoint that drains finishes the requests it has and gets no new ones."""
    given = options.model_dump(exclude_unset=True)
    done = await gateway.edit(
        lambda document: endpoints.change(document, name, address, given),
        origin,
        expect=expected,
        dry_run=dry_run,
    )
    return changed(done, response)


@router.delete("/{address:path}", summary="Remove an endpoint")
async def remove(
    response: Response,
    gateway: TheGateway,
    origin: TheOrigin,
    name: Name,
    address: Address,
    expected: Expected,
    dry_run: DryRun = False,
) -> ChangeView:
    """Requests that it has are finished."""
    done = await gateway.edit(
        lambda document: endpoints.remove(document, name, address), origin, expect=expected, dry_run=dry_run
    )
    return changed(done, response)
