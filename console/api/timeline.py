"""The story of an incident: what the line, dispatch and the telephone did, merged into one list of sentences, oldest first."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.incidents import INCIDENTS_BY_ID, IncidentId, addresses, known
from console.api.needs import Database
from console.joined import JOINED, kin_of
from console.order_wording import step_words
from console.problems import responses
from console.store import Row, Store
from console.vocabulary import Words
from console.wording import call_words, event_words

router = APIRouter(prefix="/api/v1", tags=["incidents"])

_EVENT = "SELECT event_id, incident_id, at_ms, kind, actor, detail FROM incident_events"
_STEP = """SELECT s.step_no, o.incident_id, s.at_ms, s.event, s.actor, o.order_no, o.kind, o.crew_id, s.detail
    FROM order_steps s JOIN work_orders o USING (order_id)"""
_CALL = """SELECT call_id, incident_id, attempt, name, role, placed_ms, ringing_ms, answered_ms, key, key_ms, ended_ms, outcome,
    reason
    FROM calls"""
EVENTS_OF_INCIDENT = f"WITH {JOINED} {_EVENT} WHERE incident_id IN (SELECT id FROM own) ORDER BY at_ms LIMIT 2000"  # noqa: S608  constant
# The line has already said what it knows of the valve, and that gas leaks again; a step that only noted it is no news.
_NEWS = " AND s.event <> 'valve' AND NOT (s.event = 'leak_again' AND s.from_state = s.to_state)"
STEPS_OF_INCIDENT = f"""
    WITH {JOINED} {_STEP} WHERE s.order_id IN (SELECT order_id FROM ordered) {_NEWS} ORDER BY s.step_no LIMIT 2000"""  # noqa: S608
CALLS_OF_INCIDENT = f"WITH {JOINED} {_CALL} WHERE incident_id IN (SELECT id FROM named) ORDER BY requested_ms LIMIT 500"  # noqa: S608
EVENTS_BY_ID = _EVENT + " WHERE event_id = ANY(%(ids)s)"
STEPS_BY_NO = _STEP + " WHERE s.step_no = ANY(%(ids)s)" + _NEWS
CALLS_BY_ID = _CALL + " WHERE call_id = ANY(%(ids)s)"

# Where two things carry the same millisecond, the line spoke first, then dispatch, then the telephone.
_RANK = {"event": 0, "step": 1, "call": 2}
_MOMENTS = {
    "call_placed": "placed_ms",
    "call_ringing": "ringing_ms",
    "call_answered": "answered_ms",
    "call_key": "key_ms",
    "call_ended": "ended_ms",
}


class Entry(BaseModel):
    """One sentence of the story."""

    entry_id: str = Field(description="the same entry always has the same id", examples=["step:17"])
    at_ms: int = Field(description="Unix ms")
    kind: str
    actor: str
    detail: dict[str, Any]
    zh: str
    en: str

    @property
    def is_of_line(self) -> bool:
        """Whether the line said it; else dispatch or the telephone did."""
        return self.entry_id.startswith("event:")


class LiveEntry(Entry):
    """A sentence with its place, as the event stream gives it."""

    incident_id: UUID
    incident_kind: str
    home_id: str | None
    address_zh: str
    address_en: str
    simulated: bool


class Timeline(BaseModel):
    """The story of one incident."""

    items: list[Entry] = Field(description="oldest first")


def _entry(entry_id: str, at_ms: int, kind: str, actor: str, detail: Mapping[str, Any], words: Words) -> Entry:
    return Entry(entry_id=entry_id, at_ms=at_ms, kind=kind, actor=actor, detail=dict(detail), zh=words.zh, en=words.en)


def of_event(row: Row) -> Entry:
    """The sentence of a row of ``incident_events``."""
    words = event_words(row["kind"], row["actor"], row["detail"])
    return _entry(f"event:{row['event_id']}", row["at_ms"], row["kind"], row["actor"], row["detail"], words)


def of_step(row: Row) -> Entry:
    """The sentence of a row of ``order_steps`` joined with its order."""
    told = {"order_no": row["order_no"], "kind": row["kind"], **row["detail"]}
    if row["event"] in {"assign", "reassign"}:
        told.setdefault("crew_id", row["crew_id"])
    detail = {"order_no": row["order_no"], **row["detail"]}
    return _entry(f"step:{row['step_no']}", row["at_ms"], row["event"], row["actor"], detail, step_words(row["event"], row["actor"], told))


def of_call(row: Row) -> list[Entry]:
    """The sentences of a call: one for each moment that has come."""
    detail = {key: row[key] for key in ("attempt", "name", "role", "key", "outcome", "reason")}
    return [
        _entry(f"call:{row['call_id']}:{moment}", row[stamp], moment, "dispatch", detail, call_words(moment, row))
        for moment, stamp in _MOMENTS.items()
        if row[stamp] is not None
    ]


def merged(events: Sequence[Row], steps: Sequence[Row], calls: Sequence[Row]) -> list[Entry]:
    """One list, oldest first."""
    entries = [*map(of_event, events), *map(of_step, steps), *(entry for call in calls for entry in of_call(call))]
    return sorted(entries, key=lambda entry: (entry.at_ms, _RANK[entry.entry_id.partition(":")[0]]))


async def live(store: Store, entries: Sequence[tuple[UUID, Entry]]) -> list[LiveEntry]:
    """Entries, each with its incident id, placed: those whose incident is not stored yet are left out.

    A sentence of an order or call is told to every incident that it serves, one of the line to its incident alone, whatever its id.
    """
    kin = await kin_of(store, list({incident for incident, _ in entries}))
    places = {row["incident_id"]: row for row in await store.rows(INCIDENTS_BY_ID, {"ids": list(kin.all())})}
    found = []
    told = ((each, entry) for incident, entry in entries for each in (kin.own if entry.is_of_line else kin.named)[incident])
    for incident_id, entry in told:
        place = places.get(incident_id)
        if place is None:
            continue
        where = addresses(place)
        found.append(
            LiveEntry(
                **entry.model_dump(),
                incident_id=incident_id,
                incident_kind=place["kind"],
                home_id=place["home_id"],
                address_zh=where.zh,
                address_en=where.en,
                simulated=place["simulated"],
            )
        )
    return found


@router.get("/incidents/{incident_id}/timeline", summary="The story of an incident · 事件经过", responses=responses(404, 422))
async def read_timeline(store: Database, incident_id: IncidentId) -> Timeline:
    """What happened, who did it and why, in sentences of both languages."""
    values = {"ids": [(await known(store, incident_id))["incident_id"]]}
    return Timeline(
        items=merged(
            await store.rows(EVENTS_OF_INCIDENT, values),
            await store.rows(STEPS_OF_INCIDENT, values),
            await store.rows(CALLS_OF_INCIDENT, values),
        )
    )
