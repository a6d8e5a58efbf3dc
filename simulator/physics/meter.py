"""An IoT gas meter and its valve.

Decides what flows, what the register shows, and how the valve travels: a closing valve passes gas until it is
closed, a stuck one never closes, a worn one leaks by. Refuses to know who sent a command, what is published,
and what the gas does in the room; a leak *before* the meter never passes it and is no input here.
"""

import math
from dataclasses import dataclass, replace

from core.messages import ValveCause, ValveState

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class MeterMake:
    """What does not change by itself: the register's step, the valve's travel time and condition, the linkage.

    `linkage_delay_s` None: no local linkage, the detector cannot close this valve. `leak_by_m3h` is what a
    closed valve still lets through where something downstream draws.
    """

    register_step_m3: float = 0.01
    travel_s: float = 3.0
    linkage_delay_s: float | None = 0.5
    stuck: bool = False
    leak_by_m3h: float = 0.0

    def __post_init__(self) -> None:
        if self.register_step_m3 <= 0:
            raise ValueError("a register needs a step over 0 m3")
        if min(self.travel_s, self.leak_by_m3h, self.linkage_delay_s or 0.0) < 0:
            raise ValueError("travel time, linkage delay and leak-by cannot be negative")


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter now.

    `index_m3` is the true index, `leaked_m3` the part of it that escaped through the leak (a running total),
    `flow_m3h` what passes at this moment, `travel_left_s` how long the valve still moves, `linkage_left_s` how
    long the linkage still waits (None: it is not asked).
    """

    make: MeterMake = MeterMake()
    valve: ValveState = "open"
    cause: ValveCause | None = None
    index_m3: float = 0.0
    leaked_m3: float = 0.0
    flow_m3h: float = 0.0
    travel_left_s: float = 0.0
    linkage_left_s: float | None = None

    @property
    def register_m3(self) -> float:
        """What the register shows: whole steps of the true index, in m3."""
        # A thousandth of a millionth of a step: enough to undo float rounding, far too little to show.
        steps = math.floor(self.index_m3 / self.make.register_step_m3 + 1e-9)
        return round(steps * self.make.register_step_m3, 9)


def begin_close(meter: Meter, cause: ValveCause) -> Meter:
    """Starts the valve closing. One that is closed or closing keeps its first cause."""
    if meter.valve in ("closed", "closing"):
        return meter
    return replace(meter, valve="closing", cause=cause, travel_left_s=meter.make.travel_s)


def begin_open(meter: Meter) -> Meter:
    """Starts the valve opening, as by the key at the meter. One that is open or opening stays as it is."""
    if meter.valve in ("open", "opening"):
        return meter
    return replace(meter, valve="opening", travel_left_s=meter.make.travel_s, linkage_left_s=None)


def step(meter: Meter, dt_s: float, *, demand_m3h: float = 0.0, leak_m3h: float = 0.0, detector_alarm: bool = False) -> Meter:
    """The meter `dt_s` seconds later.

    `demand_m3h` is what burners would draw and `leak_m3h` what would escape downstream, both as if the valve
    were open; `detector_alarm` says whether the linked detector calls for closing during the step. The step is
    cut where the linkage fires and where the valve arrives, so that its length does not change the index.
    Raises ValueError for a negative input.
    """
    if dt_s < 0 or demand_m3h < 0 or leak_m3h < 0:
        raise ValueError("time, demand and leak cannot be negative")
    meter = _linkage_asked(meter, detector_alarm)
    left_s = dt_s
    while True:
        meter = _linkage_fires(meter)
        cut_s = min(left_s, _next_event_s(meter))
        meter = _passed(meter, cut_s, demand_m3h, leak_m3h)
        left_s -= cut_s
        meter = _arrived(meter)
        if left_s <= 0 and meter.linkage_left_s != 0.0:
            return replace(meter, flow_m3h=_flow_m3h(meter, demand_m3h + leak_m3h))


def _linkage_asked(meter: Meter, detector_alarm: bool) -> Meter:
    delay_s = meter.make.linkage_delay_s
    if delay_s is None or not detector_alarm:
        return replace(meter, linkage_left_s=None)
    if meter.linkage_left_s is None and meter.valve in ("open", "opening"):
        return replace(meter, linkage_left_s=delay_s)
    return meter


def _linkage_fires(meter: Meter) -> Meter:
    if meter.linkage_left_s != 0.0:
        return meter
    return replace(begin_close(meter, "linkage"), linkage_left_s=None)


def _next_event_s(meter: Meter) -> float:
    """Seconds until the linkage fires or the valve arrives; infinite where neither is under way."""
    arrives_s = meter.travel_left_s if meter.valve in ("closing", "opening") else math.inf
    return min(arrives_s, math.inf if meter.linkage_left_s is None else meter.linkage_left_s)


def _passed(meter: Meter, dt_s: float, demand_m3h: float, leak_m3h: float) -> Meter:
    """Lets gas flow for `dt_s` with the valve as it is, and the waiting times run."""
    wanted_m3h = demand_m3h + leak_m3h
    volume_m3 = _flow_m3h(meter, wanted_m3h) * dt_s / SECONDS_PER_HOUR
    waiting_s = meter.linkage_left_s
    return replace(
        meter,
        index_m3=meter.index_m3 + volume_m3,
        leaked_m3=meter.leaked_m3 + (volume_m3 * leak_m3h / wanted_m3h if wanted_m3h > 0 else 0.0),
        travel_left_s=max(0.0, meter.travel_left_s - dt_s),
        linkage_left_s=None if waiting_s is None else max(0.0, waiting_s - dt_s),
    )


def _flow_m3h(meter: Meter, wanted_m3h: float) -> float:
    """Everything that is wanted passes unless the valve is fully closed; then only what it leaks by."""
    return min(wanted_m3h, meter.make.leak_by_m3h) if meter.valve == "closed" else wanted_m3h


def _arrived(meter: Meter) -> Meter:
    """Ends a travel whose time is over. A stuck valve ends it in fault, where it passes as before."""
    if meter.travel_left_s > 0 or meter.valve not in ("closing", "opening"):
        return meter
    if meter.make.stuck:
        return replace(meter, valve="fault")
    if meter.valve == "closing":
        return replace(meter, valve="closed")
    return replace(meter, valve="open", cause=None)
