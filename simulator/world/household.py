"""One home on the air: what its devices tell the platform when something happens in it, and how they obey.

Joins the physics of :mod:`simulator.world.home` with one transmitter and one obedience a device. Refuses to know when time passes
and who else lives in the town: the town steps it. Nothing here is the platform's: what arrives is a command of the contract.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from core.clock import Clock
from core.messages import Command, DownAck, Status
from simulator.narration import Narrate
from simulator.physics.meter import opens_by_key_alone
from simulator.world.home import DetectorChanged, DevicePlace, SimulatedHome, ValveMoved
from simulator.world.modem import Modem
from simulator.world.obedience import Answer, Obedience
from simulator.world.record import Heard, Leak, ValveMove, WorldRecord
from simulator.world.transmitter import Send, Transmitter

After = Callable[[float, Callable[[], None]], None]
"""(seconds, what): do something later, in clock seconds."""

FIRMWARE = "sim-1.0"
DOWNLINK_S = 0.3
"""From an uplink of a sleeping meter until what the network kept for it arrives, s."""

_CAUSES = {
    "linkage": ("联动", "local linkage"),
    "command": ("平台命令", "the platform's command"),
    "manual": ("手动", "by hand"),
    "arrears": ("欠费", "arrears"),
}


class Household:
    """A home, its radios and its memory of orders. ``record`` keeps the truth, ``narrate`` tells it."""

    def __init__(
        self, home: SimulatedHome, *, boot: int, clock: Clock, send: Send, after: After, record: WorldRecord, narrate: Narrate
    ) -> None:
        self.home = home
        self.incident_id: UUID | None = None
        self.leak: Leak | None = None
        self._clock = clock
        self._after = after
        self._record = record
        self._narrate = narrate
        self._key_moves_valve = False
        self._waking: set[str] = set()
        self._leak_told: set[str] = set()
        plan = home.plan
        self.mains, self.battery, self.power_cuts = True, False, 0
        self.modem = Modem(home.traits.psm)
        self._send = send
        self.places: dict[str, DevicePlace] = {place.device_id: place for place in plan.places}
        self.radios = {
            place.device_id: Transmitter(place, boot, clock, self._uplink if place is plan.meter else send) for place in plan.places
        }
        self.obedience = {device_id: Obedience("detector" if device_id in home.detectors else "meter") for device_id in self.places}

    @property
    def meter_id(self) -> str | None:
        """The id of the home's meter, if it has one."""
        return None if self.home.plan.meter is None else self.home.plan.meter.device_id

    @property
    def at_rest(self) -> bool:
        """Whether its valve is not moving."""
        return self.home.valve not in ("closing", "opening")

    def tell(self, zh: str, en: str) -> None:
        """Add a line to the story, under this home's address and incident."""
        self._narrate(
            {
                "at_ms": self._clock.now_ms(),
                "home_id": self.home.plan.home_id,
                "incident_id": None if self.incident_id is None else str(self.incident_id),
                "zh": zh,
                "en": en,
            }
        )

    # --- what it says ---------------------------------------------------------------------------------------

    def _uplink(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """The meter sends; where it sleeps, the network may answer for a moment now."""
        self._send(topic, payload, qos, retain)
        if self.modem.psm:
            self.modem.spoke(self._clock.monotonic())
            self._after(DOWNLINK_S, lambda: self.modem.deliver(self._clock.monotonic()))

    def introduce(self) -> None:
        """Publish the status of every device that speaks for itself."""
        for device_id in self.places:
            self.introduce_device(device_id)

    def introduce_device(self, device_id: str) -> None:
        """Publish the status of one device, if it speaks for itself."""
        if self.places[device_id].hub is None:
            self.radios[device_id].status(True, **self._about(device_id))

    def introduced_by(self, hub: str) -> list[Status]:
        """What this hub says of the devices of the home that it serves."""
        ours = [device_id for device_id, place in self.places.items() if place.hub == hub]
        return [self.radios[device_id].about(True, **self._about(device_id)) for device_id in ours]

    def _about(self, device_id: str) -> dict[str, Any]:
        traits = self.home.traits
        if device_id != self.meter_id:
            return {"model": "SIM-TDLAS", "firmware": FIRMWARE, "report_interval_s": max(1, round(traits.telemetry_s))}
        return {
            "model": "SIM-G2.5",
            "firmware": FIRMWARE,
            "connectivity": "psm" if self.modem.psm else "always_on",
            "report_interval_s": max(1, round(traits.meter_interval_s)),
            "register_step_m3": traits.register_step_m3,
        }

    def fall_silent(self) -> None:
        """Lose the connection: the broker publishes the last will of every device that speaks for itself."""
        for device_id, place in self.places.items():
            if place.hub is None:
                self.radios[device_id].status(False)

    def report(self) -> None:
        """Every device publishes its reading."""
        self.report_detectors()
        self.report_meter()

    def report_detectors(self) -> None:
        """Every detector publishes its reading; one whose radio is just waking with an alarm waits for it."""
        for device_id in self.home.detectors:
            if device_id not in self._waking:
                self.report_detector(device_id)

    def report_detector(self, device_id: str) -> None:
        """One detector publishes its reading."""
        detector = self.home.detectors[device_id]
        ch4_lel = round(detector.ch4_lel, 2)
        if self.home.over_set_point(device_id):
            self._note_publication(device_id, "telemetry")
        self.radios[device_id].detector_telemetry(ch4_lel=ch4_lel, state=detector.state, power="mains" if self.mains else "battery")

    def report_meter(self) -> None:
        """The meter publishes its reading, as coarse as its register."""
        meter = self.home.meter
        if meter is not None and self.meter_id is not None:
            credit_cny = None if meter.credit_cny is None else round(meter.credit_cny, 2)
            self.radios[self.meter_id].meter_telemetry(
                volume_m3=meter.register_m3, flow_m3h=round(meter.flow_m3h, 3), valve=meter.valve, cause=meter.cause, credit_cny=credit_cny
            )

    def _note_publication(self, device_id: str, lane: str) -> None:
        if self.leak is not None and self.leak.published_ms is None and self.radios[device_id].on_air:
            self.leak.lane = lane
            self.leak.published_ms = self._clock.now_ms()
            self.leak.published_s = self._clock.monotonic()

    def back_on_air(self, device_id: str) -> None:
        """The device can be heard again: it reports, and the alarms that it kept go out with the next look."""
        self.radios[device_id].back_on_air()
        if device_id in self._leak_told:
            self._note_publication(device_id, "alarm")
        if device_id == self.meter_id:
            self.report_meter()
        else:
            self.report_detector(device_id)

    # --- what happens in it ---------------------------------------------------------------------------------

    def pass_time(self, dt_s: float) -> bool:
        """Let ``dt_s`` seconds of the world pass; returns whether a detector came to show a leak in them."""
        now_ms = self._clock.now_ms()
        alarmed = False
        for happening in self.home.step(dt_s, now_ms):
            if isinstance(happening, ValveMoved):
                self._valve_moved(happening)
            else:
                alarmed |= happening.now == "alarm"
                self._detector_changed(happening)
        return self._crossed_silently() or alarmed

    def _crossed_silently(self) -> bool:
        """Whether a reading came to the registry's set-point below the detector's own: it says nothing but its reading."""
        if self.leak is None or self.leak.alarmed_ms is not None:
            return False
        over = [device_id for device_id in self.home.detectors if self.home.over_set_point(device_id)]
        if not over or not self.home.set_higher_than_registered:
            return False
        device_id, ch4_lel = over[0], self.home.detectors[over[0]].ch4_lel
        self.leak.alarmed_ms, self.leak.device_id = self._clock.now_ms(), device_id
        self.tell(
            f"读数达到 {ch4_lel:.1f} %LEL（T0），探测器自身不报警",
            f"the reading reaches {ch4_lel:.1f} %LEL (T0); the detector itself is silent",
        )
        self._after(self.home.traits.wake_s, lambda: self.report_detector(device_id))
        return True

    def keep_up(self) -> None:
        """What the radios and the orders owe to the passing clock: repeats, and opens that nobody confirmed."""
        for radio in self.radios.values():
            if radio.unacknowledged:
                self._record.alarm_repeats += radio.repeat_due()
        if self.meter_id is not None and self.obedience[self.meter_id].waiting_open is not None:
            self._answer(self.meter_id, self.obedience[self.meter_id].passed(self._clock.now_ms(), self.home.valve))

    def _detector_changed(self, change: DetectorChanged) -> None:
        if change.now == "alarm":
            self._raise_alarm(change)
            return
        if change.was == "alarm" and change.device_id in self._leak_told:
            self._leak_told.discard(change.device_id)
            self.radios[change.device_id].alarm("leak_cleared", ch4_lel=round(change.ch4_lel, 2))
            self.tell(f"探测器回落到 {change.ch4_lel:.1f} %LEL，报警解除", f"the detector is back at {change.ch4_lel:.1f} %LEL")
        if change.device_id not in self._waking:
            self.report_detector(change.device_id)

    def _raise_alarm(self, change: DetectorChanged) -> None:
        alarmed_ms, ch4_lel = self._clock.now_ms(), round(change.ch4_lel, 2)
        if self.leak is not None and self.leak.alarmed_ms is None:
            self.leak.alarmed_ms, self.leak.device_id = alarmed_ms, change.device_id
        self._waking.add(change.device_id)
        self.tell(f"探测器报警：{ch4_lel:.1f} %LEL（T0）", f"the detector alarms at {ch4_lel:.1f} %LEL (T0)")
        if self.home.alarmed and self.home.meter is not None and self.home.meter.make.linkage_delay_s is not None:
            self.tell("探测器就地联动关阀，无需平台", "the detector closes the meter's valve on the spot, without the platform")

        def wake() -> None:
            self._waking.discard(change.device_id)
            if self.home.traits.both_lanes:
                self.report_detector(change.device_id)
            if self.home.traits.alarm_message:
                self._note_publication(change.device_id, "alarm")
                self._leak_told.add(change.device_id)
                self.radios[change.device_id].alarm("leak", ts=alarmed_ms, ch4_lel=ch4_lel)
                self.tell("探测器的无线模块发出报警", "the detector's radio is awake and sends the alarm")
            else:
                self.tell("探测器不发报警，只在读数里显示", "the detector sends no alarm; only its reading shows the gas")
            if not self.home.traits.both_lanes:
                self.report_detector(change.device_id)

        self._after(self.home.traits.wake_s, wake)

    def _valve_moved(self, move: ValveMoved) -> None:
        by_key, meter_id = self._key_moves_valve and move.now == "open", self.meter_id
        self._record.moves.append(
            ValveMove(self._clock.now_ms(), self._clock.monotonic(), self.home.plan.home_id, move.was, move.now, move.cause, by_key)
        )
        if meter_id is None or move.now in ("closing", "opening"):
            return
        self._key_moves_valve = False
        self._answer(meter_id, self.obedience[meter_id].arrived(move.now))
        if move.now == "closed":
            self.radios[meter_id].alarm("valve_closed", valve="closed", cause=move.cause)
            zh, en = _CAUSES.get(move.cause or "unknown", ("其它原因", "another cause"))
            self.tell(f"燃气表阀门已关（{zh}）", f"the meter's valve is closed ({en})")
        elif move.now == "fault":
            self.radios[meter_id].alarm("fault", valve="fault")
            self.tell("阀门卡滞，未能关闭", "the valve is stuck and did not close")
        else:
            self.tell("现场按键后阀门已打开", "the valve is open, after the key at the meter")
        self.report_meter()

    # --- what it is told ------------------------------------------------------------------------------------

    def promised(self, ack: DownAck) -> None:
        """The platform has an alarm of ours durably."""
        if self.radios[ack.device_id].acknowledged(ack):
            self._record.promised += 1

    def obey(self, account: str, command: Command) -> None:
        """A command arrived for one of this home's devices, through ``account``."""
        verdict = self.obedience[command.device_id].receive(command, self._clock.now_ms(), self.home.valve)
        now_s = self._clock.monotonic()
        self._record.heard.append(Heard(self._clock.now_ms(), now_s, account, self.home.plan.home_id, command, verdict.repeated))
        if command.incident_id is not None:
            self.incident_id = command.incident_id
        if not verdict.repeated:
            self._tell_command(command, now_s)
        if verdict.act == "close":
            if self.home.meter is not None and self.home.meter.stalled:
                self.tell("阀门卡在半途，再次驱动", "the valve has stalled half-way and is driven again")
            for move in self.home.close_valve("command"):
                if isinstance(move, ValveMoved):
                    self._valve_moved(move)
        self._answer(command.device_id, verdict.answers)
        if verdict.act == "report":
            self.report_meter() if command.device_id == self.meter_id else self.report_detector(command.device_id)
        elif verdict.act == "self_test":
            self.home.begin_self_test(command.device_id)

    def _tell_command(self, command: Command, now_s: float) -> None:
        if command.command == "close_valve":
            late_ms = None if self.leak is None or self.leak.published_s is None else (now_s - self.leak.published_s) * 1000
            zh, en = "平台的切断指令到达燃气表", "the platform's close command reaches the meter"
            if late_ms is not None:
                zh, en = f"{zh}，距泄漏消息发出 {late_ms:.0f} 毫秒", f"{en}, {late_ms:.0f} ms after the leak was sent"
            self.tell(zh, en)
        elif command.command == "open_valve":
            self.tell("开阀指令到达燃气表，等待现场人员按键", "the order to open reaches the meter and waits for a hand at its key")

    def close_by_hand(self) -> bool:
        """A person turns the valve shut. Returns whether it was open."""
        moved = self.home.close_valve("manual")
        for move in moved:
            if isinstance(move, ValveMoved):
                self._valve_moved(move)
        return bool(moved)

    def press_key(self) -> bool:
        """A person presses the key at the meter. Returns whether the valve opens: an order waits for it, or arrears alone are paid."""
        if self.meter_id is None or self.home.meter is None:
            return False
        ordered = self.obedience[self.meter_id].key_pressed(self._clock.now_ms()) is not None
        if not ordered and not opens_by_key_alone(self.home.meter):
            return False
        self._key_moves_valve = True
        self.tell("抢修人员在表前按键确认", "the technician confirms with the key at the meter")
        for move in self.home.open_valve():
            if isinstance(move, ValveMoved):
                self._valve_moved(move)
        return True

    def _answer(self, device_id: str, answers: tuple[Answer, ...]) -> None:
        for answer in answers:
            self.radios[device_id].answer(answer)
