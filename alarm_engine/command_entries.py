"""What a step of a command adds to its incident's record, and what it lets us know of the valve. One table, no effects."""

from typing import Final

from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.command_table import CommandState
from alarm_engine.record import EventKind, event
from alarm_engine.rows import Rows
from core.station import ValveKnowledge

_CLOSE: Final[dict[CommandState, tuple[EventKind, ValveKnowledge]]] = {
    "accepted": ("close_accepted", "accepted"),
    "refused": ("refused", "refused"),
    "travel_time_over": ("travel_time_over", "travel_time_over"),
    "no_answer": ("no_answer", "no_answer"),
}
_OPEN: Final[dict[CommandState, tuple[EventKind, ValveKnowledge | None]]] = {
    "opened": ("opened_valve", "opened"),
    "expired": ("open_expired", None),
    "refused": ("open_refused", None),
}


def enter(incident: Incident, record: CommandRecord, before: CommandState, at_ms: int, rows: Rows) -> ValveKnowledge | None:
    """Enter a command's new state into the record; returns what is known of the valve now, None where that does not change.

    A close that is not the incident's close in force, or whose valve is reported closed meanwhile, changes nothing of what is known.
    """
    if record.command not in ("close_valve", "open_valve"):
        return None
    kind: EventKind | None
    knowledge: ValveKnowledge | None
    if record.command == "close_valve":
        kind, knowledge = _CLOSE.get(record.state, (None, None))
        if record.state == "no_answer" and before == "no_answer":
            kind, knowledge = "close_resent", None
        if incident.close is not record or incident.is_closed:
            knowledge = None
    else:
        kind, knowledge = _OPEN.get(record.state, (None, None))
    if kind is None:
        return None
    rows.events.append(
        event(
            incident.incident_id,
            at_ms,
            kind,
            mark=str(record.attempt),
            attempt=record.attempt,
            device_id=record.device_id,
            detail=record.detail if record.state == "refused" else None,
            sends=record.sends if record.state == "no_answer" else None,
            by=record.requested_by if record.command == "open_valve" else None,
        )
    )
    return knowledge
