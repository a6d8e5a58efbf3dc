"""A technician's orders of today with everything that his phone needs where there is no reception, and what is measured there now."""

from typing import Annotated, Any, Final, LiteralString

from fastapi import Depends
from pydantic import BaseModel, Field

from console import masking
from console.access.scope import order_in_scope
from console.access.who import Who
from console.api import attachments, demo, orders
from console.api.attachments import Attachment
from console.api.homes import CONTACTS, HOME, Contact
from console.api.needs import Console, needs, noun
from console.api.orders import Order, OrderNo, unknown_order
from console.desk import alarmed_again
from console.field.live import Live, live_of
from console.field.rules import FieldRules, desk_phone, rules
from console.problems import responses
from console.store import Row, Store
from console.wording import step_told
from dispatch.judgement.crews import on_duty

router = noun("orders", demo.noticed, below="/field")

_MOST: Final = 50
_DAY_MS: Final = 86_400_000
_TECHNICIAN: Final[LiteralString] = """
    SELECT t.technician_id, t.name, t.crew_id, c.shift_start, c.shift_end FROM technicians t JOIN crews c USING (crew_id)
    WHERE t.technician_id = %(technician_id)s AND t.retired_at IS NULL"""
# Without a `since` of the day, yesterday's are shown rather than none.
_OF_CREW: Final[LiteralString] = """
    SELECT order_id, order_no, incident_id, home_id, state, valve, proof, proof_due_ms, clearing, before_meter, answer_due_ms, on_site_ms,
           test_passed, test_ms, archived_ms, place
    FROM work_orders
    WHERE crew_id = %(crew_id)s AND kind <> 'canary' AND (archived_ms IS NULL OR archived_ms >= %(since_ms)s)
    ORDER BY archived_ms IS NOT NULL, priority, created_ms LIMIT %(most)s"""
_BY_NO: Final[LiteralString] = f"""
    SELECT order_id, order_no, incident_id, home_id, state, valve, proof, proof_due_ms, clearing, before_meter, answer_due_ms, on_site_ms,
           test_passed, test_ms
    FROM work_orders WHERE order_no = %(order_no)s AND {order_in_scope()}"""
_STEPS: Final[LiteralString] = """
    SELECT s.order_id, s.at_ms, s.event, s.from_state, s.to_state, s.actor, s.detail, o.order_no, o.kind
    FROM order_steps s JOIN work_orders o USING (order_id) WHERE s.order_id = ANY(%(order_ids)s) ORDER BY s.step_no"""


class FieldStep(BaseModel):
    """One step of an order, in words."""

    at_ms: int
    event: str
    actor: str
    zh: str
    en: str


class FieldHome(BaseModel):
    """What helps to find the home and its meter."""

    household_no: str
    floor: str
    riser_id: str | None
    meter_location: str | None
    access_note: str | None
    flags: list[str] | None = Field(description="lives_alone, infirm, infant, hard_of_hearing; null: not shown, as names are not")


class FieldOrder(Order):
    """An order as the phone keeps it."""

    home: FieldHome | None
    contacts: list[Contact] = Field(description="who can be rung; none once the order is archived")
    steps: list[FieldStep] = Field(description="the last 60, oldest first")
    attachments: list[Attachment]
    alarmed_again_ms: int | None = Field(description="last new leak where the order is worked: he is told at once. Unix ms; null: none")
    live: Live


class FieldDay(BaseModel):
    """Today's orders of a technician's crew: the open ones by urgency, then those that were archived today."""

    now_ms: int
    technician_id: str | None = Field(description="null: whoever is signed in is no technician")
    name: str | None
    crew_id: str | None
    on_shift: bool = Field(description="his crew is on shift: while it is on an order too, his phone may tell where it is")
    desk_phone: str
    rules: FieldRules
    orders: list[FieldOrder]


@router.get("/orders", summary="Today's orders of his crew, for offline work · 今日抢修单", responses=responses())
async def read_day(console: Console, who: Annotated[Who, Depends(needs("order_step"))]) -> FieldDay:
    """With addresses, contacts, steps, pictures and what is measured, so that nothing has to be asked at the door."""
    store, now_ms = console.store, console.clock.now_ms()
    found = await store.row(_TECHNICIAN, {"technician_id": who.technician_id})
    of_crew: list[Row] = []
    if found is not None:
        values = {"crew_id": found["crew_id"], "since_ms": who.since_ms or now_ms - _DAY_MS, "most": _MOST}
        of_crew = await store.rows(_OF_CREW, values)
    return FieldDay(
        now_ms=now_ms,
        technician_id=found["technician_id"] if found else None,
        name=found["name"] if found else None,
        crew_id=found["crew_id"] if found else None,
        on_shift=found is not None and on_duty(found["shift_start"], found["shift_end"], now_ms),
        desk_phone=desk_phone(),
        rules=rules(),
        orders=await _with_everything(store, who, of_crew, now_ms),
    )


@router.get("/orders/{order_no}/live", summary="What is measured at an order's place now · 现场实时数据", responses=responses(404, 422))
async def read_live(console: Console, who: Annotated[Who, Depends(needs("read"))], order_no: OrderNo) -> Live:
    """Methane, the valve, the four answers, and what stands against opening."""
    row = await console.store.row(_BY_NO, {"order_no": order_no, **who.scope.values()})
    if row is None:
        raise unknown_order(order_no)
    return (await live_of(console.store, [row], console.clock.now_ms()))[order_no]


async def _with_everything(store: Store, who: Who, rows: list[Row], now_ms: int) -> list[FieldOrder]:
    ids = [row["order_id"] for row in rows]
    if not ids:
        return []
    whole = {row["order_id"]: row for row in await store.rows(orders.ORDERS_BY_ID, {"ids": ids})}
    # The purpose of names and numbers ends with the order.
    clear_of = {row["order_id"]: row["archived_ms"] is None and who.may("read_people") for row in rows}
    live = await live_of(store, rows, now_ms)
    anew = {row["order_id"]: row["alarmed_again_ms"] for row in await store.rows(alarmed_again.OF_ORDERS, {"order_ids": ids})}
    pictures = await attachments.of_orders(store, ids)
    steps: dict[Any, list[FieldStep]] = {}
    for step in await store.rows(_STEPS, {"order_ids": ids}):
        detail = step["detail"] if clear_of[step["order_id"]] else masking.detail(step["detail"])
        detail = {"order_no": step["order_no"], "kind": step["kind"], **detail}
        words = step_told(step["event"], step["actor"], detail, step["from_state"], step["to_state"])
        told = FieldStep(at_ms=step["at_ms"], event=step["event"], actor=step["actor"], zh=words.zh, en=words.en)
        steps.setdefault(step["order_id"], []).append(told)
    found = []
    for row in rows:
        if row["order_id"] not in whole:
            continue
        clear = clear_of[row["order_id"]]
        home = None if row["home_id"] is None else await store.row(HOME, {"home_id": row["home_id"]})
        contacts = await store.rows(CONTACTS, {"home_id": row["home_id"]}) if home is not None and clear else []
        home = None if home is None else masking.shown(home, masking.home, clear=clear)
        found.append(
            FieldOrder(
                **orders.from_row(whole[row["order_id"]], clear=clear).model_dump(),
                home=None if home is None else FieldHome(**{name: home[name] for name in FieldHome.model_fields}),
                contacts=[Contact(**contact) for contact in contacts],
                steps=steps.get(row["order_id"], [])[-60:],
                attachments=pictures.get(row["order_no"], []),
                alarmed_again_ms=anew.get(row["order_id"]),
                live=live[row["order_no"]],
            )
        )
    return found
