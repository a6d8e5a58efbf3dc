"""The broker killed in mid-leak: what it had taken and not saved is gone, and no incident with it.

A PUBACK promises nothing; the device repeats its alarm until ``down/ack``, the line its close until the meter answers. Line,
dispatch, broker and devices are the real ones; the devices are the reference device in processes of their own.
"""

import asyncio
import csv
import itertools
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from psycopg.rows import dict_row

from deploy.embedded.processes import alive
from deploy.embedded.testing import TestBroker, reachable_folder, remove_folder, start_test_broker
from deploy.station import ask_health
from simulator.city.registry_file import COLUMNS, city_rows
from tests.gateway.line_stage import Town, until

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


class ReferenceDevice:
    """One reference device as a process. What it says to its engineer is kept."""

    def __init__(self, kind: str, account: str, port: int, password: str, *options: str) -> None:
        about = ["--kind", kind, "--account", account, "--port", str(port), "--password", password, *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simulator.reference_device", *about],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said = ""

    def said(self, words: str) -> bool:
        """Whether it has said so."""
        assert self.process.stderr is not None
        while select.select([self.process.stderr], [], [], 0)[0] and (text := os.read(self.process.stderr.fileno(), 65536)):
            self._said += text.decode(errors="replace")
        return words in self._said

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def devices() -> Iterator[Callable[..., ReferenceDevice]]:
    running: list[ReferenceDevice] = []

    def begin(*about: Any) -> ReferenceDevice:
        running.append(ReferenceDevice(*about))
        return running[-1]

    yield begin
    for device in running:
        device.end()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[TestBroker]:
    """A broker that may be killed."""
    broker = start_test_broker(tmp_path / "broker")
    yield broker
    broker.stop()


def kill(broker: TestBroker) -> None:
    pid = broker.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not broker.server.running(), "the broker dies")


