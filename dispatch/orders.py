"""Work orders in the database: made once an incident and kind, given to a crew, moved only along the order table.

Every function works inside the caller's transaction and leaves a step behind for what it did. Refuses to decide: states come from
``judgement.order_table``, crews from ``judgement.crews``, urgency from ``judgement.priority``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID, uuid5

from psycopg import sql
from psycopg.types.json import Jsonb

from core.station import OrderKind, OrderMessage, ValveKnowledge
from dispatch import orders_sql
from dispatch.database import Connection
from dispatch.judgement import crews
from dispatch.judgement.order_table import OrderEvent, OrderState, after
from dispatch.judgement.priority import priority
from dispatch.judgement.reasons import Reason

Row = Mapping[str, Any]

PREFIX: Final[dict[OrderKind, str]] = {"emergency": "QX", "inspection": "XJ", "triage": "HC", "canary": "TS"}
"""抢修 emergency, 巡检 inspection, 核查 triage, 探哨 canary."""

ACTOR: Final = "dispatch"

_LEAK_VOIDS: Final = (
    "made_safe_ms",
    "safe_reading_lel",
    "cause_ms",
    "test_start_kpa",
    "test_end_kpa",
    "test_minutes",
    "test_passed",
    "test_ms",
    "test_by",
    "restored_ms",
    "archived_ms",
)
_CREW_LEAVES: Final = ("crew_id", "technician_id", "distance_m", "assigned_ms", "accepted_ms", "on_site_ms")


@dataclass(frozen=True, slots=True)
class Made:
    """A new order, and the crew that has it (None = it waits)."""

    order_id: UUID
    order_no: str
    crew_id: str | None


def local_day(now_ms: int) -> date:
    """The day in Shanghai."""
    return (datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(minutes=crews.SHANGHAI_OFFSET_MIN)).date()


async def make(connection: Connection, message: OrderMessage, now_ms: int) -> Made | None:
    """Make the order of an incident and give it to the nearest free crew, or let it wait; None when it exists already.

    The caller's transaction holds the assignment lock from here on. Where others wait already, it takes its turn among them.
    """
    await connection.execute(orders_sql.LOCK_ASSIGNMENT)
    choice = None
    if message.send_crew:
        free = await (await connection.execute(orders_sql.FREE_CREWS)).fetchall()
        choice = crews.nearest(_home_place(message), message.simulated, map(_crew, free), now_ms)
    others = choice is not None and await _anybody_waits(connection)
    if others:
        choice = None
    event: OrderEvent = "assign" if choice else "wait"
    state = after(message.order_kind, "created", event)
    steps = (
        ("created", None, "created", _made_of(message)),
        (event, "created", state, _given(choice) if choice else {"send_crew": message.send_crew}),
    )
    events, from_states, to_states, details = zip(*steps, strict=True)
    flags = message.home.flags if message.home else ()
    made = await (
        await connection.execute(
            orders_sql.MAKE_ORDER,
            {
                "order_id": order_id(message.incident_id, message.order_kind),
                "incident_id": message.incident_id,
                "incident_kind": message.incident_kind,
                "kind": message.order_kind,
                "prefix": PREFIX[message.order_kind],
                "day": local_day(now_ms),
                "home_id": message.home.home_id if message.home else None,
                "simulated": message.simulated,
                "priority": priority(message.order_kind, flags, message.valve),
                "state": state,
                "place": Jsonb(_place(message)),
                "valve": message.valve,
                "ch4_lel": message.ch4_lel,
                "crew_id": choice.crew.crew_id if choice else None,
                "technician_id": choice.crew.technician_id if choice else None,
                "distance_m": choice.distance_m if choice else None,
                "now_ms": now_ms,
                "assigned_ms": now_ms if choice else None,
                "step_events": list(events),
                "step_from": list(from_states),
                "step_to": list(to_states),
                "step_details": [json.dumps(detail) for detail in details],
            },
        )
    ).fetchone()
    if made is None:
        return None
    crew_id = choice.crew.crew_id if choice else None
    if others:
        crew_id = dict(await share_out(connection, now_ms)).get(made["order_no"])
    return Made(made["order_id"], made["order_no"], crew_id)


async def share_out(connection: Connection, now_ms: int, not_to: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Give waiting orders to free crews, by priority, oldest first; returns (order_no, crew_id) of each.

    ``not_to`` names a crew that an order (by its id) has just been taken from.
    """
    await connection.execute(orders_sql.LOCK_ASSIGNMENT)
    waiting = {str(row["order_id"]): row for row in await (await connection.execute(orders_sql.WAITING)).fetchall()}
    if not waiting:
        return []
    free = [_crew(row) for row in await (await connection.execute(orders_sql.FREE_CREWS)).fetchall()]
    if not free:
        return []
    orders = [_waiting(order, row) for order, row in waiting.items()]
    given = []
    for order, choice in crews.share_out(orders, free, now_ms, not_to or {}):
        row = waiting[order.order_id]
        changes = {
            "crew_id": choice.crew.crew_id,
            "technician_id": choice.crew.technician_id,
            "distance_m": choice.distance_m,
            "assigned_ms": now_ms,
        }
        moved = await move(connection, row, "assign", ACTOR, now_ms, changes, _given(choice))
        if not isinstance(moved, Reason):
            given.append((str(row["order_no"]), choice.crew.crew_id))
    return given


