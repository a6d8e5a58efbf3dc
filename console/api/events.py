"""The event stream: everything that changes, as it changes, as server-sent events."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from console.api.needs import Console
from console.changes import Watcher
from console.problems import Problem, responses

router = APIRouter(prefix="/api/v1", tags=["events"])


async def _watcher(console: Console) -> AsyncIterator[Watcher]:
    # A dependency, so that a refusal is still an answer of its own and not a broken stream.
    watcher = console.changes.join()
    if watcher is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "too_many_watchers", "同时观看的客户端过多", "too many clients are watching at once"
        )
    try:
        yield watcher
    finally:
        console.changes.leave(watcher)


@router.get(
    "/events",
    summary="Everything that changes, as it changes · 实时事件流",
    response_class=EventSourceResponse,
    responses=responses(),
)
async def watch(watcher: Annotated[Watcher, Depends(_watcher)]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events.

    `incident`, `command`, `order`, `call`, `task`: the thing as its GET lists it. `timeline`: a sentence of an incident's story
    with its place. `clock`, every 2 s: `now_ms`, `rate`, and `live`, false while the database cannot be heard (since `since_ms`).
    `resync`: something may have been missed, read everything again.
    """
    while (event := await watcher.next()) is not None:
        yield event
