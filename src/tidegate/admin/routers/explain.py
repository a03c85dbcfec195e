"""/v1/explain: what became of recent requests, and why."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tidegate.admin.context import TheGateway
from tidegate.control.gateway import MissingError

router = APIRouter(prefix="/v1/explain", tags=["explain"])

Count = Annotated[int, Query(ge=1, le=1000, description="How many.")]
RequestId = Annotated[str, Path(description="The request's X-Request-Id.")]


class Outstanding(BaseModel):
    """A recent request that stood out."""

    request_id: str
    time: datetime = Field(description="When it began.")
    reason: str = Field(description="Why it is remembered: what stood out, or `sampled`.")
    method: str
    path: str
    status: int
    error: str | None = Field(description="Why it failed, as in logs and metrics.")
    duration_ms: float


class Phase(BaseModel):
    """Something that was reached."""

    phase: str = Field(description="What was reached, from `routed` to `end`.")
    at_ms: float = Field(description="When, from the request's beginning on.")


class Said(BaseModel):
    """A limit's word on the request."""

    limit: str = Field(description="rate, requests, or what another try depends on.")
    allowed: bool
    in_flight: int | None = Field(None, description="Requests that were in, itself included.")
    most: int | None = Field(None, description="How many might be; null: as many as come.")
    queued: int | None = Field(None, description="Requests that waited.")
    name: str | None = Field(None, description="The rate limit, where limit is rate.")
    window: str | None = Field(None, description="Its window, as clients are told of it.")
    cost: int | None = Field(None, description="Units that the request was to be charged.")
    left: int | None = Field(None, description="Units that are left after it.")
    wait_ms: float | None = Field(None, description="How long until there is room for it.")
    verdict: str | None = Field(None, description="allow, wait or deny.")
    mode: str | None = Field(None, description="enforce, or shadow: nothing follows from it.")


class AuthDecision(BaseModel):
    """What an authenticator made of the request. Nothing of the credential is kept."""

    authenticator: str
    result: str = Field(description="`ok`, `missing`, or why the credential was not believed.")
    reason: str | None = None


class AccessDecision(BaseModel):
    """Why the request may not use its route."""

    by: str = Field(description="The option of `access` that says so, like `require`.")
    rule: str = Field(description="The rule that it does not fulfil.")


class CacheDecision(BaseModel):
    """What became of the request in a cache."""

    cache: str
    result: str = Field(description="As in metrics: hit, stale, revalidated, miss, expired, collapsed, …")
    forwarded: str | None = Field(default=None, description="Why the origin was asked (RFC 9211).")
    reason: str | None = Field(
        default=None, description="Why what is not fresh was served, or why the response is not stored."
    )
    key: str = Field(description="The hash of its key, as `tidegate cache show` has it.")
    age: int | None = Field(default=None, description="How old the response is, in seconds.")
    ttl: int | None = Field(default=None, description="Seconds for which it is fresh; below 0: it is not.")
    freshness: str | None = Field(default=None, description="What says for how long it is fresh.")
    slices: bool | None = Field(
        default=None,
        description="Whether its origin answers ranges, as far as is known; null: its route has no slices.",
    )


class Factor(BaseModel):
    """How many times as much the request was said to cost by something."""

    by: str = Field(description="route, method, template, size or model.")
    times: float = Field(description="Relative to what stands before it, first to what is usual.")


class Declined(BaseModel):
    """A worker that the request left alone."""

    slower: float = Field(description="How many times longer than with a quick one it would have taken.")
    every_ms: float = Field(description="The mean time until a quick one came free.")


class PredictionDecision(BaseModel):
    """What was predicted of the request, and what followed."""

    cost_ms: float | None = Field(description="What it was taken to cost; null: no prediction counted.")
    usual_ms: float = Field(description="What requests to its upstream cost.")
    factors: list[Factor] = Field(description="What is known of such requests, from its route on.")
    weight: float = Field(description="How far that counted, from 0 to 1: as an exponent of the factors.")
    boost_ms: float = Field(description="How much earlier than it came it counted.")
    overtaken: int = Field(description="Requests of its class that came after it and went in before it.")
    declined: Declined | None = Field(description="What it left alone last to wait for something better.")


