"""Work orders and the steps that they walk. Read from ``work_orders`` and ``order_steps``; dispatch writes them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import home_open
from console.access.scope import IN_SCOPE_ORDER
from console.access.who import Who
from console.api.needs import Database, noun
from console.api.reader import Reader
from console.joined import JOINED, by_asked
from console.paging import After, Limit, Page, behind, next_of
from console.problems import not_found, responses
from console.store import Row, Store
from console.vocabulary import ORDER_STATES, Words, said
from console.wording import step_told

router = noun("orders")

_COLUMNS = """order_id, order_no, kind, incident_id, incident_kind, home_id, simulated, priority, state, place, valve, ch4_lel,
    crew_id, technician_id, distance_m, created_ms, assigned_ms, accepted_ms, on_site_ms, made_safe_ms, safe_reading_lel, cause,
    cause_note, cause_ms, test_start_kpa, test_end_kpa, test_minutes, test_passed, test_ms, test_by, restored_ms, archived_ms,
    no_access_ms, revisit_due_ms, proof, proof_due_ms, clearing, before_meter, answer_due_ms"""
_OPEN = home_open("work_orders.home_id", "work_orders.incident_id")

# The self-check's orders are listed with their own incident alone.
# Every technician of a crew may work its orders; the one that an order names leads.
_LISTED = f"""{IN_SCOPE_ORDER}
      AND (%(open)s::boolean IS NULL OR (archived_ms IS NULL) = %(open)s)
      AND (%(ids)s::uuid[] = '{{}}' OR order_id IN (SELECT order_id FROM ordered))
      AND (%(crew_id)s::text IS NULL OR crew_id = %(crew_id)s)
      AND (kind <> 'canary' OR incident_id = ANY(%(ids)s::uuid[]))
      AND (%(technician_id)s::text IS NULL OR technician_id = %(technician_id)s
           OR crew_id = (SELECT t.crew_id FROM technicians t WHERE t.technician_id = %(technician_id)s))
      AND (%(since_ms)s::bigint IS NULL OR created_ms >= %(since_ms)s)
      AND (%(until_ms)s::bigint IS NULL OR created_ms < %(until_ms)s)"""
ORDERS_NEWEST = f"""
    WITH {JOINED}
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM work_orders
    WHERE {_LISTED}
      AND (%(at)s::bigint IS NULL OR (created_ms, order_id) < (%(at)s, %(id)s::uuid))
    ORDER BY created_ms DESC, order_id DESC LIMIT %(rows)s"""
ORDERS_COUNTED = f"WITH {JOINED} SELECT count(*) AS rows FROM work_orders WHERE {_LISTED}"
EVERY: Final[Mapping[str, Any]] = {"open": None, "ids": [], "crew_id": None, "technician_id": None, "since_ms": None, "until_ms": None}
"""The filters of both, where nothing is asked for."""
ORDERS_BY_ID = f"SELECT {_COLUMNS} FROM work_orders WHERE order_id = ANY(%(ids)s)"
# Also where the order was made for another incident of the same place.
ORDERS_OF_INCIDENTS = f"""
    WITH {JOINED}
    SELECT asked, {_COLUMNS} FROM ordered JOIN work_orders USING (order_id) ORDER BY created_ms, order_id"""
ORDER_BY_NUMBER = f"SELECT {_COLUMNS} FROM work_orders WHERE order_no = %(order_no)s"
ORDER = f"""
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM work_orders WHERE order_no = %(order_no)s AND {IN_SCOPE_ORDER}"""
STEPS_OF_ORDER = """
    SELECT step_no, at_ms, event, from_state, to_state, actor, detail FROM order_steps
    WHERE order_id = %(order_id)s ORDER BY step_no LIMIT 500"""

OrderNo = Annotated[str, Path(max_length=32, description="the number spoken on the phone", examples=["QX-260402-0017"])]


class Order(BaseModel):
    """A work order. Times are Unix ms, null while they have not come; pressures in kPa, methane in %LEL."""

    order_id: UUID
    order_no: str = Field(examples=["QX-260402-0017"])
    kind: str = Field(description="emergency, inspection, triage or canary")
    incident_id: UUID = Field(description="the incident that it was made for; it may work others of the same place too")
    incident_kind: str
    home_id: str | None
    simulated: bool
    priority: int = Field(description="1 is worked first")
    state: str = Field(description="created, waiting, assigned, accepted, on_site, no_access, made_safe, …, archived")
    state_words: Words
    place: dict[str, Any] = Field(description="addresses in both languages, access note, coordinates with their datum")
    valve: str = Field(description="what is known of the valve")
    answer_due_ms: int | None = Field(description="the meter sleeps: it hears the close at its next report, expected then, Unix ms")
    proof: str = Field(description="does the valve hold: none, not_yet, due_at_uplink, holds, flows, not_provable")
    proof_due_ms: int | None = Field(description="when that can be told, Unix ms")
    clearing: str = Field(description="does the methane in the room fall: unknown, clearing, not_clearing")
    before_meter: bool = Field(description="a leak before the meter is suspected")
    ch4_lel: float | None = Field(description="%LEL when the incident opened")
    crew_id: str | None
    technician_id: str | None
    distance_m: float | None = Field(description="of the crew when it was assigned, m")
    created_ms: int
    assigned_ms: int | None
    accepted_ms: int | None
    on_site_ms: int | None
    made_safe_ms: int | None
    safe_reading_lel: float | None = Field(description="%LEL measured on site before made safe")
    cause: str | None
    cause_note: str | None
    cause_ms: int | None
    test_start_kpa: float | None
    test_end_kpa: float | None
    test_minutes: float | None
    test_passed: bool | None
    test_ms: int | None
    test_by: str | None
    restored_ms: int | None
    archived_ms: int | None
    no_access_ms: int | None
    revisit_due_ms: int | None


class Step(BaseModel):
    """One step of an order: who did what, when."""

    step_no: int
    at_ms: int = Field(description="Unix ms")
    event: str
    from_state: str | None
    to_state: str
    actor: str
    detail: dict[str, Any]
    zh: str
    en: str


class OrderWithSteps(Order):
    """A work order and everything that was done on it."""

    steps: list[Step] = Field(description="oldest first")


def from_row(row: Row, *, clear: bool) -> Order:
    """An order as the API gives it; ``clear``: with the telephone numbers that somebody wrote into its texts."""
    return Order(**masking.shown(row, masking.order, clear=clear), state_words=said(ORDER_STATES, row["state"]))


async def rows_of_incidents(store: Store, ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Incident id -> rows of its orders, oldest first."""
    return by_asked(await store.rows(ORDERS_OF_INCIDENTS, {"ids": list(ids)}))