def _until(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, f"did not happen within {PATIENCE_S} s: {why}"
        time.sleep(0.02)


class Listener:
    """Somebody beside the line who hears what the broker has taken."""

    def __init__(self, broker: TestBroker, topic: str) -> None:
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        granted: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._paho = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self._paho.username_pw_set("fleet", broker.accounts["fleet"])
        self._paho.on_message = lambda client, data, message: self.heard.put(bytes(message.payload))
        self._paho.on_subscribe = lambda client, data, mid, codes, properties: granted.put(mid)
        self._paho.connect(broker.host, broker.port)
        self._paho.loop_start()
        self._paho.subscribe(topic, qos=1)
        granted.get(timeout=PATIENCE_S)

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


async def test_an_alarm_that_died_with_the_broker_is_said_again_and_closes_the_valve(
    database: str, own_broker: TestBroker, tmp_path: Path, devices: Callable[..., ReferenceDevice]
) -> None:
    town = Town(database, own_broker, tmp_path)
    town.enlist(1)
    detector, meter = town.own("D", 1), town.own("M", 1)
    passwords = {account: own_broker.account(account) for account in (detector, meter)}
    await town.start()
    await town.stop()  # the line is away, its session stays
    listener = Listener(own_broker, f"gas/v1/{detector}/up/alarm")
    saved = own_broker.server.folder / "mosquitto.db"
    before = tmp_path / "before.db"
    try:
        await until(saved.exists, "the broker saves its sessions")
        shutil.copy(saved, before)
        leaking = devices("detector", detector, own_broker.port, passwords[detector], "--leak-after", "0")
        meter_played = devices("meter", meter, own_broker.port, passwords[meter])
        first = await asyncio.to_thread(listener.heard.get, timeout=PATIENCE_S)
        kill(own_broker)
        shutil.copy(before, saved)  # what it saved before the alarm is all that it knows
        assert not leaking.said("the platform has the alarm")
    finally:
        listener.close()

    own_broker.server.start(own_broker.port)
    await town.start()
    row = await town.incident(1, "reported_closed")
    await until(lambda: leaking.said("the platform has the alarm"), "the device hears of it")

    said, stored = json.loads(first), await _alarm(town, detector)
    assert (stored["ts"], stored["boot"], stored["seq"]) == (said["ts"], said["boot"], said["seq"])
    assert len(await town.rows("SELECT FROM incidents WHERE place = %s", town.own("H", 1))) == 1
    orders = "SELECT FROM outbox WHERE payload->>'type' = 'order' AND incident_id = %s"
    assert len(await town.rows(orders, row["incident_id"])) == 1
    assert meter_played.said("command close_valve done")
    await town.close()


async def _alarm(town: Town, detector: str) -> dict[str, Any]:
    return await town.row("SELECT * FROM alarms WHERE device_id = %s AND event = 'leak'", detector)


async def test_a_close_that_died_with_the_broker_is_sent_again(
    database: str, own_broker: TestBroker, tmp_path: Path, devices: Callable[..., ReferenceDevice]
) -> None:
    town = Town(database, own_broker, tmp_path)
    town.enlist(1)
    detector, meter = town.own("D", 1), town.own("M", 1)
    passwords = {account: own_broker.account(account) for account in (detector, meter)}
    # The meter has a session and is away: the close waits at the broker, and dies there.
    away = devices("meter", meter, own_broker.port, passwords[meter])
    await until(lambda: away.said("connected"), "the meter was there")
    away.end()
    await town.start()
    saved = own_broker.server.folder / "mosquitto.db"
    before = tmp_path / "before.db"
    stamp = saved.stat().st_mtime_ns if saved.exists() else 0
    await until(lambda: saved.exists() and saved.stat().st_mtime_ns > stamp, "the broker saves its sessions")
    shutil.copy(saved, before)
    devices("detector", detector, own_broker.port, passwords[detector], "--leak-after", "0")
    row = await town.incident(1)
    kill(own_broker)
    shutil.copy(before, saved)
    own_broker.server.start(own_broker.port)

    back = devices("meter", meter, own_broker.port, passwords[meter])
    closed = await town.incident(1, "reported_closed")
    assert closed["incident_id"] == row["incident_id"]
    assert back.said("command close_valve done")
    await town.close()


class Up:
    """``gas-sentinel up`` as it is, on a folder of its own, with homes whose devices have accounts of their own."""

    def __init__(self, folder: Path, homes: int) -> None:
        self.homes = homes
        rows = itertools.islice(city_rows(12, 5), homes)
        registry, self._credentials = folder / "homes.csv", folder / "accounts.csv"
        with registry.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for n, cells in enumerate(rows, start=1):
                row = dict(zip(COLUMNS, cells, strict=True))
                row |= {"home_id": f"KH{n}", "household_no": f"44{n:08d}", "alarm_lel": "", "hub_id": ""}
                writer.writerow(row | {"meter_id": f"KM{n}", "detector_id": f"KD{n}", "simulated": "true"})
        options = ["--data", str(folder / "data"), "--http-port", "0", "--mqtt-port", "0", "--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        text = self.process.stdout.readline() if ready else ""
        assert text, self._error()
        self.line: dict[str, Any] = json.loads(text)
        self.port: int = self.line["mqtt"]["port"]
        from deploy.up import import_homes_file

        import_homes_file(self.line["postgres"], registry, credentials_out=self._credentials)
        with self._credentials.open(encoding="utf-8") as file:
            self.passwords = {row["account"]: row["password"] for row in csv.DictReader(file)}

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.line["postgres"], autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def kill_broker(self) -> None:
        """Kill whatever process is the broker now."""
        pid = int((Path(self.line["data"]) / "logs" / "broker.log").resolve().with_name("mosquitto.pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGKILL)
        _until(lambda: not alive(pid), "the broker dies")

    def closed(self) -> int:
        return len(self.rows("SELECT FROM incidents WHERE place LIKE 'KH%%' AND reported_closed_ms IS NOT NULL"))

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return said

    def _error(self) -> str:
        self.process.kill()
        return self.process.communicate()[1]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    folder = reachable_folder(tmp_path) / "up"
    folder.mkdir()
    folder.chmod(0o755)
    platform = Up(folder, homes=3)
    yield platform
    if platform.process.poll() is None:
        platform.end()
    remove_folder(folder)


def test_every_part_finds_its_way_back_to_a_broker_killed_in_mid_leak(up: Up, devices: Callable[..., ReferenceDevice]) -> None:
    meters = [devices("meter", f"KM{n}", up.port, up.passwords[f"KM{n}"]) for n in range(1, up.homes + 1)]
    _until(lambda: all(meter.said("connected") for meter in meters), "the meters are there")

    # While the valve of the first home still turns, and again before the second home's devices are back.
    devices("detector", "KD1", up.port, up.passwords["KD1"], "--leak-after", "0")
    _until(lambda: up.rows("SELECT FROM incidents WHERE place = 'KH1'"), "the first incident")
    up.kill_broker()
    devices("detector", "KD2", up.port, up.passwords["KD2"], "--leak-after", "0")
    _until(lambda: up.rows("SELECT FROM incidents WHERE place = 'KH2'"), "the second incident")
    up.kill_broker()
    _until(lambda: up.closed() == 2, "two valves reported closed")
    # After all that, one more as if nothing had been.
    devices("detector", "KD3", up.port, up.passwords["KD3"], "--leak-after", "0")
    _until(lambda: up.closed() == 3, "three valves reported closed")
    orders = "SELECT incident_id FROM work_orders JOIN incidents i USING (incident_id) WHERE i.place LIKE 'KH%%'"
    _until(lambda: len(up.rows(orders)) == 3, "three orders")
    _until(lambda: all(ask_health(url) is None for url in up.line["health"].values()), "every station is healthy")

    assert len(up.rows("SELECT FROM incidents WHERE place LIKE 'KH%%'")) == 3
    assert len({row["incident_id"] for row in up.rows(orders)}) == len(up.rows(orders)) == 3
    assert up.end().count("broker died and is started again") == 2
