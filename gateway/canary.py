"""The canary: a reserved home that leaks every minute and walks the whole line, so that a broken line is known before a real leak is.

Plays a detector and a meter over links and accounts of its own, like any device; a round is alarm -> close received by the meter ->
alarm promised -> telemetry heard -> incident over, which it is when dispatch has rung its loopback telephone and finished its order.
Decides only whether a round is full, stuck, or due. Its home stands in no table, takes no crew, no real number and no count.
Rounds run in real time, whatever the platform's clock: what they prove is that the machine keeps up.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from pydantic import ValidationError

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.incident import Incident
from alarm_engine.record import outbox_row
from alarm_engine.registry_view import RegistryView
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from core import topics
from core.clock import Clock, SystemClock
from core.errors import LinkError
from core.ids import CANARY_DETECTOR, CANARY_HOME, CANARY_METER, incident_id, message_id
from core.messages import AckResult, Command, DownAck, ValveState
from core.mqtt.link import Link
from core.mqtt.port import Incoming, MqttPort, OnMessage
from core.registry.model import Contact, Device, Home
from core.station import TaskMessage

log = structlog.get_logger()

Step = Literal["close", "promise", "telemetry", "order", "call"]
"""Where a round sticks: the close at the meter, the promise of the alarm, its reading in the line, the end of its order; or its order
ended, and nobody could be rung.
"""
Connect = Callable[[str, str, str, OnMessage], MqttPort]
"""Makes a link: account (and client id), password, the topic to listen to, who hears."""

_LOOK_S: Final = 0.1
_REPEAT_S: Final = 5.0
_METHANE_LEL: Final = 20.0
_CALLED: Final = "called"


def enlist(registry: RegistryView) -> None:
    """Put the canary's home and devices into a registry in memory. Doing it twice does no harm; no import can touch them."""
    place = {"district_code": "000000", "district": "自检", "subdistrict": "", "community": "", "estate": "自检演练"}
    home = Home(
        home_id=CANARY_HOME,
        household_no="",
        **place,
        building="0",
        unit="0",
        floor="0",
        room="0",
        riser_id=None,
        lon=None,
        lat=None,
        coord_datum=None,
        meter_location=None,
        access_note=None,
        language="zh",
        flags=(),
        alarm_lel=10.0,
        meter_id=CANARY_METER,
        simulated=True,
        contacts=(Contact(1, "canary", "resident", "sip:canary@sim.invalid"),),
        retired=False,
        version=0,
    )
    devices = [
        Device(-1, CANARY_METER, "meter", CANARY_HOME, CANARY_METER, None, False, 0),
        Device(-2, CANARY_DETECTOR, "detector", CANARY_HOME, CANARY_DETECTOR, None, False, 0),
    ]
    registry.apply([home], devices, registry.version)


def links_of(settings: LineSettings) -> Connect:
    """Links of the canary's accounts to the line's own broker. Nothing of an earlier life is heard."""

    def connect(account: str, password: str, topic: str, hears: OnMessage) -> MqttPort:
        return Link(
            settings.mqtt_host,
            settings.mqtt_port,
            account,
            account,
            password,
            subscriptions=(topic,),
            on_message=hears,
            session_expiry_s=0,
            clean_start=True,
        )

    return connect


@dataclass(slots=True)
class _Round:
    """One round. ``started`` and ``repeat_due`` are real monotonic seconds."""

    started: float
    alarm: dict[str, Any] | None
    reading_ts: int = 0
    repeat_due: float = 0.0
    incident: Incident | None = None
    promised: bool = False

    def waits_for(self, engine: Engine) -> Step | None:
        """The first step that has not come, None when there is none left."""
        if self.incident is None:
            return "close"
        if not self.promised:
            return "promise"
        view = engine.state.devices.views.get(CANARY_METER)
        if view is None or view.ts < self.reading_ts:
            return "telemetry"
        return "order" if self.incident.incident_id in engine.state.incidents else None


