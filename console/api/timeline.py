"""The story of an incident: what the line, dispatch and the telephone did, merged into one list of sentences, oldest first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from console import masking
from console.api.incidents import INCIDENTS_BY_ID, IncidentId, addresses, known, sees
from console.api.needs import Database, noun
from console.api.reader import Reader
from console.desk import remarks_rows
from console.joined import JOINED, kin_of
from console.problems import responses
from console.store import Row, Store
from console.vocabulary import Words
from console.wording import call_words, event_words, step_told

router = noun("incidents")

_EVENT = "SELECT event_id, incident_id, at_ms, entry_no, kind, actor, detail FROM incident_events"
_STEP = "SELECT s.step_no, o.incident_id, s.at_ms, s.event, s.from_state, s.to_state, s.actor, o.order_no, o.kind, o.crew_id, s.detail"
_CALL = """SELECT call_id, incident_id, attempt, name, role, placed_ms, ringing_ms, answered_ms, key, key_ms, ended_ms, outcome,
    reason
    FROM calls"""
EVENTS_OF_INCIDENT = f"""
    WITH {JOINED} {_EVENT} WHERE incident_id IN (SELECT id FROM own) ORDER BY at_ms, entry_no, event_id LIMIT 2000"""
# The line has already said what it knows of the valve: a step that notes it is no news. A leak that lasts is noted every some seconds, by
# dispatch alone: of such notes in a row the first and the last are told.
_NOTED = "coalesce(event = 'leak_again' AND from_state = to_state AND NOT detail ? 'earlier', false)"
STEPS_OF_INCIDENT = f"""
    WITH {JOINED}, noted AS (
        SELECT *, {_NOTED} AS lasts FROM order_steps WHERE order_id IN (SELECT order_id FROM ordered) AND event <> 'valve'
    ), told AS (
        SELECT *, lasts AND lag(lasts, 1, false) OVER steps AND lead(lasts, 1, false) OVER steps AS amid FROM noted
        WINDOW steps AS (PARTITION BY order_id ORDER BY step_no)
    )
    {_STEP} FROM told s JOIN work_orders o USING (order_id) WHERE NOT s.amid ORDER BY s.step_no LIMIT 2000"""
CALLS_OF_INCIDENT = f"""
    WITH {JOINED} {_CALL} WHERE incident_id IN (SELECT id FROM named) ORDER BY requested_ms, call_id LIMIT 500"""
EVENTS_BY_ID = _EVENT + " WHERE event_id = ANY(%(ids)s) ORDER BY at_ms, entry_no, event_id"
STEPS_BY_NO = f"""{_STEP} FROM order_steps s JOIN work_orders o USING (order_id)
    WHERE s.step_no = ANY(%(ids)s) AND s.event <> 'valve' ORDER BY s.step_no"""
CALLS_BY_ID = _CALL + " WHERE call_id = ANY(%(ids)s) ORDER BY requested_ms, call_id"

# Where two things carry the same millisecond, the line spoke first, then dispatch, then the telephone, then people; the end is last.
# Within each it is the number that its station gave; the line's entries of before there were numbers stand by their kind: what it heard,
# then what it made of that, then what it did about it.
_RANK = {"event": 0, "step": 1, "call": 2, "remark": 3}
_END = 4
_RANK_BITS = 44
_UNNUMBERED = (
    "opened", "alias", "meter_exchanged", "device_added", "leak_again", "closed_locally", "close_accepted", "reported_closed",
    "opened_valve", "refused", "no_meter", "no_answer", "travel_time_over", "open_expired", "gas_still_flows", "not_provable",
    "valve_holds", "proof_due", "room_clearing", "room_not_clearing", "before_meter_suspected", "hold_lifted", "hold_set",
    "open_requested", "open_refused", "open_sent", "close_sent", "close_resent", "order_sent",
)  # fmt: skip
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
    at_ms: int = Field(description="Unix ms; of a step that was told later, when it was done")
    nth: int = Field(description="of two entries of one millisecond, the one with the smaller number happened first")
    kind: str
    actor: str
    detail: dict[str, Any]
    zh: str
    en: str

    @property
    def is_of_work(self) -> bool:
        """Whether dispatch or the telephone did it, for every incident of the place; else the line or a desk said it of one."""
        return self.entry_id.startswith(("step:", "call:"))


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


def _nth(rank: int, number: int) -> int:
    """Safe as a number of JSON: less than 2**53."""
    return (rank << _RANK_BITS) + number


def _entry(entry_id: str, at_ms: int, number: int, kind: str, actor: str, detail: Mapping[str, Any], words: Words) -> Entry:
    rank = _END if kind == "closed" else _RANK[entry_id.partition(":")[0]]
    nth = _nth(rank, number)
    return Entry(entry_id=entry_id, at_ms=at_ms, nth=nth, kind=kind, actor=actor, detail=dict(detail), zh=words.zh, en=words.en)


def of_event(row: Row) -> Entry:
    """The sentence of a row of ``incident_events``."""
    words = event_words(row["kind"], row["actor"], row["detail"])
    number = row["entry_no"]
    if number is None:
        number = _UNNUMBERED.index(row["kind"]) if row["kind"] in _UNNUMBERED else len(_UNNUMBERED)
    return _entry(f"event:{row['event_id']}", row["at_ms"], number, row["kind"], row["actor"], row["detail"], words)


def of_step(row: Row) -> Entry:
    """The sentence of a row of ``order_steps`` joined with its order."""
    told = {"order_no": row["order_no"], "kind": row["kind"], **row["detail"]}
    if row["event"] in {"assign", "reassign"}:
        told.setdefault("crew_id", row["crew_id"])
    detail = {"order_no": row["order_no"], **row["detail"]}
    words = step_told(row["event"], row["actor"], told, row["from_state"], row["to_state"])
    return _entry(f"step:{row['step_no']}", row["at_ms"], row["step_no"], row["event"], row["actor"], detail, words)


def of_call(row: Row) -> list[Entry]:
    """The sentences of a call: one for each moment that has come."""
    detail = {key: row[key] for key in ("attempt", "name", "role", "key", "outcome", "reason")}
    return [
        _entry(f"call:{row['call_id']}:{moment}", row[stamp], number, moment, "dispatch", detail, call_words(moment, row))
        for number, (moment, stamp) in enumerate(_MOMENTS.items())
        if row[stamp] is not None
    ]


def of_remark(row: Row) -> Entry:
    """The sentence of a row of ``incident_remarks``."""
    return Entry.model_validate({**remarks_rows.of_remark(row), "nth": _nth(_RANK["remark"], 0)})


@dataclass(frozen=True, slots=True)
class Sentences:
    """Rows of one kind, the entries that they make, and how they are masked."""

    rows: Sequence[Row]
    entries: Callable[[Row], Sequence[Entry]]
    mask: masking.Masked

    def all(self, *, clear: bool) -> list[Entry]:
        """The entries; ``clear``: with names and numbers."""
        return [entry for row in self.rows for entry in self.entries(masking.shown(row, self.mask, clear=clear))]

    def pairs(self) -> list[tuple[UUID, Entry, Entry]]:
        """Each entry in clear and masked, with its incident id, in the order in which they happened."""
        found = [
            (row["incident_id"], clear, masked)
            for row in self.rows
            for clear, masked in zip(self.entries(row), self.entries(self.mask(row)), strict=True)
        ]
        return sorted(found, key=lambda pair: in_order(pair[1]))


def of_events(rows: Sequence[Row]) -> Sentences:
    """What the line did."""
    return Sentences(rows, lambda row: [of_event(row)], masking.entry)


def of_steps(rows: Sequence[Row]) -> Sentences:
    """What dispatch and the crew did."""
    return Sentences(rows, lambda row: [of_step(row)], masking.entry)


def of_calls(rows: Sequence[Row]) -> Sentences:
    """What the telephone did."""
    return Sentences(rows, of_call, masking.call)


def of_remarks(rows: Sequence[Row]) -> Sentences:
    """What people at a desk said."""
    return Sentences(rows, lambda row: [of_remark(row)], masking.remark)


def merged(*kinds: Sentences, clear: bool) -> list[Entry]:
    """One list, oldest first; ``clear``: with names and numbers."""
    entries = [entry for kind in kinds for entry in kind.all(clear=clear)]
    return sorted(entries, key=in_order)


def in_order(entry: Entry) -> tuple[int, int, str]:
    """The key by which entries stand in the order in which they happened."""
    return entry.at_ms, entry.nth, entry.entry_id


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry with its place, in clear and masked."""

    clear: LiveEntry
    masked: LiveEntry


