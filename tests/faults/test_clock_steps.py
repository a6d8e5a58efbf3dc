"""Clocks that step: the server's by an hour either way in the middle of a leak, and devices a year off.

Durations go by the monotonic clock, numbers of orders only ever grow, and what a device's clock says never stands between a leak and its
close.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from deploy.embedded.testing import TestBroker
from gateway.station import Line
from tests.gateway.line_stage import Town, forget_sessions, until

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS


class SteppedClock(SystemClock):
    """The machine's clock as an operator or NTP sets it: the wall clock steps, the monotonic one does not."""

    stepped_ms = 0

    def __init__(self) -> None:
        super().__init__(wall=lambda: time.time_ns() + self.stepped_ms * 1_000_000)


class SteppedTown(Town):
    """A town whose line runs by such a clock."""

    def begin(self) -> None:
        self.clock = SteppedClock()
        self._stop = asyncio.Event()
        self.line = Line(self.settings(), self.clock)
        self._task = asyncio.create_task(self.line.run(self._stop))


@pytest.fixture
async def town(database: str, broker: TestBroker, tmp_path: Path) -> AsyncIterator[SteppedTown]:
    await asyncio.to_thread(forget_sessions, broker)
    found = SteppedTown(database, broker, tmp_path, tmp_path / "state")
    yield found
    await found.close()
    await asyncio.to_thread(forget_sessions, broker)


@pytest.mark.parametrize("step_ms", [-HOUR_MS, HOUR_MS], ids=["back", "forward"])
async def test_the_servers_clock_steps_while_a_leak_is_open(town: SteppedTown, step_ms: int) -> None:
    town.enlist(2)
    await town.start()
    detector, meter = town.home(1)
    item = await detector.leak()
    first = await meter.command()
    await detector.promised(item)
    town.clock.stepped_ms = step_ms
    said = len(meter.closes)
    # It is said again at its pace, whatever the wall clock says: the same command with its own number.
    await until(lambda: len(meter.closes) >= said + 2, "two more re-sends")
    assert {(command.command_id, command.order_no) for command in meter.closes} == {(first.command_id, first.order_no)}
    # A refusal makes a new attempt, and its number is higher although it may be earlier by the clock.
    await meter.answer(first, "rejected", "open")
    await until(lambda: meter.closes[-1].command_id != first.command_id, "the next attempt")
    second = meter.closes[-1]
    assert second.order_no > first.order_no
    await meter.answer(second, "done", "closed")
    await town.incident(1, "reported_closed")
    # A leak after the step is a leak like any other.
    other, its_meter = town.home(2)
    later = await other.leak()
    third = await its_meter.command()
    await other.promised(later)
    await its_meter.answer(third, "done", "closed")
    await town.incident(2, "reported_closed")
    assert len(await town.rows("SELECT 1 FROM incidents")) == 2
    assert await town.rows("SELECT 1 FROM commands WHERE command = 'open_valve'") == []


async def test_a_line_that_starts_with_its_clock_set_back_goes_on_counting(town: SteppedTown) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    item = await detector.leak()
    first = await meter.command()
    await detector.promised(item)
    await town.crash()
    town.begin()
    town.clock.stepped_ms = -HOUR_MS
    await town.healthy()
    said = len(meter.closes)
    await until(lambda: len(meter.closes) > said, "its close is said again")
    assert {(command.command_id, command.order_no) for command in meter.closes} == {(first.command_id, first.order_no)}
    await meter.answer(first, "rejected", "open")
    await until(lambda: meter.closes[-1].command_id != first.command_id, "the next attempt")
    assert meter.closes[-1].order_no > first.order_no
    await meter.answer(meter.closes[-1], "done", "closed")
    await town.incident(1, "reported_closed")


@pytest.mark.parametrize("off_ms", [-YEAR_MS, YEAR_MS], ids=["a_year_behind", "a_year_ahead"])
async def test_a_device_a_year_off_leaks_and_is_closed(town: SteppedTown, off_ms: int) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    item = detector.item(event="leak", ch4_lel=21.5)
    item["ts"] = town.clock.now_ms() + off_ms
    await detector.up("alarm", item)
    command = await meter.command()
    await detector.promised(item)
    alarm = await town.row("SELECT * FROM alarms WHERE device_id = %s", detector.account)
    assert (alarm["ts"], alarm["verdict"]) == (item["ts"], "leak"), alarm
    assert "clock_out_of_range" in alarm["defects"]
    # The meter's clock is off as well: its answer counts all the same.
    await meter.up(
        "ack",
        {
            **meter.item(device_id=meter.account, command_id=str(command.command_id), order_no=command.order_no),
            "ts": town.clock.now_ms() + off_ms,
            "incident_id": str(command.incident_id),
            "command": "close_valve",
            "result": "done",
            "valve": "closed",
        },
    )
    await town.incident(1, "reported_closed")
    assert len(await town.rows("SELECT 1 FROM incidents")) == 1
