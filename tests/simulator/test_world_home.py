"""One home's rooms: what stops a leak before the meter and behind it, and how a home is made otherwise."""

from dataclasses import replace

import pytest

from simulator.world.home import SimulatedHome, Traits
from tests.simulator.town_stage import plan

NOW = 1_775_000_000_000
QUIET = Traits(noise_lel=0.0, demand_m3h=0.0)


def home(traits: Traits = QUIET) -> SimulatedHome:
    return SimulatedHome(plan(1), traits, 7)


def lived(home: SimulatedHome, seconds: int) -> float:
    """Seconds pass; returns what the room holds then, %LEL."""
    for _ in range(seconds):
        home.step(1.0, NOW)
    return home.air.ch4_lel


def test_a_leak_behind_the_meter_is_stopped_by_its_valve() -> None:
    kitchen = home()
    kitchen.begin_leak(0.8)
    full = lived(kitchen, 900)
    assert kitchen.valve == "closed"
    assert lived(kitchen, 900) < full


def test_a_leak_before_the_meter_is_stopped_by_the_riser_alone_and_the_index_stands_still() -> None:
    kitchen = home(replace(QUIET, before_meter=True))
    assert kitchen.meter is not None
    index_m3 = kitchen.meter.index_m3
    kitchen.begin_leak(0.8)
    full = lived(kitchen, 900)
    assert kitchen.valve == "closed"
    assert lived(kitchen, 900) > full
    assert kitchen.meter.index_m3 == index_m3
    kitchen.close_riser()
    assert kitchen.riser_closed
    fallen = lived(kitchen, 900)
    assert fallen < lived(replace_riser(kitchen), 900)


def replace_riser(home: SimulatedHome) -> SimulatedHome:
    home.riser_open = True
    return home


def test_a_repaired_home_has_its_riser_open_and_no_leak() -> None:
    kitchen = home(replace(QUIET, before_meter=True))
    kitchen.begin_leak(0.8)
    kitchen.close_riser()
    kitchen.repair()
    assert (kitchen.leaks, kitchen.riser_closed) == (False, False)


def test_with_the_riser_closed_nothing_is_burnt() -> None:
    kitchen = home(replace(QUIET, demand_m3h=1.0))
    assert kitchen.meter is not None
    lived(kitchen, 60)
    burnt = kitchen.meter.index_m3
    kitchen.close_riser()
    lived(kitchen, 60)
    assert kitchen.meter.index_m3 == burnt
    assert kitchen.meter.flow_m3h == 0.0


def test_an_unplugged_detector_alarms_nobody_and_closes_no_valve() -> None:
    kitchen = home()
    kitchen.unplug("D1")
    kitchen.begin_leak(0.8)
    lived(kitchen, 1_800)
    assert (kitchen.alarmed, kitchen.valve) == (False, "open")
    kitchen.plug_in("D1")
    lived(kitchen, 60)
    assert (kitchen.alarmed, kitchen.valve) == (True, "closed")


def test_a_home_made_otherwise_begins_its_tries_anew() -> None:
    kitchen = home(replace(QUIET, stuck_tries=1))
    kitchen.close_valve("command")
    kitchen.fit(replace(QUIET, stuck_tries=2, credit_cny=4.0))
    assert kitchen.meter is not None
    assert (kitchen.meter.tries, kitchen.meter.make.stuck_tries, kitchen.meter.credit_cny) == (0, 2, 4.0)


@pytest.mark.parametrize("leak_m3h", [0.4, 0.9])
def test_the_time_to_the_alarm_is_foreseen_for_either_leak(leak_m3h: float) -> None:
    behind, before = home(), home(replace(QUIET, before_meter=True))
    behind.begin_leak(leak_m3h)
    before.begin_leak(leak_m3h)
    assert behind.seconds_to_alarm() == before.seconds_to_alarm() is not None
