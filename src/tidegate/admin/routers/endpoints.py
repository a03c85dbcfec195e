"""/v1/upstreams/{name}/endpoints: an upstream's members. Every change makes a generation."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from tidegate.admin.context import ChangeView, TheChange, TheGateway
from tidegate.admin.routers.upstreams import live_upstream
from tidegate.control import endpoints
from tidegate.control.gateway import MissingError

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
    maintenance: str | None = Field(None, description="Why it is out of service; null: it is in service.")


class NewEndpoint(EndpointOptions):
    """An endpoint to add."""

    address: str = Field(examples=["127.0.0.1:9001"])


class Maintenance(BaseModel):
    """Why an endpoint is out of service."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("by the operator", min_length=1, max_length=1000, examples=["a new disk"])


class HealthChange(BaseModel):
    """A change of an endpoint's health."""

    time: datetime
    from_: str = Field(alias="from", description="The state before.")
    to: str = Field(description="The state since.")
    cause: str = Field(description="Why, in words for people.")


class EndpointHealth(BaseModel):
    """How an endpoint came to be as it is."""

    state: str = Field(description="healthy, resting, ejected, unhealthy, draining or maintenance.")
    healthy: bool = Field(description="Whether it may get requests now.")
    cause: str = Field(description="Why it is in that state.")
    changes: list[HealthChange] = Field(description="The last changes, the latest first.")


@router.get("", summary="An upstream's endpoints")
async def listed(gateway: TheGateway, name: Name) -> list[dict[str, Any]]:
    """As the engine sees them, with their health and load."""
    live: list[dict[str, Any]] = (await live_upstream(gateway, name))["endpoints"]
    return live


@router.post("", summary="Add an endpoint", status_code=201)
async def add(change: TheChange, name: Name, endpoint: NewEndpoint) -> ChangeView:
    """The upstream's other endpoints are not disturbed."""
    options = endpoint.model_dump(exclude_unset=True)
    return await change.edit(lambda document: endpoints.add(document, name, options))


@router.get("/{address:path}/health", summary="Why an endpoint is in the state that it is in")
async def health(gateway: TheGateway, name: Name, address: Address) -> EndpointHealth:
    """Its state, and its last changes with their time and cause."""
    found = await gateway.ask("endpoint_health", upstream=name, address=address)
    if found is None:
        raise MissingError(f"there is no endpoint {address} in an upstream {name}")
    return EndpointHealth.model_validate(found)


@router.post("/{address:path}/maintenance", summary="Take an endpoint out of service")
async def begin_maintenance(
    change: TheChange, name: Name, address: Address, maintenance: Maintenance
) -> ChangeView:
    """It finishes the requests it has, and gets no new ones and no health checks."""
    options = {"maintenance": maintenance.reason}
    return await change.edit(lambda document: endpoints.change(document, name, address, options))


@router.delete("/{address:path}/maintenance", summary="Put an endpoint back into service")
async def end_maintenance(change: TheChange, name: Name, address: Address) -> ChangeView:
    """It begins anew, like an endpoint that was just added."""
    options = {"maintenance": None}
    return await change.edit(lambda document: endpoints.change(document, name, address, options))


@router.patch("/{address:path}", summary="Change an endpoint's weight, drain it, or take it out")
async def update(change: TheChange, name: Name, address: Address, options: EndpointOptions) -> ChangeView:
    """An endpoint that drains finishes the requests it has and gets no new ones."""
    given = options.model_dump(exclude_unset=True)
    return await change.edit(lambda document: endpoints.change(document, name, address, given))


@router.delete("/{address:path}", summary="Remove an endpoint")
async def remove(change: TheChange, name: Name, address: Address) -> ChangeView:
    """Requests that it has are finished."""
    return await change.edit(lambda document: endpoints.remove(document, name, address))
