"""Work orders in the database: given to a crew, moved only along the order table, told what the line learns of their incidents.

Every function works inside the caller's transaction and leaves a step behind for what it did. Refuses to decide: states come from
``judgement.order_table``, crews from ``judgement.crews``, urgency from ``judgement.priority``.
"""

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID, uuid5

from psycopg import sql
from psycopg.types.json import Jsonb

from core.station import LeakAgainMessage, OrderKind, OrderMessage, ValveMessage
from dispatch import orders_sql
from dispatch.database import Connection
from dispatch.judgement import crews
from dispatch.judgement.answers import Answers
from dispatch.judgement.order_table import OrderEvent, OrderState, after
from dispatch.judgement.priority import priority
from dispatch.judgement.reasons import REASONS, Reason

Row = Mapping[str, Any]

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
_NOT_AWAITED: Final[dict[OrderEvent, str]] = {"accept": "已接单 / accepted", "reassign": "已从该抢修队收回 / taken back from that crew"}
_CREW_LEAVES: Final = ("crew_id", "technician_id", "distance_m", "assigned_ms", "accepted_ms", "on_site_ms")


async def free_crews(connection: Connection, now_ms: int) -> list[crews.Crew]:
    """Crews without an order, on duty or not, where they told a short while ago that they are, else at their posts."""
    since = {"positions_since_ms": now_ms - crews.POSITION_HOLDS_MS}
    return [_crew(row) for row in await (await connection.execute(orders_sql.FREE_CREWS, since)).fetchall()]


