"""The line's hand on the valves: sends commands, hears answers, watches what is due. Acts by the command table alone.

A close is never reasoned about here; whoever asks for one gets it on the socket before this module does anything else. What the answers
and reports make of an incident is the watch's (:mod:`alarm_engine.valve_watch`).
"""

import heapq
import itertools
from collections.abc import Callable
from uuid import UUID

import structlog

from alarm_engine import metrics
from alarm_engine.command_entries import enter
from alarm_engine.hold_book import HoldBook
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.command_table import FAILED, Event, next_step, resend_delay_s, retry_delay_s
from alarm_engine.record import event
from alarm_engine.rows import Rows
from alarm_engine.sleepers import Sleepers
from alarm_engine.state import LineState
from alarm_engine.valve_watch import ValveWatch
from core.ids import command_id
from core.items import AckItem, Item
from core.messages import CommandName
from core.registry.model import Device

log = structlog.get_logger()

_NO_EXPIRY_MS = 4_102_444_800_000
_REPORT_EXPIRES_MS = 60_000
_AFTER_A_FAULT_S = 1.0


class ValveDesk:
    """Commands to meters and what became of them."""

    def __init__(self, state: LineState, holds: HoldBook) -> None:
        self._state = state
        self._holds = holds
        self._due: list[tuple[float, int, CommandRecord]] = []
        self._count = itertools.count()
        self.sleepers = Sleepers(state)
        self.watch = ValveWatch(state, self)
        self._on_tick: list[Callable[[], None]] = []
        self._gathered: Rows | None = None

    # -- sending ---------------------------------------------------------------------------------------------------------------

    def close(self, meter: Device, incident_id: UUID, attempt: int, reason: str, by: str = "line") -> CommandRecord:
        """Put a close on the socket, now. The caller writes it down afterwards."""
        return self._issue("close_valve", meter, incident_id, attempt, reason, by, _NO_EXPIRY_MS)

    def close_loose(self, meter: Device, key: UUID, reason: str, by: str, attempt: int = 1) -> CommandRecord:
        """Close a valve of a home without an incident; watched, sent again and tried anew like any close. ``key``: its request."""
        record = self._issue("close_valve", meter, None, attempt, reason, by, _NO_EXPIRY_MS, key)
        before = self._state.loose_closes.get(meter.device_id)
        self._state.loose_closes[meter.device_id] = record
        if before is not None and before.under_way:
            self.happened(before, "superseded", record.issued_ms)
        self._state.keeper.put(Rows(commands={record.command_id: record.row()}))
        return record

    def order(self, name: CommandName, meter: Device, incident_id: UUID | None, key: UUID, reason: str, by: str) -> CommandRecord:
        """Send ``open_valve``, ``self_test`` or ``report``; they expire. ``key`` tells one order from another (its request)."""
        lasts_ms = int(self._state.settings.open_expires_s * 1000) if name == "open_valve" else _REPORT_EXPIRES_MS
        expires_ms = self._state.clock.now_ms() + lasts_ms
        return self._issue(name, meter, incident_id, 1, reason, by, expires_ms, key)

    def ask_report(self, meter: Device, incident_id: UUID, why: str) -> None:
        """Have a meter report now. Each question has an id of its own: a repeated one would be answered without a report."""
        key = command_id(incident_id, why, self._state.devices.of(meter.device_id).last_order_no)
        self.write(None, self.order("report", meter, incident_id, key, why, "line"), Rows())

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
        if record.sent_at is None:
            record.sent_at = state.monotonic_of(record.sent_ms)
        if record.state == "requested":
            record.state = "sent"
        if record.command != "close_valve":
            self.due_in(record, (record.expires_ms - state.clock.now_ms()) / 1000)
        elif (sleeps_s := self.sleepers.sent(record)) is not None:
            self.due_in(record, sleeps_s)
        else:
            self.due_in(record, resend_delay_s(record.sends, state.settings.longest_resend_s))
        metrics.commands.labels(record.command, "sent" if record.sends == 1 else "resent").inc()

    def due_in(self, record: CommandRecord, seconds: float) -> None:
        """Look at this command again after so many seconds of the platform's clock, unless something happens before."""
        record.due = self._state.clock.monotonic() + max(0.0, seconds)
        heapq.heappush(self._due, (record.due, next(self._count), record))

    def take_loose(self, record: CommandRecord) -> None:
        """Take up a close of a home without an incident that an earlier life of the line had not seen carried out."""
        self._state.remember(record)
        before = self._state.loose_closes.get(record.device_id)
        if before is None or before.order_no < record.order_no:
            self._state.loose_closes[record.device_id] = record
            self.due_in(record, 0.0)

    # -- hearing ---------------------------------------------------------------------------------------------------------------

    def heard_ack(self, item: AckItem, newer: bool = True) -> bool:
        """A device answered a command; False when we know no such command. ``newer``: nothing that it said later was heard before.

        All that follows from it becomes durable together.
        """
        self._gathered = gathered = Rows()
        try:
            return self._heard(item, newer)
        finally:
            self._gathered = None
            if gathered:
                self._state.keeper.put(gathered)

    def _heard(self, item: AckItem, newer: bool) -> bool:
        record = self._state.commands.get(item.command_id)
        if record is None or record.device_id != item.device_id:
            metrics.acks_unknown.inc()
            # Another device's answer to a command that we know says nothing; one that we do not know may be a forgotten one.
            return record is not None
        record.detail = item.detail or record.detail
        record.result = item.result
        if item.result == "accepted":
            record.accepted_ms = record.accepted_ms or item.received_ms
            self.happened(record, "accepted", item.received_ms)
        elif item.result == "done":
            record.done_ms = record.done_ms or item.received_ms
            self._done(record, item, newer)
        elif item.result == "expired" and record.command != "close_valve":
            self.happened(record, "expired", item.received_ms)
        else:
            self.happened(record, "refused", item.received_ms)
        return True

    def _done(self, record: CommandRecord, item: AckItem, newer: bool) -> None:
        if record.command == "close_valve":
            if item.valve in (None, "closed"):
                self._closed(record, item, newer)
            elif item.valve in ("open", "fault"):
                self.happened(record, "refused", item.received_ms)
        elif record.command == "open_valve":
            in_time = item.received_ms <= record.expires_ms
            if item.valve == "open" and in_time:
                self.happened(record, "opened", item.received_ms)
            else:
                self.happened(record, "expired" if not in_time else "refused", item.received_ms)
        else:
            self.happened(record, "done", item.received_ms)

    def _closed(self, record: CommandRecord, item: AckItem, newer: bool) -> None:
        incident = self._state.incidents.get(record.incident_id) if record.incident_id else None
        view = self._state.devices.of(record.device_id)
        if not newer and view.valve == "open":
            # The meter has said since that it is open: an answer from before that proves nothing.
            self.write(None, record, Rows())
        elif incident is None or incident.state != "open":
            self.happened(record, "reported_closed", item.received_ms)
        elif incident.meter_id != record.device_id:
            # The meter that was exchanged: it is off the wall, and its answer says nothing of the new one.
            self.write(None, record, Rows())
        elif record is incident.close or (newer and self.watch.follows(incident, view.measured(item.ts))):
            self.watch.reported_closed(incident, item.received_ms, item.ts, "command")
            self.write(None, record, Rows())
        else:
            self.write(None, record, Rows())

    def heard_closed(self, record: CommandRecord, at_ms: int) -> None:
        """The meter reports its valve closed after a close that belongs to no incident."""
        self.happened(record, "reported_closed", at_ms)

    def awake(self, item: Item) -> None:
        """A meter that sleeps was heard: what waits for it goes out again, now."""
        record = self.sleepers.wakes(item)
        if record is None:
            return
        self._send(record)
        incident = self._state.incidents.get(record.incident_id) if record.incident_id else None
        rows = Rows()
        if incident is not None:
            at_ms = self._state.clock.now_ms()
            incident.answer_due_ms = self.sleepers.expected_ms(record.device_id)
            rows.events.append(
                event(incident.incident_id, at_ms, "close_resent", mark=f"{record.attempt}/{record.sends}", sends=record.sends)
            )
            self.watch.tell(incident, at_ms, rows)
        self.write(incident, record, rows)

    # -- what is due -------------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what is due: re-send, try again, let an open expire; look at valves and rooms. One that fails stops no other."""
        now = self._state.clock.monotonic()
        while self._due and self._due[0][0] <= now:
            due, _, record = heapq.heappop(self._due)
            if record.due != due:
                continue
            try:
                self._look_at(record)
            except Exception:
                log.exception("timer step failed", command_id=str(record.command_id), state=record.state)
                self.due_in(record, _AFTER_A_FAULT_S)
        self.watch.tick()
        for also in self._on_tick:
            also()

    def on_tick(self, also: Callable[[], None]) -> None:
        """Have this done whenever the timer runs, behind everything else."""
        self._on_tick.append(also)

    def _look_at(self, record: CommandRecord) -> None:
        at_ms = self._state.clock.now_ms()
        if record.command != "close_valve":
            self.happened(record, "expired", at_ms)
        elif record.state in ("sent", "no_answer"):
            if self.sleepers.still_asleep(record):
                # Taken up after a restart: once more for the broker to keep, and on waiting.
                self._send(record)
            else:
                self.happened(record, "answer_due", at_ms)
        elif record.state == "accepted":
            self.happened(record, "travel_due", at_ms)
        else:
            record.due = None
            self.try_again(record)

    def try_again(self, failed: CommandRecord) -> None:
        """The next attempt after one that failed, unless a newer attempt is on its way or the incident is over.

        A close that did its work is not tried again when somebody has opened since: that takes a new leak.
        """
        if failed.state not in FAILED:
            return
        if failed.incident_id is None:
            meter = self._state.registry.devices.get(failed.device_id)
            if self._state.loose_closes.get(failed.device_id) is failed and meter is not None:
                self.close_loose(meter, failed.command_id, failed.reason, failed.requested_by, failed.attempt + 1)
            return
        incident = self._state.incidents.get(failed.incident_id)
        if incident is None or incident.close is not failed or incident.state != "open" or incident.is_closed:
            return
        self.next_attempt(incident, failed.reason)

    def next_attempt(self, incident: Incident, reason: str, by: str = "line", meter: Device | None = None) -> None:
        """A new close for an open incident, of ``meter`` or of the one that is its own. The message leaves first."""
        meter = meter or self._state.registry.devices.get(incident.meter_id or "")
        if meter is None:
            return
        record = self.close(meter, incident.incident_id, incident.attempts + 1, reason, by)
        self.attach(incident, record)
        rows = Rows()
        at_ms = record.sent_ms or record.issued_ms
        rows.events.append(event(incident.incident_id, at_ms, "close_sent", mark=str(record.attempt), attempt=record.attempt))
        self.watch.knows(incident, "commanded", at_ms, rows)
        self.write(incident, record, rows)

    def attach(self, incident: Incident, record: CommandRecord) -> None:
        """Make ``record`` the incident's close in force; an open on its way is void."""
        loose = self._state.loose_closes.pop(record.device_id, None)
        for before in (incident.close, incident.opening, loose):
            if before is not None and before is not record and before.under_way:
                self.happened(before, "superseded", record.issued_ms)
        self.watch.before_close(incident, record)
        incident.close, incident.opening = record, None
        incident.meter_id = record.device_id
        incident.attempts = record.attempt
        incident.close_sent_ms = incident.close_sent_ms or record.sent_ms
        incident.meter_account = record.account

    def happened(self, record: CommandRecord, what: Event, at_ms: int) -> None:
        """Take one step of the command table, do what follows, and write it down."""
        step = next_step(record.command, record.state, what)
        incident = self._state.incidents.get(record.incident_id) if record.incident_id else None
        rows = Rows()
        if step is None:
            self.write(None, record, rows)
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
        if not record.under_way:
            self.sleepers.forget(record)
        if record.state in ("reported_closed", "superseded") and self._state.loose_closes.get(record.device_id) is record:
            del self._state.loose_closes[record.device_id]
        if incident is not None:
            knowledge = enter(incident, record, before, at_ms, rows)
            if knowledge is not None:
                self.watch.knows(incident, knowledge, at_ms, rows)
            if record.command == "open_valve" and record.state == "opened" and incident.home is not None:
                incident.opened_valve_ms = at_ms
                self._holds.release_safety(
                    incident.incident_id, incident.home.home_id, "test", at_ms, record.requested_by, "tightness_passed", rows
                )
        self.write(incident, record, rows)

    def write(self, incident: Incident | None, record: CommandRecord | None, rows: Rows) -> None:
        """Have all of it made durable together, and with all else that follows from the answer that is being heard."""
        if incident is not None:
            rows.incidents[incident.incident_id] = incident.row()
        if record is not None:
            rows.commands[record.command_id] = record.row()
        if self._gathered is not None:
            self._gathered.add(rows)
        elif rows:
            self._state.keeper.put(rows)
