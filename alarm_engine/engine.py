"""Item -> decision -> effect, in arrival order: the door of the alarm engine. On a leak the close leaves before anything else is done.

The engine says which part decides on an item; it never waits. What must be durable goes to the keeper, whose ``done`` is the moment at
which an alarm may be acknowledged. Leaks are in :mod:`alarm_engine.leaks`, valves in :mod:`alarm_engine.valve_desk` and
:mod:`alarm_engine.valve_watch`, beginnings and ends in :mod:`alarm_engine.openings`.
"""

from collections.abc import Iterable
from uuid import UUID

from alarm_engine import metrics
from alarm_engine.forgotten_closes import ForgottenCloses
from alarm_engine.hold_book import HoldBook
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.leak import blind_over_set_point, leak_grounds, says_clear, says_normal
from alarm_engine.leaks import Leaks
from alarm_engine.openings import Openings
from alarm_engine.record import alarm_row, event
from alarm_engine.registry_view import Placed
from alarm_engine.rows import Rows
from alarm_engine.state import Done, LineState
from alarm_engine.triage import Triage
from alarm_engine.valve_desk import ValveDesk
from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.registry.model import DEFAULT_SET_POINT_LEL, Device, Home

_MEASURING = frozenset({"normal", "warning", "alarm"})


