"""``python -m benchmarks.snapshot``: the line's own files for a city: how long they take to write and to read, and how long the loop stood.

Prints figures and judges nothing.
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import uvloop

from alarm_engine.incident import Incident
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from alarm_engine.snapshot import REGISTRY_FILE, SNAPSHOT_FILE, Snapshots
from alarm_engine.state import Done, LineState, StationMessage
from core.clock import SystemClock
from core.ids import incident_id
from core.messages import Command
from core.registry.model import Contact, Device, Home

_LOOK_S = 0.001


class _NoPorts:
    """Ports of a line that says nothing and keeps nothing."""

    def command(self, account: str, message: Command) -> None: ...
    def station(self, message: StationMessage) -> None: ...
    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None: ...


def city(state: LineState, homes: int, leaks: int) -> None:
    """Fill a line with homes of one meter and one detector, some of them with an open incident."""
    numbers = itertools.count(1)
    for number in range(homes):
        home = _home(number)
        devices = [
            Device(next(numbers), f"{kind}-{number:06d}", kind, home.home_id, f"{kind}-{number:06d}", date(2024, 1, 1), False, 1)
            for kind in ("meter", "detector")
        ]
        state.registry.apply([home], devices, 1)
        if number < leaks:
            _leak(state, home, devices[1])


def _leak(state: LineState, home: Home, detector: Device) -> None:
    now = state.clock.now_ms()
    key = incident_id("leak", detector.device_id, 1, 1, now)
    figures: dict[str, Any] = {"ch4_lel": 20.0, "alarm_lel": 10.0, "boot": 1, "seq": 1, "alarmed_ms": now, "received_ms": now}
    state.incidents[key] = Incident(
        key,
        "leak",
        home.home_id,
        detector.account,
        detector.device_id,
        state.registry.facts(home),
        True,
        "alarm",
        "event",
        **figures,
        last_leak_ms=now,
    )


def _home(number: int) -> Home:
    return Home(
        home_id=f"home-{number:06d}",
        household_no=f"43{number:08d}",
        district_code="430102",
        district="芙蓉区",
        subdistrict="文艺路街道",
        community="识字里社区",
        estate="云栖花园",
        building=str(number // 100),
        unit="2",
        floor="5",
        room="501",
        riser_id=f"R{number // 20}",
        lon=113.0,
        lat=28.2,
        coord_datum="WGS-84",
        meter_location="厨房",
        access_note=None,
        language="zh",
        flags=("lives_alone",),
        alarm_lel=10.0,
        meter_id=f"meter-{number:06d}",
        simulated=True,
        contacts=tuple(Contact(at, "某某某", "resident", f"sip:{number}{at}@sim.invalid") for at in (1, 2, 3)),
        retired=False,
        version=1,
    )


async def _longest_stand(until: "asyncio.Task[None]") -> tuple[float, float]:
    """Seconds that the work took, and the longest that the loop did nothing else."""
    started = before = time.perf_counter()
    longest = 0.0
    while not until.done():
        await asyncio.sleep(_LOOK_S)
        now = time.perf_counter()
        longest, before = max(longest, now - before - _LOOK_S), now
    await until
    return time.perf_counter() - started, longest


async def measure(homes: int, leaks: int) -> None:
    ports = _NoPorts()
    state = LineState(SystemClock(), LineSettings(), down=ports, keeper=ports)
    city(state, homes, leaks)
    with tempfile.TemporaryDirectory(prefix="gas-sentinel-bench-") as name:
        folder = Path(name)
        snapshots = Snapshots(folder, state, lambda: (None, 0), dict)
        for what, file in (("registry and picture", REGISTRY_FILE), ("picture alone", SNAPSHOT_FILE)):
            seconds, stood = await _longest_stand(asyncio.create_task(snapshots.write()))
            size = (folder / file).stat().st_size / 1e6
            print(f"write {what:22} {seconds * 1e3:9.0f} ms   longest stand of the loop {stood * 1e3:6.1f} ms   {file} {size:.1f} MB")
        reader = Snapshots(folder, state, lambda: (None, 0), dict)
        started, worked = time.perf_counter(), time.process_time()
        registry, picture = await asyncio.to_thread(reader.read_registry), await asyncio.to_thread(reader.read_picture)
        seconds, worked = time.perf_counter() - started, time.process_time() - worked
        assert registry is not None
        assert picture is not None
        found = f"{len(registry.homes)} homes, {len(picture.incidents)} open incidents"
        print(f"read both {seconds * 1e3:28.0f} ms   processor {worked * 1e3:.0f} ms   {found}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshot", description="The line's own files for a city. · 本地快照耗时。")
    parser.add_argument("--homes", type=int, default=192_000, help="homes (default 192000) · 户数")
    parser.add_argument("--leaks", type=int, default=1_000, help="open incidents (default 1000) · 未结事件数")
    options = parser.parse_args()
    uvloop.run(measure(options.homes, options.leaks))


if __name__ == "__main__":
    main()
