"""Incidents with their clocks and everything that belongs to them. Read from ``incidents``; the line writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import home_open, incident_in_scope
from console.access.who import Who
from console.api import calls, commands, orders, tasks
from console.api.needs import Console, Database, noun
from console.api.reader import Reader
from console.clocks import Clocks, compose, speaking_call, working_order
from console.desk.alarmed_again import alarmed_again_ms
from console.desk.remarks_rows import ACKNOWLEDGED, Acknowledged
from console.paging import After, Limit, Page, behind, next_of
from console.problems import not_found, responses
from console.store import Row, Store
from console.vocabulary import (
    CALL_OUTCOMES,
    CLEARINGS,
    INCIDENT_KINDS,
    ORDER_STATES,
    PROOFS,
    VALVE_CAUSES,
    VALVE_KNOWLEDGE,
    Words,
    said,
)
from core.station import IncidentKind

router = noun("incidents")

_COLUMNS = f"""incident_id, kind, state, home_id, account, place, device_id, meter_id, simulated, lane, reason, ch4_lel, alarm_lel,
    lel_vol_percent, valve, valve_cause, alarmed_ms, valve_closed_locally_ms, received_ms, close_sent_ms, reported_closed_ms,
    last_leak_ms, opened_valve_ms, closed_ms, devices, home, proof, proof_due_ms, holds_ms, clearing, clearing_ms,
    before_meter_ms, before_meter_first_ms, answer_due_ms,
    (SELECT coalesce(array_agg(a.alias_id ORDER BY a.at_ms), '{{}}') FROM incident_aliases a
     WHERE a.incident_id = incidents.incident_id) AS aliases,
    CASE WHEN home_id IS NULL AND kind = 'hotline_report' THEN
        (SELECT e.detail ->> 'place' FROM incident_events e WHERE e.incident_id = incidents.incident_id AND e.kind = 'opened' LIMIT 1)
    END AS told_place,
    nullif(home ->> 'district_code', '') AS district_code, (home ->> 'lon')::float8 AS lon, (home ->> 'lat')::float8 AS lat,
    home ->> 'coord_datum' AS coord_datum, {ACKNOWLEDGED} AS acknowledged,
    {alarmed_again_ms("incidents")} AS alarmed_again_ms"""
_OPEN = home_open("incidents.home_id", "incidents.incident_id")
IN_SCOPE = incident_in_scope()

# The canary walks the line every minute and is not counted: it is only listed when it is asked for by its kind.
_LISTED = f"""{IN_SCOPE}
      AND (%(state)s::text IS NULL OR state = %(state)s)
      AND (%(home_id)s::text IS NULL OR home_id = %(home_id)s)
      AND CASE WHEN %(kind)s::text IS NULL THEN kind <> 'canary' ELSE kind = %(kind)s END
      AND (%(since_ms)s::bigint IS NULL OR received_ms >= %(since_ms)s)
      AND (%(until_ms)s::bigint IS NULL OR received_ms < %(until_ms)s)"""
INCIDENTS_NEWEST = f"""
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM incidents
    WHERE {_LISTED}
      AND (%(at)s::bigint IS NULL OR (received_ms, incident_id) < (%(at)s, %(id)s::uuid))
    ORDER BY received_ms DESC, incident_id DESC LIMIT %(rows)s"""
INCIDENTS_COUNTED = f"SELECT count(*) AS rows FROM incidents WHERE {_LISTED}"
EVERY: Final[Mapping[str, Any]] = {"state": None, "home_id": None, "kind": None, "since_ms": None, "until_ms": None}
"""The filters of both, where nothing is asked for."""
INCIDENTS_BY_ID = f"SELECT {_COLUMNS}, {_OPEN} AS home_open FROM incidents WHERE incident_id = ANY(%(ids)s)"
INCIDENTS_SEEN = f"{INCIDENTS_BY_ID} AND {IN_SCOPE}"
ALIAS = "SELECT incident_id FROM incident_aliases WHERE alias_id = %(id)s"

IncidentId = Annotated[UUID, Path(description="the incident's id, or an alias of it")]


class OrderBrief(BaseModel):
    """The order that works an incident, in one line."""

    order_no: str
    state: str
    words: Words
    crew_id: str | None
    technician_id: str | None


class CallBrief(BaseModel):
    """The call that says most of an incident's people, in one line."""

    outcome: str
    words: Words
    attempt: int
    name: str = Field(description="masked for those who may not see people, and for all once the incident is closed")