@router.get("/orders", summary="Work orders, newest first · 抢修单", responses=responses(422))
async def list_orders(
    store: Database,
    who: Reader,
    open: Annotated[bool | None, Query(description="true: not archived; false: archived; absent: all")] = None,  # noqa: A002  the word of the API
    crew_id: Annotated[str | None, Query(max_length=64, description="orders of this crew")] = None,
    technician_id: Annotated[str | None, Query(max_length=64, description="his orders and his crew's")] = None,
    incident_id: Annotated[UUID | None, Query(description="orders that work this incident")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Order]:
    """All filters must hold."""
    at, last = behind("orders", after, int, UUID)
    rows = await store.rows(
        ORDERS_NEWEST,
        {
            **EVERY,
            "open": open,
            "crew_id": crew_id,
            "technician_id": technician_id,
            "ids": [] if incident_id is None else [incident_id],
            "at": at,
            "id": last,
            "rows": limit + 1,
            **who.scope.values(),
        },
    )
    return Page(
        items=[from_row(row, clear=masking.sees_people(who, home_open=row["home_open"])) for row in rows[:limit]],
        next=next_of("orders", rows, limit, lambda row: (row["created_ms"], str(row["order_id"]))),
    )


@router.get("/orders/{order_no}", summary="One work order with its steps · 抢修单详情", responses=responses(404, 422))
async def read_order(store: Database, who: Reader, order_no: OrderNo) -> OrderWithSteps:
    """By the number that people speak."""
    row = await known(store, order_no, who)
    clear = masking.sees_people(who, home_open=row["home_open"])
    found = await store.rows(STEPS_OF_ORDER, {"order_id": row["order_id"]})
    steps = [_step(masking.shown(step, masking.entry, clear=clear), row) for step in found]
    return OrderWithSteps(**from_row(row, clear=clear).model_dump(), steps=steps)


async def known(store: Store, order_no: str, who: Who) -> Row:
    """The row of an order that ``who`` sees. Raises a 404 problem."""
    row = await store.row(ORDER, {"order_no": order_no, **who.scope.values()})
    if row is None:
        raise unknown_order(order_no)
    return row


def unknown_order(order_no: str) -> Exception:
    """404 for an order number that was never given."""
    return not_found(f"没有编号为 {order_no} 的抢修单", f"there is no order {order_no}")


def _step(step: Row, order: Row) -> Step:
    told = {"order_no": order["order_no"], "kind": order["kind"], **step["detail"]}
    words = step_told(step["event"], step["actor"], told, step["from_state"], step["to_state"])
    return Step(**step, zh=words.zh, en=words.en)
