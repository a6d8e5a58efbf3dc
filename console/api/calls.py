"""Telephone calls of an incident: who was rung, what happened, and why it ended. Read from ``calls``; dispatch writes them."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import CALL_IN_SCOPE, home_open
from console.api.needs import Console, Database, noun
from console.api.reader import Reader
from console.joined import JOINED, by_asked
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.recordings_folder import RecordingsFolder
from console.running import Running
from console.store import Row, Store
from console.vocabulary import CALL_OUTCOMES, Words, said
from core.ids import CANARY_HOME
from dispatch.voice.protocol import CANARY_ADDRESS

router = noun("calls")

_COLUMNS = """call_id, incident_id, home_id, attempt, position, name, role, address, simulated, language, requested_ms, placed_ms,
    ringing_ms, answered_ms, key, key_ms, ended_ms, outcome, sip_code, q850_cause, cause_source, reason, said"""
_OPEN = home_open("calls.home_id", "calls.incident_id")

# The self-check's calls are listed with their own incident alone.
_OF_CANARY = f"(role = 'canary' OR address = '{CANARY_ADDRESS}' OR home_id IS NOT DISTINCT FROM '{CANARY_HOME}')"
CALLS_NEWEST = f"""
    WITH {JOINED}
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM calls
    WHERE CASE WHEN %(ids)s::uuid[] = '{{}}' THEN NOT {_OF_CANARY} ELSE incident_id IN (SELECT id FROM named) END
      AND {CALL_IN_SCOPE}
      AND (%(at)s::bigint IS NULL OR (requested_ms, call_id) < (%(at)s, %(id)s::uuid))
    ORDER BY requested_ms DESC, call_id DESC LIMIT %(rows)s"""
CALLS_BY_ID = f"SELECT {_COLUMNS} FROM calls WHERE call_id = ANY(%(ids)s)"
# A call that joined a ladder under way carries the id of the incident that the ladder began for.
CALLS_OF_INCIDENTS = f"""
    WITH {JOINED}
    SELECT asked, {_COLUMNS} FROM named JOIN calls ON incident_id = named.id ORDER BY requested_ms, call_id"""


class Call(BaseModel):
    """One call to one contact. Times are Unix ms, null while they have not come."""

    call_id: UUID
    incident_id: UUID = Field(description="the incident that the calling began for; it may serve others of the same place too")
    home_id: str | None
    attempt: int = Field(description="1 is the first call of the incident")
    position: int = Field(description="place of the contact in the home's list, 1 first")
    name: str = Field(description="masked for those who may not see people, and for all once no incident of the home is open")
    role: str = Field(description="resident, owner, family, 物业, 网格员 …")
    address: str = Field(description="the number or SIP address that was dialled; masked as the name is")
    simulated: bool = Field(description="true: rung in the simulation only, never through a real trunk")
    language: str = Field(description="zh or en: spoken language")
    requested_ms: int
    placed_ms: int | None = Field(description="INVITE sent (T6a)")
    ringing_ms: int | None = Field(description="the phone rings (T6b)")
    answered_ms: int | None
    key: str | None = Field(description="1 = I am out, 2 = I need help, 9 = not my home")
    key_ms: int | None = Field(description="the key was pressed (T7)")
    ended_ms: int | None
    outcome: str = Field(description="under_way, confirmed, help_needed, wrong_home, heard_unconfirmed, not_reached, busy, …")
    outcome_words: Words
    sip_code: int | None = Field(description="last SIP status")
    q850_cause: int | None = Field(description="Q.850 cause of the end")
    cause_source: str | None
    reason: str | None
    said: list[str] = Field(description="what was spoken, sentence by sentence")
    recording: bool = Field(description="it can be heard: `/calls/{call_id}/recording`")


def of_canary(row: Row) -> bool:
    """Whether a row is a call of the self-check, which rings its own telephone alone."""
    return bool(row["role"] == "canary" or row["address"] == CANARY_ADDRESS or row["home_id"] == CANARY_HOME)


def from_row(row: Row, recordings: RecordingsFolder, *, clear: bool) -> Call:
    """A call as the API gives it; ``clear``: with its names and numbers."""
    return Call(
        **masking.shown(row, masking.call, clear=clear),
        outcome_words=said(CALL_OUTCOMES, row["outcome"]),
        # Nothing is said before somebody answers.
        recording=row["answered_ms"] is not None and recordings.has(row["call_id"]),
    )


async def rows_of_incidents(store: Store, ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Incident id -> rows of its calls, oldest first."""
    return by_asked(await store.rows(CALLS_OF_INCIDENTS, {"ids": list(ids)}))


def recordings_of(console: Running) -> RecordingsFolder:
    """Where the sound of calls is kept, if anywhere."""
    return RecordingsFolder(console.settings.recordings_dir)


@router.get("/calls", summary="Calls, newest first · 电话记录", responses=responses(422))
async def list_calls(
    store: Database,
    console: Console,
    who: Reader,
    incident_id: Annotated[UUID | None, Query(description="calls of this incident only")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Call]:
    """Every attempt to reach a person, with what came of it."""
    at, last = behind("calls", after, int, UUID)
    values: dict[str, Any] = {"ids": [] if incident_id is None else [incident_id], "at": at, "id": last, "rows": limit + 1}
    values |= who.scope.values()
    rows = await store.rows(CALLS_NEWEST, values)
    kept = recordings_of(console)
    return Page(
        items=[from_row(row, kept, clear=masking.sees_people(who, home_open=row["home_open"])) for row in rows[:limit]],
        next=next_of("calls", rows, limit, lambda row: (row["requested_ms"], str(row["call_id"]))),
    )
