"""One simulated home: its air, its detectors, its meter and what its people burn.

Decides what happens in the rooms as simulated seconds pass, and what a hand at the meter, the riser, the window or the fuse does.
Refuses to know the radio, the platform and the clock: it is told how long a step is and what time of day it stands for.
"""

import random
from dataclasses import dataclass, field, replace

from core.local_time import AHEAD_MS
from core.messages import DetectorState, ValveCause, ValveState
from simulator.physics import appliances, room
from simulator.physics import detector as laser
from simulator.physics import meter as gas_meter
from simulator.world.plan import DevicePlace, HomePlan, Traits, varied

__all__ = ["OPEN_WINDOWS_ACH", "DetectorChanged", "DevicePlace", "Happening", "HomePlan", "SimulatedHome", "Traits", "ValveMoved", "varied"]

_LONG_ON_S = 86_400.0

OPEN_WINDOWS_ACH = 12.0
"""Air changes an hour with windows and door wide open."""


@dataclass(frozen=True, slots=True)
class DetectorChanged:
    """A detector shows another state than a step before."""

    device_id: str
    was: DetectorState
    now: DetectorState
    ch4_lel: float


@dataclass(frozen=True, slots=True)
class ValveMoved:
    """The valve is in another state than a step before; ``cause`` says why it is closed or closing."""

    was: ValveState
    now: ValveState
    cause: ValveCause | None


Happening = DetectorChanged | ValveMoved


