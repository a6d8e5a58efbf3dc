"""Orders made of what the line says, many at once: one an incident and kind, one open one a place, numbered without a gap.

A storm's orders are made in a few statements, not in a few each. An incident of a place that has an open order of the kind under another
incident's id joins that order. Works inside the caller's transaction. Refuses to decide: crews come from ``judgement.crews``, urgency
from ``judgement.priority``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from core.local_time import local
from core.station import OrderKind, OrderMessage
from dispatch import orders, orders_sql
from dispatch.database import Connection
from dispatch.judgement import crews
from dispatch.judgement.answers import Answers
from dispatch.judgement.order_table import OrderEvent, after
from dispatch.judgement.priority import priority

PREFIX: Final[dict[OrderKind, str]] = {"emergency": "QX", "inspection": "XJ", "triage": "HC", "canary": "TS"}
"""抢修 emergency, 巡检 inspection, 核查 triage, 探哨 canary."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new order, and the crew that has it (None = it waits)."""

    order_id: UUID
    order_no: str
    crew_id: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The open order of the place, made for another incident, that this one has joined."""

    order_id: UUID
    order_no: str
    incident_id: UUID


Outcome = Made | Joined | None
"""None: the incident had its order of this kind already."""


def local_day(now_ms: int) -> date:
    """The day in Shanghai."""
    return local(now_ms).date()


def order_id(incident_id: UUID, kind: OrderKind) -> UUID:
    """The id of the one order of this incident and kind."""
    return uuid5(incident_id, f"order/{kind}")


async def make(connection: Connection, messages: Sequence[OrderMessage], now_ms: int) -> list[Outcome]:
    """Make the orders of these incidents, in the order of the list, and give them to the nearest free crews or let them wait.

    The caller's transaction holds the assignment lock from here on. Where more leak than crews are free, the most urgent come first, and
    where others wait already, the new ones take their turn among them. A canary takes no crew and no lock.
    """
    if any(message.order_kind != "canary" for message in messages):
        await connection.execute(orders_sql.LOCK_ASSIGNMENT)
    made: list[Outcome] = []
    for piece in _apart(messages):
        made += await _make_piece(connection, piece, now_ms)
    return made


def _apart(messages: Sequence[OrderMessage]) -> Iterator[list[OrderMessage]]:
    """Pieces in which no incident and no place comes twice with one kind: the second has to find what the first has made."""
    piece: list[OrderMessage] = []
    seen: set[tuple[object, ...]] = set()
    for message in messages:
        names: set[tuple[object, ...]] = {(message.order_kind, message.incident_id)}
        if message.place and message.order_kind != "canary":
            names.add((message.order_kind, message.place, message.simulated))
        if names & seen:
            yield piece
            piece, seen = [], set()
        piece.append(message)
        seen |= names
    if piece:
        yield piece


async def _make_piece(connection: Connection, messages: list[OrderMessage], now_ms: int) -> list[Outcome]:
    outcomes: dict[UUID, Outcome] = await _already(connection, messages, now_ms)
    fresh = {order_id(m.incident_id, m.order_kind): m for m in messages if m.message_id not in outcomes}
    if fresh:
        numbers, given = await _insert(connection, fresh, now_ms)
        for which, message in fresh.items():
            number = numbers.get(which)
            outcomes[message.message_id] = None if number is None else Made(which, number, given.get(which))
    return [outcomes[message.message_id] for message in messages]


async def _already(connection: Connection, messages: list[OrderMessage], now_ms: int) -> dict[UUID, Outcome]:
    """By message id, those of incidents that have their order, or that join the open one of their place."""
    people = [message for message in messages if message.order_kind != "canary"]
    if not people:
        return {}
    lists = {
        "incidents": [message.incident_id for message in people],
        "kinds": [message.order_kind for message in people],
        "places": [message.place for message in people],
        "simulated": [message.simulated for message in people],
    }
    outcomes: dict[UUID, Outcome] = {}
    for row in await (await connection.execute(orders_sql.HAVE_ALREADY, lists)).fetchall():
        message = people[row["at"] - 1]
        if row["incident_id"] == message.incident_id:
            outcomes[message.message_id] = None
            continue
        order = await (await connection.execute(orders_sql.ONE_ORDER, {"order_id": row["order_id"]})).fetchone()
        if order is None or order["archived_ms"] is not None:
            continue  # archived while we waited for it: a new leak is a new order
        await orders.join(connection, order, message, now_ms)
        outcomes[message.message_id] = Joined(order["order_id"], order["order_no"], order["incident_id"])
    return outcomes


async def _insert(connection: Connection, fresh: Mapping[UUID, OrderMessage], now_ms: int) -> tuple[dict[UUID, str], dict[UUID, str]]:
    """Write new orders; returns the number and the crew of each by its id, where it got one."""
    choices = await _choose(connection, fresh, now_ms)
    others = bool(choices) and await _anybody_waits(connection)
    if others:
        choices = {}
    rows, steps = [], []
    for which, message in fresh.items():
        row = _row(which, message, choices.get(which), now_ms)
        rows.append(row)
        steps += _steps(message, row, choices.get(which))
    parameters = {
        "orders": json.dumps(rows, ensure_ascii=False),
        "steps": json.dumps(steps, ensure_ascii=False),
        "kinds": list(PREFIX),
        "prefixes": list(PREFIX.values()),
        "day": local_day(now_ms),
    }
    made = await (await connection.execute(orders_sql.MAKE_ORDERS, parameters)).fetchall()
    numbers: dict[UUID, str] = {row["order_id"]: row["order_no"] for row in made}
    if others:
        taken = dict(await orders.share_out(connection, now_ms))
        return numbers, {which: taken[number] for which, number in numbers.items() if number in taken}
    return numbers, {which: choice.crew.crew_id for which, choice in choices.items()}


async def _choose(connection: Connection, fresh: Mapping[UUID, OrderMessage], now_ms: int) -> dict[UUID, crews.Choice]:
    """The crew of each new order, as far as there are any that are free."""
    wanted = {str(which): (which, message) for which, message in fresh.items() if _wants_crew(message)}
    if not wanted:
        return {}
    free = await orders.free_crews(connection, now_ms)
    given = crews.share_out([_waiting(text, message) for text, (_, message) in wanted.items()], free, now_ms, {})
    return {wanted[order.order_id][0]: choice for order, choice in given}


async def _anybody_waits(connection: Connection) -> bool:
    row = await (await connection.execute(orders_sql.ANY_WAITING)).fetchone()
    return row is not None and bool(row["found"])


def _wants_crew(message: OrderMessage) -> bool:
    return message.send_crew and message.order_kind != "canary"


def _urgency(message: OrderMessage) -> int:
    return priority(message.order_kind, message.home.flags if message.home else (), Answers.of(message))


def _waiting(order: str, message: OrderMessage) -> crews.WaitingOrder:
    """Who of one list gets a crew first: the most urgent, then whose leak the platform heard of first."""
    home = message.home
    place = crews.Place(lon=None, lat=None, coord_datum=None)
    if home is not None:
        place = crews.Place(lon=home.lon, lat=home.lat, coord_datum=home.coord_datum, district_code=home.district_code)
    return crews.WaitingOrder(
        order_id=order,
        place=place,
        simulated=message.simulated,
        priority=_urgency(message),
        created_ms=message.received_ms,
    )


def _event(choice: crews.Choice | None) -> OrderEvent:
    return "assign" if choice else "wait"


def _row(which: UUID, message: OrderMessage, choice: crews.Choice | None, now_ms: int) -> dict[str, Any]:
    """One order with its columns, its number apart."""
    return {
        "order_id": str(which),
        "incident_id": str(message.incident_id),
        "incident_kind": message.incident_kind,
        "kind": message.order_kind,
        "home_id": message.home.home_id if message.home else None,
        "simulated": message.simulated,
        "priority": _urgency(message),
        "state": after(message.order_kind, "created", _event(choice)),
        "place": _place(message),
        **Answers.of(message).model_dump(mode="json"),
        "ch4_lel": message.ch4_lel,
        "crew_id": choice.crew.crew_id if choice else None,
        "technician_id": choice.crew.technician_id if choice else None,
        "distance_m": choice.distance_m if choice else None,
        "created_ms": now_ms,
        "assigned_ms": now_ms if choice else None,
    }


def _steps(message: OrderMessage, row: Mapping[str, Any], choice: crews.Choice | None) -> list[dict[str, Any]]:
    """How the order came to its first state, oldest first."""
    said: dict[str, object] = {"incident_kind": message.incident_kind, "valve": message.valve, "received_ms": message.received_ms}
    if message.order_kind == "canary":
        said["message_id"] = str(message.message_id)
    first = {"order_id": row["order_id"], "event": "created", "from_state": None, "to_state": "created", "detail": said}
    detail = orders.given_to(choice) if choice else {"send_crew": _wants_crew(message)}
    return [first, {**first, "event": _event(choice), "from_state": "created", "to_state": row["state"], "detail": detail}]


def _place(message: OrderMessage) -> dict[str, object]:
    place: dict[str, object] = {"place": message.place, "send_crew": _wants_crew(message), "has_meter": False, "flags": []}
    if message.home is not None:
        place |= message.home.model_dump(mode="json", exclude={"contacts", "detector_ids", "home_id", "language"})
        place["has_meter"] = message.home.meter_id is not None
    return place
