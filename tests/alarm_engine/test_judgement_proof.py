"""Does a valve hold: the table row by row, and what must be true of every register and every leak-by."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarm_engine.judgement.proof import PROOF_TABLE, Index, Moved, Verdict, Watched, flowed_before, judge, moved, watched, window_s

STEP, LEAK_BY = 0.01, 0.03
WINDOW = window_s(STEP, LEAK_BY)


def index(volume: float, second: float, *, received: float | None = None) -> Index:
    return Index(volume, int(second * 1000), int((second if received is None else received) * 1000))


def test_every_row_of_the_table_is_there() -> None:
    assert set(PROOF_TABLE) == {(far, long) for far in get_args(Moved) for long in get_args(Watched)}
    assert set(PROOF_TABLE.values()) | {"not_provable"} == set(get_args(Verdict))


@pytest.mark.parametrize(
    ("volume", "seconds", "flowed", "verdict"),
    [
        (5.00, 1199, None, "wait"),
        (5.00, 1200, None, "not_provable"),
        (5.00, 1200, True, "holds"),
        (5.00, 0, False, "not_provable"),
        (5.00, 9999, False, "not_provable"),
        (5.01, 1199, True, "wait"),
        (5.01, 1200, True, "wait"),
        (5.01, 2399, None, "wait"),
        (5.01, 2400, None, "holds"),
        (5.01, 2400, False, "holds"),
        (5.02, 5, None, "flows"),
        (5.02, 5, False, "flows"),
        (9.00, 99_999, True, "flows"),
        (4.98, 10, True, "begin_again"),
        (0.00, 5000, None, "begin_again"),
    ],
)
def test_what_the_index_says(volume: float, seconds: float, flowed: bool | None, verdict: Verdict) -> None:
    assert judge(index(5.0, 0), index(volume, seconds), STEP, WINDOW, flowed) == verdict


def test_the_window_is_what_register_and_leak_by_require() -> None:
    assert WINDOW == 1200.0  # 10 litres hide 30 l/h for twenty minutes
    assert window_s(0.001, 0.03) == 120.0
    assert window_s(0.0001, 0.03) == 60.0
    assert window_s(0.1, 0.03) == pytest.approx(12_000.0)
    assert window_s(0.01, 0.03, 0.05) == pytest.approx(60.0)


def test_the_clock_that_says_less_counts() -> None:
    """A step of either clock never makes the watch look longer than it was."""
    assert watched(index(5, 0), index(5, 9000, received=10), WINDOW) == "short"
    assert watched(index(5, 0), index(5, 10, received=9000), WINDOW) == "short"
    assert watched(index(5, 0), index(5, 1300), WINDOW) == "window"
    assert watched(index(5, 0), index(5, 2400), WINDOW) == "twice"


steps = st.sampled_from([0.001, 0.01, 0.1, 1.0])


@given(step=steps, start=st.floats(0, 0.999), leak=st.floats(0.03, 5.0), later=st.floats(0, 3))
def test_a_leak_by_that_shall_be_seen_is_never_said_to_hold(step: float, start: float, leak: float, later: float) -> None:
    """Whatever the register had not shown yet, and whenever it is read: never *holds*, and at last *flows*."""
    window = window_s(step, LEAK_BY)

    def shown(hours: float) -> float:
        return math.floor(start + leak * hours / step + 1e-9) * step

    seconds = window * later
    first = Index(shown(0.0), 0, 0)
    assert judge(first, Index(shown(seconds / 3600), int(seconds * 1000), int(seconds * 1000)), step, window, None) != "holds"
    end = window * 2.01
    assert judge(first, Index(shown(end / 3600), int(end * 1000), int(end * 1000)), step, window, None) == "flows"


@given(step=steps, rest=st.floats(0, 1), later=st.floats(0, 10))
def test_a_valve_that_shuts_is_never_said_to_leak(step: float, rest: float, later: float) -> None:
    """What the register had not shown yet is one step at most."""
    window = window_s(step, LEAK_BY)
    at = int(window * later * 1000)
    assert judge(Index(7 * step, 0, 0), Index((7 + round(rest)) * step, at, at), step, window, None) in ("wait", "holds", "not_provable")


@given(step=steps, before=st.floats(0, 1e5), after=st.floats(0, 1e5))
def test_how_far_is_told_for_any_index(step: float, before: float, after: float) -> None:
    assert (moved(Index(before, 0, 0), Index(after, 0, 0), step) == "beyond") == (after - before > step * (1 + 1e-6))


@pytest.mark.parametrize(
    ("flow", "still_since", "first", "closed", "flowed"),
    [
        (0.4, None, 5000, 4000, True),
        (0.0, None, 5000, 4000, None),
        (None, 0, 5000, 4000, None),
        (0.0, 5000, 5000, 4000, True),  # the index moved between the last reading and the first one after
        (0.0, 3000, 5000, 4000, None),  # not watched for a window before
        (0.0, 0, 1_300_000, 1_200_000, False),
        (0.0, 1, 1_300_000, 1_200_000, None),
    ],
)
def test_whether_gas_flowed_before(flow: float | None, still_since: int | None, first: int, closed: int, flowed: bool | None) -> None:
    assert flowed_before(flow, still_since, first, closed, WINDOW) is flowed
