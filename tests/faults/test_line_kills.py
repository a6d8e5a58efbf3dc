"""kill -9 of the line at every step from the close to the acknowledgement: no incident lost, none doubled, the home closed and ordered."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.embedded.testing import TestBroker
from tests.faults.line_that_dies import STEPS
from tests.gateway.line_stage import WAIT_S, Town, forget_sessions, until

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("line_that_dies.py")


class LineProcess:
    """The line in a process of its own."""

    def __init__(self, town: Town, step: str, log: Path) -> None:
        settings = town.settings()
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), step],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "GAS_SENTINEL_MQTT_HOST": settings.mqtt_host,
                "GAS_SENTINEL_MQTT_PORT": str(settings.mqtt_port),
                "GAS_SENTINEL_MQTT_USERNAME": "line",
                "GAS_SENTINEL_MQTT_PASSWORD": settings.mqtt_password.get_secret_value(),
                "GAS_SENTINEL_POSTGRES_DSN": town.dsn,
                "GAS_SENTINEL_STATE_DIR": settings.state_dir,
            },
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    async def died(self) -> int:
        return await asyncio.wait_for(asyncio.to_thread(self.process.wait), WAIT_S)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()


@pytest.fixture
async def town(database: str, broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    await asyncio.to_thread(forget_sessions, broker)
    found = Town(database, broker, tmp_path, tmp_path / "state")
    yield found
    await found.close()
    await asyncio.to_thread(forget_sessions, broker)


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at(town: Town, tmp_path: Path, step: str) -> None:
    town.enlist(2)
    detector, meter = town.home(1)
    dispatch = town.dispatch()
    processes = [LineProcess(town, step, tmp_path / "line.log")]
    try:
        # The broker keeps what is published before the line is there; its session must exist first.
        await until(lambda: b'"connected": true' in (tmp_path / "line.log").read_bytes(), "the line listens")
        item = await detector.leak()
        assert await processes[0].died() == -9
        await meter.command()
        processes.append(LineProcess(town, "none", tmp_path / "line.log"))
        await detector.promised(item)
        # Once the line has it, a repeat of the device changes nothing.
        await detector.up("alarm", item)
        await detector.promised(item, 2)
        order = await dispatch.order(town.own("H", 1))
        incident = await town.incident(1)
        assert {command.incident_id for command in meter.closes} == {order.incident_id} == {incident["incident_id"]}
        assert len({command.command_id for command in meter.closes}) == 1
        await meter.answer(meter.closes[-1], "done", "closed")
        await town.incident(1, "reported_closed")
        assert len(await town.rows("SELECT 1 FROM incidents")) == 1
        assert len(await town.rows("SELECT 1 FROM alarms")) == 1
        assert len(await town.rows("SELECT 1 FROM outbox WHERE payload->>'type' = 'order'")) == 1
        assert len(await town.rows("SELECT 1 FROM incident_events WHERE kind = 'opened'")) == 1
    finally:
        for process in processes:
            process.end()


async def test_a_second_line_process_ends_with_a_status_and_one_line(town: Town, tmp_path: Path) -> None:
    town.enlist(1)
    await town.start()
    second = LineProcess(town, "none", tmp_path / "second.log")
    try:
        assert await second.died() != 0
    finally:
        second.end()
    said = (tmp_path / "second.log").read_text(encoding="utf-8")
    assert "there can be only one" in said
    assert "不能同时运行两条" in said