class Engine:
    """Decides on every item of both lanes. Not thread-safe: one event loop, one engine, one line."""

    def __init__(self, state: LineState) -> None:
        self.state = state
        self.holds = HoldBook(state)
        self.valves = ValveDesk(state, self.holds)
        self.openings = Openings(state, self.valves, self.holds)
        self.leaks = Leaks(state, self.valves, self.openings, self.holds)
        self._triage = Triage(state, self.openings)
        self._forgotten = ForgottenCloses(state, self.valves, self.openings)
        self.valves.on_tick(self._registry_tick)
        self._registry_version = state.registry.version
        self._asleep = self.valves.sleepers.waiting

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
        else:
            if placed.device is not None and (placed.believed or self._was_asked(item)):
                if isinstance(item, MeterReading):
                    if self._note(item, placed.device, lane):
                        self._heard_meter(item, placed.device)
                elif isinstance(item, AckItem):
                    self._answer(item, placed, placed.device, lane)
                elif isinstance(item, StatusItem):
                    self._status(item, placed.device, lane)
            done()
        if self._asleep and placed.believed:
            self.valves.awake(item)
        return placed

    def _was_asked(self, item: Item) -> bool:
        """An answer to a command of ours, from the very device and account that it went to: it counts although an import has retired them
        since. An open incident keeps the meter that it froze.
        """
        record = self.state.commands.get(item.command_id) if isinstance(item, AckItem) else None
        return record is not None and (record.device_id, record.account) == (item.device_id, item.account)

    def _detector(self, item: DetectorReading, placed: Placed, lane: str, done: Done, received: float | None) -> None:
        set_point = self.set_point(placed.home)
        grounds = leak_grounds(item, set_point)
        if grounds is not None:
            self.leaks.take(item, placed, lane, grounds, set_point, done, received)
            return
        if placed.device is not None and placed.believed:
            normal = says_normal(item, set_point)
            newer = self._note(item, placed.device, lane, normal)
            if newer and self.state.incidents:
                self._room(item, placed, normal, item.state in _MEASURING)
            if newer and blind_over_set_point(item, set_point):
                self._triage.preheat(item, placed)
        done()

    def _alarm(self, item: AlarmItem, placed: Placed, lane: str, done: Done, received: float | None) -> None:
        set_point = self.set_point(placed.home)
        grounds = leak_grounds(item, set_point)
        if grounds is not None:
            self.leaks.take(item, placed, lane, grounds, set_point, done, received)
            return
        if self.state.alarms.repeat(item.identity, 0, done):
            metrics.duplicates.inc()
            return
        device = placed.device
        if device is None or placed.sender == "unknown_account":
            done()
            return
        flags = ["retained"] if item.retained else []
        if placed.believed:
            if self.state.devices.of(device.device_id).is_reset(item):
                flags.append("counter_reset")
            normal = says_normal(item, set_point)
            if self._note(item, device, lane, normal):
                self._heard_meter(item, device)
                self._room(item, placed, normal, item.event == "leak_cleared")
        incident = self.state.open_incident_of(item.device_id)
        home_id = None if placed.home is None else placed.home.home_id
        rows = Rows(alarms=[alarm_row(item, lane, "noted", home_id, incident.incident_id if incident else None, *flags)])
        self.state.keeper.put(rows, self.state.alarms.pending(item.identity, 0, done), item.received_ms)

    def _answer(self, item: AckItem, placed: Placed, device: Device, lane: str) -> None:
        newer = self._note(item, device, lane)
        if item.retained:
            # Of unknown age: it proves nothing, and whatever is awaited will be answered again.
            return
        if not self.valves.heard_ack(item, newer):
            self._forgotten.take(item, placed, newer)
        incident = self.state.open_incident_of(device.device_id)
        if newer and item.valve == "open" and incident is not None and incident.meter_id == device.device_id:
            # Whatever it answers: a valve that says that it is open is not closed.
            self.valves.watch.seen_open(incident, item.received_ms)

    def _status(self, item: StatusItem, device: Device, lane: str) -> None:
        self._note(item, device, lane)
        if not item.online and device.kind == "hub":
            # Its devices are unknown until each of them is heard again.
            for child in self.state.registry.served_by(device.device_id):
                if (view := self.state.devices.views.get(child)) is not None:
                    view.lost()

    def _note(self, item: Item, device: Device, lane: str, normal: bool = False) -> bool:
        devices = self.state.devices
        view = devices.of(device.device_id)
        newer = view.note(item, lane, self.state.clock.monotonic())
        if newer and normal and item.ts <= item.received_ms + self.state.settings.future_reading_s * 1000:
            # From a clock that far ahead, every later leak would look like a past one.
            view.normal = (view.order, view.ts)
        devices.changed.add(device.device_id)
        return newer

    def _heard_meter(self, item: AlarmItem | MeterReading, device: Device) -> None:
        """A meter reported, in order: its valve to whoever watches it, its cause and its credit to the holds."""
        if device.kind != "meter" or device.home_id is None:
            return
        state = self.state
        incident = state.open_by_place.get(device.home_id) if state.open_by_place else None
        if incident is not None and incident.meter_id == device.device_id:
            self.valves.watch.heard(incident, item)
        elif item.valve == "closed" and state.loose_closes:
            self._heard_loose(item, device)
        if device.home_id in state.holds or item.valve == "closed" or _used_up(item):
            rows = Rows()
            self.holds.heard(device.home_id, item, rows)
            if rows:
                state.keeper.put(rows)
        if device.home_id in state.holds:
            if item.valve == "open":
                self._seen_open(item, device, incident)
            elif item.valve == "closed":
                self._triage.held_closed(device.home_id)

    def _seen_open(self, item: AlarmItem | MeterReading, device: Device, incident: Incident | None) -> None:
        """Open although its home is held: by a hand at the meter, unless a close or an open of ours is still awaited."""
        home = self.state.registry.homes.get(device.home_id or "")
        if home is None or home.meter_id != device.device_id:
            return
        if incident is None or incident.close is None:
            awaited = device.device_id in self.state.loose_closes
        else:
            awaited = incident.valve != "opened" or (incident.opening is not None and incident.opening.under_way)
        if not awaited:
            self._triage.held_open(item, home)

    def _heard_loose(self, item: AlarmItem | MeterReading, device: Device) -> None:
        record = self.state.loose_closes.get(device.device_id)
        if record is None:
            return
        sent_at = record.sent_at if record.sent_at is not None else self.state.monotonic_of(record.sent_ms or record.issued_ms)
        if self.state.devices.of(device.device_id).measured(item.ts) >= sent_at:
            self.valves.heard_closed(record, item.received_ms)

    def _room(self, item: DetectorReading | AlarmItem, placed: Placed, normal: bool, measured: bool) -> None:
        """A detector says how the air is. Clean air ends nothing: the incident stays latched, but a leak after this is a return."""
        if placed.home is None or (incident := self.state.open_by_place.get(placed.home.home_id)) is None:
            return
        if normal:
            incident.cleared = True
            if says_clear(item, self.set_point(placed.home)):
                incident.clear.add(item.device_id)
        if measured and item.ch4_lel is not None:
            self.valves.watch.room(incident, item.device_id, item.ch4_lel, item.received_ms)

    def set_point(self, home: Home | None) -> float:
        """The alarm set-point of a home in %LEL; a home that is not known has the default."""
        if home is None:
            return DEFAULT_SET_POINT_LEL
        exercise = self.state.settings.exercise_set_point_lel
        return exercise if exercise is not None and home.simulated else home.alarm_lel

    # -- beginnings, ends, changes ---------------------------------------------------------------------------------------------

    def garbled(self, account: str, device_id: str, reason: str, received_ms: int, done: Done) -> bool:
        """An undecodable payload on an alarm topic: one incident per registered device and hour. False: not a registered device."""
        return self._triage.garbled(account, device_id, reason, received_ms, done)

    def start(
        self,
        incident: Incident,
        close: CommandRecord | None,
        rows: Rows,
        done: Done | None,
        alarm_received_ms: int | None,
        exclude_phone: str | None = None,
    ) -> None:
        """Begin an incident whose close, if it has one, is on the socket."""
        self.openings.start(incident, close, rows, done, alarm_received_ms, exclude_phone)

    def close(self, incident: Incident, at_ms: int, actor: str, outcome: str, *, tested: bool = False) -> None:
        """End an incident; ``tested`` as of :meth:`Openings.end`."""
        self.openings.end(incident, at_ms, actor, outcome, tested=tested)

    def incident(self, incident_key: UUID) -> Incident | None:
        """An open incident by its id."""
        return self.state.incidents.get(incident_key)

    def registry_changed(self, home_ids: Iterable[str] | None = None) -> None:
        """The registry changed, for these homes (None: any): where a meter was exchanged under an open incident, the new one is closed.

        The timer sees a new version by itself.
        """
        places = list(self.state.open_by_place) if home_ids is None else [h for h in home_ids if h in self.state.open_by_place]
        for place in places:
            incident = self.state.open_by_place[place]
            home = self.state.registry.homes.get(place)
            meter = None if home is None else self.state.registry.meter_of(home)
            wanted = incident.close is not None or incident.valve == "no_meter"
            if meter is not None and meter.device_id != incident.meter_id and wanted:
                self.close_again(incident, "meter_exchanged")

    def close_again(self, incident: Incident, reason: str, by: str = "line") -> None:
        """A new close for an open incident: of the meter that hangs in its home now or, where none does, of the one that it froze."""
        home = self.state.registry.homes.get(incident.place)
        meter = None if home is None else self.state.registry.meter_of(home)
        before, at_ms = incident.meter_id, self.state.clock.now_ms()
        self.valves.next_attempt(incident, reason, by, meter)
        if meter is not None and meter.device_id != before:
            exchanged = event(incident.incident_id, at_ms, "meter_exchanged", before=before, after=meter.device_id)
            self.state.keeper.put(Rows(events=[exchanged]))

    def _registry_tick(self) -> None:
        if self.state.registry.version != self._registry_version:
            self._registry_version = self.state.registry.version
            self.registry_changed()


def _used_up(item: MeterReading | AlarmItem) -> bool:
    return isinstance(item, MeterReading) and item.credit_cny is not None and item.credit_cny <= 0