class Candidate(BaseModel):
    """An endpoint as it stood when one was picked."""

    endpoint: str
    picked: bool
    state: str
    weight: float = Field(description="Smaller than configured while it starts slowly; 0: no requests.")
    in_flight: int
    workers: int | None = Field(description="Requests that it works on at a time; null where not known.")
    pace: float | None = Field(description="How much longer than at the others requests take there.")
    latency_ms: float | None = Field(description="Mean of late; null before the first answer.")
    failing: float = Field(description="Share of its requests that failed of late.")
    cost: float | None = Field(description="What the policy compares; null where it chooses otherwise.")
    passed_over: str | None = Field(description="Why it could not be picked; null where it could.")


class Choice(BaseModel):
    """How an endpoint was chosen."""

    policy: str
    sticky: bool = Field(description="Whether the client's cookie named the endpoint.")
    panic_mode: bool = Field(
        description="Whether it was picked, well or not, because too few endpoints were well."
    )
    candidates: list[Candidate]
    left_out: int = Field(description="How many more there were.")


class Try(BaseModel):
    """One try on one endpoint."""

    endpoint: str
    at_ms: float = Field(description="When it began.")
    connected_ms: float | None = Field(description="When it had a connection; null: that was not seen.")
    ended_ms: float | None = Field(description="When its outcome was known.")
    outcome: str = Field(description="`status 503`, a failure as in logs and metrics, or given_up.")
    choice: Choice | None = Field(description="Null where it was not noted: nothing had gone wrong yet.")


class Story(Outstanding):
    """What became of a request. All times count from its beginning."""

    listener: str
    host: str | None = Field(description="Null where it was not noted.")
    detail: str | None = Field(description="Why it failed, for people.")
    route: str | None
    rule: dict[str, Any] | None = Field(
        description="What the route takes; null if the configuration has changed since."
    )
    considered: list[dict[str, Any]] = Field(description="The routes that were nearest, and why not.")
    upstream: str | None
    phases: list[Phase]
    limits: list[Said]
    subject: str | None = Field(description="Of its identity; only where `explain.identities` is set.")
    auth: list[AuthDecision]
    access: AccessDecision | None
    cache: CacheDecision | None
    prediction: PredictionDecision | None = Field(
        description="Null where it neither had to wait nor was sent by what it costs, or that was not noted."
    )
    tries: list[Try]
    unpicked: Choice | None = Field(description="The endpoints, when none could be picked.")


@router.get("", summary="The latest requests that stood out")
async def listed(gateway: TheGateway, last: Count = 20) -> list[Outstanding]:
    """Those that failed, were retried or were slow; the latest first. Sampled ones are not listed."""
    found = await gateway.ask("outstanding", count=last)
    return [Outstanding.model_validate(each) for each in found]


@router.get("/{request_id}", summary="What became of a request, and why")
async def explain(gateway: TheGateway, request_id: RequestId) -> Story:
    """Its route, the endpoints as they stood when one was picked, the tries, and what limits said."""
    story = await gateway.ask("explain", request_id=request_id)
    if story is None:
        raise MissingError(_why_missing(gateway, request_id))
    return Story.model_validate(story | {"duration_ms": story["phases"][-1]["at_ms"]})


def _why_missing(gateway: TheGateway, request_id: str) -> str:
    options = gateway.running.config.explain
    if not options.keep:
        return "no request is remembered: explain.keep is 0"
    return (
        f"no request {request_id} is remembered: it is still under way, or there was none, or it is too old "
        f"(each worker keeps the latest {options.keep} of a kind), or it went well and was not sampled "
        f"(explain.sample is {options.sample:g} %)"
    )
