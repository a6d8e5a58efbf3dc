"""An IoT gas meter and its valve.

Decides what flows, what the register shows, what credit is left, and how the valve travels: a closing valve passes gas until it is
closed, a stuck one never gets there or fails, a worn one leaks by. Refuses to know who sent a command, what is published, and what
the gas does in the room; a leak *before* the meter never passes it and is no input here.
"""

import math
from dataclasses import dataclass, replace

from core.messages import ValveCause, ValveState

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class MeterMake:
    """What does not change by itself: the register's step, the valve's travel time and condition, the linkage, the price of gas.

    `linkage_delay_s` None: no local linkage, the detector cannot close this valve. `stuck`: every travel ends in fault.
    `stuck_tries`: so many closes stall on the way, the valve says *closing* for ever, and the next one gets there.
    `leak_by_m3h` is what a closed valve still lets through where something downstream draws; with `leak_by_tries` only after that many
    closes, and the next one seats it. A hand always gets there and always seats it.
    """

    register_step_m3: float = 0.01
    travel_s: float = 3.0
    linkage_delay_s: float | None = 0.5
    stuck: bool = False
    stuck_tries: int = 0
    leak_by_m3h: float = 0.0
    leak_by_tries: int | None = None
    price_cny_m3: float = 2.8

    def __post_init__(self) -> None:
        if self.register_step_m3 <= 0:
            raise ValueError("a register needs a step over 0 m3")
        if min(self.travel_s, self.leak_by_m3h, self.linkage_delay_s or 0.0, self.stuck_tries, self.price_cny_m3) < 0:
            raise ValueError("travel time, linkage delay, leak-by, tries and price cannot be negative")


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter now.

    `index_m3` is the true index, `leaked_m3` the part of it that escaped through the leak (a running total),
    `flow_m3h` what passes at this moment, `travel_left_s` how long the valve still moves, `linkage_left_s` how
    long the linkage still waits (None: it is not asked), `tries` how often the valve was driven to close.
    `credit_cny` None: gas is paid for afterwards.
    """

    make: MeterMake = MeterMake()
    valve: ValveState = "open"
    cause: ValveCause | None = None
    index_m3: float = 0.0
    leaked_m3: float = 0.0
    flow_m3h: float = 0.0
    travel_left_s: float = 0.0
    linkage_left_s: float | None = None
    tries: int = 0
    credit_cny: float | None = None

    @property
    def register_m3(self) -> float:
        """What the register shows: whole steps of the true index, in m3."""
        # A thousandth of a millionth of a step: enough to undo float rounding, far too little to show.
        steps = math.floor(self.index_m3 / self.make.register_step_m3 + 1e-9)
        return round(steps * self.make.register_step_m3, 9)

    @property
    def stalled(self) -> bool:
        """Whether the valve stands still on its way to closed and will not arrive by itself."""
        return self.valve == "closing" and self.travel_left_s <= 0 and self.tries <= self.make.stuck_tries

    @property
    def moving(self) -> bool:
        """Whether something is under way that ends by itself: the valve travels, or the linkage waits to fire."""
        return (self.valve in ("closing", "opening") and not self.stalled) or self.linkage_left_s is not None

    @property
    def leaks_by_m3h(self) -> float:
        """What the valve lets through if it is closed now."""
        make = self.make
        return make.leak_by_m3h if make.leak_by_tries is None or self.tries <= make.leak_by_tries else 0.0


def begin_close(meter: Meter, cause: ValveCause) -> Meter:
    """Drives the valve to close. One that is closed or closing keeps its first cause.

    A closed valve stays closed and is pressed into its seat once more; one that stalled on its way is driven again.
    """
    tries = meter.tries + 1
    if cause == "manual":
        tries = max(tries, meter.make.stuck_tries + 1, (meter.make.leak_by_tries or 0) + 1)
    if meter.valve == "closed":
        return replace(meter, tries=tries) if meter.leaks_by_m3h > 0 else meter
    if meter.valve == "closing":
        if meter.stalled:
            return replace(meter, tries=tries, travel_left_s=meter.make.travel_s)
        # A hand helps a valve that is on its way, too.
        return replace(meter, tries=tries) if cause == "manual" else meter
    return replace(meter, valve="closing", cause=cause, travel_left_s=meter.make.travel_s, tries=tries)


def begin_open(meter: Meter) -> Meter:
    """Starts the valve opening, as by the key at the meter. One that is open or opening stays as it is."""
    if meter.valve in ("open", "opening"):
        return meter
    return replace(meter, valve="opening", travel_left_s=meter.make.travel_s, linkage_left_s=None)


def with_credit(meter: Meter, credit_cny: float) -> Meter:
    """The prepaid credit is set to so many yuan. Money alone moves no valve open; without any, the next step closes it."""
    return replace(meter, credit_cny=credit_cny)


def opens_by_key_alone(meter: Meter) -> bool:
    """Whether the key at the meter opens it without an order: it was closed for arrears and nothing else, and they are paid."""
    return meter.valve == "closed" and meter.cause == "arrears" and (meter.credit_cny or 0.0) > 0


def step(meter: Meter, dt_s: float, *, demand_m3h: float = 0.0, leak_m3h: float = 0.0, detector_alarm: bool = False) -> Meter:
    """The meter `dt_s` seconds later.

    `demand_m3h` is what burners would draw and `leak_m3h` what would escape downstream, both as if the valve
    were open; `detector_alarm` says whether the linked detector calls for closing during the step. The step is
    cut where the linkage fires and where the valve arrives, so that its length does not change the index; credit that ends
    within a step is seen at its end. Raises ValueError for a negative input.
    """
    if dt_s < 0 or demand_m3h < 0 or leak_m3h < 0:
        raise ValueError("time, demand and leak cannot be negative")
    meter = _linkage_asked(_credit_asked(meter), detector_alarm)
    left_s = dt_s
    while True:
        meter = _linkage_fires(meter)
        cut_s = min(left_s, _next_event_s(meter))
        meter = _passed(meter, cut_s, demand_m3h, leak_m3h)
        left_s -= cut_s
        meter = _arrived(meter)
        if left_s <= 0 and meter.linkage_left_s != 0.0:
            flow_m3h = _flow_m3h(meter, demand_m3h + leak_m3h)
            return meter if flow_m3h == meter.flow_m3h else replace(meter, flow_m3h=flow_m3h)


def _credit_asked(meter: Meter) -> Meter:
    if meter.credit_cny is None or meter.credit_cny > 0 or meter.valve not in ("open", "opening"):
        return meter
    return begin_close(meter, "arrears")


def _linkage_asked(meter: Meter, detector_alarm: bool) -> Meter:
    delay_s = meter.make.linkage_delay_s
    if delay_s is None or not detector_alarm:
        return meter if meter.linkage_left_s is None else replace(meter, linkage_left_s=None)
    if meter.linkage_left_s is None and meter.valve in ("open", "opening"):
        return replace(meter, linkage_left_s=delay_s)
    return meter


def _linkage_fires(meter: Meter) -> Meter:
    if meter.linkage_left_s != 0.0:
        return meter
    return replace(begin_close(meter, "linkage"), linkage_left_s=None)


def _next_event_s(meter: Meter) -> float:
    """Seconds until the linkage fires or the valve arrives; infinite where neither is under way."""
    arrives_s = meter.travel_left_s if meter.valve in ("closing", "opening") and not meter.stalled else math.inf
    return min(arrives_s, math.inf if meter.linkage_left_s is None else meter.linkage_left_s)


def _passed(meter: Meter, dt_s: float, demand_m3h: float, leak_m3h: float) -> Meter:
    """Lets gas flow for `dt_s` with the valve as it is, and the waiting times run."""
    wanted_m3h = demand_m3h + leak_m3h
    volume_m3 = _flow_m3h(meter, wanted_m3h) * dt_s / SECONDS_PER_HOUR
    waiting_s, credit_cny = meter.linkage_left_s, meter.credit_cny
    if volume_m3 == 0.0 and waiting_s is None and meter.travel_left_s == 0.0:
        return meter
    return replace(
        meter,
        index_m3=meter.index_m3 + volume_m3,
        leaked_m3=meter.leaked_m3 + (volume_m3 * leak_m3h / wanted_m3h if wanted_m3h > 0 else 0.0),
        travel_left_s=max(0.0, meter.travel_left_s - dt_s),
        linkage_left_s=None if waiting_s is None else max(0.0, waiting_s - dt_s),
        credit_cny=None if credit_cny is None else credit_cny - volume_m3 * meter.make.price_cny_m3,
    )


def _flow_m3h(meter: Meter, wanted_m3h: float) -> float:
    """Everything that is wanted passes unless the valve is fully closed; then only what it leaks by."""
    return min(wanted_m3h, meter.leaks_by_m3h) if meter.valve == "closed" else wanted_m3h


def _arrived(meter: Meter) -> Meter:
    """Ends a travel whose time is over. A stuck valve ends it in fault, where it passes as before; one that stalls does not end it."""
    if meter.travel_left_s > 0 or meter.valve not in ("closing", "opening") or meter.stalled:
        return meter
    if meter.make.stuck:
        return replace(meter, valve="fault")
    if meter.valve == "closing":
        return replace(meter, valve="closed")
    return replace(meter, valve="open", cause=None)
