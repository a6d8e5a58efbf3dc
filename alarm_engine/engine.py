"""Item -> decision -> effect, in arrival order. On a leak the close leaves before anything else is done.

The engine decides on incidents and asks the valve desk for commands; it never waits. What must be durable goes to the keeper, whose
``done`` is the moment at which an alarm may be acknowledged.
"""

import time
from uuid import UUID

from alarm_engine import metrics
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.alarm_table import ALARM_TABLE, leak_kind
from alarm_engine.judgement.leak import Grounds, blind_over_set_point, leak_grounds, says_normal
from alarm_engine.record import alarm_row, event, leak_again_message, order_message, outbox_row
from alarm_engine.registry_view import Placed
from alarm_engine.rows import Rows
from alarm_engine.state import Done, LineState
from alarm_engine.valve_desk import ValveDesk
from core.ids import incident_id, message_id
from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.registry.model import Device, Home
from core.station import IncidentKind, TaskMessage

_HOUR_MS = 3_600_000
_LINKAGE_WINDOW_MS = 120_000
_LISTED_DEVICES = 100


class Engine:
    """Decides on every item of both lanes. Not thread-safe: one event loop, one engine, one line."""

    def __init__(self, state: LineState) -> None:
        self.state = state
        self.valves = ValveDesk(state)

    # -- items ---------------------------------------------------------------------------------------------------------------

    def take(self, item: Item, lane: str, done: Done, received: float | None = None) -> Placed:
        """Judge one item. ``done`` is called when whatever it caused is durable (at once where nothing must be).

        ``received`` is ``time.perf_counter()`` at the socket, for the decision histogram.
        """
        placed = self.state.registry.place(item.account, item.device_id)
        if isinstance(item, DetectorReading):
            self._detector(item, placed, lane, done, received)
        elif isinstance(item, AlarmItem):
            self._alarm(item, placed, lane, done, received)
        elif isinstance(item, MeterReading):
            self._meter(item, placed, lane)
            done()
        elif isinstance(item, AckItem):
            if placed.device is not None and placed.believed:
                self._answer(item, placed.device, lane)
            done()
        elif isinstance(item, StatusItem):
            if placed.device is not None and placed.believed:
                self._note(item, placed.device, lane)
            done()
        return placed

    def _detector(self, item: DetectorReading, placed: Placed, lane: str, done: Done, received: float | None) -> None:
        set_point = self.set_point(placed.home)
        grounds = leak_grounds(item, set_point)
        if grounds is not None:
            self._leak(item, placed, lane, grounds, set_point, done, received)
            return
        if placed.device is not None and placed.believed:
            normal = says_normal(item, set_point)
            newer = self._note(item, placed.device, lane, normal)
            if newer and normal:
                self._cleared(placed)
            if newer and blind_over_set_point(item, set_point):
                self._preheat_task(item, placed)
        done()

    def _alarm(self, item: AlarmItem, placed: Placed, lane: str, done: Done, received: float | None) -> None:
        set_point = self.set_point(placed.home)
        grounds = leak_grounds(item, set_point)
        if grounds is not None:
            self._leak(item, placed, lane, grounds, set_point, done, received)
            return
        if self.state.alarms.repeat(item.identity, done):
            metrics.duplicates.inc()
            return
        if placed.device is None or placed.sender == "unknown_account":
            done()
            return
        if placed.believed and self._note(item, placed.device, lane, says_normal(item, set_point)):
            self._heard_valve(item, placed.device)
            if says_normal(item, set_point):
                self._cleared(placed)
        incident = self.state.open_incident_of(item.device_id)
        rows = Rows(alarms=[alarm_row(item, lane, "noted", _home_id(placed), incident.incident_id if incident else None)])
        self.state.keeper.put(rows, self.state.alarms.pending(item.identity, done), item.received_ms)

    def _meter(self, item: MeterReading, placed: Placed, lane: str) -> None:
        if placed.device is not None and placed.believed and self._note(item, placed.device, lane):
            self._heard_valve(item, placed.device)

    def _answer(self, item: AckItem, device: Device, lane: str) -> None:
        newer = self._note(item, device, lane)
        self.valves.heard_ack(item, newer)
        incident = self.state.open_incident_of(device.device_id)
        if newer and item.valve == "open" and incident is not None and incident.meter_id == device.device_id:
            # Whatever it answers: a valve that says that it is open is not closed.
            self.valves.seen_open(incident, item.received_ms)

    def _note(self, item: Item, device: Device, lane: str, normal: bool = False) -> bool:
        view = self.state.devices.of(device.device_id)
        newer = view.note(item, lane, self.state.clock.monotonic())
        if newer and normal and item.ts <= item.received_ms + self.state.settings.future_reading_s * 1000:
            # From a clock that far ahead, every later leak would look like a past one.
            view.normal = (view.order, view.ts)
        self.state.devices.changed.add(device.device_id)
        return newer

    def _heard_valve(self, item: AlarmItem | MeterReading, device: Device) -> None:
        """A meter reported its valve, in order."""
        incident = self.state.open_incident_of(device.device_id)
        if incident is None or incident.meter_id != device.device_id or item.valve is None:
            return
        if item.valve == "closed":
            by_itself = item.cause not in (None, "command", "unknown")
            self.valves.reported_closed(incident, item.received_ms, item.cause, item.ts if by_itself else None)
        elif item.valve == "open":
            self.valves.seen_open(incident, item.received_ms)

    # -- leaks ---------------------------------------------------------------------------------------------------------------

    def set_point(self, home: Home | None) -> float:
        """The alarm set-point of a home in %LEL; a home that is not known has the default."""
        if home is None:
            return 10.0
        exercise = self.state.settings.exercise_set_point_lel
        return exercise if exercise is not None and home.simulated else home.alarm_lel

    def _leak(
        self,
        item: DetectorReading | AlarmItem,
        placed: Placed,
        lane: str,
        grounds: Grounds,
        set_point: float,
        done: Done,
        received: float | None,
    ) -> None:
        """A leak item. The close is on the socket before anything is looked up that it does not need."""
        view = self.state.devices.views.get(item.device_id)
        kind = leak_kind(placed.sender, (item.boot, item.seq), item.ts, None if view is None else view.normal)
        home = placed.home
        if kind == "leak" and home is not None:
            incident = self.state.open_by_place.get(home.home_id)
            if self.state.alarms.repeat(item.identity, done):
                # Decided before, and its close is watched; a device that never heard our acknowledgement must not close a valve
                # that was opened since, nor open an incident that is over.
                metrics.duplicates.inc()
                return
            inspected = None
            if incident is not None and not ALARM_TABLE[incident.kind].close:
                inspected, incident = incident, None
            sent = self._close_now(item, home, incident)
            if received is not None and sent is not None:
                metrics.decision.observe(time.perf_counter() - received)
            if inspected is not None:
                # An inspection of something past is under way; now it leaks.
                self.close(inspected, item.received_ms, "line", "superseded")
        else:
            incident = self.state.open_by_place.get(_place(kind, item, home))
            sent = None
        metrics.leaks.labels(lane, grounds).inc()
        if placed.other_account:
            metrics.other_account.inc()
        if self.state.alarms.repeat(item.identity, done):
            metrics.duplicates.inc()
            return
        closed_by_itself = None
        if placed.device is not None:
            if placed.believed:
                self._note(item, placed.device, lane)
            if home is not None and home.meter_id is not None:
                meter = self.state.devices.views.get(home.meter_id)
                recent = meter is not None and meter.ts >= item.ts - _LINKAGE_WINDOW_MS
                if meter is not None and recent and meter.valve == "closed" and meter.cause == "linkage":
                    closed_by_itself = meter.ts
        if incident is None:
            self._open(item, placed, lane, grounds, set_point, kind, sent, closed_by_itself, done)
        else:
            self._again(item, placed, lane, incident, sent, done)

    def _close_now(self, item: Item, home: Home, incident: Incident | None) -> CommandRecord | None:
        """Send the close unless the valve is reported closed since its last open or a close is on its way."""
        meter = self.state.registry.meter_of(home)
        if meter is None:
            return None
        if incident is None:
            opened = incident_id("leak", item.device_id, item.boot, item.seq, item.ts)
            return self.valves.close(meter, opened, 1, "leak")
        opening = incident.opening is not None and incident.opening.under_way
        if not opening and (incident.is_closed or (incident.close is not None and incident.close.under_way)):
            return None
        return self.valves.close(meter, incident.incident_id, incident.attempts + 1, "leak")

    def _open(
        self,
        item: DetectorReading | AlarmItem,
        placed: Placed,
        lane: str,
        grounds: Grounds,
        set_point: float,
        kind: IncidentKind,
        close: CommandRecord | None,
        closed_by_itself: int | None,
        done: Done,
    ) -> None:
        incident = Incident(
            incident_id=incident_id(kind, item.device_id, item.boot, item.seq, item.ts),
            kind=kind,
            place=_place(kind, item, placed.home),
            account=item.account,
            device_id=item.device_id,
            home=None if placed.home is None or kind == "unknown_sender" else self.state.registry.facts(placed.home),
            simulated=placed.home.simulated if placed.home is not None else False,
            lane=lane,
            reason=grounds,
            ch4_lel=item.ch4_lel,
            alarm_lel=set_point,
            boot=item.boot,
            seq=item.seq,
            alarmed_ms=item.ts,
            received_ms=item.received_ms,
            last_leak_ms=item.received_ms,
            meter_id=placed.home.meter_id if placed.home is not None else None,
            valve_closed_locally_ms=closed_by_itself,
            devices=[item.device_id],
        )
        rows = Rows(alarms=[alarm_row(item, lane, kind, _home_id(placed), incident.incident_id)])
        rows.events.append(
            event(
                incident.incident_id,
                item.received_ms,
                "opened",
                kind=kind,
                device_id=item.device_id,
                ch4_lel=item.ch4_lel,
                alarm_lel=set_point,
                lane=lane,
                reason=grounds,
                sender=None if placed.sender == "placed" else placed.sender,
                other_account=item.account if placed.other_account else None,
                defects=list(item.defects) or None,
            )
        )
        self.start(incident, close, rows, self.state.alarms.pending(item.identity, done), item.received_ms)

    def start(
        self,
        incident: Incident,
        close: CommandRecord | None,
        rows: Rows,
        done: Done | None,
        alarm_received_ms: int | None,
        exclude_phone: str | None = None,
    ) -> None:
        """Begin an incident whose close, if it has one, is on the socket: tell dispatch at once, then write it all down together."""
        incident_key = incident.incident_id
        if close is not None:
            self.valves.attach(incident, close)
            incident.valve = "commanded"
            at_ms = close.sent_ms or incident.received_ms
            rows.commands[close.command_id] = close.row()
            rows.events.append(event(incident_key, at_ms, "close_sent", mark="1", attempt=1, device_id=close.device_id))
        elif ALARM_TABLE[incident.kind].close and incident.home is not None and incident.meter_id is None:
            incident.valve = "no_meter"
            rows.events.append(event(incident_key, incident.received_ms, "no_meter"))
        order = order_message(incident, self.state.clock.now_ms(), exclude_phone)
        self.state.down.station(order)
        rows.outbox.append(outbox_row(order))
        rows.events.append(event(incident_key, order.at_ms, "order_sent", order=order.order_kind))
        if incident.valve_closed_locally_ms is not None:
            rows.events.append(event(incident_key, incident.received_ms, "closed_locally", cause="linkage", device_id=incident.meter_id))
        rows.incidents[incident_key] = incident.row()
        incident.said_again = self.state.clock.monotonic()
        self.state.open_by_place[incident.place] = incident
        self.state.incidents[incident_key] = incident
        metrics.incidents.labels(incident.kind).inc()
        metrics.open_incidents.labels(incident.kind).inc()
        self.state.keeper.put(rows, done, alarm_received_ms)

    def _again(
        self,
        item: DetectorReading | AlarmItem,
        placed: Placed,
        lane: str,
        incident: Incident,
        sent: CommandRecord | None,
        done: Done,
    ) -> None:
        """A new leak item of an incident that is open already."""
        rows = Rows()
        state = self.state
        now = state.clock.monotonic()
        listed = item.device_id in incident.devices or len(incident.devices) >= _LISTED_DEVICES
        if incident.kind == "unknown_sender" and listed:
            done()
            return
        returned = incident.cleared
        incident.last_leak_ms = item.received_ms
        incident.cleared = False
        if sent is not None:
            self.valves.attach(incident, sent)
            at_ms = sent.sent_ms or item.received_ms
            rows.commands[sent.command_id] = sent.row()
            rows.events.append(event(incident.incident_id, at_ms, "close_sent", mark=str(sent.attempt), attempt=sent.attempt))
            self.valves.knows(incident, "commanded", at_ms, rows)
        if item.device_id not in incident.devices:
            incident.devices.append(item.device_id)
            rows.events.append(event(incident.incident_id, item.received_ms, "device_added", mark=item.device_id, device_id=item.device_id))
        due = now - incident.said_again >= state.settings.leak_again_every_s
        if incident.home is not None and (due or returned or sent is not None):
            incident.said_again = now
            message = leak_again_message(incident, item.received_ms, item.ch4_lel)
            state.down.station(message)
            rows.outbox.append(outbox_row(message))
        if returned or sent is not None:
            rows.events.append(
                event(incident.incident_id, item.received_ms, "leak_again", ch4_lel=item.ch4_lel, lane=lane, device_id=item.device_id)
            )
        alarm = isinstance(item, AlarmItem)
        if alarm:
            rows.alarms.append(alarm_row(item, lane, incident.kind, _home_id(placed), incident.incident_id))
        if not rows:
            done()
            return
        rows.incidents[incident.incident_id] = incident.row()
        durable = state.alarms.pending(item.identity, done) if alarm else done
        state.keeper.put(rows, durable, item.received_ms if alarm else None)

    def _cleared(self, placed: Placed) -> None:
        """A detector says that the air is clean: the incident stays latched, but a leak after this is a return."""
        if placed.home is not None and (incident := self.state.open_by_place.get(placed.home.home_id)) is not None:
            incident.cleared = True

    # -- what is no leak, but wants a person -----------------------------------------------------------------------------------

    def garbled(self, account: str, device_id: str, reason: str, received_ms: int, done: Done) -> bool:
        """An undecodable payload on an alarm topic: one incident per registered device and hour. False: not a registered device."""
        placed = self.state.registry.place(account, device_id)
        if placed.sender in ("unknown_account", "unknown_device", "retired"):
            return False
        place = f"garbled:{device_id}"
        before = self.state.open_by_place.get(place)
        hour = received_ms // _HOUR_MS
        if before is not None and before.seq == hour:
            done()
            return True
        if before is not None:
            # A new hour is a new incident; the earlier one stays on record with its order.
            self.close(before, received_ms, "line", "superseded")
        incident = Incident(
            incident_id=incident_id("garbled_alarm", device_id, 0, hour, hour * _HOUR_MS),
            kind="garbled_alarm",
            place=place,
            account=account,
            device_id=device_id,
            home=None if placed.home is None else self.state.registry.facts(placed.home),
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
        if self.state.alarms.repeat((place, hour, 0, 0), done):
            # It was looked into and ended within this hour.
            return True
        rows = Rows(events=[event(incident.incident_id, received_ms, "opened", kind="garbled_alarm", device_id=device_id, reason=reason)])
        self.start(incident, None, rows, self.state.alarms.pending((place, hour, 0, 0), done), received_ms)
        return True

    def _preheat_task(self, item: DetectorReading, placed: Placed) -> None:
        """Methane over the set-point while the detector heats up: blind, and a person has to look."""
        key = incident_id("preheat", item.device_id, item.boot, 0, 0)
        message = TaskMessage(
            message_id=message_id(key, "task"),
            incident_id=key,
            at_ms=item.received_ms,
            kind="over_set_point_in_preheat",
            home_id=_home_id(placed),
            simulated=placed.home.simulated if placed.home is not None else False,
            detail={"device_id": item.device_id, "ch4_lel": item.ch4_lel},
        )
        self.state.down.station(message)
        self.state.keeper.put(Rows(outbox=[outbox_row(message)]))

    # -- the end ---------------------------------------------------------------------------------------------------------------

    def close(self, incident: Incident, at_ms: int, actor: str, outcome: str) -> None:
        """End an incident. Its identity stays known, so that a late repeat opens nothing."""
        incident.state = "closed"
        incident.closed_ms = at_ms
        if incident.close is not None:
            incident.close.due = None
        if self.state.open_by_place.get(incident.place) is incident:
            del self.state.open_by_place[incident.place]
        self.state.incidents.pop(incident.incident_id, None)
        metrics.open_incidents.labels(incident.kind).dec()
        rows = Rows(events=[event(incident.incident_id, at_ms, "closed", actor=actor, outcome=outcome)])
        rows.incidents[incident.incident_id] = incident.row()
        self.state.keeper.put(rows)

    def incident(self, incident_key: UUID) -> Incident | None:
        """An open incident by its id."""
        return self.state.incidents.get(incident_key)


def _home_id(placed: Placed) -> str | None:
    return None if placed.home is None else placed.home.home_id


def _place(kind: IncidentKind, item: Item, home: Home | None) -> str:
    """One open incident a place: the home, or the publishing account where no home is known."""
    return f"account:{item.account}" if kind == "unknown_sender" or home is None else home.home_id
