"""The watch over a closed valve and its room: four answers (commanded, reported, holds, clearing), never one green light.

Decides by the tables of :mod:`judgement.proof` and :mod:`judgement.clearing`; tells dispatch of every change. Commands are the desk's.
"""

from typing import TYPE_CHECKING, Final

import structlog

from alarm_engine.device_view import DeviceView
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.clearing import Room, after, before_the_meter, seen, trend
from alarm_engine.judgement.command_table import next_step
from alarm_engine.judgement.proof import Index, flowed_before, judge, window_s
from alarm_engine.record import EventKind, event, outbox_row, valve_message
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.items import AlarmItem, MeterReading
from core.station import ClearingKnowledge, ValveKnowledge

if TYPE_CHECKING:
    from alarm_engine.valve_desk import ValveDesk

log = structlog.get_logger()

_LOOK_S: Final = 1.0
_CLOCK_GRAIN_S: Final = 0.005
_LINKAGE_S: Final = 120.0
_ASK_AGAIN_S: Final = 300.0
_AFTER_DUE_S: Final = 1.0
_WORTH_SAYING_MS: Final = 10_000


class ValveWatch:
    """What is known of valves and rooms of open incidents. All its memory is in the incidents."""

    def __init__(self, state: LineState, desk: "ValveDesk") -> None:
        self._state = state
        self._desk = desk
        self._looked = float("-inf")

    # -- what is known -----------------------------------------------------------------------------------------------------------

    def knows(self, incident: Incident, knowledge: ValveKnowledge, at_ms: int, rows: Rows) -> None:
        """Change what is known of the valve's first two answers, and tell dispatch."""
        was_closed = incident.is_closed
        incident.valve = knowledge
        waits = knowledge in ("commanded", "no_answer") and incident.meter_id is not None
        incident.answer_due_ms = self._desk.sleepers.expected_ms(incident.meter_id) if waits and incident.meter_id else None
        if was_closed and not incident.is_closed and knowledge != "gas_still_flows":
            self._forget_proof(incident)
        self.tell(incident, at_ms, rows)

    def tell(self, incident: Incident, at_ms: int, rows: Rows) -> None:
        """Tell dispatch what is known now, for the call under way and the order; nothing when it was told already."""
        if incident.facts == incident.told:
            return
        incident.told = incident.facts
        message = valve_message(incident, at_ms)
        self._state.down.station(message)
        rows.outbox.append(outbox_row(message))

    # -- the meter's reports -----------------------------------------------------------------------------------------------------

    def before_close(self, incident: Incident, record: CommandRecord) -> None:
        """A close goes into force: remember how gas flowed before it."""
        if incident.meter_id not in (None, record.device_id):
            incident.watch = {name: value for name, value in incident.watch.items() if name == "room"}
        view = self._state.devices.views.get(record.device_id)
        if view is None or "flow" in incident.watch or incident.is_closed:
            return
        if view.flowed_at_closing:
            # Its detector had closed it before we could: what it reports since says nothing of how gas flowed before.
            incident.watch = {**incident.watch, "flow": 1.0}
        elif view.flow_m3h is not None:
            incident.watch = {**incident.watch, "flow": view.flow_m3h}

    def follows(self, incident: Incident, measured: float) -> bool:
        """Whether something measured then (monotonic seconds) was measured after the close in force was first sent."""
        record = incident.close
        if record is None:
            return measured + _CLOCK_GRAIN_S >= self._state.monotonic_of(incident.received_ms)
        if record.sent_at is None:
            record.sent_at = self._state.monotonic_of(record.sent_ms or record.issued_ms)
        return measured + _CLOCK_GRAIN_S >= record.sent_at

    def heard(self, incident: Incident, item: MeterReading | AlarmItem) -> None:
        """The incident's own meter reported, in its order."""
        view = self._state.devices.of(item.device_id)
        if item.valve == "open":
            self.seen_open(incident, item.received_ms)
        elif item.valve == "closed":
            self._heard_closed(incident, item, view)
        if not isinstance(item, MeterReading):
            return
        if not incident.is_closed:
            if item.valve != "closed" and item.flow_m3h is not None and item.flow_m3h > 0:
                incident.watch = {**incident.watch, "flow": item.flow_m3h}
        elif item.volume_m3 is not None and item.valve == "closed":
            self._index(incident, view, Index(item.volume_m3, item.ts, item.received_ms))

    def _heard_closed(self, incident: Incident, item: MeterReading | AlarmItem, view: DeviceView) -> None:
        by_itself = item.cause not in (None, "command", "unknown")
        measured = view.measured(item.ts)
        if self.follows(incident, measured):
            self.reported_closed(incident, item.received_ms, item.ts, item.cause, item.ts if by_itself else None)
        elif by_itself and measured >= self._state.monotonic_of(incident.received_ms) - _LINKAGE_S:
            # It closed just before our close went out: worth knowing, and no answer to it.
            self._closed_locally(incident, item.received_ms, item.cause, item.ts)

    def _closed_locally(self, incident: Incident, at_ms: int, cause: str | None, locally_ms: int) -> None:
        if incident.valve_closed_locally_ms is not None:
            return
        incident.valve_closed_locally_ms = locally_ms
        rows = Rows(events=[event(incident.incident_id, at_ms, "closed_locally", cause=cause, device_id=incident.meter_id)])
        self._desk.write(incident, None, rows)

    def reported_closed(self, incident: Incident, at_ms: int, ts: int, cause: str | None, locally_ms: int | None = None) -> None:
        """The meter says that its valve is closed, after we asked; ``ts`` by its own clock. ``locally_ms``: it closed by itself, then."""
        if locally_ms is not None:
            self._closed_locally(incident, at_ms, cause, locally_ms)
        record = incident.close
        if record is not None and record.state == "gas_still_flows":
            # It said so before, and gas flowed: only the next attempt can be believed.
            return
        if record is not None and next_step("close_valve", record.state, "reported_closed") is not None:
            self._desk.happened(record, "reported_closed", at_ms)
        if incident.is_closed:
            return
        incident.reported_closed_ms = incident.reported_closed_ms or at_ms
        incident.valve_cause = cause or incident.valve_cause
        rows = Rows()
        rows.events.append(
            event(incident.incident_id, at_ms, "reported_closed", mark=str(incident.attempts), device_id=incident.meter_id, cause=cause)
        )
        self._begin(incident, at_ms, ts, rows)
        self.knows(incident, "reported_closed", at_ms, rows)
        self._desk.write(incident, record, rows)
        if incident.proof == "not_yet":
            self._ask(incident, "proof")

    def seen_open(self, incident: Incident, at_ms: int) -> None:
        """The meter says that its valve is open (again)."""
        if not incident.is_closed:
            return
        rows = Rows(events=[event(incident.incident_id, at_ms, "opened_valve", device_id=incident.meter_id, reported=True)])
        self.knows(incident, "opened", at_ms, rows)
        self._desk.write(incident, None, rows)

    # -- does it hold ------------------------------------------------------------------------------------------------------------

    def _window_s(self, incident: Incident) -> float:
        settings = self._state.settings
        return window_s(self._step_m3(incident), settings.leak_by_m3h, settings.proof_window_factor if incident.simulated else 1.0)

    def _step_m3(self, incident: Incident) -> float:
        view = self._state.devices.of(incident.meter_id or "")
        return view.register_step_m3 or self._state.settings.default_register_step_m3

    def _begin(self, incident: Incident, at_ms: int, ts: int, rows: Rows) -> None:
        """Reported closed: from now on index and room are watched."""
        now = self._state.clock.monotonic()
        incident.watch = {**_without(incident.watch, "index"), "closed_ms": at_ms, "closed_ts": ts, "room_from_ms": at_ms}
        incident.room_due = now + self._state.settings.clearing_within_s
        if incident.kind == "canary" or incident.close is None:
            return
        incident.ask_due = now + _ASK_AGAIN_S
        sleeps_until_ms = self._desk.sleepers.expected_ms(incident.meter_id or "")
        incident.proof = "not_yet" if sleeps_until_ms is None else "due_at_uplink"
        incident.proof_due_ms = sleeps_until_ms or at_ms + int(self._window_s(incident) * 1000)
        rows.events.append(event(incident.incident_id, at_ms, "proof_due", proof=incident.proof, due_ms=incident.proof_due_ms))

    def _forget_proof(self, incident: Incident) -> None:
        incident.watch = _without(incident.watch, "index", "flow")
        incident.proof, incident.proof_due_ms, incident.before_meter_ms = "none", None, None

    def _index(self, incident: Incident, view: DeviceView, now: Index) -> None:
        """One more index of a meter that is reported closed."""
        if incident.proof == "none":
            return
        window = self._window_s(incident)
        kept = incident.watch.get("index")
        if kept is None:
            closed_ts = int(incident.watch.get("closed_ts", now.ts))
            flowed = flowed_before(incident.watch.get("flow"), view.still_since, now.ts, closed_ts, window)
            self._first_index(incident, now, flowed, window)
            return
        before = Index(*kept)
        verdict = judge(before, now, self._step_m3(incident), window, incident.watch.get("flowed"))
        rows = Rows()
        if verdict == "begin_again":
            self._first_index(incident, now, incident.watch.get("flowed"), window)
        elif verdict == "flows":
            self._flows(incident, now, before, rows)
        elif verdict == "holds" and incident.proof != "holds":
            incident.proof, incident.proof_due_ms = "holds", None
            incident.holds_ms = incident.holds_ms or now.received_ms
            rows.events.append(event(incident.incident_id, now.received_ms, "valve_holds", volume_m3=now.volume_m3))
            self._changed(incident, now.received_ms, rows)
        elif verdict == "not_provable" and incident.proof not in ("not_provable", "holds"):
            self._not_provable(incident, now, rows)
        elif verdict == "wait" and incident.proof == "not_yet" and now.received_ms >= (incident.proof_due_ms or now.received_ms + 1):
            # It moved by one step: twice the time tells what the register had not shown yet from a leak-by.
            self._due_at(incident, before.received_ms + int(2 * window * 1000), now.received_ms, rows)

    def _first_index(self, incident: Incident, now: Index, flowed: bool | None, window: float) -> None:
        rows = Rows()
        incident.watch = {**incident.watch, "index": [now.volume_m3, now.ts, now.received_ms], "flowed": flowed}
        due_ms = now.received_ms + int(window * 1000)
        incident.ask_due = self._state.clock.monotonic() + window + _AFTER_DUE_S
        if flowed is False:
            self._not_provable(incident, now, rows)
        elif incident.proof == "due_at_uplink":
            uplink_ms = self._desk.sleepers.expected_ms(incident.meter_id or "")
            self._due_at(incident, max(uplink_ms or due_ms, due_ms), now.received_ms, rows)
        else:
            self._due_at(incident, due_ms, now.received_ms, rows)

    def _not_provable(self, incident: Incident, now: Index, rows: Rows) -> None:
        incident.proof, incident.proof_due_ms, incident.ask_due = "not_provable", None, None
        rows.events.append(event(incident.incident_id, now.received_ms, "not_provable", volume_m3=now.volume_m3))
        self._changed(incident, now.received_ms, rows)

    def _due_at(self, incident: Incident, due_ms: int, at_ms: int, rows: Rows) -> None:
        moved_ms = abs(due_ms - (incident.proof_due_ms or 0))
        incident.proof_due_ms = due_ms
        if incident.proof != "due_at_uplink":
            incident.ask_due = self._state.clock.monotonic() + max(0, due_ms - at_ms) / 1000 + _AFTER_DUE_S
        if moved_ms >= _WORTH_SAYING_MS:
            rows.events.append(event(incident.incident_id, at_ms, "proof_due", proof=incident.proof, due_ms=due_ms))
        self._changed(incident, at_ms, rows)

    def _flows(self, incident: Incident, now: Index, before: Index, rows: Rows) -> None:
        """The index moves behind a valve that is reported closed: it is not."""
        at_ms = now.received_ms
        incident.watch = {**_without(incident.watch, "index", "flowed"), "flow": 1.0}
        # What was concluded from a valve that holds falls with it; its record keeps that it was said.
        incident.proof, incident.proof_due_ms, incident.holds_ms = "flows", None, None
        incident.before_meter_ms = incident.before_meter_first_ms = None
        passed = round(now.volume_m3 - before.volume_m3, 4)
        rows.events.append(event(incident.incident_id, at_ms, "gas_still_flows", mark=str(incident.attempts), passed_m3=passed))
        self.knows(incident, "gas_still_flows", at_ms, rows)
        self._desk.write(incident, None, rows)
        record = incident.close
        if record is not None and next_step("close_valve", record.state, "flows") is not None:
            self._desk.happened(record, "flows", at_ms)
        else:
            self._desk.next_attempt(incident, "gas_still_flows")

    # -- does it clear -----------------------------------------------------------------------------------------------------------

    def room(self, incident: Incident, device_id: str, ch4_lel: float, at_ms: int) -> None:
        """A detector of the incident measured, in its order and in working order; %LEL."""
        if device_id not in incident.devices or incident.kind not in ("leak", "hotline_report"):
            return
        set_point = incident.alarm_lel if incident.alarm_lel is not None else 10.0
        rooms = incident.watch.get("room", {})
        kept = rooms.get(device_id)
        room, rises = seen(None if kept is None else Room(*kept), ch4_lel, set_point)
        incident.watch = {**incident.watch, "room": {**rooms, device_id: [room.peak, room.lowest, room.last]}, "room_ms": at_ms}
        self._judge_room(incident, at_ms, rises)

    def _judge_room(self, incident: Incident, at_ms: int, rises: bool) -> None:
        now = self._state.clock.monotonic()
        watch = incident.watch
        read_since = watch.get("room_ms", 0) > watch.get("room_from_ms", 0)
        late = incident.is_closed and incident.room_due is not None and now >= incident.room_due and read_since
        set_point = incident.alarm_lel if incident.alarm_lel is not None else 10.0
        said = incident.clearing
        told = after(said, trend((Room(*room) for room in watch.get("room", {}).values()), set_point, rises), late)
        if told == said:
            return
        incident.clearing = told
        rows = Rows()
        if told == "unknown":
            incident.watch = {**watch, "room_from_ms": at_ms}
            incident.room_due = now + self._state.settings.clearing_within_s
        else:
            if told == "clearing":
                incident.clearing_ms = at_ms
            kinds: dict[ClearingKnowledge, EventKind] = {"clearing": "room_clearing", "not_clearing": "room_not_clearing"}
            rows.events.append(event(incident.incident_id, at_ms, kinds[told], rooms=watch.get("room")))
        self._changed(incident, at_ms, rows)

    def _changed(self, incident: Incident, at_ms: int, rows: Rows) -> None:
        """The third or the fourth answer changed: what follows from both, then tell and write."""
        if incident.before_meter_ms is None and before_the_meter(incident.proof, incident.clearing):
            incident.before_meter_ms = at_ms
            incident.before_meter_first_ms = incident.before_meter_first_ms or at_ms
            rows.events.append(event(incident.incident_id, at_ms, "before_meter_suspected"))
        self.tell(incident, at_ms, rows)
        self._desk.write(incident, None, rows)

    # -- what is due -------------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: ask meters whose proof is due to report, and look at rooms that have had their time."""
        now = self._state.clock.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        for incident in list(self._state.incidents.values()):
            if not incident.is_closed:
                continue
            try:
                self._look_at(incident, now)
            except Exception:
                log.exception("look at a closed valve failed", incident_id=str(incident.incident_id))

    def _look_at(self, incident: Incident, now: float) -> None:
        settings, watch = self._state.settings, incident.watch
        if incident.room_due is None:
            # Taken up after a restart.
            from_ms = watch.get("room_from_ms", incident.reported_closed_ms or incident.received_ms)
            incident.room_due = self._state.monotonic_of(from_ms) + settings.clearing_within_s
        if incident.clearing == "unknown" and now >= incident.room_due:
            self._judge_room(incident, self._state.clock.now_ms(), rises=False)
        if incident.proof not in ("not_yet", "due_at_uplink"):
            return
        at_ms = self._state.clock.now_ms()
        due_ms = incident.proof_due_ms or at_ms
        if incident.proof == "due_at_uplink":
            if at_ms > due_ms:
                self._due_at(incident, self._desk.sleepers.expected_ms(incident.meter_id or "") or at_ms + 60_000, at_ms, Rows())
            return
        if incident.ask_due is None:
            incident.ask_due = now + max(0, due_ms - at_ms) / 1000 + _AFTER_DUE_S
        if now < incident.ask_due:
            return
        incident.ask_due = now + _ASK_AGAIN_S
        if at_ms >= due_ms + int(_ASK_AGAIN_S * 1000):
            # Asked when it was due, and no index came.
            self._due_at(incident, at_ms + int(_ASK_AGAIN_S * 1000), at_ms, Rows())
        self._ask(incident, "proof_due")

    def _ask(self, incident: Incident, why: str) -> None:
        """Have the meter report its index. A question is no close: it is not repeated, the next one comes by itself."""
        meter = self._state.registry.devices.get(incident.meter_id or "")
        if meter is not None:
            self._desk.ask_report(meter, incident.incident_id, why)


def _without(watch: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in watch.items() if name not in names}
