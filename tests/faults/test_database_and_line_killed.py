"""kill -9 of PostgreSQL and of the line at once, and the line started alone: leak, close, phone; then the database comes back.

Every part is the real process: ``python -m gateway``, ``dispatch`` and ``dispatch.voice``, the postmaster with all its children, the
broker, telephones that speak SIP. That nothing waited for the database is shown by the order of events: it is still down when the
phone has been answered. Afterwards the record is whole and single (invariants 1, 2, 3 and 8).
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.testing import TestBroker, remove_folder
from simulator.phones.exchange import PhoneExchange
from simulator.phones.lines import PhoneReport
from tests.dispatch.played import Records
from tests.gateway.line_stage import WAIT_S, DeviceClient, Town, forget_sessions, until
from tests.gateway.test_line_durability import OwnPostgres

ROOT = Path(__file__).resolve().parents[2]
PHONES = {1: "00010000001", 2: "00010000002"}
"""How the numbers of the first two homes of the simulated city begin."""
PATIENT = {"WATCH_EVERY_S": "3600", "ACCEPT_S": "3600"}
"""On a machine that is slow enough the watchman would repeat an order that is on its way, and a crew be taken off it."""
FULL_RECORD = """
SELECT i.place, i.state, i.valve,
       (SELECT count(*) FROM alarms a WHERE a.incident_id = i.incident_id) AS alarms,
       (SELECT count(*) FROM commands c WHERE c.incident_id = i.incident_id AND c.command = 'close_valve') AS closes,
       (SELECT count(*) FROM incident_events e WHERE e.incident_id = i.incident_id AND e.kind = 'opened') AS openings,
       (SELECT count(*) FROM outbox o WHERE o.incident_id = i.incident_id AND o.payload ->> 'type' = 'order') AS told,
       (SELECT array_agg(w.state) FROM work_orders w WHERE w.incident_id = i.incident_id) AS orders,
       (SELECT array_agg(s.event ORDER BY s.step_no) FROM order_steps s JOIN work_orders w USING (order_id)
        WHERE w.incident_id = i.incident_id AND s.event IN ('created', 'assign')) AS steps,
       (SELECT count(*) FROM calls k WHERE k.incident_id = i.incident_id AND k.outcome = 'confirmed') AS confirmed
