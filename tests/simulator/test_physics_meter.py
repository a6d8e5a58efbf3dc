"""A gas meter: the index only grows, the register shows whole steps, the valve takes its time and may fail."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics import appliances
from simulator.physics.meter import Meter, MeterMake, begin_close, begin_open, opens_by_key_alone, step, with_credit

flows_m3h = st.floats(0.0, 6.0)
times_s = st.floats(0.0, 600.0)
makes = st.builds(
    MeterMake,
    register_step_m3=st.sampled_from([0.001, 0.01, 0.1]),
    travel_s=st.sampled_from([0.0, 1.5, 3.0, 12.0]),
    linkage_delay_s=st.sampled_from([None, 0.0, 0.5, 4.0]),
    stuck=st.booleans(),
    stuck_tries=st.sampled_from([0, 0, 1, 2]),
    leak_by_m3h=st.sampled_from([0.0, 0.03, 0.5]),
    leak_by_tries=st.sampled_from([None, 1, 2]),
)
moves = st.tuples(st.sampled_from(["wait", "close", "open"]), times_s, flows_m3h, flows_m3h, st.booleans())


def lived(meter: Meter, move: tuple[str, float, float, float, bool]) -> Meter:
    what, dt_s, demand_m3h, leak_m3h, alarm = move
    if what == "close":
        meter = begin_close(meter, "command")
    elif what == "open":
        meter = begin_open(meter)
    return step(meter, dt_s, demand_m3h=demand_m3h, leak_m3h=leak_m3h, detector_alarm=alarm)


@given(makes, st.lists(moves, max_size=20))
def test_index_and_register_never_go_back_and_the_register_shows_whole_steps(
    make: MeterMake, life: list[tuple[str, float, float, float, bool]]
) -> None:
    meter = Meter(make, index_m3=1234.567)
    for move in life:
        later = lived(meter, move)
        assert later.index_m3 >= meter.index_m3
        assert later.leaked_m3 >= meter.leaked_m3
        assert later.register_m3 >= meter.register_m3
        steps = later.register_m3 / make.register_step_m3
        assert steps == pytest.approx(round(steps), abs=1e-6)
        assert -1e-6 <= later.index_m3 - later.register_m3 < make.register_step_m3 + 1e-6
        meter = later


@given(makes, moves, moves)
def test_a_step_may_be_cut_anywhere(
    make: MeterMake, before: tuple[str, float, float, float, bool], move: tuple[str, float, float, float, bool]
) -> None:
    meter = lived(Meter(make), before)
    _, dt_s, demand_m3h, leak_m3h, alarm = move
    whole = step(meter, dt_s, demand_m3h=demand_m3h, leak_m3h=leak_m3h, detector_alarm=alarm)
    half = meter
    for _ in range(2):
        half = step(half, dt_s / 2, demand_m3h=demand_m3h, leak_m3h=leak_m3h, detector_alarm=alarm)
    assert half.index_m3 == pytest.approx(whole.index_m3, abs=1e-9)
    assert half.leaked_m3 == pytest.approx(whole.leaked_m3, abs=1e-9)


@given(flows_m3h, flows_m3h, times_s)
def test_a_closed_valve_holds_the_index(demand_m3h: float, leak_m3h: float, dt_s: float) -> None:
    closed = step(begin_close(Meter(index_m3=5.0), "command"), 10.0)
    assert closed.valve == "closed"
    held = step(closed, dt_s, demand_m3h=demand_m3h, leak_m3h=leak_m3h)
    assert (held.index_m3, held.flow_m3h) == (5.0, 0.0)


def test_a_closing_valve_passes_gas_until_it_is_closed() -> None:
    closing = begin_close(Meter(MeterMake(travel_s=3.0)), "command")
    assert step(closing, 2.9, leak_m3h=3.6).valve == "closing"
    done = step(closing, 60.0, leak_m3h=3.6)
    assert done.valve == "closed"
    assert done.cause == "command"
    assert done.index_m3 == pytest.approx(0.003)
    assert done.leaked_m3 == pytest.approx(0.003)


def test_local_linkage_closes_after_its_delay_and_says_so() -> None:
    meter = Meter(MeterMake(linkage_delay_s=0.5, travel_s=3.0))
    assert step(meter, 0.4, detector_alarm=True).valve == "open"
    assert step(meter, 0.6, detector_alarm=True).valve == "closing"
    done = step(meter, 3.5, detector_alarm=True, demand_m3h=3.6)
    assert (done.valve, done.cause) == ("closed", "linkage")
    assert done.index_m3 == pytest.approx(0.0035)


def test_an_alarm_that_ends_before_the_delay_closes_nothing() -> None:
    meter = Meter(MeterMake(linkage_delay_s=2.0))
    waiting = step(meter, 1.0, detector_alarm=True)
    assert step(step(waiting, 1.0), 1.5, detector_alarm=True).valve == "open"


def test_without_local_linkage_the_detector_closes_nothing() -> None:
    assert step(Meter(MeterMake(linkage_delay_s=None)), 600.0, detector_alarm=True).valve == "open"


def test_a_second_close_keeps_the_first_cause() -> None:
    linked = step(Meter(), 10.0, detector_alarm=True)
    assert begin_close(linked, "command") == linked


def test_a_stuck_valve_ends_in_fault_and_still_passes() -> None:
    stuck = step(begin_close(Meter(MeterMake(stuck=True)), "command"), 10.0, leak_m3h=1.0)
    assert (stuck.valve, stuck.flow_m3h) == ("fault", 1.0)
    mended = replace(stuck, make=replace(stuck.make, stuck=False))
    assert step(begin_close(mended, "command"), 10.0, leak_m3h=1.0).valve == "closed"


def test_a_worn_valve_leaks_by_and_a_coarse_register_hides_it_for_twenty_minutes() -> None:
    worn = step(begin_close(Meter(MeterMake(register_step_m3=0.01, leak_by_m3h=0.03)), "command"), 3.0)
    assert step(worn, 1199.0, leak_m3h=1.0).register_m3 == 0.0
    shown = step(worn, 1201.0, leak_m3h=1.0)
    assert shown.register_m3 == 0.01
    assert shown.flow_m3h == pytest.approx(0.03)
    # Nothing draws: the pipe behind the valve fills and then nothing passes.
    assert step(worn, 1201.0).index_m3 == 0.0


@given(st.integers(1, 4))
def test_a_valve_that_stalls_is_on_its_way_for_ever_until_it_was_driven_often_enough(stuck_tries: int) -> None:
    meter = Meter(MeterMake(stuck_tries=stuck_tries))
    for _ in range(stuck_tries):
        meter = step(begin_close(meter, "command"), 3_600.0, leak_m3h=1.0)
        assert (meter.valve, meter.flow_m3h, meter.moving) == ("closing", 1.0, False)
    meter = step(begin_close(meter, "command"), 10.0, leak_m3h=1.0)
    assert (meter.valve, meter.flow_m3h) == ("closed", 0.0)


def test_a_close_during_the_travel_is_no_further_try() -> None:
    moving = step(begin_close(Meter(MeterMake(stuck_tries=1)), "command"), 1.0)
    assert begin_close(moving, "command") == moving


def test_a_worn_valve_is_seated_by_a_further_close_or_by_a_hand() -> None:
    make = MeterMake(leak_by_m3h=0.4, leak_by_tries=1)
    worn = step(begin_close(Meter(make), "command"), 10.0, leak_m3h=1.0)
    assert (worn.valve, worn.flow_m3h) == ("closed", 0.4)
    for cause in ("command", "manual"):
        seated = step(begin_close(worn, "command" if cause == "command" else "manual"), 10.0, leak_m3h=1.0)
        assert (seated.valve, seated.cause, seated.flow_m3h, seated.index_m3) == ("closed", "command", 0.0, worn.index_m3)


def test_a_hand_turns_what_a_motor_cannot() -> None:
    stalled = step(begin_close(Meter(MeterMake(stuck_tries=9)), "command"), 100.0)
    assert step(begin_close(stalled, "manual"), 10.0).valve == "closed"


def test_prepaid_gas_runs_out_closes_for_arrears_and_payment_alone_opens_nothing() -> None:
    meter = Meter(MeterMake(price_cny_m3=3.0), credit_cny=1.0)
    spent = step(meter, 3_600.0, demand_m3h=1.0)
    assert spent.credit_cny == pytest.approx(-2.0)
    closed = step(spent, 10.0, demand_m3h=1.0)
    assert (closed.valve, closed.cause, opens_by_key_alone(closed)) == ("closed", "arrears", False)
    paid = step(with_credit(closed, 50.0), 600.0, demand_m3h=1.0)
    assert (paid.valve, paid.credit_cny, opens_by_key_alone(paid)) == ("closed", 50.0, True)


def test_money_is_no_key_to_a_valve_that_a_leak_closed() -> None:
    linked = step(Meter(credit_cny=5.0), 10.0, detector_alarm=True)
    used_up = step(with_credit(linked, -1.0), 60.0, detector_alarm=True)
    assert (used_up.valve, used_up.cause) == ("closed", "linkage")
    assert opens_by_key_alone(with_credit(used_up, 100.0)) is False


def test_the_key_at_the_meter_opens_it_and_clears_the_cause() -> None:
    closed = step(begin_close(Meter(), "command"), 10.0)
    assert step(begin_open(closed), 10.0) == replace(closed, valve="open", cause=None)


def test_households_cook_at_mealtimes_sleep_at_night_and_repeat_from_a_seed() -> None:
    def day(seed: int) -> list[float]:
        use, rng, demand = appliances.Use(), random.Random(seed), [0.0] * 24
        for second in range(0, 86_400, 10):
            use = appliances.step(use, 10.0, second_of_day=second, rng=rng)
            demand[second // 3600] += use.demand_m3h * 10.0 / 3600
        return demand

    days = [day(seed) for seed in range(40)]
    by_hour = [math.fsum(hour) for hour in zip(*days, strict=True)]
    assert sum(by_hour[2:5]) < sum(by_hour[17:20]) / 20
    # A Chinese home that cooks and showers with gas burns roughly half a cubic metre to three a day.
    assert 0.5 < math.fsum(by_hour) / len(days) < 3.0
    assert day(7) == day(7) != day(8)
