"""kill -9 of dispatch and of the voice worker in the middle of a call, on a real database, a real broker and real SIP telephones.

After each: the people are reached, at least one call and exactly one order, no number rung again within the vendor's gap, and the
record complete (invariants 2 and 3).
"""

import asyncio
import itertools
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.station import OrderMessage
from deploy.embedded.testing import TestBroker, TestPostgres
from simulator.phones.exchange import PhoneExchange
from simulator.phones.lines import PhoneReport
from tests.dispatch.played import PATIENCE_S, Line, Records, forget_dispatch, order_message, the_line
from tests.dispatch.test_calling import reachable

ROOT = Path(__file__).resolve().parents[2]
GAP_S = 6.5
VENDOR_GAP_S = 6
"""Ours is longer by as much as the default of 65 s is longer than the vendor's minute: an INVITE takes its time."""
FIRST, SECOND = "8001", "8002"


@dataclass
class Town:
    """Dispatch and the voice worker as processes, the telephones, and what happened at them."""

    settings: dict[str, str]
    phones: PhoneExchange
    running: dict[str, Process] = field(default_factory=dict)
    heard: list[PhoneReport] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self, name: str) -> None:
        environment = os.environ | {f"GAS_SENTINEL_{key}": value for key, value in self.settings.items()}
        self.running[name] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", name, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL
        )

    async def kill(self, *names: str) -> None:
        for name in names:
            self.running[name].send_signal(signal.SIGKILL)
        for name in names:
            await self.running.pop(name).wait()

    async def listen(self) -> None:
        async for report in self.phones.events():
            async with self.changed:
                self.heard.append(report)
                self.changed.notify_all()

    def at(self, number: str, event: str) -> list[PhoneReport]:
        return [report for report in self.heard if report.number == number and report.event == event]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(3 * PATIENCE_S), self.changed:
            await self.changed.wait_for(condition)

    async def rung(self, number: str, event: str, times: int = 1) -> None:
        await self.until(lambda: len(self.at(number, event)) >= times)


