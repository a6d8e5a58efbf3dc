"""A leak item: the close first, then everything else. The straight line of the alarm engine.

Repeats, the device's past and its clock are looked at behind the close, never in front of it.
"""

import time
from typing import Literal
from uuid import UUID

from alarm_engine import metrics
from alarm_engine.hold_book import HoldBook
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.alarm_table import ALARM_TABLE, gravity, leak_kind
from alarm_engine.judgement.conditions import ClockBounds
from alarm_engine.judgement.leak import Grounds
from alarm_engine.openings import HELD_KINDS, Openings
from alarm_engine.record import alarm_row, event, leak_again_message, outbox_row
from alarm_engine.registry_view import Placed
from alarm_engine.rows import Rows
from alarm_engine.state import Done, LineState, has_identity
from alarm_engine.valve_desk import ValveDesk
from core.ids import CANARY_HOME, incident_id
from core.items import AlarmItem, DetectorReading, Item
from core.registry.model import Home
from core.station import IncidentKind

_LINKAGE_WINDOW_MS = 120_000
_LISTED_DEVICES = 100

LeakItem = DetectorReading | AlarmItem


class Leaks:
    """Closes, and opens or goes on with the home's incident."""

    def __init__(self, state: LineState, valves: ValveDesk, openings: Openings, holds: HoldBook) -> None:
        self._state = state
        self._valves = valves
        self._openings = openings
        self._holds = holds
        self._clock_bounds = ClockBounds(state.settings.future_reading_s * 1000, state.settings.oldest_reading_days)

    def take(
        self, item: LeakItem, placed: Placed, lane: str, grounds: Grounds, set_point: float, done: Done, received: float | None
    ) -> None:
        """Judge a leak item. The close is on the socket before anything is looked up that it does not need."""
        if placed.sender in ("retired", "no_home"):
            placed = self._frozen(item, placed)
        home = placed.home
        kind = self._kind(item, placed)
        weight = gravity(kind)
        if self._state.alarms.repeat(item.identity, weight, done):
            # Decided before as the same; its close, if it asked for one, is watched. A device that never heard our acknowledgement must
            # not close a valve that was opened since, nor open an incident that is over.
            metrics.duplicates.inc()
            return
        if home is not None and ALARM_TABLE[kind].close:
            incident = self._state.open_by_place.get(home.home_id)
            inspected = None
            if incident is not None and not ALARM_TABLE[incident.kind].close:
                inspected, incident = incident, None
            belongs = self._belongs(item, kind, incident)
            sent = self._close_now(belongs, home, incident)
            if received is not None and sent is not None:
                metrics.decision.observe(time.perf_counter() - received)
            if inspected is not None:
                # An inspection of something past is under way; now it leaks.
                self._openings.end(inspected, item.received_ms, "line", "superseded")
        else:
            incident = self._state.open_by_place.get(_place(kind, item, home))
            belongs, sent = self._belongs(item, kind, incident), None
        metrics.leaks.labels(lane, grounds).inc()
        if placed.other_account:
            metrics.other_account.inc()
        flags = self._note(item, placed, lane)
        if incident is None:
            self._open(item, placed, lane, grounds, set_point, kind, belongs, sent, flags, done)
        else:
            self._again(item, placed, lane, kind, incident, sent, flags, done)

    def _frozen(self, item: LeakItem, placed: Placed) -> Placed:
        """Whose detector it was when the open incident of its home began: an import that takes it out of service hides no leak of that."""
        place = self._state.places_of_detectors.get(item.device_id)
        if place is None or placed.device is None or placed.device.account != item.account:
            return placed
        home, incident = self._state.registry.homes.get(place), self._state.open_by_place.get(place)
        if home is None or incident is None or not ALARM_TABLE[incident.kind].close:
            return placed
        return Placed("placed", placed.device, home)

    def _kind(self, item: LeakItem, placed: Placed) -> IncidentKind:
        view = self._state.devices.views.get(item.device_id)
        kind = leak_kind(placed.sender, (item.boot, item.seq), item.ts, None if view is None else view.normal)
        if kind == "past_leak" and view is not None and not item.retained and view.speaks_now(item, self._state.clock.monotonic()):
            # It looks old, but it goes on at the pace of real time: a detector that lost its counters and its clock leaks now.
            kind = "leak"
        if placed.home is not None and placed.home.home_id == CANARY_HOME:
            return "canary"
        return kind

    def _belongs(self, item: LeakItem, kind: IncidentKind, incident: Incident | None) -> UUID:
        """The id of the incident that is open, or that this item opens. It comes out the same in a second pass after a crash.

        Where the item has no identity, or an incident of its id is over, the time of receipt tells it from what is over.
        """
        if incident is not None:
            return incident.incident_id
        opened = incident_id(kind, item.device_id, item.boot, item.seq, item.ts)
        if has_identity(item.identity) and opened not in self._state.closed_lately:
            return opened
        return incident_id(kind, item.device_id, item.boot, item.seq, item.received_ms)

    def _close_now(self, belongs: UUID, home: Home, incident: Incident | None) -> CommandRecord | None:
        """Send the close unless the valve is reported closed since its last open or a close is on its way."""
        meter = self._state.registry.meter_of(home)
        if meter is None and incident is not None:
            frozen = self._state.registry.devices.get(incident.meter_id or "")
            meter = frozen if frozen is not None and frozen.home_id == incident.place else None
        if meter is None:
            return None
        if incident is None:
            return self._valves.close(meter, belongs, 1, "leak")
        opening = incident.opening is not None and incident.opening.under_way
        same_meter = incident.meter_id == meter.device_id
        if same_meter and not opening and (incident.is_closed or (incident.close is not None and incident.close.under_way)):
            return None
        return self._valves.close(meter, belongs, incident.attempts + 1, "leak")

    def _note(self, item: LeakItem, placed: Placed, lane: str) -> tuple[str, ...]:
        """Remember what the device said; returns what its past shows of its counters, its RETAIN flag and a clock that cannot be."""
        flags = ["retained"] if item.retained else []
        if self._clock_bounds.nonsense(item):
            flags.append("clock_out_of_range")
        if placed.device is not None and placed.believed:
            view = self._state.devices.of(item.device_id)
            if view.is_reset(item):
                flags.append("counter_reset")
            view.note(item, lane, self._state.clock.monotonic())
            self._state.devices.changed.add(item.device_id)
        return tuple(flags)

    def _open(
        self,
        item: LeakItem,
        placed: Placed,
        lane: str,
        grounds: Grounds,
        set_point: float,
        kind: IncidentKind,
        opens: UUID,
        close: CommandRecord | None,
        flags: tuple[str, ...],
        done: Done,
    ) -> None:
        home = placed.home
        incident = Incident(
            incident_id=opens,
            kind=kind,
            place=_place(kind, item, home),
            account=item.account,
            device_id=item.device_id,
            home=None if home is None or kind == "unknown_sender" else self._state.registry.facts(home),
            simulated=home.simulated if home is not None else False,
            lane=lane,
            reason=grounds,
            ch4_lel=item.ch4_lel,
            alarm_lel=set_point,
            boot=item.boot,
            seq=item.seq,
            alarmed_ms=item.ts,
            received_ms=item.received_ms,
            last_leak_ms=item.received_ms,
            meter_id=home.meter_id if home is not None else None,
            valve_closed_locally_ms=None if placed.device is None or home is None else self._closed_by_itself(item, home),
            devices=[item.device_id],
        )
        if item.ch4_lel is not None and kind == "leak":
            incident.watch = {"room": {item.device_id: [item.ch4_lel] * 3}, "room_ms": item.received_ms}
        rows = Rows(alarms=[alarm_row(item, lane, kind, None if home is None else home.home_id, incident.incident_id, *flags)])
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
                defects=[*item.defects, *flags] or None,
            )
        )
        self._openings.start(incident, close, rows, self._state.alarms.pending(item.identity, gravity(kind), done), item.received_ms)

    def _closed_by_itself(self, item: LeakItem, home: Home) -> int | None:
        """When the home's meter said that its detector had closed it, shortly before this leak; Unix ms of the meter's clock."""
        meter = self._state.devices.views.get(home.meter_id) if home.meter_id is not None else None
        if meter is None or meter.valve != "closed" or meter.cause != "linkage" or meter.ts < item.ts - _LINKAGE_WINDOW_MS:
            return None
        return meter.ts

    def _again(
        self,
        item: LeakItem,
        placed: Placed,
        lane: str,
        kind: IncidentKind,
        incident: Incident,
        sent: CommandRecord | None,
        flags: tuple[str, ...],
        done: Done,
    ) -> None:
        """A new leak item of an incident that is open already."""
        rows = Rows()
        state = self._state
        now = state.clock.monotonic()
        listed = item.device_id in incident.devices or len(incident.devices) >= _LISTED_DEVICES
        if incident.kind == "unknown_sender" and listed:
            self._noted(item, lane, incident, flags, done)
            return
        returned = incident.cleared
        after = None if kind == "past_leak" else _after(item, incident, sent)
        incident.last_leak_ms = item.received_ms
        incident.cleared = False
        if kind != "past_leak":
            incident.clear.discard(item.device_id)
        if returned or after is not None or sent is not None:
            said = {"ch4_lel": item.ch4_lel, "lane": lane, "device_id": item.device_id, "after": after}
            # Items of one message have one time: a new leak is an entry of its own beside what lasted before it.
            rows.events.append(event(incident.incident_id, item.received_ms, "leak_again", actor="line", mark=after or "", **said))
        if sent is not None:
            exchanged = incident.meter_id not in (None, sent.device_id)
            if exchanged:
                rows.events.append(
                    event(incident.incident_id, item.received_ms, "meter_exchanged", before=incident.meter_id, after=sent.device_id)
                )
            self._valves.attach(incident, sent)
            at_ms = sent.sent_ms or item.received_ms
            rows.commands[sent.command_id] = sent.row()
            rows.events.append(event(incident.incident_id, at_ms, "close_sent", mark=str(sent.attempt), attempt=sent.attempt))
            self._valves.watch.knows(incident, "commanded", at_ms, rows)
        if incident.kind in HELD_KINDS and placed.home is not None:
            # An open has lifted it; the new leak puts it back.
            self._holds.safety(placed.home.home_id, incident.incident_id, item.received_ms, rows)
        if item.device_id not in incident.devices:
            incident.devices.append(item.device_id)
            state.take_open(incident)
            rows.events.append(event(incident.incident_id, item.received_ms, "device_added", mark=item.device_id, device_id=item.device_id))
        due = now - incident.said_again >= state.settings.leak_again_every_s
        if incident.home is not None and (due or returned or sent is not None):
            self.say_again(incident, item.received_ms, item.ch4_lel, rows)
        if item.ch4_lel is not None and not item.retained and placed.believed:
            self._valves.watch.room(incident, item.device_id, item.ch4_lel, item.received_ms)
        alarm = isinstance(item, AlarmItem)
        if alarm:
            home_id = None if placed.home is None else placed.home.home_id
            rows.alarms.append(alarm_row(item, lane, incident.kind, home_id, incident.incident_id, *flags))
        if not rows:
            done()
            return
        rows.incidents[incident.incident_id] = incident.row()
        durable = state.alarms.pending(item.identity, gravity(incident.kind), done) if alarm else done
        state.keeper.put(rows, durable, item.received_ms if alarm else None)

    def _noted(self, item: LeakItem, lane: str, incident: Incident, flags: tuple[str, ...], done: Done) -> None:
        """Another leak of a sender that is being looked for: written down, since its device is promised that it is."""
        if not isinstance(item, AlarmItem):
            done()
            return
        rows = Rows(alarms=[alarm_row(item, lane, incident.kind, None, incident.incident_id, *flags)])
        self._state.keeper.put(rows, self._state.alarms.pending(item.identity, gravity(incident.kind), done), item.received_ms)

    def say_again(self, incident: Incident, at_ms: int, ch4_lel: float | None, rows: Rows) -> None:
        """Tell dispatch that it leaks (again): a passed test is void."""
        incident.said_again = self._state.clock.monotonic()
        message = leak_again_message(incident, at_ms, ch4_lel)
        self._state.down.station(message)
        rows.outbox.append(outbox_row(message))


def _after(item: LeakItem, incident: Incident, sent: CommandRecord | None) -> Literal["opened", "clear", "elsewhere"] | None:
    """What makes this a new leak of an incident that goes on: the valve was open again, its room was clear, or it was elsewhere until now.

    None: the same leak lasts, also where a close that failed is tried once more because of it.
    """
    if sent is not None and (incident.valve == "opened" or (incident.opening is not None and incident.opening.under_way)):
        return "opened"
    if item.device_id in incident.clear:
        return "clear"
    listed = item.device_id in incident.devices or len(incident.devices) >= _LISTED_DEVICES
    return None if listed or incident.home is None else "elsewhere"


def _place(kind: IncidentKind, item: Item, home: Home | None) -> str:
    """One open incident a place: the home, or the publishing account where no home is known."""
    return f"account:{item.account}" if kind == "unknown_sender" or home is None else home.home_id
