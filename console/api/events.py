"""The event stream: everything that changes, as it changes, as server-sent events."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from console.api.needs import Console
from console.changes import Watcher
from console.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["events"])

_EXAMPLE = (
    ": heartbeat 1775120400000\nevent: clock\n"
    'data: {"now_ms": 1775120400000, "rate": 1.0, "live": true, "since_ms": null}\n\n'
    'event: timeline\nid: 1775120400000-17\ndata: {"kind": "reported_closed", "en": "The meter reports: valve closed", …}\n\n'
)


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


async def _watcher(console: Console) -> AsyncIterator[Watcher]:
    # A dependency, so that a refusal is still an answer of its own and not a broken stream.
    watcher = console.changes.join()
    if watcher is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_watchers", "同时观看的客户端过多", "too many clients are watching at once")
    try:
        yield watcher
    finally:
        console.changes.leave(watcher)


async def _frames(watcher: Watcher) -> AsyncIterator[bytes]:
    while (frame := await watcher.next()) is not None:
        yield frame


# FastAPI's own event routes put two more buffers in between and fail when a client leaves that was behind; only their format is used.
@router.get(
    "/events",
    summary="Everything that changes, as it changes · 实时事件流",
    response_class=EventStream,
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {"example": _EXAMPLE}}}, **responses()},
)
async def watch(watcher: Annotated[Watcher, Depends(_watcher)]) -> EventStream:
    """Server-sent events.

    `incident`, `command`, `order`, `call`, `task`: the thing as its GET lists it. `timeline`: a sentence of an incident's story
    with its place. `clock`, every 2 s: `now_ms`, `rate`, and `live`, false while the database cannot be heard (since `since_ms`).
    `resync`: something may have been missed, read everything again. The self-check is not told.
    """
    return EventStream(_frames(watcher), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