FROM incidents i ORDER BY i.place
"""


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    found = OwnPostgres(tmp_path_factory.mktemp("own"))
    yield found
    found.server.stop()
    remove_folder(found.place)


@dataclass
class Stage:
    """A town with its platform as processes of their own, and what was heard at its telephones."""

    town: Town
    postgres: OwnPostgres
    phones: PhoneExchange
    folder: Path
    settings: dict[str, dict[str, str]]
    running: dict[str, Process] = field(default_factory=dict)
    heard: list[PhoneReport] = field(default_factory=list)

    async def start(self, name: str) -> None:
        environment = os.environ | {f"GAS_SENTINEL_{key}": value for key, value in self.settings[name].items()}
        with self.log(name).open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", name, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=log
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    async def end(self) -> None:
        for process in self.running.values():
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def kill_the_line_and_the_database(self) -> None:
        """kill -9 of the line, the postmaster and each of its children. Nothing is flushed, nobody is told."""
        postmaster = self.postgres.server.pid
        assert postmaster is not None
        line = self.running.pop("gateway")
        for pid in (line.pid, postmaster, *_children(postmaster)):
            _kill(pid)
        assert await line.wait() == -signal.SIGKILL
        await until(lambda: not self.postgres.server.running(), "the database is gone")

    async def listen(self) -> None:
        async for report in self.phones.events():
            self.heard.append(report)

    def keys(self, home: int) -> list[str]:
        """The keys that were pressed in this home."""
        return [report.digit for report in self.heard if report.number.startswith(PHONES[home]) and report.event == "pressed"]

    async def reached(self, home: int) -> None:
        """Somebody of this home has pressed a key."""
        await until(lambda: self.keys(home), f"a key pressed in home {home}")


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.parent.name))
        except OSError:
            continue  # it is gone
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # a child that noticed its postmaster's end
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def stage(own_postgres: OwnPostgres, broker: TestBroker, tmp_path: Path) -> AsyncIterator[Stage]:
    await asyncio.to_thread(forget_sessions, broker)
    town = Town(own_postgres.database(), broker, tmp_path, tmp_path / "state")
    with tempfile.TemporaryDirectory() as sockets:
        async with PhoneExchange() as phones:
            await phones.set_behaviour("*", "presses_1", rings_s=0.2, listens_s=2)
            both = {**PATIENT, "MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port), "POSTGRES_DSN": town.dsn}
            voice = {"VOICE_SOCKET": f"{sockets}/voice.sock", "SIM_SIP_PROXY": phones.listen}
            account = {name: {"MQTT_USERNAME": name, "MQTT_PASSWORD": broker.accounts[name]} for name in ("line", "dispatch")}
            settings = {
                "gateway": {**both, **account["line"], "STATE_DIR": str(town.state), "SNAPSHOT_EVERY_S": "0.2"},
                "dispatch": {**both, **account["dispatch"], **voice, "STATE_DIR": str(tmp_path / "dispatch")},
                "dispatch.voice": voice,
            }
            found = Stage(town, own_postgres, phones, tmp_path, settings)
            listening = asyncio.ensure_future(found.listen())
            yield found
            await found.end()
            listening.cancel()
    await town.close()
    await asyncio.to_thread(forget_sessions, broker)


async def promised_close(detector: DeviceClient, meter: DeviceClient) -> None:
    """A leak of this home closes its valve and is promised."""
    item = await detector.leak()
    await meter.command()
    await detector.promised(item)


async def test_the_line_started_alone_closes_and_rings_and_the_record_is_whole_afterwards(stage: Stage) -> None:
    town, server = stage.town, stage.postgres.server
    town.enlist(2)
    records = Records(town.dsn)
    for number, crew in enumerate(("C1", "C2")):
        await records.crew(crew, 113.07 + number / 100, 28.20)
    first, second = town.home(1), town.home(2)
    for name in ("dispatch.voice", "dispatch", "gateway"):
        await stage.start(name)
    assert town.state is not None
    state = town.state
    await until(lambda: all((state / name).exists() for name in ("snapshot.lines", "registry.lines")), "a first snapshot")
    await until(lambda: stage.log("gateway").read_bytes().count(b'"connected": true') >= 2, "the line listens")

    # One home leaks while all is well, and at once nothing is: it may have got no further than the promise.
    await promised_close(*first)
    await stage.kill_the_line_and_the_database()
    await stage.start("gateway")

    # What was open is open: its close is sent again, under its own id. Another home leaks, closes, is promised and rings.
    await until(lambda: len(first[1].closes) >= 2, "the open close is sent again")
    await promised_close(*second)
    await stage.reached(1)
    await stage.reached(2)
    for _, meter in (first, second):
        await meter.answer(meter.closes[-1], "done", "closed")
    assert not server.running(), "all of it was done without the database"

    await stage.postgres.back()
    whole: dict[str, Any] = {"state": "open", "valve": "reported_closed", "alarms": 1, "closes": 1, "openings": 1, "told": 1}
    whole |= {"orders": ["assigned"], "steps": ["created", "assign"], "confirmed": 1}
    wanted = [{"place": town.own("H", number), **whole} for number in PHONES]
    found: list[dict[str, Any]] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2 * WAIT_S):
            while (found := await records.rows(FULL_RECORD)) != wanted:
                await asyncio.sleep(0.1)
    assert found == wanted
    for number, (_, meter) in zip(PHONES, (first, second), strict=True):
        assert len({command.command_id for command in meter.closes}) == 1
        assert stage.keys(number) == ["1"]
    assert await records.rows("SELECT 1 FROM incident_aliases") == []
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 2
