"""What is no leak but wants a person: an alarm that cannot be read, methane in front of a detector that still heats up, and a valve that
somebody opened against its safety hold.
"""

from alarm_engine.incident import Incident
from alarm_engine.openings import Openings
from alarm_engine.record import event, outbox_row
from alarm_engine.registry_view import Placed
from alarm_engine.rows import Rows
from alarm_engine.state import Done, LineState
from core.ids import incident_id, message_id
from core.items import AlarmItem, DetectorReading, MeterReading
from core.registry.model import Home
from core.station import TaskMessage

_HOUR_MS = 3_600_000


class Triage:
    """Opens triage incidents and raises tasks. No valve is closed here."""

    def __init__(self, state: LineState, openings: Openings) -> None:
        self._state = state
        self._openings = openings

    def garbled(self, account: str, device_id: str, reason: str, received_ms: int, done: Done) -> bool:
        """An undecodable payload on an alarm topic: one incident per registered device and hour. False: not a registered device."""
        placed = self._state.registry.place(account, device_id)
        if placed.sender in ("unknown_account", "unknown_device", "retired"):
            return False
        place = f"garbled:{device_id}"
        before = self._state.open_by_place.get(place)
        hour = received_ms // _HOUR_MS
        if before is not None and before.seq == hour:
            done()
            return True
        if before is not None:
            # A new hour is a new incident; the earlier one stays on record with its order.
            self._openings.end(before, received_ms, "line", "superseded")
        incident = Incident(
            incident_id=incident_id("garbled_alarm", device_id, 0, hour, hour * _HOUR_MS),
            kind="garbled_alarm",
            place=place,
            account=account,
            device_id=device_id,
            home=None if placed.home is None else self._state.registry.facts(placed.home),
            simulated=placed.home.simulated if placed.home is not None else False,
            lane="alarm",
            reason=reason,
            ch4_lel=None,
            alarm_lel=None,
            boot=0,
            seq=hour,
            alarmed_ms=received_ms,
            received_ms=received_ms,
            last_leak_ms=received_ms,
            devices=[device_id],
        )
        identity = (place, hour, 0, 0)
        if self._state.alarms.repeat(identity, 1, done):
            # It was looked into and ended within this hour.
            return True
        if incident.incident_id in self._state.closed_lately:
            # The same, in an earlier life of the line.
            done()
            return True
        rows = Rows(events=[event(incident.incident_id, received_ms, "opened", kind="garbled_alarm", device_id=device_id, reason=reason)])
        self._openings.start(incident, None, rows, self._state.alarms.pending(identity, 1, done), received_ms)
        return True

    def preheat(self, item: DetectorReading, placed: Placed) -> None:
        """Methane over the set-point while the detector heats up: blind, and a person has to look."""
        key = incident_id("preheat", item.device_id, item.boot, 0, 0)
        message = TaskMessage(
            message_id=message_id(key, "task"),
            incident_id=key,
            at_ms=item.received_ms,
            kind="over_set_point_in_preheat",
            home_id=None if placed.home is None else placed.home.home_id,
            simulated=placed.home.simulated if placed.home is not None else False,
            detail={"device_id": item.device_id, "ch4_lel": item.ch4_lel},
        )
        self._state.down.station(message)
        self._state.keeper.put(Rows(outbox=[outbox_row(message)]))

    def held_closed(self, home_id: str) -> None:
        """The valve of a held home is closed: whoever opens it from now on opens it anew."""
        if (hold := self._state.holds[home_id].get(("safety", ""))) is not None:
            hold.told_open = None

    def held_open(self, item: MeterReading | AlarmItem, home: Home) -> None:
        """The home's own meter says that its valve is open, and nobody has lifted the safety hold. Told once, until it was closed again."""
        hold = self._state.holds.get(home.home_id, {}).get(("safety", ""))
        order_no = self._state.devices.of(item.device_id).last_order_no
        if hold is None or hold.incident_id is None or hold.told_open == order_no:
            return
        hold.told_open = order_no
        message = TaskMessage(
            message_id=message_id(hold.incident_id, f"task/held_valve_open/{hold.hold_id}/{order_no}"),
            incident_id=hold.incident_id,
            at_ms=item.received_ms,
            kind="held_valve_open",
            home_id=home.home_id,
            simulated=home.simulated,
            detail={"device_id": item.device_id},
        )
        self._state.down.station(message)
        self._state.keeper.put(Rows(outbox=[outbox_row(message)]))