@dataclass(slots=True)
class SimulatedHome:
    """A home now. Everything by chance is drawn from dice named by seed, home and purpose, so homes never share dice.

    ``leak_m3h`` escapes behind the meter, ``leak_before_m3h`` before it; with ``riser_open`` False nothing reaches either.
    """

    plan: HomePlan
    traits: Traits
    seed: int
    air: room.RoomAir = field(init=False)
    detectors: dict[str, laser.Detector] = field(init=False)
    meter: gas_meter.Meter | None = field(init=False)
    use: appliances.Use = field(init=False, default_factory=appliances.Use)
    leak_m3h: float = 0.0
    leak_before_m3h: float = 0.0
    riser_open: bool = True
    ventilation_ach: float = field(init=False)
    _dice: dict[str, random.Random] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        traits = self.traits
        self.ventilation_ach = traits.ventilation_ach
        self.air = room.RoomAir(traits.room_m3)
        hung = laser.Detector(make=traits.detector_make(self.plan), state="normal", on_for_s=_LONG_ON_S)
        self.detectors = {place.device_id: hung for place in self.plan.detectors}
        self.meter = None
        if self.plan.meter is not None:
            index_m3 = round(self._throw("index").uniform(20.0, 900.0), 3)
            self.meter = gas_meter.Meter(make=traits.meter_make(), index_m3=index_m3, credit_cny=traits.credit_cny)

    def _throw(self, purpose: str) -> random.Random:
        if purpose not in self._dice:
            self._dice[purpose] = random.Random(f"{self.seed}/{self.plan.home_id}/{purpose}")
        return self._dice[purpose]

    @property
    def alarmed(self) -> bool:
        """Whether one of its detectors that have power shows alarm."""
        return any(detector.state == "alarm" and detector.powered for detector in self.detectors.values())

    @property
    def leaks(self) -> bool:
        """Whether gas would escape if nothing held it back."""
        return self.leak_m3h > 0 or self.leak_before_m3h > 0

    @property
    def riser_closed(self) -> bool:
        """Whether the riser valve outside is shut."""
        return not self.riser_open

    @property
    def moving(self) -> bool:
        """Whether its valve is on the way, or about to be: moments in which a step must be short."""
        return self.meter is not None and self.meter.moving

    @property
    def set_higher_than_registered(self) -> bool:
        """Whether its detectors alarm only above the registry's set-point."""
        return (self.traits.own_set_point_lel or 0.0) > self.plan.set_point_lel

    def over_set_point(self, device_id: str) -> bool:
        """Whether a detector shows a leak by the registry's set-point or by its own."""
        detector = self.detectors[device_id]
        return detector.state == "alarm" or round(detector.ch4_lel, 2) >= self.plan.set_point_lel

    @property
    def valve(self) -> ValveState:
        """What the valve is; unknown in a home without a meter."""
        return "unknown" if self.meter is None else self.meter.valve

    def step(self, dt_s: float, now_ms: int) -> list[Happening]:
        """Let ``dt_s`` seconds pass, ``now_ms`` standing for the time of day; returns what changed, in order."""
        if self.traits.demand_m3h is None:
            second_of_day = ((now_ms + AHEAD_MS) / 1000) % 86_400
            self.use = appliances.step(self.use, dt_s, second_of_day=second_of_day, rng=self._throw("appliances"))
        happened: list[Happening] = []
        escaped_m3h = self._step_meter(dt_s, happened)
        self.air = room.step(self.air, dt_s, leak_m3h=escaped_m3h, ventilation_ach=self.ventilation_ach)
        for device_id, was in self.detectors.items():
            now = laser.step(was, dt_s, room_lel=self.air.ch4_lel, rng=self._throw(device_id))
            self.detectors[device_id] = now
            if now.state != was.state:
                happened.append(DetectorChanged(device_id, was.state, now.state, now.ch4_lel))
        return happened

    def _step_meter(self, dt_s: float, happened: list[Happening]) -> float:
        """What escapes into the room during the step, m3/h; a home without a meter has nothing but the riser that could stop it."""
        behind_m3h, before_m3h = (self.leak_m3h, self.leak_before_m3h) if self.riser_open else (0.0, 0.0)
        if self.meter is None or dt_s == 0:
            return behind_m3h + before_m3h
        was = self.meter
        burnt_m3h = self.use.demand_m3h if self.traits.demand_m3h is None else self.traits.demand_m3h
        demand_m3h = burnt_m3h if self.riser_open else 0.0
        self.meter = gas_meter.step(was, dt_s, demand_m3h=demand_m3h, leak_m3h=behind_m3h, detector_alarm=self.alarmed)
        self._note_valve(was, happened)
        return before_m3h + (self.meter.leaked_m3 - was.leaked_m3) * gas_meter.SECONDS_PER_HOUR / dt_s

    def _note_valve(self, was: gas_meter.Meter, happened: list[Happening]) -> None:
        if self.meter is not None and self.meter.valve != was.valve:
            happened.append(ValveMoved(was.valve, self.meter.valve, self.meter.cause))

    # --- hands ----------------------------------------------------------------------------------------------

    def close_valve(self, cause: ValveCause) -> list[Happening]:
        """Drive the valve to close; one that is closed is pressed into its seat, one on its way goes on."""
        happened: list[Happening] = []
        if self.meter is not None:
            was, self.meter = self.meter, gas_meter.begin_close(self.meter, cause)
            self._note_valve(was, happened)
        return happened

    def open_valve(self) -> list[Happening]:
        """Start the valve opening, as the key at the meter does after an order to open."""
        happened: list[Happening] = []
        if self.meter is not None:
            was, self.meter = self.meter, gas_meter.begin_open(self.meter)
            self._note_valve(was, happened)
        return happened

    def close_riser(self) -> None:
        """Shut the riser valve outside: nothing more reaches this home."""
        self.riser_open = False

    def set_credit(self, credit_cny: float) -> None:
        """So much prepaid credit is left, yuan."""
        if self.meter is not None:
            self.meter = gas_meter.with_credit(self.meter, credit_cny)

    def begin_self_test(self, device_id: str) -> None:
        """Start the detector's self-test."""
        self.detectors[device_id] = laser.begin_self_test(self.detectors[device_id])

    def unplug(self, device_id: str) -> None:
        """The detector is without power."""
        self.detectors[device_id] = laser.power_off(self.detectors[device_id])

    def plug_in(self, device_id: str) -> None:
        """It has power again, and warms up where it had none."""
        self.detectors[device_id] = laser.power_on(self.detectors[device_id])

    def open_windows(self) -> None:
        """Air the home: windows and door wide open."""
        self.ventilation_ach = OPEN_WINDOWS_ACH

    def begin_leak(self, leak_m3h: float) -> None:
        """Gas escapes from now on, behind the meter or before it as the home is made."""
        if self.traits.before_meter:
            self.leak_before_m3h = leak_m3h
        else:
            self.leak_m3h = leak_m3h

    def repair(self) -> None:
        """End the leak where it is, open the riser and shut the windows again."""
        self.leak_m3h = self.leak_before_m3h = 0.0
        self.riser_open = True
        self.ventilation_ach = self.traits.ventilation_ach

    # --- what can be foreseen -------------------------------------------------------------------------------

    def seconds_to_alarm(self) -> float | None:
        """Seconds of the leak as it is until the air reaches the set-point; None where it never does."""
        gas_m3h = self.leak_m3h + self.leak_before_m3h
        return room.seconds_to_lel(self.air, self.plan.set_point_lel, leak_m3h=gas_m3h, ventilation_ach=self.ventilation_ach)

    def seconds_to_clear(self, lel: float) -> float:
        """Seconds until the air falls to ``lel`` %LEL without a leak, as it is aired now; 0 where it is below."""
        return room.seconds_to_lel(self.air, lel, leak_m3h=0.0, ventilation_ach=self.ventilation_ach) or 0.0

    def fit(self, traits: Traits) -> None:
        """Let the same home be made otherwise from now on: its detectors, its meter's linkage and register, how it reports."""
        self.traits = traits
        for device_id, hung in self.detectors.items():
            self.detectors[device_id] = replace(hung, make=traits.detector_make(self.plan))
        if self.meter is not None:
            credit_cny = self.meter.credit_cny if traits.credit_cny is None else traits.credit_cny
            self.meter = replace(self.meter, make=traits.meter_make(), tries=0, credit_cny=credit_cny)

    def resume(self, *, closed: bool, cause: ValveCause | None, index_m3: float) -> None:
        """Go on from what was last known of the meter; its register never runs back."""
        if self.meter is not None:
            index_m3 = max(self.meter.index_m3, index_m3)
            self.meter = replace(self.meter, index_m3=index_m3, valve="closed" if closed else "open", cause=cause if closed else None)
