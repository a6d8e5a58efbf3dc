"""The machine's clock as the platform tells it: it never goes back, and never stands still."""

from itertools import pairwise

import pytest

from core.clock import SystemClock

HOUR_MS = 3_600_000
START_MS = 1_775_000_000_000


class Machine:
    """The two clocks of a machine, moved by hand."""

    def __init__(self) -> None:
        self.wall_ms, self.steady_ms = START_MS, 50_000

    def clock(self, rate: float = 1.0) -> SystemClock:
        return SystemClock(rate, wall=lambda: self.wall_ms * 1_000_000, steady=lambda: self.steady_ms * 1_000_000)

    def pass_ms(self, milliseconds: int) -> None:
        self.wall_ms += milliseconds
        self.steady_ms += milliseconds

    def told(self, clock: SystemClock, times: int, every_ms: int) -> list[int]:
        """What the clock tells, asked so often."""
        found = []
        for _ in range(times):
            self.pass_ms(every_ms)
            found.append(clock.now_ms())
        return found


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_is_the_machines_own_clock(machine: Machine) -> None:
    clock = machine.clock()
    assert machine.told(clock, 3, 1_000) == [START_MS + 1_000, START_MS + 2_000, START_MS + 3_000]


@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_set_back_it_goes_on_slower_until_it_has_caught_up(machine: Machine, rate: float) -> None:
    clock = machine.clock(rate)
    machine.pass_ms(10_000)
    before = clock.now_ms()
    machine.wall_ms -= HOUR_MS
    told = machine.told(clock, 12 * 60, 60_000)
    assert before < told[0]
    assert {later - earlier for earlier, later in pairwise(told)} <= set(range(int(52_500 * rate), int(60_000 * rate) + 1))
    assert told[0] - before == int(52_500 * rate)
    # Eight hours later it is the machine's again.
    assert told[-1] == START_MS + int((machine.wall_ms - START_MS) * rate)


def test_how_often_it_is_asked_makes_no_difference(machine: Machine) -> None:
    often, seldom = machine.clock(), machine.clock()
    machine.wall_ms -= HOUR_MS
    for _ in range(8):
        machine.pass_ms(1_000)
        often.now_ms()
    assert often.now_ms() == seldom.now_ms() == START_MS + 7_000


@pytest.mark.parametrize("step_ms", [HOUR_MS, 40 * HOUR_MS, -3 * HOUR_MS], ids=["forward", "far forward", "far back"])
def test_set_forward_or_far_back_it_follows_at_once(machine: Machine, step_ms: int) -> None:
    clock = machine.clock()
    machine.wall_ms += step_ms
    assert clock.now_ms() == START_MS + step_ms
