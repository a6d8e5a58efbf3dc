"""Blind, silent, powerless: who is counted when, what is written down, and what ends it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from alarm_engine.conditions import CONDITIONS_IN_FORCE, Conditions
from alarm_engine.judgement.conditions import CONDITIONS, ClockBounds, Condition, building_dark, power, sight, silent_after_s
from alarm_engine.rows import Row
from core.ids import CANARY_DETECTOR, CANARY_HOME
from core.items import AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.messages import AlarmEvent, Connectivity, DetectorState
from core.station import TaskMessage
from tests.alarm_engine.stage import HOME, OTHER_HOME, Stage, device, home
from tests.alarm_engine.test_recovery import Lives

MINUTE, INTERVAL = 60.0, 900.0


class Timed(Conditions):
    """Both timers of the line in one."""

    def tick(self) -> None:
        self.enlist()
        super().tick()


class Watched:
    """A stage whose items go through the engine and then through the conditions, as the lane does it; ticks once a second."""

    def __init__(self, stage: Stage | None = None) -> None:
        self.stage = stage or Stage()
        self.up = True
        self.conditions = Timed(self.stage.state, lambda: self.up)
        self.conditions.tick()
        self._seq = 1000

    def take(self, item: Item, lane: str = "telemetry") -> None:
        self.conditions.heard(item, self.stage.engine.take(item, lane, lambda: None))

    def _common(self, device_id: str, ts: int | None) -> dict[str, Any]:
        self._seq += 1
        known = self.stage.state.registry.devices.get(device_id)
        now = self.stage.clock.now_ms()
        return {
            "account": known.account if known else device_id,
            "device_id": device_id,
            "ts": now if ts is None else ts,
            "boot": 1,
            "seq": self._seq,
            "received_ms": now,
        }

    def reading(
        self, state: DetectorState | None = "normal", device_id: str = "D1", power: str | None = None, ts: int | None = None, **more: Any
    ) -> None:
        item = DetectorReading(**self._common(device_id, ts), ch4_lel=0.0, state=state, power=power)
        self.take(replace(item, **more))

    def event(self, event: AlarmEvent, device_id: str = "D1") -> None:
        self.take(AlarmItem(**self._common(device_id, None), event=event), "alarm")

    def meter(self, device_id: str = "M1") -> None:
        item = MeterReading(**self._common(device_id, None), volume_m3=1.0, flow_m3h=0.0, valve="open")
        self.take(item)

    def status(
        self,
        online: bool,
        device_id: str = "D1",
        interval: int | None = None,
        connectivity: Connectivity = "always_on",
        retained: bool = False,
    ) -> None:
        common = self._common(device_id, None) | {"retained": retained}
        self.take(StatusItem(**common, online=online, connectivity=connectivity, report_interval_s=interval), "status")

    async def hours(self, hours: float, speaking: Iterable[str] = (), every: float = 600.0) -> None:
        """Let time pass; the detectors named go on reporting."""
        passed = 0.0
        while passed < hours * 3600:
            await self.stage.clock.advance(30.0)
            passed += 30.0
            if passed % every == 0:
                for device_id in speaking:
                    self.reading("normal", device_id)
            self.conditions.tick()

    def counts(self) -> dict[str, int]:
        return {condition: self.conditions.homes(condition) for condition in CONDITIONS}

    def rows(self) -> list[Row]:
        """Every row as it was last written."""
        self.conditions.tick()
        latest = {str(key): row for rows in self.stage.ports.written for key, row in rows.conditions.items()}
        return list(latest.values())

    def in_force(self) -> set[tuple[object, object, object]]:
        return {(row["device_id"], row["condition"], row["cause"]) for row in self.rows() if row["ended_ms"] is None}

    @property
    def tasks(self) -> list[TaskMessage]:
        return [message for message in self.stage.ports.told if isinstance(message, TaskMessage) and message.kind == "building_dark"]


@pytest.fixture
def watched() -> Watched:
    return Watched()


# -- invariant 5: silence is unknown, never normal ---------------------------------------------------------------------------------


async def test_silence_is_unknown_never_normal(watched: Watched) -> None:
    """Every way in which a home can stop being watched is counted, written down, and ends only by its own word."""
    watched.reading("normal", "D1")
    watched.reading("normal", "D2")
    await watched.hours(2.0, speaking=["D2"])
    assert ("D1", "silent", "no_report") in watched.in_force()
    assert ("D3", "silent", "never_heard") in watched.in_force()
    assert not any(row[0] == "D2" for row in watched.in_force())
    watched.reading("fault", "D2")
    assert ("D2", "blind", "fault") in watched.in_force()
    watched.status(False, "D2")
    assert {("D2", "blind", "fault"), ("D2", "silent", "will")} <= watched.in_force()
    watched.reading("normal", "D1")
    assert not any(row[0] == "D1" for row in watched.in_force())


async def test_a_device_is_silent_after_three_of_its_own_intervals(watched: Watched) -> None:
    watched.status(True, "D1", interval=60)
    watched.status(True, "D1B", interval=7200)
    await watched.hours(0.05 - 0.001)
    assert watched.conditions.homes("silent") == 0
    await watched.hours(0.02)
    assert watched.in_force() == {("D1", "silent", "no_report")}
    await watched.hours(5.0)
    assert ("D1B", "silent", "no_report") not in watched.in_force()
    await watched.hours(1.2)
    assert ("D1B", "silent", "no_report") in watched.in_force()


async def test_a_meter_in_power_saving_mode_may_be_quiet_for_days(watched: Watched) -> None:
    watched.status(True, "M1", connectivity="psm")
    watched.status(True, "M2", interval=43_200, connectivity="psm")
    await watched.hours(30.0)
    assert not {row for row in watched.in_force() if row[0] in ("M1", "M2")}
    await watched.hours(7.0)
    assert {row[0] for row in watched.in_force() if str(row[0]).startswith("M")} == {"M2"}
    await watched.hours(36.0)
    assert {row[0] for row in watched.in_force() if str(row[0]).startswith("M")} == {"M1", "M2"}


async def test_nobody_is_called_silent_for_the_time_in_which_the_line_could_not_hear(watched: Watched) -> None:
    watched.reading("normal")
    await watched.hours(0.5)
    watched.up = False
    await watched.hours(48.0)
    assert watched.counts()["silent"] == 0
    watched.up = True
    await watched.hours(0.2)
    assert watched.counts()["silent"] == 0
    await watched.hours(0.2)
    assert ("D1", "silent", "no_report") in watched.in_force()


async def test_time_in_which_the_process_stood_still_makes_nobody_silent(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    real = [1000.0]
    monkeypatch.setattr("alarm_engine.conditions.time.monotonic", lambda: real[0])
    watched.conditions.tick()
    real[0] += 7200.0
    await watched.stage.clock.advance(7200.0)
    watched.conditions.tick()
    assert watched.counts()["silent"] == 0
    real[0] += 1.0
    await watched.stage.clock.advance(3600.0)
    watched.conditions.tick()
    assert watched.counts()["silent"] == 3


async def test_stored_messages_are_no_sign_of_life(watched: Watched) -> None:
    await watched.hours(1.0)
    watched.reading("normal", retained=True)
    watched.status(True, retained=True)
    assert ("D1", "silent", "never_heard") in watched.in_force()
    watched.status(True)
    assert ("D1", "silent", "never_heard") not in watched.in_force()


async def test_a_will_stored_from_before_the_start_counts(watched: Watched) -> None:
    watched.status(False, "D1", retained=True)
    watched.status(False, "HUB", retained=True)
    assert watched.in_force() == {("D1", "silent", "will"), ("D2", "silent", "hub_will"), ("M2", "silent", "hub_will")}


async def test_a_hubs_will_makes_all_its_devices_unknown_until_each_is_heard(watched: Watched) -> None:
    watched.reading("normal", "D2")
    watched.meter("M2")
    watched.status(False, "HUB")
    assert watched.in_force() == {("D2", "silent", "hub_will"), ("M2", "silent", "hub_will")}
    assert watched.conditions.homes("silent") == 1
    watched.status(True, "HUB")
    assert len(watched.in_force()) == 2
    watched.reading("normal", "D2")
    assert watched.in_force() == {("M2", "silent", "hub_will")}
    watched.meter("M2")
    assert watched.in_force() == set()
    assert watched.counts()["silent"] == 0


def test_a_foreign_account_keeps_nobody_alive(watched: Watched) -> None:
    watched.status(False, "D1")
    watched.reading("normal", "D1", account="HUB")
    assert watched.in_force() == {("D1", "silent", "will")}


# -- blind -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["fault", "end_of_life"])
def test_a_detector_that_cannot_detect_is_blind_until_it_sees(watched: Watched, state: DetectorState) -> None:
    watched.reading(state)
    assert watched.in_force() == {("D1", "blind", state)}
    watched.reading("self_test")
    watched.reading(None)
    assert watched.counts()["blind"] == 1
    watched.reading("normal")
    assert watched.in_force() == set()


def test_a_fault_by_event_ends_by_its_event_and_end_of_life_does_not(watched: Watched) -> None:
    watched.event("fault")
    assert watched.in_force() == {("D1", "blind", "fault")}
    watched.event("fault_cleared")
    assert watched.in_force() == set()
    watched.event("end_of_life")
    watched.event("fault_cleared")
    assert watched.in_force() == {("D1", "blind", "end_of_life")}


async def test_preheat_is_blind_once_it_lasts(watched: Watched) -> None:
    watched.reading("preheat")
    await watched.hours(4.5 / 60)
    assert watched.counts()["blind"] == 0
    await watched.hours(1 / 60)
    assert watched.in_force() == {("D1", "blind", "preheat")}
    watched.reading("normal")
    watched.reading("preheat")
    watched.reading("normal")
    await watched.hours(0.2)
    assert watched.counts()["blind"] == 0


def test_a_detector_whose_clock_is_nonsense_is_blind(watched: Watched) -> None:
    watched.reading("normal", ts=1_000_000)
    assert watched.in_force() == {("D1", "blind", "clock")}
    watched.reading("normal")
    assert watched.in_force() == set()


def test_what_was_delivered_late_says_nothing_of_now(watched: Watched) -> None:
    now = watched.stage.clock.now_ms()
    watched.reading("normal", ts=now)
    watched.reading("fault", ts=now - 60_000, seq=1)
    assert watched.in_force() == set()


def test_a_faulty_meter_makes_no_home_blind(watched: Watched) -> None:
    watched.event("fault", "M1")
    assert watched.in_force() == set()


def test_two_devices_of_one_home_are_one_home(watched: Watched) -> None:
    watched.reading("fault", "D1")
    watched.reading("fault", "D1B")
    assert watched.conditions.homes("blind") == 1
    watched.reading("normal", "D1")
    assert watched.conditions.homes("blind") == 1
    watched.reading("normal", "D1B")
    assert watched.conditions.homes("blind") == 0


# -- powerless -------------------------------------------------------------------------------------------------------------------------


def test_powerless_from_the_last_gasp_or_the_battery_until_the_mains_are_back(watched: Watched) -> None:
    watched.event("power_lost")
    watched.reading("normal", "D2", power="battery")
    assert watched.in_force() == {("D1", "powerless", "power_lost"), ("D2", "powerless", "battery")}
    watched.reading("normal", "D1")
    assert watched.counts()["powerless"] == 2
    watched.event("power_restored")
    watched.reading("normal", "D2", power="mains")
    assert watched.in_force() == set()


def tower(homes: int, building: str = "9") -> Watched:
    stage = Stage()
    stage.state.registry.apply(
        [replace(home(f"T{building}-{n}", None), building=building) for n in range(homes)],
        [device(1000 + n, f"TD{building}-{n}", "detector", f"T{building}-{n}") for n in range(homes)],
        version=2,
    )
    return Watched(stage)


async def test_a_building_dark_is_one_task_and_not_one_a_home() -> None:
    watched = tower(12)
    for n in range(7):
        watched.event("power_lost", f"TD9-{n}")
        await watched.stage.clock.advance(5.0)
        watched.conditions.tick()
    assert watched.conditions.homes("powerless") == 7
    assert [(task.detail["building"], task.detail["homes"], task.home_id) for task in watched.tasks] == [("9", 12, None)]
    assert watched.tasks[0].simulated
    for n in range(7, 12):
        watched.event("power_lost", f"TD9-{n}")
    watched.conditions.tick()
    assert len(watched.tasks) == 1
    for n in range(12):
        watched.event("power_restored", f"TD9-{n}")
    await watched.hours(2.0)
    for n in range(12):
        watched.event("power_lost", f"TD9-{n}")
    watched.conditions.tick()
    assert len({task.message_id for task in watched.tasks}) == 2


@pytest.mark.parametrize(("homes", "dark", "apart"), [(12, 6, 1.0), (4, 4, 1.0), (12, 12, 20.0)])
async def test_few_homes_or_one_after_the_other_are_no_power_cut(homes: int, dark: int, apart: float) -> None:
    watched = tower(homes)
    for n in range(dark):
        watched.event("power_lost", f"TD9-{n}")
        await watched.stage.clock.advance(apart)
        watched.conditions.tick()
    assert watched.conditions.homes("powerless") == dark
    assert watched.tasks == []


# -- who is watched ----------------------------------------------------------------------------------------------------------------------


def test_the_canary_is_in_no_count(watched: Watched) -> None:
    stage = watched.stage
    stage.state.registry.apply(
        [replace(home(CANARY_HOME, None))], [device(-1, CANARY_DETECTOR, "detector", CANARY_HOME)], stage.state.registry.version
    )
    watched.reading("fault", CANARY_DETECTOR)
    assert watched.counts() == {"blind": 0, "silent": 0, "powerless": 0}


def test_what_is_retired_is_not_missed(watched: Watched) -> None:
    watched.reading("fault", "D1")
    assert watched.counts()["blind"] == 1
    stage = watched.stage
    stage.state.registry.apply([], [device(2, "D1", "detector", HOME, retired=True)], version=2)
    watched.conditions.tick()
    assert watched.in_force() == set()
    assert watched.counts()["blind"] == 0


# -- restart -------------------------------------------------------------------------------------------------------------------------------


async def test_conditions_survive_a_restart(database: str) -> None:
    lives = Lives(database)
    first = Watched(lives.stage)
    first.reading("fault", "D1")
    first.event("power_lost", "D2")
    first.status(False, "M1")
    first.status(False, "M2")
    first.status(True, "M2")
    before = first.in_force()
    assert len(before) == 3
    second = Watched(await lives.next_life())
    second._seq = first._seq
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        await cursor.execute(CONDITIONS_IN_FORCE)
        second.conditions.take(await cursor.fetchall())
    assert second.counts() == {"blind": 1, "silent": 1, "powerless": 1}
    assert second.rows() == []
    assert {(row["device_id"], row["condition"], row["cause"]) for row in second.conditions.in_force()} == before
    second.reading("normal", "D1")
    second.meter("M1")
    assert second.counts() == {"blind": 0, "silent": 0, "powerless": 1}
    lives.stage = second.stage
    second.rows()
    await lives.keep()
    with psycopg.connect(database) as connection_now:
        found = connection_now.execute("SELECT device_id FROM home_conditions WHERE ended_ms IS NULL").fetchall()
    assert found == [("D2",)]


def test_a_snapshot_is_taken_up_too_and_taking_twice_changes_nothing(watched: Watched) -> None:
    watched.reading("fault", "D1")
    kept = watched.conditions.in_force()
    second = Watched()
    for _ in range(2):
        second.conditions.take(kept)
    assert second.counts()["blind"] == 1
    assert second.rows() == []


def test_what_was_said_since_the_start_is_believed_against_an_older_row(watched: Watched) -> None:
    kept: list[Row] = []
    for device_id, condition in (("D1", "blind"), ("D1", "silent"), ("D1", "powerless"), ("GONE", "blind")):
        key = f"00000000-0000-4000-8000-{len(kept):012}"
        home_id = HOME if device_id == "D1" else OTHER_HOME
        kept.append(
            {
                "condition_id": key,
                "home_id": home_id,
                "device_id": device_id,
                "condition": condition,
                "cause": "fault",
                "since_ms": 1,
                "ended_ms": None,
            }
        )
    watched.reading("normal", "D1", power="mains")
    watched.conditions.take(kept)
    assert watched.counts() == {"blind": 0, "silent": 0, "powerless": 0}
    assert [row["ended_ms"] is not None for row in watched.rows()] == [True] * 4


# -- the table, row by row -----------------------------------------------------------------------------------------------------------------


def test_a_restart_in_the_dark_raises_no_second_task() -> None:
    first = tower(8)
    for n in range(8):
        first.event("power_lost", f"TD9-{n}")
    first.conditions.tick()
    assert len(first.tasks) == 1
    second = tower(8)
    second.conditions.take(first.conditions.in_force())
    second.event("power_lost", "TD9-0")
    second.conditions.tick()
    assert second.tasks == []
    assert second.conditions.homes("powerless") == 8


@pytest.mark.parametrize(
    ("connectivity", "interval", "seconds"),
    [(None, None, 2700.0), ("edrx", 60.0, 180.0), ("psm", None, 259_200.0), ("psm", 21_600.0, 64_800.0), ("always_on", None, 2700.0)],
)
def test_how_long_silence_is_borne(connectivity: str | None, interval: float | None, seconds: float) -> None:
    found = silent_after_s(connectivity, interval, usual_s=INTERVAL, usual_psm_s=86_400.0, intervals=3.0)
    assert found == seconds


def test_only_what_speaks_of_sight_or_power_says_something() -> None:
    common: dict[str, Any] = {"account": "D1", "device_id": "D1", "ts": 0, "boot": 1, "seq": 1, "received_ms": 0}
    bounds = ClockBounds(1000.0, 31)
    meter = MeterReading(**common, volume_m3=1.0, flow_m3h=0.0, valve="open")
    assert (sight(meter, bounds), power(meter)) == (None, None)
    for event in ("power_lost", "power_restored", "tamper", "valve_closed"):
        item = AlarmItem(**common, event=event)
        assert sight(item, bounds) is None
        assert (power(item) is None) == (event in ("tamper", "valve_closed"))


@pytest.mark.parametrize(("dark", "homes", "is_cut"), [(5, 9, True), (5, 10, False), (4, 4, False), (6, 10, True), (5, 0, True)])
def test_when_a_building_is_dark(dark: int, homes: int, is_cut: bool) -> None:
    assert building_dark(dark, homes, at_least=5) is is_cut


def test_the_closed_list_is_the_tables() -> None:
    listed: tuple[Condition, ...] = ("blind", "silent", "powerless")
    assert listed == CONDITIONS