class Canary:
    """The rounds of one line. Without both passwords it is off: nothing is sent, health says so and stays green."""

    def __init__(self, engine: Engine, settings: LineSettings, connect: Connect | None = None, pace: Clock | None = None) -> None:
        """``connect`` makes its links (default: :func:`links_of` the settings), ``pace`` is real time."""
        connect = connect or links_of(settings)
        self._engine = engine
        self._settings = settings
        self._pace = pace or SystemClock()
        passwords = [settings.canary_detector_password.get_secret_value(), settings.canary_meter_password.get_secret_value()]
        self.on = all(passwords)
        self._detector, self._meter = (
            connect(account, password, f"gas/v1/{account}/down/#", hears)
            for account, password, hears in zip(
                (CANARY_DETECTOR, CANARY_METER), passwords, (self._detector_hears, self._meter_hears), strict=True
            )
        )
        # Both counters grow over restarts as a device's do.
        self._boot = engine.state.clock.now_ms() // 1000
        self._seq = 0
        self._round: _Round | None = None
        self._due = 0.0
        self._full_at: float | None = None
        self._passed = False
        self._late_told = False
        self.stuck_at: Step | None = None

    # -- what the platform asks of it ---------------------------------------------------------------------------------------------

    @property
    def age_s(self) -> float:
        """Real seconds since the last full round (since the start before the first), 0 while it does not run."""
        return 0.0 if self._full_at is None else self._pace.monotonic() - self._full_at

    def reasons(self) -> tuple[str, ...]:
        """What health has to say: ``canary_late`` when the last full round is too old."""
        return ("canary_late",) if self.on and self.age_s > self._settings.canary_red_s else ()

    def detail(self) -> dict[str, object]:
        """Figures for health: off, or the age, whether a round was full since the start, and the step at which the latest round stuck."""
        if not self.on:
            return {"canary": "canary_off"}
        found: dict[str, object] = {"canary": "on", "canary_age_s": round(self.age_s, 1), "canary_passed": self._passed}
        return found if self.stuck_at is None else {**found, "canary_stuck_at": self.stuck_at}

    async def run(self) -> None:
        """Walk until cancelled. Start it when the line is ready; returns at once when the canary is off."""
        if not self.on:
            return
        self._full_at = self._pace.monotonic()
        await self._detector.start()
        await self._meter.start()
        before = self._engine.state.open_by_place.get(CANARY_HOME)
        if before is not None:
            # A round of an earlier life: it has its time to end, and counts for nothing.
            self._round = _Round(self._pace.monotonic(), None, incident=before, promised=True)
        try:
            while True:
                try:
                    self._look()
                except Exception:
                    # Whatever is wrong with the canary must not stop the line that it watches.
                    log.exception("canary failed")
                await self._pace.sleep(_LOOK_S)
        finally:
            await self._detector.stop()
            await self._meter.stop()

    # -- rounds ----------------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        now = self._pace.monotonic()
        metrics.canary_age.set(self.age_s)
        found = self._round
        if found is None:
            if now >= self._due and self._detector.connected and self._meter.connected:
                self._begin(now)
        elif (step := found.waits_for(self._engine)) is None:
            self._end(found, now)
        elif now - found.started > self._settings.canary_red_s:
            self._give_up(found, step)
        elif found.alarm is not None and not found.promised and now >= found.repeat_due:
            found.repeat_due = now + _REPEAT_S
            self._publish(self._detector, CANARY_DETECTOR, "alarm", found.alarm)
        if self.reasons() and not self._late_told:
            self._late_told = True
            self._tell_late()

    def _begin(self, now: float) -> None:
        registry = self._engine.state.registry
        if CANARY_HOME not in registry.homes:
            # At the start, and where another picture of the registry was taken over.
            enlist(registry)
        self._due = now + self._settings.canary_every_s
        reading = self._reading("open")
        alarm = self._item(event="leak", ch4_lel=_METHANE_LEL)
        self._round = _Round(now, alarm, reading["ts"], now + _REPEAT_S)
        self._publish(self._meter, CANARY_METER, "telemetry", reading)
        self._publish(self._detector, CANARY_DETECTOR, "alarm", alarm)

    def _end(self, found: _Round, now: float) -> None:
        self._round = None
        if found.alarm is None:
            return
        if found.incident is not None and found.incident.outcome != _CALLED:
            self._stuck(found, "call")
            return
        metrics.canary_rounds.labels("full").inc()
        metrics.canary_seconds.observe(now - found.started)
        self._full_at, self.stuck_at, self._late_told = now, None, False
        self._passed = True

    def _give_up(self, found: _Round, step: Step) -> None:
        """Recorded with the step at which it stuck; its incident ends, so that the next round begins afresh."""
        self._round, self._due = None, 0.0
        self._stuck(found, step)
        incident = self._engine.state.open_by_place.get(CANARY_HOME)
        if incident is not None:
            self._engine.close(incident, self._engine.state.clock.now_ms(), "line", f"canary_stuck_at_{step}")

    def _stuck(self, found: _Round, step: Step) -> None:
        self.stuck_at = step
        metrics.canary_rounds.labels(step).inc()
        log.warning("canary stuck", step=step, incident=None if found.incident is None else str(found.incident.incident_id))

    def _tell_late(self) -> None:
        state = self._engine.state
        at_ms = state.clock.now_ms()
        key = incident_id("canary_late", CANARY_HOME, self._boot, 0, at_ms)
        message = TaskMessage(
            message_id=message_id(key, "task"),
            incident_id=key,
            at_ms=at_ms,
            kind="canary_late",
            home_id=None,
            # The lateness is real, whatever home it was found with.
            simulated=False,
            detail={"age_s": round(self.age_s), "step": self.stuck_at or self._waits_for()},
        )
        state.down.station(message)
        state.keeper.put(Rows(outbox=[outbox_row(message)]))

    def _waits_for(self) -> Step | None:
        return None if self._round is None else self._round.waits_for(self._engine)

    # -- the two devices -------------------------------------------------------------------------------------------------------

    def _item(self, **fields: Any) -> dict[str, Any]:
        self._seq += 1
        return {"ts": self._engine.state.clock.now_ms(), "boot": self._boot, "seq": self._seq, **fields}

    def _reading(self, valve: ValveState) -> dict[str, Any]:
        return self._item(volume_m3=0.0, flow_m3h=0.0, valve=valve)

    def _publish(self, link: MqttPort, account: str, lane: topics.Lane, item: dict[str, Any]) -> None:
        # Refused because nothing is confirmed: the round sticks, which is the finding.
        with contextlib.suppress(LinkError):
            link.publish(topics.up(account, lane), json.dumps(item).encode(), qos=1).add_done_callback(
                lambda sent: None if sent.cancelled() else sent.exception()
            )

    def _detector_hears(self, incoming: Incoming) -> None:
        incoming.ack()
        alarm = None if self._round is None else self._round.alarm
        if alarm is None or self._round is None or incoming.topic != topics.down_ack(CANARY_DETECTOR):
            return
        with contextlib.suppress(ValidationError):
            promise = DownAck.model_validate_json(incoming.payload)
            if (promise.ts, promise.boot, promise.seq) == (alarm["ts"], alarm["boot"], alarm["seq"]):
                self._round.promised = True

    def _meter_hears(self, incoming: Incoming) -> None:
        incoming.ack()
        if incoming.topic != topics.down_command(CANARY_METER):
            return
        try:
            command = Command.model_validate_json(incoming.payload)
        except ValidationError:
            return
        if command.command == "close_valve":
            incident = None if command.incident_id is None else self._engine.incident(command.incident_id)
            if self._round is not None and self._round.incident is None:
                self._round.incident = incident
            self._answer(command, "accepted", None)
            self._answer(command, "done", "closed")
        elif command.command == "report":
            self._answer(command, "done", None)
            self._publish(self._meter, CANARY_METER, "telemetry", self._reading("closed"))

    def _answer(self, command: Command, result: AckResult, valve: ValveState | None) -> None:
        self._publish(
            self._meter,
            CANARY_METER,
            "ack",
            self._item(
                command_id=str(command.command_id),
                order_no=command.order_no,
                incident_id=None if command.incident_id is None else str(command.incident_id),
                command=command.command,
                result=result,
                valve=valve,
            ),
        )
