"""The event stream: everything that changes, as it changes, as server-sent events."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Query
from fastapi.responses import StreamingResponse

from console.api.needs import Console, noun
from console.api.reader import Reader
from console.problems import Problem, responses
from console.watcher import Watcher

router = noun("events")

_EXAMPLE = (
    ": heartbeat 1775120400000\nevent: clock\n"
    'data: {"now_ms": 1775120400000, "rate": 1.0, "live": true, "since_ms": null}\nid: 5f0c7a1be2d4-16\n\n'
    'event: timeline\ndata: {"kind": "reported_closed", "en": "The meter reports: valve closed", …}\nid: 5f0c7a1be2d4-17\n\n'
)


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


async def _watcher(
    console: Console,
    who: Reader,
    last_event_id: Annotated[str | None, Header(max_length=64, description="go on behind this event; a browser sends it by itself")] = None,
    after: Annotated[str | None, Query(max_length=64, description="the same, for a page that opens the stream anew")] = None,
) -> AsyncIterator[Watcher]:
    # A dependency, so that a refusal is still an answer of its own and not a broken stream.
    watcher = console.changes.join(who, console.access.again, last_event_id or after)
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
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {"example": _EXAMPLE}}}, **responses(422)},
)
async def watch(watcher: Annotated[Watcher, Depends(_watcher)]) -> EventStream:
    """Server-sent events, each with an id: whoever comes back with it (`Last-Event-ID`) is sent what he missed, once.

    `incident`, `command`, `order`, `call`, `task`, `crew`, `remark`, `attachment`, `handover`: the thing as
    its GET lists it, if it is yours to see. `timeline`: a sentence
    of an incident's story with its place. `clock`, every 2 s: `now_ms`, `rate`, and `live`, false while the database cannot be heard
    (since `since_ms`). `resync`: something may have been missed or is no longer yours, read everything again. `signed_out`: your session
    has ended, and with it the stream. The self-check is not told.
    """
    return EventStream(_frames(watcher), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
