"""What was said on a call, as sound: the file that the voice worker kept under the call's id. Reads it; every hearing is recorded."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response

from console.access.in_scope import CALL_IN_SCOPE
from console.access.who import Who
from console.api.needs import Console, needs, noun
from console.problems import Problem, answer, not_found, responses
from console.recordings_folder import RecordingsFolder

router = noun("calls")

_CALL = f"SELECT incident_id, home_id FROM calls WHERE call_id = %(call_id)s AND {CALL_IN_SCOPE}"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SOUND = {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}


@router.get(
    "/calls/{call_id}/recording",
    summary="What was said on a call, as sound · 通话播报录音",
    response_class=Response,
    responses={
        200: {"description": "A WAV file, 8 kHz, mono / WAV 音频", "content": _SOUND},
        206: {"description": "The part that was asked for / 所请求的部分", "content": _SOUND},
        **responses(403, 404, 422),
        416: {**responses(404)[404], "description": "No such part / 没有这一段"},
    },
)
async def hear(
    console: Console,
    who: Annotated[Who, Depends(needs("read_people"))],
    call_id: UUID,
    range_: Annotated[str | None, Header(alias="Range", max_length=200, description="one part: bytes=0-1023")] = None,
) -> Response:
    """The platform's own voice, on the time on which it was heard. 404 where nothing was said, or its recording is no longer kept."""
    if await console.store.row(_CALL, {"call_id": call_id, **who.scope.values()}) is None:
        raise not_found("没有这通电话", "there is no such call")
    file = RecordingsFolder(console.settings.recordings_dir).file(call_id)
    try:
        sound = b"" if file is None else await asyncio.to_thread(file.read_bytes)
    except OSError:
        sound = b""
    if not sound:
        raise not_found("这通电话没有录音，或录音已过保存期", "this call has no recording, or it is no longer kept")
    wanted = _wanted(range_, len(sound))
    if wanted == (0, 0):
        refused = answer(
            Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "no_such_part", "录音没有这一段", "the recording has no such part")
        )
        refused.headers["Content-Range"] = f"bytes */{len(sound)}"
        return refused
    start, end = wanted or (0, len(sound))
    # Whichever part is asked for first; a player that goes on asking for parts is heard once.
    await console.access.audit.note_once(who, "recording_heard", about=str(call_id))
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-store", "Content-Disposition": f'inline; filename="{call_id}.wav"'}
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(sound)}"
    status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
    return Response(sound[start:end], status_code=status, headers=headers, media_type="audio/wav")


def _wanted(asked: str | None, size: int) -> tuple[int, int] | None:
    """The part ``[start, end)`` that a Range header asks for; None = all of it (none asked for, or not understood); (0, 0) = none there."""
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        last = min(int(found[2]), size)
        return (size - last, size) if last else (0, 0)
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    if found[2] and int(found[2]) < start:
        return None
    return (start, end) if start < size else (0, 0)
