"""Incidents with their clocks and everything that belongs to them. Read from ``incidents``; the line writes them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from console.api import calls, commands, orders, tasks
from console.api.needs import Database
from console.clocks import Clocks, compose, speaking_call, working_order
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

router = APIRouter(prefix="/api/v1", tags=["incidents"])

_COLUMNS = """incident_id, kind, state, home_id, account, place, device_id, meter_id, simulated, lane, reason, ch4_lel, alarm_lel,
    lel_vol_percent, valve, valve_cause, alarmed_ms, valve_closed_locally_ms, received_ms, close_sent_ms, reported_closed_ms,
    last_leak_ms, opened_valve_ms, closed_ms, devices, home, proof, proof_due_ms, holds_ms, clearing, clearing_ms, before_meter_ms,
    answer_due_ms, (SELECT coalesce(array_agg(a.alias_id ORDER BY a.at_ms), '{}') FROM incident_aliases a
                    WHERE a.incident_id = incidents.incident_id) AS aliases,
    CASE WHEN home_id IS NULL AND kind = 'hotline_report' THEN
        (SELECT e.detail ->> 'place' FROM incident_events e WHERE e.incident_id = incidents.incident_id AND e.kind = 'opened' LIMIT 1)
    END AS told_place"""

# The canary walks the line every minute and is not counted: it is only listed when it is asked for by its kind.
INCIDENTS_NEWEST = f"""
    SELECT {_COLUMNS} FROM incidents
    WHERE (%(state)s::text IS NULL OR state = %(state)s)
      AND (%(home_id)s::text IS NULL OR home_id = %(home_id)s)
      AND CASE WHEN %(kind)s::text IS NULL THEN kind <> 'canary' ELSE kind = %(kind)s END
      AND (%(since_ms)s::bigint IS NULL OR received_ms >= %(since_ms)s)
      AND (%(at)s::bigint IS NULL OR (received_ms, incident_id) < (%(at)s, %(id)s::uuid))
    ORDER BY received_ms DESC, incident_id DESC LIMIT %(rows)s"""  # noqa: S608  constant columns
INCIDENTS_BY_ID = f"SELECT {_COLUMNS} FROM incidents WHERE incident_id = ANY(%(ids)s)"  # noqa: S608
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
    name: str


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


def _values(row: Row, order_rows: Sequence[Row], call_rows: Sequence[Row]) -> dict[str, Any]:
    order, call, where = working_order(order_rows), speaking_call(call_rows), addresses(row)
    return {
        **row,
        "address_zh": where.zh,
        "address_en": where.en,
        "kind_words": said(INCIDENT_KINDS, row["kind"]),
        "valve_words": said(VALVE_KNOWLEDGE, row["valve"]),
        "valve_cause_words": said(VALVE_CAUSES, row["valve_cause"]) if row["valve_cause"] else None,
        "proof_words": said(PROOFS, row["proof"]),
        "clearing_words": said(CLEARINGS, row["clearing"]),
        "clocks": compose(row, order, call_rows),
        "order": None if order is None else {**order, "words": said(ORDER_STATES, order["state"])},
        "call": None if call is None else {**call, "words": said(CALL_OUTCOMES, call["outcome"])},
    }


async def complete(store: Store, rows: Sequence[Row]) -> list[Incident]:
    """Incident rows as the API gives them: two more statements, however many rows."""
    if not rows:
        return []
    ids = [row["incident_id"] for row in rows]
    ordered, called = await orders.rows_of_incidents(store, ids), await calls.rows_of_incidents(store, ids)
    return [Incident(**_values(row, ordered.get(row["incident_id"], []), called.get(row["incident_id"], []))) for row in rows]


async def by_id(store: Store, ids: Sequence[UUID]) -> dict[UUID, Incident]:
    """The incidents with these ids."""
    found = await complete(store, await store.rows(INCIDENTS_BY_ID, {"ids": list(ids)}))
    return {incident.incident_id: incident for incident in found}


async def known(store: Store, incident_id: UUID) -> Row:
    """The row of an incident, by its id or by an alias. Raises a 404 problem."""
    row = await store.row(INCIDENTS_BY_ID, {"ids": [incident_id]})
    if row is None and (alias := await store.row(ALIAS, {"id": incident_id})) is not None:
        row = await store.row(INCIDENTS_BY_ID, {"ids": [alias["incident_id"]]})
    if row is None:
        raise not_found(f"没有事件 {incident_id}", f"there is no incident {incident_id}")
    return row


@router.get("/incidents", summary="Incidents, newest first · 事件", responses=responses(422))
async def list_incidents(
    store: Database,
    state: Annotated[Literal["open", "closed"] | None, Query(description="open or closed only")] = None,
    home_id: Annotated[str | None, Query(max_length=64, description="incidents of this home")] = None,
    kind: Annotated[IncidentKind | None, Query(description="absent: every kind but the self-check `canary`")] = None,
    since_ms: Annotated[int | None, Query(ge=0, le=4_102_444_800_000, description="received at or after, Unix ms")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Incident]:
    """All filters must hold."""
    at, last = behind("incidents", after, int, UUID)
    values = {"state": state, "home_id": home_id, "kind": kind, "since_ms": since_ms, "at": at, "id": last, "rows": limit + 1}
    rows = await store.rows(INCIDENTS_NEWEST, values)
    return Page(
        items=await complete(store, rows[:limit]),
        next=next_of("incidents", rows, limit, lambda row: (row["received_ms"], str(row["incident_id"]))),
    )


@router.get("/incidents/{incident_id}", summary="One incident with its clocks · 事件详情", responses=responses(404, 422))
async def read_incident(store: Database, incident_id: IncidentId) -> IncidentWithAll:
    """With its commands, orders, calls and tasks; the order and the calls may have begun for another incident of the same place.

    Under an alias: the incident that it stands for.
    """
    row = await known(store, incident_id)
    incident_id = row["incident_id"]
    order_rows = (await orders.rows_of_incidents(store, [incident_id])).get(incident_id, [])
    call_rows = (await calls.rows_of_incidents(store, [incident_id])).get(incident_id, [])
    own = [incident_id, *row["aliases"]]
    return IncidentWithAll(
        **_values(row, order_rows, call_rows),
        commands=await commands.of_incident(store, own),
        orders=[orders.from_row(order) for order in order_rows],
        calls=[calls.from_row(call) for call in call_rows],
        tasks=await tasks.of_incident(store, own),
    )