async def live(store: Store, entries: Sequence[tuple[UUID, Entry, Entry]]) -> list[Placed]:
    """Entries in clear and masked, each with its incident id, placed: those whose incident is not stored yet are left out.

    A sentence of an order or call is told to every incident that it serves, one of the line or of a desk to its incident alone, whatever
    its id.
    """
    kin = await kin_of(store, list({incident for incident, *_ in entries}))
    places = {row["incident_id"]: row for row in await store.rows(INCIDENTS_BY_ID, {"ids": list(kin.all())})}
    return [
        Placed(_placed(clear, place), _placed(masked, masking.incident(place)))
        for incident, clear, masked in entries
        for each in (kin.named if clear.is_of_work else kin.own)[incident]
        if (place := places.get(each)) is not None
    ]


def _placed(entry: Entry, place: Row) -> LiveEntry:
    where = addresses(place)
    return LiveEntry(
        **entry.model_dump(),
        incident_id=place["incident_id"],
        incident_kind=place["kind"],
        home_id=place["home_id"],
        address_zh=where.zh,
        address_en=where.en,
        simulated=place["simulated"],
    )


@router.get("/incidents/{incident_id}/timeline", summary="The story of an incident · 事件经过", responses=responses(404, 422))
async def read_timeline(store: Database, who: Reader, incident_id: IncidentId) -> Timeline:
    """What happened, who did it and why, in sentences of both languages; what people at a desk said of it too."""
    row = await known(store, incident_id, who)
    values = {"ids": [row["incident_id"]]}
    return Timeline(
        items=merged(
            of_events(await store.rows(EVENTS_OF_INCIDENT, values)),
            of_steps(await store.rows(STEPS_OF_INCIDENT, values)),
            of_calls(await store.rows(CALLS_OF_INCIDENT, values)),
            of_remarks(await remarks_rows.rows_of_incident(store, [row["incident_id"], *row["aliases"]])),
            clear=sees(row, who),
        )
    )
