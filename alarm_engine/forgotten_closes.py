"""An answer to a close that we do not know: an earlier life of the line sent it and wrote nothing down. Its leak is not forgotten.

It joins the home's open incident under an alias, or opens the incident that it names. Its word on the valve counts as any report does.
"""

from typing import Final
from uuid import UUID

from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.openings import Openings
from alarm_engine.record import alias_row, event
from alarm_engine.registry_view import Placed
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from alarm_engine.valve_desk import ValveDesk
from core.ids import CANARY_HOME, command_id
from core.items import AckItem
from core.registry.model import Home

REASON: Final = "ack_of_unknown_close"
_ATTEMPTS: Final = 200


class ForgottenCloses:
    """Takes answers that the valve desk does not know."""

    def __init__(self, state: LineState, valves: ValveDesk, openings: Openings) -> None:
        self._state = state
        self._valves = valves
        self._openings = openings

    def take(self, item: AckItem, placed: Placed, newer: bool) -> None:
        """Judge an answer to an unknown close of a home's own meter. Others, and closes that name no incident, say nothing."""
        home, named = placed.home, item.incident_id
        if item.command != "close_valve" or named is None or home is None or home.meter_id != item.device_id:
            return
        incident = self._state.open_by_place.get(home.home_id)
        if named in self._state.incidents and (incident is None or incident.incident_id != named):
            return  # the incident of another home
        if home.home_id == CANARY_HOME:
            return  # a round of an earlier life: the next one begins within the minute, and no crew goes to it
        if incident is None:
            if named not in self._state.closed_lately:
                self._open(item, home, named, newer)
            return
        if named != incident.incident_id and named not in self._state.closed_lately and not incident.watch.get(f"alias/{named}"):
            incident.watch = {**incident.watch, f"alias/{named}": True}
            rows = Rows(aliases=[alias_row(named, incident.incident_id, item.received_ms, REASON)])
            rows.events.append(event(incident.incident_id, item.received_ms, "alias", mark=str(named), alias=str(named), reason=REASON))
            rows.incidents[incident.incident_id] = incident.row()
            self._state.keeper.put(rows)
        view = self._state.devices.of(item.device_id)
        closed = item.result == "done" and item.valve == "closed"
        if closed and newer and incident.meter_id == item.device_id and self._valves.watch.follows(incident, view.measured(item.ts)):
            self._valves.watch.reported_closed(incident, item.received_ms, item.ts, "command")

    def _open(self, item: AckItem, home: Home, named: UUID, newer: bool) -> None:
        """The incident of that close, opened after all: order, crew and call, and the valve watched from what its meter answers."""
        state = self._state
        meter = state.registry.meter_of(home)
        if meter is None:
            return
        view = state.devices.of(meter.device_id)
        view.last_order_no = max(view.last_order_no, item.order_no)
        attempt = next((n for n in range(1, _ATTEMPTS) if command_id(named, "close_valve", n) == item.command_id), 1)
        now_ms = item.received_ms
        record = CommandRecord(
            command_id=item.command_id,
            device_id=meter.device_id,
            account=meter.account,
            command="close_valve",
            incident_id=named,
            attempt=attempt,
            order_no=item.order_no,
            reason=REASON,
            issued_ms=now_ms,
            expires_ms=now_ms,
            requested_by="line",
            state="sent",
            sends=1,
            sent_ms=now_ms,
        )
        incident = Incident(
            incident_id=named,
            kind="leak",
            place=home.home_id,
            account=item.account,
            device_id=item.device_id,
            home=state.registry.facts(home),
            simulated=home.simulated,
            lane="ack",
            reason=REASON,
            ch4_lel=None,
            alarm_lel=home.alarm_lel,
            boot=item.boot,
            seq=item.seq,
            alarmed_ms=item.ts,
            received_ms=now_ms,
            last_leak_ms=now_ms,
            meter_id=meter.device_id,
        )
        state.remember(record)
        rows = Rows(
            events=[event(named, now_ms, "opened", kind="leak", device_id=item.device_id, lane="ack", reason=REASON, result=item.result)]
        )
        self._openings.start(incident, record, rows, None, None)
        # Until its answer is taken, the close counts as one that waits for it.
        self._valves.due_in(record, 0.0)
        self._valves.heard_ack(item, newer)