async def move(
    connection: Connection,
    order: Row,
    event: OrderEvent,
    actor: str,
    now_ms: int,
    changes: Mapping[str, object] | None = None,
    detail: Mapping[str, object] | None = None,
) -> OrderState | Reason:
    """Move a (locked) order along its table, writing ``changes`` to its columns and a step; a refusal writes nothing."""
    following = after(cast(OrderKind, order["kind"]), cast(OrderState, order["state"]), event)
    if isinstance(following, Reason):
        return following
    await change(connection, order["order_id"], {**(changes or {}), "state": following})
    await step(connection, order, event, following, actor, now_ms, detail or {})
    return following


async def take_back(connection: Connection, order: Row, actor: str, now_ms: int, note: str) -> OrderState | Reason:
    """Take an order from its crew; it waits for another."""
    changes = dict.fromkeys(_CREW_LEAVES)
    return await move(connection, order, "reassign", actor, now_ms, changes, {"from_crew": order["crew_id"], "note": note})


async def valve_known(
    connection: Connection, incident_id: UUID, valve: ValveKnowledge, cause: str | None, said_ms: int, now_ms: int
) -> int:
    """Write what is known of the valve, and raise the priority when it did not close; returns how many orders there are.

    News older than what an order already has is left out.
    """
    orders = await (await connection.execute(orders_sql.ORDERS_OF_INCIDENT, {"incident_id": incident_id})).fetchall()
    for order in orders:
        said = await (await connection.execute(orders_sql.VALVE_SAID, {"order_id": order["order_id"]})).fetchone()
        if said is not None and said["said_ms"] > said_ms:
            continue
        urgent = min(order["priority"], priority(order["kind"], order["place"].get("flags", ()), valve))
        await change(connection, order["order_id"], {"valve": valve, "priority": urgent})
        detail = {"valve": valve, "cause": cause, "said_ms": said_ms}
        await step(connection, order, "valve", order["state"], "line", now_ms, detail)
    return len(orders)


