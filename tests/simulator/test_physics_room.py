"""A room fills towards its steady state, clears when aired, and does not care how its time is cut into steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.room import RoomAir, seconds_to_lel, steady_percent_vol, step

volumes_m3 = st.floats(3.0, 200.0)
leaks_m3h = st.floats(0.0, 8.0)
airings_ach = st.floats(0.0, 20.0)
shares = st.floats(0.0, 100.0)
times_s = st.floats(0.0, 7200.0)


@given(volumes_m3, shares, leaks_m3h, airings_ach, times_s, times_s)
def test_one_long_step_equals_two_short_ones(
    volume_m3: float, share: float, leak_m3h: float, ach: float, first_s: float, second_s: float
) -> None:
    air = RoomAir(volume_m3, share)
    at_once = step(air, first_s + second_s, leak_m3h=leak_m3h, ventilation_ach=ach)
    between = step(air, first_s, leak_m3h=leak_m3h, ventilation_ach=ach)
    in_two = step(between, second_s, leak_m3h=leak_m3h, ventilation_ach=ach)
    assert in_two.ch4_percent_vol == pytest.approx(at_once.ch4_percent_vol, rel=1e-9, abs=1e-9)


@given(volumes_m3, shares, leaks_m3h, airings_ach, times_s)
def test_the_room_moves_towards_its_steady_state_and_never_past_it(
    volume_m3: float, share: float, leak_m3h: float, ach: float, time_s: float
) -> None:
    air = RoomAir(volume_m3, share)
    steady = steady_percent_vol(volume_m3, leak_m3h=leak_m3h, ventilation_ach=ach)
    later = step(air, time_s, leak_m3h=leak_m3h, ventilation_ach=ach).ch4_percent_vol
    if leak_m3h == 0.0 and ach == 0.0:
        assert later == share
    else:
        low, high = sorted((share, steady))
        assert low - 1e-9 <= later <= high + 1e-9


@given(volumes_m3, st.floats(0.01, 8.0), st.floats(0.1, 20.0))
def test_left_alone_long_enough_a_leaking_room_reaches_its_steady_state(volume_m3: float, leak_m3h: float, ach: float) -> None:
    steady = steady_percent_vol(volume_m3, leak_m3h=leak_m3h, ventilation_ach=ach)
    later = step(RoomAir(volume_m3), 40 * 3600 / ach, leak_m3h=leak_m3h, ventilation_ach=ach)
    assert later.ch4_percent_vol == pytest.approx(steady, rel=1e-6)


@given(volumes_m3, st.floats(0.1, 100.0), st.floats(0.5, 20.0))
def test_an_aired_room_clears_once_the_gas_is_off(volume_m3: float, share: float, ach: float) -> None:
    cleared = step(RoomAir(volume_m3, share), 20 * 3600 / ach, leak_m3h=0.0, ventilation_ach=ach)
    assert cleared.ch4_lel < 0.001


def test_a_kitchen_of_20_m3_with_a_1_m3h_leak_reaches_the_set_point_in_six_minutes() -> None:
    kitchen = RoomAir(20.0)
    due_s = seconds_to_lel(kitchen, 10.0, leak_m3h=1.0, ventilation_ach=0.5)
    assert due_s is not None
    assert due_s == pytest.approx(370, abs=10)
    assert step(kitchen, due_s, leak_m3h=1.0, ventilation_ach=0.5).ch4_lel == pytest.approx(10.0)


def test_a_level_that_is_never_reached_has_no_time() -> None:
    assert seconds_to_lel(RoomAir(20.0), 10.0, leak_m3h=0.001, ventilation_ach=5.0) is None
    assert seconds_to_lel(RoomAir(20.0, 0.4), 10.0, leak_m3h=0.0, ventilation_ach=5.0) is None
    assert seconds_to_lel(RoomAir(20.0, 0.4), 10.0, leak_m3h=0.0, ventilation_ach=0.0) is None


@pytest.mark.parametrize(("dt_s", "leak", "ach"), [(-1.0, 0.0, 0.0), (1.0, -0.1, 0.0), (1.0, 0.0, -0.1)])
def test_negative_inputs_are_refused(dt_s: float, leak: float, ach: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        step(RoomAir(20.0), dt_s, leak_m3h=leak, ventilation_ach=ach)


def test_a_room_without_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="volume"):
        RoomAir(0.0)