class Incident(BaseModel):
    """An incident. Times are Unix ms, null while they have not come; methane in %LEL."""

    incident_id: UUID
    kind: str
    kind_words: Words
    state: Literal["open", "closed"]
    home_id: str | None
    place: str = Field(description="the home, or the account where no home is known: one open incident a place")
    address_zh: str
    address_en: str
    district_code: str | None = Field(description="GB/T 2260; null where no home is known")
    lon: float | None = Field(description="of the home when it opened, degrees of `coord_datum`")
    lat: float | None
    coord_datum: str | None = Field(description="WGS-84 or GCJ-02")
    account: str
    device_id: str | None
    devices: list[str] = Field(description="devices that reported in it")
    meter_id: str | None
    simulated: bool
    lane: str = Field(description="alarm or telemetry: how it came")
    reason: str = Field(description="why it counts as a leak")
    ch4_lel: float | None = Field(description="methane when it opened, %LEL")
    alarm_lel: float | None = Field(description="set-point, %LEL")
    lel_vol_percent: float = Field(description="the LEL used for conversion, %vol")
    valve: str = Field(description="what is known of the valve")
    valve_words: Words
    valve_cause: str | None
    valve_cause_words: Words | None
    answer_due_ms: int | None = Field(description="the meter sleeps: it hears the close at its next report, expected then, Unix ms")
    proof: str = Field(description="does the valve hold: none, not_yet, due_at_uplink, holds, flows, not_provable")
    proof_words: Words
    proof_due_ms: int | None = Field(description="when that can be told, while it is not_yet or due_at_uplink, Unix ms")
    holds_ms: int | None = Field(description="seen to hold, Unix ms")
    clearing: str = Field(description="does the methane in the room fall: unknown, clearing, not_clearing")
    clearing_words: Words
    clearing_ms: int | None = Field(description="seen to clear, Unix ms")
    before_meter_ms: int | None = Field(description="a leak before the meter is suspected since, Unix ms")
    before_meter_first_ms: int | None = Field(
        description="when a leak before the meter was first suspected, Unix ms: it stays when the valve is opened"
    )
    aliases: list[UUID] = Field(description="other ids of this incident: it is found by each of them")
    alarmed_ms: int
    valve_closed_locally_ms: int | None
    received_ms: int
    close_sent_ms: int | None
    reported_closed_ms: int | None
    last_leak_ms: int
    opened_valve_ms: int | None
    closed_ms: int | None
    clocks: Clocks
    alarmed_again_ms: int | None = Field(
        description="last new leak in this incident: after the room was clear or the valve open, told by the hotline, or one that sent its "
        "order back; not each note of a leak that lasts. Null: none"
    )
    acknowledged: Acknowledged | None = Field(description="null: nobody at a desk has seen it yet, or not since it alarmed again")
    order: OrderBrief | None
    call: CallBrief | None


class IncidentWithAll(Incident):
    """An incident and everything that belongs to it."""

    commands: list[commands.Command]
    orders: list[orders.Order]
    calls: list[calls.Call]
    tasks: list[tasks.Task]


def addresses(row: Row) -> Words:
    """Where an incident is, from the home as it was when the incident opened; its place where no home is known."""
    home = row["home"] if isinstance(row["home"], dict) else {}
    zh, en = home.get("address_zh"), home.get("address_en")
    if not zh and row["told_place"]:
        return Words(zh=row["told_place"], en=row["told_place"])
    if not zh and row["home_id"] is None:
        account = str(row["place"]).removeprefix("account:")
        return Words(zh=f"住户不明（账号 {account}）", en=f"home not known (account {account})")
    return Words(zh=zh or row["place"], en=en or zh or row["place"])


@dataclass(frozen=True, slots=True)
class Gathered:
    """An incident's row with the rows that it is shown with."""

    row: Row
    orders: list[Row]
    calls: list[Row]

    def values(self, *, clear: bool) -> dict[str, Any]:
        """The fields of the API; ``clear``: with names and numbers."""
        row = masking.shown(self.row, masking.incident, clear=clear)
        order, speaking, where = working_order(self.orders), speaking_call(self.calls), addresses(row)
        call: Row | None = None
        if speaking is not None:
            call = {**masking.shown(dict(speaking), masking.call, clear=clear), "words": said(CALL_OUTCOMES, speaking["outcome"])}
        return {
            **row,
            "address_zh": where.zh,
            "address_en": where.en,
            "kind_words": said(INCIDENT_KINDS, row["kind"]),
            "valve_words": said(VALVE_KNOWLEDGE, row["valve"]),
            "valve_cause_words": said(VALVE_CAUSES, row["valve_cause"]) if row["valve_cause"] else None,
            "proof_words": said(PROOFS, row["proof"]),
            "clearing_words": said(CLEARINGS, row["clearing"]),
            "clocks": compose(row, order, self.calls),
            "order": None if order is None else {**order, "words": said(ORDER_STATES, order["state"])},
            "call": call,
        }

    def incident(self, *, clear: bool) -> Incident:
        """As the lists and the event stream give it."""
        return Incident(**self.values(clear=clear))