@pytest.fixture
async def town(database: str, broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    await forget_dispatch(broker)
    with tempfile.TemporaryDirectory() as folder:
        async with PhoneExchange() as phones:
            settings = {
                "MQTT_HOST": broker.host,
                "MQTT_PORT": str(broker.port),
                "MQTT_USERNAME": "dispatch",
                "MQTT_PASSWORD": broker.accounts["dispatch"],
                "POSTGRES_DSN": database,
                "VOICE_SOCKET": f"{folder}/voice.sock",
                "SIM_SIP_PROXY": phones.listen,
                "STATE_DIR": str(tmp_path / "state"),
                "CALL_AGAIN_AFTER_S": str(GAP_S),
                "CALL_BREATH_S": "1",
                "LOG_LEVEL": "warning",
            }
            town = Town(settings, phones)
            listening = asyncio.ensure_future(town.listen())
            yield town
            await town.kill(*town.running)
            listening.cancel()


@pytest.fixture
async def line(broker: TestBroker) -> AsyncIterator[Line]:
    async with the_line(broker) as said:
        yield said


@pytest.fixture
def records(database: str) -> Records:
    return Records(database)


def leak() -> OrderMessage:
    now_ms = SystemClock().now_ms()
    return order_message(at_ms=now_ms, received_ms=now_ms)


async def said_until_rung(town: Town, line: Line, message: OrderMessage, number: str, event: str) -> None:
    """The line repeats its message until dispatch has it; here, until the phone says so."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while not town.at(number, event):
            line.say(message)
            await asyncio.sleep(0.5)


async def the_whole_record(records: Records, line: Line, message: OrderMessage, outcomes: list[str]) -> None:
    """One order with its crew, and every call with its end."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while message.message_id not in line.taken:
            line.say(message)
            await asyncio.sleep(0.5)
    rows = await records.until(
        "SELECT outcome FROM calls ORDER BY attempt", enough=lambda found: [row["outcome"] for row in found] == outcomes
    )
    assert [row["outcome"] for row in rows] == outcomes
    (order,) = await records.rows("SELECT * FROM work_orders")
    assert (order["state"], order["crew_id"], order["incident_id"]) == ("assigned", "C1", message.incident_id)


def gaps_hold(town: Town, number: str) -> None:
    rung = [report.at_ms for report in town.at(number, "ringing")]
    assert all(later - earlier >= VENDOR_GAP_S * 1000 for earlier, later in itertools.pairwise(rung)), rung


async def test_dispatch_killed_in_mid_call_with_the_database_away_goes_on_without_it(
    town: Town, line: Line, records: Records, postgres: TestPostgres, database: str
) -> None:
    await records.crew("C1")
    await reachable(postgres, database, "false")
    await town.phones.set_behaviour(FIRST, "busy", rings_s=0)
    await town.phones.set_behaviour(SECOND, "presses_1", rings_s=0.2, listens_s=8)
    await town.start("dispatch.voice")
    await town.start("dispatch")
    message = leak()
    await said_until_rung(town, line, message, SECOND, "answered")
    await town.kill("dispatch")
    await town.start("dispatch")  # the database is still away
    await town.rung(SECOND, "pressed")
    await reachable(postgres, database, "true")
    await the_whole_record(records, line, message, ["busy", "confirmed"])
    assert [len(town.at(number, event)) for number, event in ((FIRST, "refused"), (SECOND, "ringing"), (SECOND, "pressed"))] == [1, 1, 1]


async def test_dispatch_and_voice_killed_in_mid_call_with_the_database_away_ring_again_after_the_gap(
    town: Town, line: Line, records: Records, postgres: TestPostgres, database: str
) -> None:
    await records.crew("C1")
    await reachable(postgres, database, "false")
    await town.phones.set_behaviour(FIRST, "busy", rings_s=0)
    await town.phones.set_behaviour(SECOND, "listens", rings_s=0.2)
    await town.start("dispatch.voice")
    await town.start("dispatch")
    message = leak()
    await said_until_rung(town, line, message, SECOND, "answered")
    await town.kill("dispatch", "dispatch.voice")
    await town.phones.set_behaviour(SECOND, "presses_1", rings_s=0.2, listens_s=1)
    await town.start("dispatch.voice")
    await town.start("dispatch")
    await town.rung(SECOND, "pressed")  # without the line having to say it again, and without the database
    gaps_hold(town, SECOND)
    await reachable(postgres, database, "true")
    async with asyncio.timeout(3 * PATIENCE_S):
        while message.message_id not in line.taken:
            line.say(message)
            await asyncio.sleep(0.5)
    calls = await records.until(
        "SELECT address, outcome FROM calls ORDER BY attempt", enough=lambda rows: rows[-1:] != [] and rows[-1]["outcome"] == "confirmed"
    )
    assert [call["outcome"] for call in calls][:2] == ["busy", "worker_lost"]
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_the_voice_worker_killed_in_mid_call_rings_again_after_the_gap(town: Town, line: Line, records: Records) -> None:
    await records.crew("C1")
    await town.phones.set_behaviour(FIRST, "listens", rings_s=0.2)
    await town.phones.set_behaviour(SECOND, "busy", rings_s=0)
    await town.start("dispatch.voice")
    await town.start("dispatch")
    message = leak()
    await said_until_rung(town, line, message, FIRST, "answered")
    await town.kill("dispatch.voice")
    await town.phones.set_behaviour(FIRST, "presses_1", rings_s=0.2, listens_s=1)
    await town.start("dispatch.voice")
    await town.rung(FIRST, "pressed")
    gaps_hold(town, FIRST)
    await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'")
    outcomes = [row["outcome"] for row in await records.rows("SELECT outcome FROM calls ORDER BY attempt")]
    assert (outcomes[0], outcomes[-1]) == ("worker_lost", "confirmed")
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


@pytest.mark.parametrize("killed", ["dispatch", "dispatch.voice"])
async def test_a_kill_before_anything_is_answered_loses_no_home(killed: str, town: Town, line: Line, records: Records) -> None:
    await records.crew("C1")
    for number in (FIRST, SECOND):
        await town.phones.set_behaviour(number, "presses_1", rings_s=1, listens_s=1)
    await town.start("dispatch.voice")
    await town.start("dispatch")
    message = leak()
    await said_until_rung(town, line, message, FIRST, "ringing")
    await town.kill(killed)
    await town.start(killed)
    await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'")
    await records.until("SELECT 1 FROM work_orders WHERE crew_id = 'C1'")
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1
    gaps_hold(town, FIRST)
