"""/v1/upstreams/{name}/endpoints: an upstream's endpoints.

To add and to remove one is a change of the configuration, and a generation. Weight, drain and maintenance are
words of the operator, which hold beside it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidegate.admin.context import ChangeView, TheAuthor, TheChange, TheGateway
from tidegate.admin.routers.members import named
from tidegate.admin.routers.upstreams import live_upstreams
from tidegate.admin.routers.words import WordView
from tidegate.config.model.unit import Count
from tidegate.control import endpoints
from tidegate.control.gateway import MissingError
from tidegate.control.words import OPTIONS, Duty, Option, Value, configured

router = APIRouter(prefix="/v1/upstreams/{name}/endpoints", tags=["upstreams"])

Name = Annotated[str, Path(description="The upstream's name.")]
Address = Annotated[str, Path(description="The endpoint's address, as configured.")]


class NewEndpoint(BaseModel):
    """An endpoint to add, with the options that the configuration gives it."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(examples=["127.0.0.1:9001"])
    weight: int = Field(1, description="Its share of the load beside the others'.")
    drain: bool = Field(False, description="Whether it gets no new requests.")
    priority: int = Field(0, description="Lower ones are preferred.")
    zone: str | None = Field(None, description="The zone that it runs in.")
    labels: dict[str, str] = Field({}, description="What routes may ask for.")
    maintenance: str | None = Field(None, description="Why it is out of service; null: it is in service.")


Reason = Annotated[str, Field(min_length=1, max_length=1000, description="Why, for people.")]


class WordsChange(BaseModel):
    """The operator's words on an endpoint; null takes one back, what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    duty: Duty | None = Field(None, description="What it is to do, whatever the configuration says.")
    drain: bool | None = Field(None, description="Short for the duty draining, or serving.")
    weight: Count | None = Field(None, description="Its share of the load beside the others'.")
    reason: Reason | None = None

    @model_validator(mode="after")
    def _one_duty(self) -> Self:
        if {"duty", "drain"} <= self.model_fields_set:
            raise ValueError("expected either duty or drain")
        return self

    @property
    def values(self) -> dict[Option, Value | None]:
        """What is said of the options."""
        values: dict[Option, Value | None] = {
            option: getattr(self, option) for option in OPTIONS if option in self.model_fields_set
        }
        if "drain" in self.model_fields_set:
            values["duty"] = None if self.drain is None else "draining" if self.drain else "serving"
        return values


class Maintenance(BaseModel):
    """Why an endpoint is out of service."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = Field("by the operator", examples=["a new disk"])


class EndpointWords(BaseModel):
    """What holds of an endpoint after the operator's words."""

    upstream: str
    endpoint: str
    changed: bool
    words: list[WordView] = Field(description="Those on this endpoint.")
    configured: dict[Option, Value] | None = Field(
        description="What the configuration says of the same options; null: it has no such endpoint."
    )


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
    words: list[WordView] = Field(description="The operator's words on it.")


class Operator:
    """The operator speaks of an endpoint."""

    def __init__(self, gateway: TheGateway, author: TheAuthor, name: Name, address: Address) -> None:
        self._gateway, self._author = gateway, author
        self._upstream, self._endpoint = name, address

    async def say(self, values: Mapping[Option, Value | None], reason: str | None = None) -> EndpointWords:
        """Let `values` hold. Raises MissingError where there is neither such an endpoint nor a word on it."""
        words, at = self._gateway.words, (self._upstream, self._endpoint)
        found = endpoints.find(self._gateway.running, *at)
        if found is None and (not words.of(*at) or any(value is not None for value in values.values())):
            raise MissingError(f"there is no endpoint {self._endpoint} in an upstream {self._upstream}")
        try:
            changed = await words.say(*at, values, author=self._author, reason=reason)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return EndpointWords(
            upstream=self._upstream,
            endpoint=self._endpoint,
            changed=changed,
            words=[WordView.of(word) for word in words.of(*at)],
            configured=configured(found) if found else None,
        )


TheOperator = Annotated[Operator, Depends()]


@router.get("", summary="An upstream's endpoints")
async def listed(gateway: TheGateway, name: Name) -> list[dict[str, Any]]:
    """As the engine sees them, with their health and load."""
    live: list[dict[str, Any]] = named(await live_upstreams(gateway), "upstreams", name)["endpoints"]
    return live


@router.post("", summary="Add an endpoint", status_code=201)
async def add(change: TheChange, name: Name, endpoint: NewEndpoint) -> ChangeView:
    """The upstream's other endpoints are not disturbed."""
    options = endpoint.model_dump(exclude_unset=True)
    return await change.edit_member("upstreams", name, endpoints.adding(name, options))


@router.get("/{address:path}/health", summary="Why an endpoint is in the state that it is in")
async def health(gateway: TheGateway, name: Name, address: Address) -> EndpointHealth:
    """Its state, and its last changes with their time and cause."""
    found = await gateway.ask("endpoint_health", upstream=name, address=address)
    if found is None:
        raise MissingError(f"there is no endpoint {address} in an upstream {name}")
    words = [WordView.of(word) for word in gateway.words.of(name, address)]
    return EndpointHealth(**found, words=words)


@router.post("/{address:path}/maintenance", summary="Take an endpoint out of service")
async def begin_maintenance(operator: TheOperator, maintenance: Maintenance) -> EndpointWords:
    """It finishes the requests it has, and gets no new ones and no checks until that is taken back."""
    return await operator.say({"duty": "maintenance"}, maintenance.reason)


@router.delete("/{address:path}/maintenance", summary="Put an endpoint back into service")
async def end_maintenance(operator: TheOperator) -> EndpointWords:
    """It begins anew, like an endpoint that was just added, unless the configuration says maintenance too."""
    return await operator.say({"duty": None})


@router.patch("/{address:path}", summary="Set an endpoint's weight, drain it, or take it out")
async def say(operator: TheOperator, change: WordsChange) -> EndpointWords:
    """What is said holds over the configuration and through reloads, until null takes it back."""
    return await operator.say(change.values, change.reason)


@router.delete("/{address:path}", summary="Remove an endpoint")
async def remove(change: TheChange, name: Name, address: Address) -> ChangeView:
    """Requests that it has are finished."""
    return await change.edit_member("upstreams", name, endpoints.removing(name, address))
