"""How decisions are written down: the entries of an incident's record, the rows of alarms, and what dispatch is told.

Wording is not made here: an entry has a kind from a closed list and its figures.
"""

import time
from itertools import count
from typing import Any, Final, Literal
from uuid import UUID

from alarm_engine.incident import Incident
from alarm_engine.judgement.alarm_table import ALARM_TABLE
from alarm_engine.rows import Row
from alarm_engine.state import StationMessage
from core.ids import event_id, message_id
from core.items import AlarmItem, DetectorReading
from core.station import LeakAgainMessage, OrderMessage, ValveMessage

EventKind = Literal[
    "opened",
    "leak_again",
    "device_added",
    "close_sent",
    "close_resent",
    "close_accepted",
    "reported_closed",
    "closed_locally",
    "no_answer",
    "refused",
    "travel_time_over",
    "open_requested",
    "open_refused",
    "open_sent",
    "opened_valve",
    "open_expired",
    "no_meter",
    "order_sent",
    "valve_holds",
    "gas_still_flows",
    "not_provable",
    "proof_due",
    "room_clearing",
    "room_not_clearing",
    "before_meter_suspected",
    "alias",
    "hold_set",
    "hold_lifted",
    "meter_exchanged",
    "closed",
]

# Begins above every number of an earlier life, without asking anybody: over its whole life no line makes an entry a millisecond.
_NUMBERS: Final = count(time.time_ns() // 1_000_000)


def event(incident_id: UUID, at_ms: int, kind: EventKind, /, *, actor: str = "line", mark: str = "", **detail: object) -> Row:
    """One entry of an incident's record. ``mark`` tells entries of one kind and moment apart, so that a second pass doubles none.

    ``entry_no`` grows from entry to entry; where a second pass makes an entry again, the number of the first stays.
    """
    return {
        "event_id": str(event_id(incident_id, f"{kind}/{mark}/{at_ms}")),
        "incident_id": str(incident_id),
        "at_ms": at_ms,
        "kind": kind,
        "actor": actor,
        "detail": {name: value for name, value in detail.items() if value is not None},
        "entry_no": next(_NUMBERS),
    }


def alarm_row(
    item: AlarmItem | DetectorReading, lane: str, verdict: str, home_id: str | None, incident_id: UUID | None, *flags: str
) -> Row:
    """The row of one alarm: what was said, and what was made of it. ``flags`` are defects that only its device's past shows."""
    alarm = isinstance(item, AlarmItem)
    return {
        "device_id": item.device_id,
        "ts": item.ts,
        "boot": item.boot,
        "seq": item.seq,
        "account": item.account,
        "lane": lane,
        "event": (item.event if isinstance(item, AlarmItem) else item.state) or "unreadable",
        "verdict": verdict,
        "ch4_lel": item.ch4_lel,
        "valve": item.valve if alarm and isinstance(item, AlarmItem) else None,
        "cause": item.cause if alarm and isinstance(item, AlarmItem) else None,
        "defects": [*item.defects, *flags],
        "home_id": home_id,
        "incident_id": None if incident_id is None else str(incident_id),
        "received_ms": item.received_ms,
    }


def outbox_row(message: StationMessage) -> Row:
    """The second way of a message to dispatch."""
    return {
        "message_id": str(message.message_id),
        "incident_id": str(message.incident_id),
        "payload": message.model_dump(mode="json"),
        "created_ms": message.at_ms,
    }


def order_message(incident: Incident, at_ms: int, exclude_phone: str | None = None) -> OrderMessage:
    """What dispatch needs to send a crew and ring a phone, by the incident's row of the alarm table."""
    row = ALARM_TABLE[incident.kind]
    return OrderMessage(
        message_id=message_id(incident.incident_id, "order"),
        incident_id=incident.incident_id,
        at_ms=at_ms,
        incident_kind=incident.kind,
        order_kind=row.order,
        simulated=incident.simulated,
        home=incident.home,
        place=incident.place,
        send_crew=row.crew,
        call=row.call,
        exclude_phone=exclude_phone,
        ch4_lel=incident.ch4_lel,
        received_ms=incident.received_ms,
        **_facts(incident),
    )


def valve_message(incident: Incident, at_ms: int) -> ValveMessage:
    """What is known of the valve now."""
    incident.valve_messages += 1
    return ValveMessage(
        message_id=message_id(incident.incident_id, f"valve/{incident.valve}/{incident.attempts}/{incident.valve_messages}/{at_ms}"),
        incident_id=incident.incident_id,
        at_ms=at_ms,
        cause=incident.valve_cause,
        **_facts(incident),
    )


def _facts(incident: Incident) -> dict[str, Any]:
    return {
        "valve": incident.valve,
        "answer_due_ms": incident.answer_due_ms,
        "proof": incident.proof,
        "proof_due_ms": incident.proof_due_ms,
        "clearing": incident.clearing,
        "before_meter": incident.before_meter_ms is not None,
    }


def alias_row(alias_id: UUID, incident_id: UUID, at_ms: int, reason: str) -> Row:
    """The row of an id that an earlier life of the line gave to an incident that is open under another one."""
    return {"alias_id": str(alias_id), "incident_id": str(incident_id), "at_ms": at_ms, "reason": reason}


def leak_again_message(incident: Incident, at_ms: int, ch4_lel: float | None) -> LeakAgainMessage:
    """A leak in an incident that is open already."""
    return LeakAgainMessage(
        message_id=message_id(incident.incident_id, f"leak_again/{at_ms}"),
        incident_id=incident.incident_id,
        at_ms=at_ms,
        ch4_lel=ch4_lel,
    )