async def gather(store: Store, rows: Sequence[Row]) -> list[Gathered]:
    """Incident rows with what they are shown with: two more statements, however many rows."""
    if not rows:
        return []
    ids = [row["incident_id"] for row in rows]
    ordered, called = await orders.rows_of_incidents(store, ids), await calls.rows_of_incidents(store, ids)
    return [Gathered(row, ordered.get(each, []), called.get(each, [])) for row, each in zip(rows, ids, strict=True)]


async def by_id(store: Store, ids: Sequence[UUID]) -> list[Gathered]:
    """The incidents with these ids, whoever asks."""
    return await gather(store, await store.rows(INCIDENTS_BY_ID, {"ids": list(ids)}))


async def known(store: Store, incident_id: UUID, who: Who) -> Row:
    """The row of an incident that ``who`` sees, by its id or by an alias. Raises a 404 problem: what he does not see is not there."""
    row = await store.row(INCIDENTS_SEEN, {"ids": [incident_id], **who.scope.values()})
    if row is None and (alias := await store.row(ALIAS, {"id": incident_id})) is not None:
        row = await store.row(INCIDENTS_SEEN, {"ids": [alias["incident_id"]], **who.scope.values()})
    if row is None:
        raise not_found(f"没有事件 {incident_id}", f"there is no incident {incident_id}")
    return row


def sees(row: Row, who: Who) -> bool:
    """Whether ``who`` reads the names and numbers of an incident's row in clear."""
    return masking.sees_people(who, home_open=row["home_open"])


@router.get("/incidents", summary="Incidents, newest first · 事件", responses=responses(422))
async def list_incidents(
    store: Database,
    who: Reader,
    state: Annotated[Literal["open", "closed"] | None, Query(description="open or closed only")] = None,
    home_id: Annotated[str | None, Query(max_length=64, description="incidents of this home")] = None,
    kind: Annotated[IncidentKind | None, Query(description="absent: every kind but the self-check `canary`")] = None,
    since_ms: Annotated[int | None, Query(ge=0, le=4_102_444_800_000, description="received at or after, Unix ms")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Incident]:
    """All filters must hold."""
    at, last = behind("incidents", after, int, UUID)
    asked = {**EVERY, "state": state, "home_id": home_id, "kind": kind, "since_ms": since_ms}
    values = {**asked, "at": at, "id": last, "rows": limit + 1}
    rows = await store.rows(INCIDENTS_NEWEST, values | who.scope.values())
    return Page(
        items=[each.incident(clear=sees(each.row, who)) for each in await gather(store, rows[:limit])],
        next=next_of("incidents", rows, limit, lambda row: (row["received_ms"], str(row["incident_id"]))),
    )


@router.get("/incidents/{incident_id}", summary="One incident with its clocks · 事件详情", responses=responses(404, 422))
async def read_incident(store: Database, console: Console, who: Reader, incident_id: IncidentId) -> IncidentWithAll:
    """With its commands, orders, calls and tasks; the order and the calls may have begun for another incident of the same place.

    Under an alias: the incident that it stands for. A technician is shown the orders of his own crew.
    """
    row = await known(store, incident_id, who)
    (found,) = await gather(store, [row])
    clear = sees(row, who)
    own = [row["incident_id"], *row["aliases"]]
    crew = who.scope.crew_id
    kept = calls.recordings_of(console)
    return IncidentWithAll(
        **found.values(clear=clear),
        commands=await commands.of_incident(store, own, clear=clear),
        orders=[orders.from_row(order, clear=clear) for order in found.orders if crew is None or order["crew_id"] == crew],
        calls=[calls.from_row(call, kept, clear=clear) for call in found.calls],
        tasks=await tasks.of_incident(store, own, clear=clear),
    )
