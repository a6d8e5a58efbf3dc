"""How an incident begins and ends: the same for a leak, a call to the hotline, a garbled alarm and an answer to a forgotten close.

Its close, if it has one, is on the socket before anything here is done. Dispatch is told first, then all of it is written down together.
"""

from alarm_engine import metrics
from alarm_engine.hold_book import HoldBook
from alarm_engine.incident import HOTLINE_PLACE, CommandRecord, Incident
from alarm_engine.judgement.alarm_table import ALARM_TABLE
from alarm_engine.record import event, order_message, outbox_row
from alarm_engine.rows import Rows
from alarm_engine.state import Done, LineState
from alarm_engine.valve_desk import ValveDesk

HELD_KINDS = frozenset({"leak", "hotline_report"})
"""Kinds of incident that put a safety hold on the valve of their home."""


class Openings:
    """Begins and ends incidents."""

    def __init__(self, state: LineState, valves: ValveDesk, holds: HoldBook) -> None:
        self._state = state
        self._valves = valves
        self._holds = holds

    def start(
        self,
        incident: Incident,
        close: CommandRecord | None,
        rows: Rows,
        done: Done | None,
        alarm_received_ms: int | None,
        exclude_phone: str | None = None,
    ) -> None:
        """Begin an incident: tell dispatch at once, then write it all down together."""
        state, incident_key = self._state, incident.incident_id
        if incident.valve_closed_locally_ms is not None:
            rows.events.append(event(incident_key, incident.received_ms, "closed_locally", cause="linkage", device_id=incident.meter_id))
        if close is not None:
            self._valves.attach(incident, close)
            incident.valve = "commanded"
            incident.answer_due_ms = self._valves.sleepers.expected_ms(close.device_id)
            at_ms = close.sent_ms or incident.received_ms
            rows.commands[close.command_id] = close.row()
            rows.events.append(event(incident_key, at_ms, "close_sent", mark="1", attempt=close.attempt, device_id=close.device_id))
        elif ALARM_TABLE[incident.kind].close and incident.meter_id is None and not _elsewhere(incident):
            incident.valve = "no_meter"
            rows.events.append(event(incident_key, incident.received_ms, "no_meter"))
        order = order_message(incident, state.clock.now_ms(), exclude_phone)
        state.down.station(order)
        incident.told = incident.facts
        rows.outbox.append(outbox_row(order))
        known = order.home is not None and bool(order.home.contacts)
        rows.events.append(event(incident_key, order.at_ms, "order_sent", order=order.order_kind, call=order.call and known))
        incident.said_again = state.clock.monotonic()
        state.take_open(incident)
        if incident.kind in HELD_KINDS and incident.place in state.registry.homes:
            self._holds.safety(incident.place, incident_key, incident.received_ms, rows)
        rows.incidents[incident_key] = incident.row()
        metrics.incidents.labels(incident.kind).inc()
        metrics.open_incidents.labels(incident.kind).inc()
        state.keeper.put(rows, done, alarm_received_ms)

    def end(self, incident: Incident, at_ms: int, actor: str, outcome: str, *, tested: bool = False) -> None:
        """End an incident. Its identity stays known, so that a late repeat or a late answer opens nothing.

        ``tested``: its order passed a tightness test after the last leak. Without one the safety hold stays on the valve until another
        order of this home passes its own, and a close that the meter has not carried out goes on.
        """
        state = self._state
        rows = Rows(events=[event(incident.incident_id, at_ms, "closed", actor=actor, outcome=outcome)])
        if tested:
            self._holds.release_safety(incident.incident_id, incident.place, "test", at_ms, actor, outcome or "order archived", rows)
        # What takes its place has a close of its own; in the canary home nothing is owed to anybody.
        owed = not tested and outcome != "superseded" and incident.kind != "canary" and incident.close_owed
        for record in (incident.close, incident.opening):
            if record is not None:
                record.due = None
                self._valves.sleepers.forget(record)
        incident.state = "closed"
        incident.closed_ms = at_ms
        incident.outcome = outcome
        state.drop(incident)
        metrics.open_incidents.labels(incident.kind).dec()
        rows.incidents[incident.incident_id] = incident.row()
        state.keeper.put(rows)
        meter = state.registry.devices.get(incident.meter_id or "")
        if owed and meter is not None and meter.home_id == incident.place:
            self._valves.close_loose(meter, incident.incident_id, "leak", "line", incident.attempts + 1)


def _elsewhere(incident: Incident) -> bool:
    """No home of the registry: a street, or a sender that cannot be placed."""
    return incident.home is None or incident.home.home_id.startswith(HOTLINE_PLACE)
