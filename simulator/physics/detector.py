"""A laser methane detector as it behaves on the wall.

Decides what it reads (first-order lag given as T90, bounded noise, full scale) and which of the contract's
states it shows. Refuses to know how the gas came, what it will publish, and to whom.
"""

import math
import random
from dataclasses import dataclass, replace

from core.messages import DetectorState

JUDGING: frozenset[DetectorState] = frozenset({"normal", "warning", "alarm"})
"""The states in which the detector watches; in every other one the home is blind."""


@dataclass(frozen=True, slots=True)
class DetectorMake:
    """What the maker built: all that does not change while it hangs there.

    Noise is normal with `noise_lel` as its standard deviation, cut at `noise_limit_lel` on either side.
    """

    set_point_lel: float = 10.0
    warning_lel: float = 5.0
    hysteresis_lel: float = 1.0
    preheat_s: float = 30.0
    t90_s: float = 12.0
    self_test_s: float = 5.0
    noise_lel: float = 0.1
    noise_limit_lel: float = 0.4
    full_scale_lel: float = 100.0
    life_s: float = 5 * 365.25 * 86_400

    def __post_init__(self) -> None:
        if not 0 < self.warning_lel <= self.set_point_lel <= self.full_scale_lel:
            raise ValueError("need 0 < warning <= set-point <= full scale")
        if not 0 <= self.hysteresis_lel < self.warning_lel:
            raise ValueError("the hysteresis must be smaller than the warning level")
        if min(self.preheat_s, self.self_test_s, self.noise_lel, self.noise_limit_lel) < 0 or self.t90_s <= 0:
            raise ValueError("durations and noise cannot be negative, and T90 must be over 0 s")


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector now: `cell_lel` is what has reached its measuring cell, `ch4_lel` what it shows."""

    make: DetectorMake = DetectorMake()
    state: DetectorState = "preheat"
    cell_lel: float = 0.0
    ch4_lel: float = 0.0
    powered: bool = True
    faulty: bool = False
    on_for_s: float = 0.0
    age_s: float = 0.0
    self_test_left_s: float = 0.0


def step(detector: Detector, dt_s: float, *, room_lel: float, rng: random.Random) -> Detector:
    """The detector `dt_s` seconds later, in a room that held `room_lel` %LEL for the whole step.

    Without power only gas and age move on. Raises ValueError for a negative time or concentration.
    """
    if dt_s < 0 or room_lel < 0:
        raise ValueError("time and concentration cannot be negative")
    make = detector.make
    kept = math.exp(-math.log(10.0) * dt_s / make.t90_s)
    cell_lel = room_lel + (detector.cell_lel - room_lel) * kept
    if not detector.powered:
        return replace(detector, cell_lel=cell_lel, age_s=detector.age_s + dt_s)
    noise = min(make.noise_limit_lel, max(-make.noise_limit_lel, rng.gauss(0.0, make.noise_lel)))
    # Made at once and not by several replacements: this is what a thousand homes in gas spend their time on.
    running = Detector(
        make,
        detector.state,
        cell_lel,
        min(make.full_scale_lel, max(0.0, cell_lel + noise)),
        True,
        detector.faulty,
        detector.on_for_s + dt_s,
        detector.age_s + dt_s,
        max(0.0, detector.self_test_left_s - dt_s),
    )
    state = _shown(running)
    return running if state == detector.state else replace(running, state=state)


def _shown(detector: Detector) -> DetectorState:
    """The state that a powered detector shows, what hides its view first."""
    if detector.faulty:
        return "fault"
    if detector.age_s >= detector.make.life_s:
        return "end_of_life"
    if detector.on_for_s < detector.make.preheat_s:
        return "preheat"
    if detector.self_test_left_s > 0:
        return "self_test"
    return _judged(detector)


def _judged(detector: Detector) -> DetectorState:
    """Alarm or warning at their levels; each is left only below its level less the hysteresis."""
    make, was = detector.make, detector.state
    alarm_at = make.set_point_lel - (make.hysteresis_lel if was == "alarm" else 0.0)
    held = was in ("alarm", "warning")
    warning_at = make.warning_lel - (make.hysteresis_lel if held else 0.0)
    if detector.ch4_lel >= alarm_at:
        return "alarm"
    if detector.ch4_lel >= warning_at:
        return "warning"
    return "normal"


def power_off(detector: Detector) -> Detector:
    """Unplugged: it shows nothing until it is plugged in and has preheated again."""
    return replace(detector, powered=False, self_test_left_s=0.0)


def power_on(detector: Detector) -> Detector:
    """Plugged in again: preheat starts over. Nothing changes where it already has power."""
    if detector.powered:
        return detector
    restarted = replace(detector, powered=True, on_for_s=0.0, state="preheat")
    return replace(restarted, state=_shown(restarted))


def begin_self_test(detector: Detector) -> Detector:
    """Starts the self-test where the detector is watching; elsewhere nothing changes."""
    if not detector.powered or detector.state not in JUDGING:
        return detector
    return replace(detector, state="self_test", self_test_left_s=detector.make.self_test_s)


def with_fault(detector: Detector, faulty: bool) -> Detector:
    """Breaks the measuring cell or mends it; the state follows at the next step."""
    return replace(detector, faulty=faulty)
