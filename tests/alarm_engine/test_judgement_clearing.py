"""Does a room clear: the table row by row, and what must be true of every course of its methane."""

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarm_engine.judgement.clearing import CLEARING_TABLE, Room, Trend, after, before_the_meter, falls, seen, trend
from core.station import ClearingKnowledge, ProofKnowledge

SET_POINT = 10.0
values = st.lists(st.floats(0, 100), min_size=1, max_size=30)


def walk(course: list[float]) -> tuple[Room, bool]:
    room, rises = None, False
    for value in course:
        room, rises = seen(room, value, SET_POINT)
    assert room is not None
    return room, rises


def test_every_row_of_the_table_is_there() -> None:
    asked = {(said, now, late) for said in get_args(ClearingKnowledge) for now in get_args(Trend) for late in (False, True)}
    assert set(CLEARING_TABLE) == asked


@pytest.mark.parametrize(
    ("course", "clears"),
    [
        ([20.0], False),
        ([20.0, 17.0], False),
        ([20.0, 16.0], True),
        ([60.0, 40.0, 30.0], True),
        ([60.0, 40.0, 30.0, 33.0], True),  # the sensor's noise
        ([60.0, 40.0, 30.0, 36.0], False),
        ([12.0, 9.9], True),
        ([8.0], True),
        ([20.0, 30.0, 40.0], False),
    ],
)
def test_a_fifth_under_the_peak_and_at_its_lowest_or_below_the_set_point(course: list[float], clears: bool) -> None:
    assert falls(walk(course)[0], SET_POINT) is clears


def test_a_room_that_fills_again_rises_from_there() -> None:
    room, rises = walk([60.0, 20.0, 12.0, 16.0])
    assert rises
    assert room == Room(16.0, 16.0, 16.0)
    assert walk([60.0, 4.0, 5.1])[1] is False  # below the set-point it is noise


@given(course=values)
def test_over_the_set_point_and_rising_is_never_clearing(course: list[float]) -> None:
    for before, value in pairwise(course):
        if value > before * 1.25 and value >= SET_POINT:
            room, rises = walk(course[: course.index(value) + 1])
            if rises:
                assert not falls(room, SET_POINT)


@given(course=values)
def test_a_peak_and_a_lowest_are_what_they_are_called(course: list[float]) -> None:
    room, _ = walk(course)
    assert room.lowest <= room.last <= room.peak
    assert room.last == course[-1]


def test_every_room_must_fall() -> None:
    falling, filling = Room(50, 20, 20), Room(50, 50, 50)
    assert trend([falling, falling], SET_POINT, rises=False) == "falls"
    assert trend([falling, filling], SET_POINT, rises=False) == "neither"
    assert trend([falling], SET_POINT, rises=True) == "rises"
    assert trend([], SET_POINT, rises=False) == "neither"  # silence is not clearing


@given(said=st.sampled_from(get_args(ClearingKnowledge)), now=st.sampled_from(get_args(Trend)))
def test_not_clearing_is_said_only_when_its_time_is_over(said: ClearingKnowledge, now: Trend) -> None:
    assert said == "not_clearing" or after(said, now, late=False) != "not_clearing"
    assert (after(said, now, late=True) == "clearing") <= (now == "falls" or said == "clearing")


@pytest.mark.parametrize("proof", get_args(ProofKnowledge))
@pytest.mark.parametrize("clearing", get_args(ClearingKnowledge))
def test_a_leak_before_the_meter_is_suspected(proof: ProofKnowledge, clearing: ClearingKnowledge) -> None:
    assert before_the_meter(proof, clearing) == ((proof, clearing) in [("holds", "not_clearing"), ("not_provable", "not_clearing")])