async def leak_again(connection: Connection, incident_id: UUID, ch4_lel: float | None, said_ms: int, now_ms: int) -> int:
    """Gas leaks anew: who had gone beyond *on site* is back there and a test is void; returns how many orders there are.

    A leak that was said before the place was made safe is part of what was made safe.
    """
    orders = await (await connection.execute(orders_sql.ORDERS_OF_INCIDENT, {"incident_id": incident_id})).fetchall()
    for order in orders:
        detail: dict[str, object] = {"ch4_lel": ch4_lel, "said_ms": said_ms, "test_void": order["test_passed"] is True}
        settled_ms = order["made_safe_ms"] or order["cause_ms"]
        if settled_ms is not None and said_ms < settled_ms:
            await step(connection, order, "leak_again", order["state"], "line", now_ms, {**detail, "test_void": False, "earlier": True})
            continue
        changes: dict[str, object] = dict.fromkeys(_LEAK_VOIDS)
        if order["valve"] == "opened":
            changes["valve"] = "commanded"
        if order["state"] == "archived":
            changes |= dict.fromkeys(_CREW_LEAVES)
        await move(connection, order, "leak_again", "line", now_ms, changes, detail)
    return len(orders)


async def change(connection: Connection, order: UUID, changes: Mapping[str, object]) -> None:
    """Write columns of one order. Their names are ours, never a person's."""
    assignments = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in changes)
    statement = sql.SQL("UPDATE work_orders SET {} WHERE order_id = %(order_id)s").format(assignments)
    await connection.execute(statement, {**changes, "order_id": order})


async def step(connection: Connection, order: Row, event: str, to_state: str, actor: str, at_ms: int, detail: Mapping[str, object]) -> None:
    """Add a step to the order's record."""
    await connection.execute(
        orders_sql.STEP,
        {
            "order_id": order["order_id"],
            "at_ms": at_ms,
            "event": event,
            "from_state": order["state"],
            "to_state": to_state,
            "actor": actor,
            "detail": Jsonb(dict(detail)),
        },
    )


async def _anybody_waits(connection: Connection) -> bool:
    row = await (await connection.execute(orders_sql.ANY_WAITING)).fetchone()
    return row is not None and bool(row["found"])


def order_id(incident_id: UUID, kind: OrderKind) -> UUID:
    """The id of the one order of this incident and kind."""
    return uuid5(incident_id, f"order/{kind}")


def _made_of(message: OrderMessage) -> dict[str, object]:
    return {"incident_kind": message.incident_kind, "valve": message.valve, "received_ms": message.received_ms}


def _given(choice: crews.Choice) -> dict[str, object]:
    away = None if choice.distance_m is None else round(choice.distance_m)
    return {"crew_id": choice.crew.crew_id, "technician_id": choice.crew.technician_id, "distance_m": away}


def _place(message: OrderMessage) -> dict[str, object]:
    place: dict[str, object] = {"place": message.place, "send_crew": message.send_crew, "has_meter": False, "flags": []}
    if message.home is not None:
        place |= message.home.model_dump(mode="json", exclude={"contacts", "detector_ids", "home_id", "language"})
        place["has_meter"] = message.home.meter_id is not None
    return place


def _home_place(message: OrderMessage) -> crews.Place:
    home = message.home
    if home is None:
        return crews.Place(lon=None, lat=None, coord_datum=None)
    return crews.Place(lon=home.lon, lat=home.lat, coord_datum=home.coord_datum, district_code=home.district_code)


def _waiting(order: str, row: Row) -> crews.WaitingOrder:
    place = row["place"]
    return crews.WaitingOrder(
        order_id=order,
        place=crews.Place(
            lon=place.get("lon"),
            lat=place.get("lat"),
            coord_datum=place.get("coord_datum"),
            district_code=place.get("district_code") or "",
        ),
        simulated=row["simulated"],
        priority=row["priority"],
        created_ms=row["created_ms"],
    )


def _crew(row: Row) -> crews.Crew:
    return crews.Crew(
        crew_id=row["crew_id"],
        place=crews.Place(lon=row["lon"], lat=row["lat"], coord_datum=row["coord_datum"], district_code=row["district_code"]),
        shift_start=row["shift_start"],
        shift_end=row["shift_end"],
        simulated=row["simulated"],
        free=True,
        technician_id=row["technician_id"],
    )
