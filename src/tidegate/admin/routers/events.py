"""/v1/events: what happened and happens, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from tidegate.admin.context import TheGateway
from tidegate.control.events import Event, Events

READERS = 32
"""That follow at a time."""
HEARTBEAT_SECONDS = 15
"""A comment is sent after this silence, so that proxies keep the connection and its end is noticed."""

router = APIRouter(prefix="/v1/events", tags=["events"])

Id = Annotated[str | None, Query(description="The id of the last event that is known; without it, all kept.")]
LastEventId = Annotated[str | None, Header(description="The same, as browsers send it when they reconnect.")]


@router.get(
    "",
    summary="What happens: commits, refusals, health, operators' words, faults",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/event-stream": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            }
        }
    },
)
async def follow(
    gateway: TheGateway,
    since: Id = None,
    last_event_id: LastEventId = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> Response:
    """The events that are kept, then each as it happens; as JSON (`Accept`), a list of those that are kept.

    An event `missed` says how many were not kept long enough for this reader; null: it is not known.
    """
    events = gateway.events
    known = last_event_id or since
    try:
        after = events.place(known) if known else events.begin
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    if "application/json" in accept:
        kept = events.read(events.begin if after is None else after).events
        return JSONResponse([_view(event) for event in kept])
    if events.readers >= READERS:
        raise HTTPException(503, f"{READERS} readers follow the events already.", {"Retry-After": "10"})
    return StreamingResponse(
        _messages(events, after), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _messages(events: Events, after: int | None) -> AsyncIterator[str]:
    """What is kept after that event, then each as it happens; None: after one of a process that is gone."""
    with events.reader():
        if after is None:
            yield _missed(None)
            after = events.begin
        while True:
            reading = events.read(after)
            if reading.missed:
                yield _missed(reading.missed)
            for event in reading.events:
                yield _message(event.kind, _view(event), event.id)
                after = event.number
            if events.ended and not reading.events:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await events.wait(after)
            except TimeoutError:
                yield ":\n\n"


def _missed(count: int | None) -> str:
    return _message("missed", {"kind": "missed", "count": count})


def _message(kind: str, data: dict[str, Any], id: str | None = None) -> str:
    """A message of WHATWG HTML §9.2.6."""
    lines = [f"id: {id}"] if id else []
    return "\n".join([*lines, f"event: {kind}", f"data: {json.dumps(data)}", "", ""])


def _view(event: Event) -> dict[str, Any]:
    return {"id": event.id, "time": event.time.isoformat(), "kind": event.kind, **event.about}
