"""Keeps the holds of every home's valve: sets them by what happens, lifts them by their own authority, writes both down.

Decides by the table of holds alone. Sends nothing: a hold that is lifted opens no valve.
"""

from uuid import UUID

from alarm_engine.hold_record import HoldRecord, hold_id
from alarm_engine.judgement.holds import Authority, Hold, hold_of_cause, may_lift, resident_opened
from alarm_engine.record import event
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.items import AlarmItem, MeterReading


class HoldBook:
    """The line's book of holds over :attr:`LineState.holds`. Every change goes into ``rows``; the caller makes them durable."""

    def __init__(self, state: LineState) -> None:
        self._state = state

    def of(self, home_id: str) -> list[HoldRecord]:
        """The holds in force on a home's valve."""
        return list(self._state.holds.get(home_id, {}).values())

    def set(
        self, home_id: str, hold: Hold, at_ms: int, by: str, rows: Rows, *, cause: str = "", incident_id: UUID | None = None
    ) -> HoldRecord | None:
        """Put a hold on a valve; None when it is there already."""
        in_force = self._state.holds.setdefault(home_id, {})
        if (hold, cause) in in_force:
            return None
        record = HoldRecord(hold_id(home_id, (hold, cause), at_ms), home_id, hold, cause, incident_id, at_ms, by)
        in_force[record.key] = record
        rows.holds[record.hold_id] = record.row()
        self._note(home_id, at_ms, rows, "hold_set", record, by)
        return record

    def lift(self, record: HoldRecord, authority: Authority, at_ms: int, by: str, why: str, rows: Rows) -> bool:
        """Take a hold off; False where this authority may not."""
        if not may_lift(record.hold, record.cause, authority):
            return False
        self._state.holds.get(record.home_id, {}).pop(record.key, None)
        record.lifted_ms, record.lifted_by, record.lifted_why = at_ms, by, why
        rows.holds[record.hold_id] = record.row()
        self._note(record.home_id, at_ms, rows, "hold_lifted", record, by, why)
        return True

    def safety(self, home_id: str, incident_id: UUID, at_ms: int, rows: Rows) -> None:
        """A leak: nobody opens until its own order has passed its test. What an earlier incident left behind gives way to this one."""
        before = self._state.holds.get(home_id, {}).get(("safety", ""))
        if before is not None and before.incident_id != incident_id:
            self.lift(before, "order", at_ms, "line", f"passed on to {incident_id}", rows)
        self.set(home_id, "safety", at_ms, "line", rows, incident_id=incident_id)

    def release_safety(self, incident_id: UUID, home_id: str, authority: Authority, at_ms: int, by: str, why: str, rows: Rows) -> None:
        """The order of this incident passed its test and somebody opened, or it was archived."""
        record = self._state.holds.get(home_id, {}).get(("safety", ""))
        if record is not None and record.incident_id == incident_id:
            self.lift(record, authority, at_ms, by, why, rows)

    def heard(self, home_id: str, item: MeterReading | AlarmItem, rows: Rows) -> None:
        """What a home's own meter says, in its order: its cause, its credit, or that somebody opened it."""
        at_ms, by = item.received_ms, item.device_id
        credit = item.credit_cny if isinstance(item, MeterReading) else None
        key = hold_of_cause(item.cause) if item.valve == "closed" else None
        paid = credit is not None and credit > 0
        if key is not None and not (key[0] == "arrears" and paid):
            self.set(home_id, key[0], at_ms, by, rows, cause=key[1])
        if credit is not None and credit <= 0:
            self.set(home_id, "arrears", at_ms, by, rows)
        in_force = self._state.holds.get(home_id)
        if not in_force:
            return
        if paid and (arrears := in_force.get(("arrears", ""))) is not None:
            self.lift(arrears, "payment", at_ms, by, f"credit {credit:.2f}", rows)
            if self._state.settings.exercise_payment_lifts_safety:
                self._lift_for_money(home_id, at_ms, by, rows)
        if item.valve == "open":
            for lifted in resident_opened(in_force):
                self.lift(in_force[lifted], "resident", at_ms, by, "opened at the meter", rows)

    def _lift_for_money(self, home_id: str, at_ms: int, by: str, rows: Rows) -> None:
        """An exercise, for simulated homes: what no payment may ever do."""
        home, safety = self._state.registry.homes.get(home_id), self._state.holds.get(home_id, {}).get(("safety", ""))
        if home is not None and home.simulated and safety is not None:
            self.lift(safety, "test", at_ms, by, "exercise: money taken for a passed test", rows)

    def _note(self, home_id: str, at_ms: int, rows: Rows, kind: str, record: HoldRecord, by: str, why: str | None = None) -> None:
        incident = self._state.open_by_place.get(home_id)
        key = incident.incident_id if incident is not None else record.incident_id
        if key is None:
            return  # the hold's own row says who, when and why
        mark = f"{record.hold}/{record.cause}"
        if kind == "hold_set":
            rows.events.append(event(key, at_ms, "hold_set", actor=by, mark=mark, hold=record.hold, cause=record.cause or None))
        else:
            rows.events.append(event(key, at_ms, "hold_lifted", actor=by, mark=mark, hold=record.hold, cause=record.cause or None, why=why))
