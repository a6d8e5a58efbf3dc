"""Readings against a real PostgreSQL: stored once, acknowledged when stored, and held by no bad one among them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from alarm_engine.device_view import DeviceViews
from alarm_engine.settings import LineSettings
from core.clock import ManualClock
from core.items import DetectorReading, Item, MeterReading, StatusItem
from deploy.embedded.testing import TestPostgres
from gateway.delivery import Delivery
from gateway.quarantine import Quarantine
from gateway.readings import Readings

WAIT_S = 90.0
DAY_MS = 86_400_000


class Store:
    """Readings on their way into a database of their own, with a clock that stands still."""

    def __init__(self, dsn: str, **settings: Any) -> None:
        self.dsn = dsn
        self.clock = ManualClock()
        self.devices = DeviceViews()
        self.quarantine = Quarantine()
        self.readings = Readings(dsn, LineSettings(**settings), self.clock, self.devices, self.quarantine)
        self.acknowledged: list[int] = []

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def common(self, seq: int, ts: int | None = None, device_id: str = "D1") -> dict[str, Any]:
        return {
            "account": device_id,
            "device_id": device_id,
            "ts": self.now + seq if ts is None else ts,
            "boot": 1,
            "seq": seq,
            "received_ms": self.now,
        }

    def detector(self, seq: int, ts: int | None = None, **values: Any) -> DetectorReading:
        return DetectorReading(**{**self.common(seq, ts), "ch4_lel": 1.5, "state": "normal", **values})

    def meter(self, seq: int, ts: int | None = None, **values: Any) -> MeterReading:
        return MeterReading(**{**self.common(seq, ts, "M1"), "volume_m3": 12.34, "flow_m3h": 0.5, "valve": "open", **values})

    def message(self, number: int, *items: DetectorReading | MeterReading) -> None:
        """One MQTT message with its readings, as the lane passes it on."""
        delivery = Delivery(lambda: self.acknowledged.append(number))
        for item in items:
            self.note(item)
            self.readings.add(item, 1 if isinstance(item, DetectorReading) else 2, delivery)
        delivery.release()

    def note(self, item: Item) -> None:
        self.devices.of(item.device_id).note(item, "telemetry", self.clock.monotonic())
        self.devices.changed.add(item.device_id)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with (
            await psycopg.AsyncConnection.connect(self.dsn) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query)
            return await cursor.fetchall()

    async def seqs(self, table: str = "detector_readings") -> list[int]:
        return [row["seq"] for row in await self.rows(f"SELECT seq FROM {table} ORDER BY seq")]


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    found = Store(database)
    yield found
    await found.readings._drop()


async def test_both_tables_hold_what_was_measured(store: Store) -> None:
    detector = store.detector(
        1, ch4_raw_value=75.0, ch4_raw_unit="ppm", power="mains", temp_c=20.5, battery_v=3.5, rssi_dbm=-70.0, defects=("power",)
    )
    meter = store.meter(2, cause="linkage", pressure_kpa=2.25, credit_cny=-1.5, flags=("magnet", "tilt"), temp_c=4.0)
    store.message(1, detector, meter)
    assert store.acknowledged == []
    await store.readings.flush()
    assert store.acknowledged == [1]
    assert store.readings.waiting == 0
    (row,) = await store.rows("SELECT * FROM detector_readings")
    assert row == {
        "device_no": 1,
        "ts": datetime.fromtimestamp(detector.ts / 1000, UTC),
        "boot": 1,
        "seq": 1,
        "received_at": datetime.fromtimestamp(detector.received_ms / 1000, UTC),
        "ch4_lel": 1.5,
        "state": "normal",
        "ch4_raw": 75.0,
        "ch4_raw_unit": "ppm",
        "power": "mains",
        "temp_c": 20.5,
        "battery_v": 3.5,
        "rssi_dbm": -70.0,
        "defects": ["power"],
    }
    (row,) = await store.rows("SELECT * FROM meter_readings")
    assert (row["device_no"], row["volume_m3"], row["flow_m3h"], row["valve"], row["cause"]) == (2, 12.34, 0.5, "open", "linkage")
    assert (row["pressure_kpa"], row["credit_cny"], row["flags"], row["temp_c"]) == (2.25, -1.5, ["magnet", "tilt"], 4.0)
    assert (row["battery_v"], row["defects"]) == (None, None)


async def test_a_repeat_is_recognised_in_a_later_batch(store: Store) -> None:
    store.message(1, store.detector(1), store.detector(2))
    await store.readings.flush()
    store.message(2, store.detector(2), store.detector(3))
    store.message(3, store.meter(1), store.meter(2))
    await store.readings.flush()
    assert await store.seqs() == [1, 2, 3]
    assert await store.seqs("meter_readings") == [1, 2]
    assert store.acknowledged == [1, 2, 3]


async def test_a_repeat_is_recognised_within_one_batch(store: Store) -> None:
    store.message(1, store.detector(1), store.detector(1), store.detector(2))
    store.message(2, store.detector(2))
    await store.readings.flush()
    assert await store.seqs() == [1, 2]
    assert store.acknowledged == [1, 2]


async def test_what_is_known_of_a_device_is_one_row_that_follows(store: Store) -> None:
    store.message(1, store.detector(1, ch4_lel=3.0))
    store.note(StatusItem(**store.common(1), online=True, model="LX", firmware="2", connectivity="psm", report_interval_s=60))
    await store.readings.flush()
    (row,) = await store.rows("SELECT * FROM device_state")
    assert (row["device_id"], row["ch4_lel"], row["last_seq"], row["model"], row["online"]) == ("D1", 3.0, 1, "LX", True)
    assert (row["connectivity"], row["report_interval_s"], row["heard_ms"]) == ("psm", 60, store.now)
    store.message(2, store.detector(2, ch4_lel=4.0, state="warning"))
    await store.readings.flush()
    (row,) = await store.rows("SELECT * FROM device_state")
    assert (row["ch4_lel"], row["state"], row["last_seq"], row["model"]) == (4.0, "warning", 2, "LX")
    assert store.devices.changed == set()


@pytest.mark.parametrize(
    ("offset_ms", "kept"),
    [
        (0, True),
        (-31 * DAY_MS, True),
        (-31 * DAY_MS - 1, False),
        (DAY_MS, True),
        (DAY_MS + 1, False),
        (-1_775_000_000_000, False),
        (4_102_444_800_000 - 1_775_000_000_000, False),
    ],
)
async def test_a_wild_clock_goes_to_quarantine_and_holds_no_message(store: Store, offset_ms: int, kept: bool) -> None:
    store.message(1, store.detector(1, ts=store.now + offset_ms))
    if not kept:
        assert store.acknowledged == [1]
    await store.readings.flush()
    assert store.acknowledged == [1]
    assert await store.seqs() == ([1] if kept else [])
    reasons = [row["reason"] for row in await store.rows("SELECT reason FROM quarantine")]
    assert reasons == ([] if kept else ["clock_out_of_range"])


async def test_days_are_made_as_the_clock_goes_on(store: Store) -> None:
    for number in range(1, 6):
        store.message(number, store.detector(number))
        await store.readings.flush()
        await store.clock.advance(DAY_MS / 1000)
    assert await store.seqs() == [1, 2, 3, 4, 5]
    assert store.acknowledged == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "values",
    [{"ch4_lel": 1e300}, {"battery_v": -1e308}, {"temp_c": 4e38}, {"rssi_dbm": 1e-300}, {"ch4_raw_value": 1.7e308}, {"state": "a\0b"}],
    ids=str,
)
async def test_a_value_that_no_column_takes_holds_nobody(store: Store, values: dict[str, Any]) -> None:
    for number in range(1, 20):
        store.message(number, store.detector(number, **(values if number == 7 else {})))
    await store.readings.flush()
    assert set(await store.seqs()) >= set(range(1, 20)) - {7}
    assert sorted(store.acknowledged) == list(range(1, 20))
    assert store.readings.waiting == 0
    stored = len(await store.seqs())
    await store.readings.flush()
    assert len(await store.rows("SELECT 1 FROM quarantine WHERE reason = 'not_stored'")) == 19 - stored


async def test_a_device_that_cannot_be_written_down_holds_nobody(store: Store) -> None:
    store.note(StatusItem(**store.common(1, device_id="D9"), online=True, model="a\0b"))
    for number in range(1, 6):
        store.note(StatusItem(**store.common(1, device_id=f"D{number}"), online=True, model="LX"))
    store.message(1, store.detector(2))
    await store.readings.flush()
    assert store.acknowledged == [1]
    assert [row["device_id"] for row in await store.rows("SELECT device_id FROM device_state ORDER BY device_id")] == [
        "D1",
        "D2",
        "D3",
        "D4",
        "D5",
    ]


async def terminate_others(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_lost_connection_loses_nothing_and_releases_once(store: Store) -> None:
    store.message(1, store.detector(1), store.meter(1))
    await store.readings.flush()
    await terminate_others(store.dsn)
    store.message(2, store.detector(2), store.meter(2))
    await store.readings.flush()
    assert store.acknowledged == [1]
    assert store.readings.waiting == 2
    assert store.devices.changed == {"D1", "M1"}
    store.message(3, store.detector(3))
    await store.readings.flush()
    assert store.acknowledged == [1, 2, 3]
    assert await store.seqs() == [1, 2, 3]
    assert await store.seqs("meter_readings") == [1, 2]
    (detector, meter) = await store.rows("SELECT device_id, last_seq FROM device_state ORDER BY device_id")
    assert (detector["last_seq"], meter["last_seq"]) == (3, 2)


async def test_the_task_goes_on_through_a_database_that_was_away(postgres: TestPostgres) -> None:
    dsn = postgres.clone()
    postgres.drop(dsn)
    store = Store(dsn, batch_rows=5)
    task = asyncio.create_task(store.readings.run())
    try:
        for number in range(1, 13):
            store.message(number, store.detector(number))
        await store.readings.flush()
        assert (store.acknowledged, store.readings.waiting) == ([], 12)
        postgres.server.create_database(dsn.rpartition("/")[2].partition("?")[0], postgres.template)
        async with asyncio.timeout(WAIT_S):
            while len(store.acknowledged) < 12:
                await asyncio.sleep(0.01)
        assert not task.done()
        assert sorted(store.acknowledged) == list(range(1, 13))
        assert await store.seqs() == list(range(1, 13))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_two_flushes_at_once_store_everything_once(store: Store) -> None:
    for number in range(1, 4):
        store.message(number, store.detector(number))
    first = asyncio.create_task(store.readings.flush())
    await asyncio.sleep(0)  # the first has taken what waits
    store.message(4, store.detector(4))
    await asyncio.gather(first, store.readings.flush())
    assert await store.seqs() == [1, 2, 3, 4]
    assert sorted(store.acknowledged) == [1, 2, 3, 4]


async def test_the_buffer_is_bounded(database: str) -> None:
    store = Store(database, buffered_readings=10)
    for number in range(1, 16):
        store.message(number, store.detector(number))
    assert store.readings.waiting == 10
    await store.readings.flush()
    assert await store.seqs() == list(range(1, 11))
    await store.readings._drop()


async def test_counts_of_one_bad_input_add_up_in_one_row(store: Store) -> None:
    for _ in range(3):
        store.message(1, store.detector(1, ts=5))
    await store.readings.flush()
    store.message(2, store.detector(1, ts=5))
    await store.readings.flush()
    (row,) = await store.rows("SELECT account, reason, lane, count, sample FROM quarantine")
    assert row == {"account": "D1", "reason": "clock_out_of_range", "lane": "telemetry", "count": 4, "sample": b"D1 ts=5"}
