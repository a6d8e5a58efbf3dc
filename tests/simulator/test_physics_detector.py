"""A laser detector: it lags as its T90 says, its noise is bounded, and its states follow the contract."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import DetectorState
from simulator.physics.detector import Detector, DetectorMake, begin_self_test, power_off, power_on, step, with_fault

QUIET = DetectorMake(noise_lel=0.0)
WATCHING = Detector(QUIET, state="normal", on_for_s=3600.0)


def after(detector: Detector, seconds: int, room_lel: float, seed: int = 1) -> Detector:
    rng = random.Random(seed)
    for _ in range(seconds):
        detector = step(detector, 1.0, room_lel=room_lel, rng=rng)
    return detector


def test_after_t90_it_shows_nine_tenths_of_a_jump() -> None:
    shown = step(WATCHING, QUIET.t90_s, room_lel=50.0, rng=random.Random(1))
    assert shown.ch4_lel == pytest.approx(45.0)


@given(st.lists(st.tuples(st.floats(0.1, 120.0), st.floats(0.0, 100.0)), min_size=1, max_size=30))
def test_the_cell_never_overtakes_the_room(steps: list[tuple[float, float]]) -> None:
    detector, rng = WATCHING, random.Random(1)
    for dt_s, room_lel in steps:
        before = detector.cell_lel
        detector = step(detector, dt_s, room_lel=room_lel, rng=rng)
        low, high = sorted((before, room_lel))
        assert low - 1e-9 <= detector.cell_lel <= high + 1e-9
        # What is left of the jump is exactly what the first-order lag leaves.
        left = 10.0 ** (-dt_s / QUIET.t90_s)
        assert detector.cell_lel - room_lel == pytest.approx((before - room_lel) * left, abs=1e-6)


@given(st.floats(0.1, 60.0), st.floats(0.1, 60.0), st.floats(0.0, 100.0))
def test_lag_does_not_depend_on_how_time_is_cut(first_s: float, second_s: float, room_lel: float) -> None:
    rng = random.Random(1)
    at_once = step(WATCHING, first_s + second_s, room_lel=room_lel, rng=rng)
    in_two = step(step(WATCHING, first_s, room_lel=room_lel, rng=rng), second_s, room_lel=room_lel, rng=rng)
    assert in_two.cell_lel == pytest.approx(at_once.cell_lel, abs=1e-9)


@given(st.integers(0, 2**32), st.floats(0.0, 8.5))
def test_noise_never_carries_a_room_below_the_set_point_over_it(seed: int, room_lel: float) -> None:
    noisy = DetectorMake(noise_lel=2.0, noise_limit_lel=1.4)
    detector, rng = Detector(noisy, state="normal", on_for_s=3600.0), random.Random(seed)
    for _ in range(300):
        detector = step(detector, 1.0, room_lel=room_lel, rng=rng)
        assert detector.ch4_lel < noisy.set_point_lel
        assert detector.state != "alarm"


@given(st.integers(0, 2**32))
def test_the_same_seed_reads_the_same(seed: int) -> None:
    assert after(Detector(), 60, 3.0, seed) == after(Detector(), 60, 3.0, seed)


def test_story_of_a_leak_preheat_normal_warning_alarm_and_back() -> None:
    seen: list[DetectorState] = []
    detector, rng = Detector(QUIET), random.Random(1)
    for room_lel, seconds in ((0.0, 40), (30.0, 60), (0.0, 120)):
        for _ in range(seconds):
            detector = step(detector, 1.0, room_lel=room_lel, rng=rng)
            if not seen or seen[-1] != detector.state:
                seen.append(detector.state)
    assert seen == ["preheat", "normal", "warning", "alarm", "warning", "normal"]


def test_an_alarm_ends_only_below_the_set_point_less_the_hysteresis() -> None:
    alarmed = replace(WATCHING, state="alarm", cell_lel=9.5)
    assert after(alarmed, 1, 9.5).state == "alarm"
    assert after(replace(alarmed, cell_lel=8.9), 1, 8.9).state == "warning"


@pytest.mark.parametrize(
    ("detector", "state"),
    [
        (Detector(QUIET), "preheat"),
        (with_fault(WATCHING, True), "fault"),
        (replace(WATCHING, age_s=QUIET.life_s), "end_of_life"),
        (begin_self_test(WATCHING), "self_test"),
    ],
)
def test_what_hides_its_view_is_shown_whatever_the_gas(detector: Detector, state: DetectorState) -> None:
    assert after(detector, 2, 80.0).state == state


def test_a_self_test_ends_and_the_gas_is_judged_again() -> None:
    assert after(begin_self_test(WATCHING), 6, 80.0).state == "alarm"


def test_a_detector_in_preheat_starts_no_self_test() -> None:
    assert begin_self_test(Detector(QUIET)) == Detector(QUIET)


def test_unplugged_it_shows_its_last_reading_and_preheats_when_plugged_in() -> None:
    dark = after(power_off(WATCHING), 60, 50.0)
    assert dark.ch4_lel == 0.0
    lit = power_on(dark)
    assert lit.state == "preheat"
    assert after(lit, 29, 50.0).state == "preheat"
    assert after(lit, 30, 50.0).state == "alarm"


def test_what_it_shows_ends_at_its_full_scale() -> None:
    assert after(WATCHING, 120, 900.0).ch4_lel == QUIET.full_scale_lel


@pytest.mark.parametrize("wrong", [{"warning_lel": 11.0}, {"hysteresis_lel": 5.0}, {"t90_s": 0.0}, {"noise_lel": -1.0}])
def test_an_impossible_make_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"need|must|cannot"):
        DetectorMake(**wrong)
