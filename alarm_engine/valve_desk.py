"""The line's hand on the valves: sends commands, hears answers and reports, watches what is due. Acts by the command table alone.

A close is never reasoned about here; whoever asks for one gets it on the socket before this module does anything else.
"""

import heapq
import itertools
from collections.abc import Callable
from uuid import UUID

from alarm_engine import metrics
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.command_table import Event, next_step, resend_delay_s, retry_delay_s
from alarm_engine.record import EventKind, event, outbox_row, valve_message
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.ids import command_id
from core.items import AckItem
from core.messages import CommandName
from core.registry.model import Device
from core.station import ValveKnowledge

_NO_EXPIRY_MS = 4_102_444_800_000
_REPORT_EXPIRES_MS = 60_000


class ValveDesk:
    """Commands to meters and what became of them."""

    def __init__(self, state: LineState) -> None:
        self._state = state
        self._due: list[tuple[float, int, CommandRecord]] = []
        self._count = itertools.count()

    def close(self, meter: Device, incident_id: UUID, attempt: int, reason: str, by: str = "line") -> CommandRecord:
        """Put a close on the socket, now. The caller writes it down afterwards."""
        return self._issue("close_valve", meter, incident_id, attempt, reason, by, _NO_EXPIRY_MS)

    def order(self, name: CommandName, meter: Device, incident_id: UUID | None, key: UUID, reason: str, by: str) -> CommandRecord:
        """Send ``open_valve``, ``self_test`` or ``report``; they expire. ``key`` tells one order from another (its request)."""
        lasts_ms = int(self._state.settings.open_expires_s * 1000) if name == "open_valve" else _REPORT_EXPIRES_MS
        expires_ms = self._state.clock.now_ms() + lasts_ms
        return self._issue(name, meter, incident_id, 1, reason, by, expires_ms, key)

    def _issue(
        self,
        name: CommandName,
        meter: Device,
        incident_id: UUID | None,
        attempt: int,
        reason: str,
        by: str,
        expires_ms: int,
        key: UUID | None = None,
    ) -> CommandRecord:
        state = self._state
        now_ms = state.clock.now_ms()
        view = state.devices.of(meter.device_id)
        view.last_order_no = max(view.last_order_no + 1, now_ms)
        base = key or incident_id or UUID(int=view.last_order_no)
        record = CommandRecord(
            command_id=command_id(base, name, attempt),
            device_id=meter.device_id,
            account=meter.account,
            command=name,
            incident_id=incident_id,
            attempt=attempt,
            order_no=view.last_order_no,
            reason=reason,
            issued_ms=now_ms,
            expires_ms=expires_ms if name != "close_valve" else now_ms,
            requested_by=by,
        )
        self._send(record)
        state.remember(record)
        return record

    def _send(self, record: CommandRecord) -> None:
        state = self._state
        state.down.command(record.account, record.message())
        record.sends += 1
        record.sent_ms = record.sent_ms or state.clock.now_ms()
        if record.state == "requested":
            record.state = "sent"
        if record.command == "close_valve":
            self.due_in(record, resend_delay_s(record.sends, state.settings.longest_resend_s))
        else:
            self.due_in(record, (record.expires_ms - state.clock.now_ms()) / 1000)
        metrics.commands.labels(record.command, "sent" if record.sends == 1 else "resent").inc()

    def due_in(self, record: CommandRecord, seconds: float) -> None:
        """Look at this command again after so many seconds of the platform's clock, unless something happens before."""
        record.due = self._state.clock.monotonic() + max(0.0, seconds)
        heapq.heappush(self._due, (record.due, next(self._count), record))

    def heard_ack(self, item: AckItem, newer: bool = True) -> None:
        """A device answered a command. ``newer``: nothing that it said later was heard before."""
        record = self._state.commands.get(item.command_id)
        if record is None or record.device_id != item.device_id:
            metrics.acks_unknown.inc()
            return
        record.detail = item.detail or record.detail
        record.result = item.result
        if item.result == "accepted":
            record.accepted_ms = record.accepted_ms or item.received_ms
            self._happened(record, "accepted", item.received_ms)
        elif item.result == "done":
            record.done_ms = record.done_ms or item.received_ms
            self._done(record, item, newer)
        elif item.result == "expired" and record.command != "close_valve":
            self._happened(record, "expired", item.received_ms)
        else:
            self._happened(record, "refused", item.received_ms)

    def _done(self, record: CommandRecord, item: AckItem, newer: bool) -> None:
        if record.command == "close_valve":
            if item.valve in (None, "closed") and not newer and self._state.devices.of(record.device_id).valve == "open":
                # The meter has said since that it is open: an answer from before that proves nothing.
                self._write(None, record, Rows())
            elif item.valve in (None, "closed"):
                incident = self._state.incidents.get(record.incident_id) if record.incident_id else None
                if incident is not None and incident.state == "open":
                    self.reported_closed(incident, item.received_ms, "command")
                    self._write(None, record, Rows())
                else:
                    self._happened(record, "reported_closed", item.received_ms)
            elif item.valve in ("open", "fault"):
                self._happened(record, "refused", item.received_ms)
        elif record.command == "open_valve":
            in_time = item.received_ms <= record.expires_ms
            if item.valve == "open" and in_time:
                self._happened(record, "opened", item.received_ms)
            else:
                self._happened(record, "expired" if not in_time else "refused", item.received_ms)
        else:
            self._happened(record, "done", item.received_ms)

    def reported_closed(self, incident: Incident, at_ms: int, cause: str | None, locally_ms: int | None = None) -> None:
        """The meter says that its valve is closed, after we asked. ``locally_ms``: it closed by itself, at this device time."""
        rows = Rows()
        if locally_ms is not None and incident.valve_closed_locally_ms is None:
            incident.valve_closed_locally_ms = locally_ms
            rows.events.append(event(incident.incident_id, at_ms, "closed_locally", cause=cause, device_id=incident.meter_id))
        record = incident.close
        if record is not None and (step := next_step("close_valve", record.state, "reported_closed")) is not None:
            record.state, record.due = step.state, None
            metrics.commands.labels("close_valve", "reported_closed").inc()
        if not incident.is_closed:
            incident.reported_closed_ms = incident.reported_closed_ms or at_ms
            incident.valve_cause = cause or incident.valve_cause
            rows.events.append(
                event(incident.incident_id, at_ms, "reported_closed", mark=str(incident.attempts), device_id=incident.meter_id, cause=cause)
            )
            self.knows(incident, "reported_closed", at_ms, rows)
        self._write(incident, record, rows)

    def seen_open(self, incident: Incident, at_ms: int) -> None:
        """The meter says that its valve is open (again)."""
        if not incident.is_closed:
            return
        rows = Rows(events=[event(incident.incident_id, at_ms, "opened_valve", device_id=incident.meter_id, reported=True)])
        self.knows(incident, "opened", at_ms, rows)
        self._write(incident, None, rows)

    def tick(self) -> None:
        """Do what is due: re-send, try again, let an open expire."""
        now = self._state.clock.monotonic()
        while self._due and self._due[0][0] <= now:
            due, _, record = heapq.heappop(self._due)
            if record.due != due:
                continue
            at_ms = self._state.clock.now_ms()
            if record.command != "close_valve":
                self._happened(record, "expired", at_ms)
            elif record.state in ("sent", "no_answer"):
                self._happened(record, "answer_due", at_ms)
            elif record.state == "accepted":
                self._happened(record, "travel_due", at_ms)
            else:
                record.due = None
                self.try_again(record)

    def try_again(self, failed: CommandRecord) -> None:
        """The next attempt after one that failed, unless a newer attempt is on its way or the incident is over."""
        incident = self._state.incidents.get(failed.incident_id) if failed.incident_id else None
        if incident is None or incident.close is not failed or incident.state != "open" or incident.is_closed:
            return
        self.next_attempt(incident, failed.reason)

    def next_attempt(self, incident: Incident, reason: str, by: str = "line") -> None:
        """A new close for an open incident. The message leaves first."""
        meter = self._state.registry.devices.get(incident.meter_id or "")
        if meter is None:
            return
        record = self.close(meter, incident.incident_id, incident.attempts + 1, reason, by)
        self.attach(incident, record)
        rows = Rows()
        at_ms = record.sent_ms or record.issued_ms
        rows.events.append(event(incident.incident_id, at_ms, "close_sent", mark=str(record.attempt), attempt=record.attempt))
        self.knows(incident, "commanded", at_ms, rows)
        self._write(incident, record, rows)

    def attach(self, incident: Incident, record: CommandRecord) -> None:
        """Make ``record`` the incident's close in force."""
        for before in (incident.close, incident.opening):
            if before is not None and before.under_way:
                self._happened(before, "superseded", record.issued_ms)
        incident.close, incident.opening = record, None
        # A home that got its meter after the opening of the incident.
        incident.meter_id = incident.meter_id or record.device_id
        incident.attempts = record.attempt
        incident.close_sent_ms = incident.close_sent_ms or record.sent_ms
        incident.meter_account = record.account

    def _happened(self, record: CommandRecord, what: Event, at_ms: int) -> None:
        """Take one step of the command table, do what follows, and write it down."""
        step = next_step(record.command, record.state, what)
        incident = self._state.incidents.get(record.incident_id) if record.incident_id else None
        rows = Rows()
        if step is None:
            self._write(None, record, rows)
            return
        before = record.state
        record.state = step.state
        record.due = None
        metrics.commands.labels(record.command, step.state).inc()
        if step.follow == "resend":
            self._send(record)
        elif step.follow == "next_attempt":
            self.due_in(record, retry_delay_s(record.attempt))
        elif step.state == "accepted" and record.command == "close_valve":
            self.due_in(record, self._state.settings.travel_time_s)
        elif step.state == "accepted":
            self.due_in(record, (record.expires_ms - at_ms) / 1000)
        if incident is not None:
            self._tell(incident, record, before, at_ms, rows)
        self._write(incident, record, rows)

    def _tell(self, incident: Incident, record: CommandRecord, before: str, at_ms: int, rows: Rows) -> None:
        """The entry of the record and the word to dispatch that a step deserves."""
        note: Callable[..., None] = lambda kind, **detail: rows.events.append(  # noqa: E731  one shape for every entry below
            event(incident.incident_id, at_ms, kind, mark=str(record.attempt), attempt=record.attempt, device_id=record.device_id, **detail)
        )
        in_force = incident.close is record and not incident.is_closed
        if record.command == "close_valve":
            kinds: dict[str, tuple[EventKind, ValveKnowledge]] = {
                "accepted": ("close_accepted", "accepted"),
                "refused": ("refused", "refused"),
                "travel_time_over": ("travel_time_over", "travel_time_over"),
            }
            if record.state in kinds:
                kind, knowledge = kinds[record.state]
                note(kind, detail=record.detail)
                if in_force:
                    self.knows(incident, knowledge, at_ms, rows)
            elif record.state == "no_answer":
                note("no_answer" if before != "no_answer" else "close_resent", sends=record.sends)
                if in_force and before != "no_answer":
                    self.knows(incident, "no_answer", at_ms, rows)
        elif record.command == "open_valve":
            if record.state == "opened":
                incident.opened_valve_ms = at_ms
                note("opened_valve", by=record.requested_by)
                self.knows(incident, "opened", at_ms, rows)
            elif record.state == "expired":
                note("open_expired", by=record.requested_by)
            elif record.state == "refused":
                note("open_refused", by=record.requested_by, detail=record.detail)

    def knows(self, incident: Incident, knowledge: ValveKnowledge, at_ms: int, rows: Rows) -> None:
        """Change what is known of the valve and tell dispatch, for the call under way and the order."""
        if incident.valve == knowledge:
            return
        incident.valve = knowledge
        message = valve_message(incident, at_ms)
        self._state.down.station(message)
        rows.outbox.append(outbox_row(message))

    def _write(self, incident: Incident | None, record: CommandRecord | None, rows: Rows) -> None:
        if incident is not None:
            rows.incidents[incident.incident_id] = incident.row()
        if record is not None:
            rows.commands[record.command_id] = record.row()
        if rows:
            self._state.keeper.put(rows)