async def share_out(connection: Connection, now_ms: int, not_to: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Give waiting orders to free crews, by priority, oldest first; returns (order_no, crew_id) of each.

    ``not_to`` names a crew that an order (by its id) has just been taken from.
    """
    await connection.execute(orders_sql.LOCK_ASSIGNMENT)
    waiting = {str(row["order_id"]): row for row in await (await connection.execute(orders_sql.WAITING)).fetchall()}
    if not waiting:
        return []
    free = await free_crews(connection, now_ms)
    if not free:
        return []
    orders = [_waiting(order, row) for order, row in waiting.items()]
    given = []
    for order, choice in crews.share_out(orders, free, now_ms, not_to or {}):
        row = waiting[order.order_id]
        if not isinstance(await _give(connection, row, choice, ACTOR, now_ms), Reason):
            given.append((str(row["order_no"]), choice.crew.crew_id))
    return given


async def give_to(connection: Connection, order: Row, crew_id: str, actor: str, now_ms: int) -> OrderState | Reason:
    """Give a (locked) order that waits to the crew that a person chose: refused unless that is free, on duty, manned and of its world."""
    await connection.execute(orders_sql.LOCK_ASSIGNMENT)
    waiting = _waiting(str(order["order_id"]), order)
    chosen = [crew for crew in await free_crews(connection, now_ms) if crew.crew_id == crew_id]
    choice = crews.nearest(waiting.place, waiting.simulated, chosen, now_ms)
    return REASONS["crew_not_free"] if choice is None else await _give(connection, order, choice, actor, now_ms)


async def _give(connection: Connection, order: Row, choice: crews.Choice, actor: str, now_ms: int) -> OrderState | Reason:
    changes = {
        "crew_id": choice.crew.crew_id,
        "technician_id": choice.crew.technician_id,
        "distance_m": choice.distance_m,
        "assigned_ms": now_ms,
    }
    return await move(connection, order, "assign", actor, now_ms, changes, given_to(choice))


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
    if (note := _NOT_AWAITED.get(event)) is not None:
        # Nobody has to urge a crew that has accepted, or that it was taken from.
        await connection.execute(
            orders_sql.END_NOT_ACCEPTED, {"order_id": order["order_id"], "now_ms": now_ms, "done_by": ACTOR, "note": note}
        )
    return following


async def take_back(
    connection: Connection, order: Row, actor: str, now_ms: int, note: str = "", why: Reason | None = None
) -> OrderState | Reason:
    """Take an order from its crew; it waits for another. ``note`` is a person's, ``why`` ours."""
    changes = dict.fromkeys(_CREW_LEAVES)
    detail: dict[str, object] = {"from_crew": order["crew_id"], "note": note}
    if why is not None:
        detail |= {"reason": why.code, "zh": why.zh, "en": why.en}
    return await move(connection, order, "reassign", actor, now_ms, changes, detail)


async def take_from_gone(connection: Connection, now_ms: int) -> list[tuple[str, str]]:
    """Take back what crews have not accepted that went off duty or left the registry; returns (order_no, crew_id) of each.

    What was accepted stays: somebody is on his way.
    """
    await connection.execute(orders_sql.LOCK_ASSIGNMENT)
    taken = []
    for found in await (await connection.execute(orders_sql.ASSIGNED)).fetchall():
        facts = {"in_service": found["in_service"], "technician_there": found["technician_there"], "now_ms": now_ms}
        why = crews.gone(found["shift_start"], found["shift_end"], **facts)
        if why is None:
            continue
        held = {"order_id": found["order_id"], "crew_id": found["crew_id"]}
        order = await (await connection.execute(orders_sql.STILL_ASSIGNED, held)).fetchone()
        if order is not None and not isinstance(await take_back(connection, order, ACTOR, now_ms, why=why), Reason):
            taken.append((str(order["order_no"]), str(order["crew_id"])))
    return taken


async def valve_known(connection: Connection, message: ValveMessage, now_ms: int) -> int:
    """Write the four answers, and raise the priority where gas goes on; returns how many orders there are.

    News older than what an order already has is left out.
    """
    orders = await _of_incident(connection, message.incident_id)
    for order in orders:
        await _answers_known(connection, order, Answers.of(message), message.cause, message.at_ms, now_ms, _traced(order, message))
    return len(orders)


async def join(connection: Connection, order: Row, message: OrderMessage, now_ms: int) -> None:
    """The incident of ``message`` is of the place of this (locked) order and becomes an alias of its own: to it, it is a leak again."""
    alias = {"incident_id": message.incident_id, "order_id": order["order_id"], "now_ms": now_ms}
    await connection.execute(orders_sql.ADD_ALIAS, alias)
    await _leak_again(connection, order, message.ch4_lel, message.at_ms, now_ms, {"alias": str(message.incident_id)})
    moved = await (await connection.execute(orders_sql.ONE_ORDER, {"order_id": order["order_id"]})).fetchone()
    if moved is None:
        raise LookupError("an order that was there a moment ago")
    await _answers_known(connection, moved, Answers.of(message), None, message.at_ms, now_ms, {})


async def _answers_known(
    connection: Connection,
    order: Row,
    answers: Answers,
    cause: str | None,
    said_ms: int,
    now_ms: int,
    more: Mapping[str, object],
) -> None:
    said = await (await connection.execute(orders_sql.VALVE_SAID, {"order_id": order["order_id"]})).fetchone()
    if said is not None and said["said_ms"] > said_ms:
        return
    urgent = min(order["priority"], priority(order["kind"], order["place"].get("flags", ()), answers))
    await change(connection, order["order_id"], {**answers.model_dump(), "priority": urgent})
    detail = {**answers.model_dump(exclude_none=True), "cause": cause, "said_ms": said_ms, **more}
    await step(connection, order, "valve", order["state"], "line", now_ms, detail)
    if answers.before_meter and not order["before_meter"]:
        # Another place to close and other people to warn: the crew reads it as a step of its own.
        wanted = {"wanted": ["riser_valve", "neighbours"], "said_ms": said_ms}
        await step(connection, order, "before_meter_suspected", order["state"], "line", now_ms, wanted)


async def leak_again(connection: Connection, message: LeakAgainMessage, now_ms: int) -> int:
    """Gas leaks anew: who had gone beyond *on site* is back there and a test is void; returns how many orders there are.

    A leak that was said before the place was made safe is part of what was made safe.
    """
    orders = await _of_incident(connection, message.incident_id)
    for order in orders:
        await _leak_again(connection, order, message.ch4_lel, message.at_ms, now_ms, _traced(order, message))
    return len(orders)


async def _leak_again(
    connection: Connection, order: Row, ch4_lel: float | None, said_ms: int, now_ms: int, more: Mapping[str, object]
) -> None:
    detail: dict[str, object] = {"ch4_lel": ch4_lel, "said_ms": said_ms, "test_void": order["test_passed"] is True, **more}
    settled_ms = order["made_safe_ms"] or order["cause_ms"]
    if settled_ms is not None and said_ms < settled_ms:
        await step(connection, order, "leak_again", order["state"], "line", now_ms, {**detail, "test_void": False, "earlier": True})
        return
    changes: dict[str, object] = dict.fromkeys(_LEAK_VOIDS)
    if order["valve"] == "opened":
        changes["valve"] = "commanded"
    if order["state"] == "archived":
        changes |= dict.fromkeys(_CREW_LEAVES)
    await move(connection, order, "leak_again", "line", now_ms, changes, detail)


async def archive_canary(connection: Connection, order: Row, outcome: str, now_ms: int) -> None:
    """The canary's round is over as far as dispatch goes: its order is at its end, and the line hears of it."""
    if not isinstance(await move(connection, order, "archive", ACTOR, now_ms, {"archived_ms": now_ms}, {"outcome": outcome}), Reason):
        await tell_finished(connection, order, outcome, now_ms)


async def tell_finished(connection: Connection, order: Row, outcome: str, now_ms: int) -> None:
    """The line closes every incident of an order that is archived. ``test_ms`` is when the last passed test was."""
    rows = await (await connection.execute(orders_sql.INCIDENTS_OF_ORDER, {"order_id": order["order_id"]})).fetchall()
    for row in rows:
        body = {
            "incident_id": str(row["incident_id"]),
            "order_no": order["order_no"],
            "order_kind": order["kind"],
            "outcome": outcome,
            "test_ms": order["test_ms"],
        }
        request_id = finished_id(order["order_id"], row["incident_id"], now_ms)
        await connection.execute(orders_sql.FINISHED, {"request_id": request_id, "body": Jsonb(body)})


def finished_id(order_id: UUID, incident_id: UUID, archived_ms: int) -> UUID:
    """The id of the request that tells the line of this end of an order."""
    return uuid5(order_id, f"order_finished/{incident_id}/{archived_ms}")


async def _of_incident(connection: Connection, incident_id: UUID) -> list[dict[str, Any]]:
    return await (await connection.execute(orders_sql.ORDERS_OF_INCIDENT, {"incident_id": incident_id})).fetchall()


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


def _traced(order: Row, message: ValveMessage | LeakAgainMessage) -> dict[str, object]:
    """A canary's steps name their messages, so that its rows in the inbox can be found when they are old."""
    return {"message_id": str(message.message_id)} if order["kind"] == "canary" else {}


def given_to(choice: crews.Choice) -> dict[str, object]:
    """Who goes, as a step and an order have it."""
    away = None if choice.distance_m is None else round(choice.distance_m)
    return {"crew_id": choice.crew.crew_id, "technician_id": choice.crew.technician_id, "distance_m": away}


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
