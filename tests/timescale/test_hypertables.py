"""Readings on a real TimescaleDB beside the product's own PostgreSQL: same migrations, same writer, same questions, same rows."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from psycopg.rows import dict_row

from alarm_engine.device_view import DeviceViews
from alarm_engine.settings import LineSettings
from console.api.homes import DETECTOR_READINGS, METER_READINGS
from core.clock import ManualClock
from core.items import DetectorReading, MeterReading
from deploy.migrate import MIGRATIONS
from gateway import readings
from gateway.delivery import Delivery
from gateway.quarantine import Quarantine
from tests.timescale import copy_by_file
from tests.timescale.conftest import HOMES

TABLES: Final = ("detector_readings", "meter_readings")
QUESTIONS: Final = {"detector": DETECTOR_READINGS, "meter": METER_READINGS}
DAY_MS: Final = 86_400_000
NOW_MS: Final = ManualClock().now_ms()
MIDNIGHT_MS: Final = NOW_MS - NOW_MS % DAY_MS
WAIT_S: Final = 90.0
DAYS: Final = range(-30, 2)
Row = dict[str, Any]


def asked(dsn: str, query: str, **values: object) -> list[Row]:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row, prepare_threshold=None) as db:
        return db.execute(query, values).fetchall()


def kept(dsn: str) -> dict[str, list[Row]]:
    """All that the writer has written."""
    found = {table: asked(dsn, f"SELECT * FROM {table} ORDER BY device_no, ts, boot, seq") for table in TABLES}
    found["device_state"] = asked(dsn, "SELECT * FROM device_state ORDER BY device_id")
    found["quarantine"] = asked(dsn, "SELECT account, lane, reason, count FROM quarantine ORDER BY lane")
    return found


def moments() -> Iterator[int]:
    """Device times, Unix ms: the edges of each day and its noon."""
    for day in DAYS:
        midnight = MIDNIGHT_MS + day * DAY_MS
        yield from (midnight - 1, midnight)
        if midnight + DAY_MS // 2 < NOW_MS:
            yield midnight + DAY_MS // 2


def detector(home: int, ts: int, boot: int = 1, seq: int = 1, **values: Any) -> DetectorReading:
    common = {"account": f"D{home:05}", "device_id": f"D{home:05}", "ts": ts, "boot": boot, "seq": seq, "received_ms": NOW_MS}
    measured = {"ch4_lel": ts % 17 / 2, "state": "normal", "power": "mains", "temp_c": 20.5, "defects": ("power",) if ts % 2 else ()}
    return DetectorReading(**{**common, **measured, **values})


def meter(home: int, ts: int, boot: int = 1, seq: int = 1) -> MeterReading:
    common: dict[str, Any] = {
        "account": f"M{home:05}",
        "device_id": f"M{home:05}",
        "ts": ts,
        "boot": boot,
        "seq": seq,
        "received_ms": NOW_MS,
    }
    return MeterReading(**common, volume_m3=ts % 1000 / 10, flow_m3h=0.5, valve="open", flags=("tilt",) if ts % 2 else ())


class Writer:
    """The product's own writer, with the numbers that the registry has given the devices."""

    def __init__(self, dsn: str) -> None:
        self._devices = DeviceViews()
        self._readings = readings.Readings(dsn, LineSettings(), ManualClock(), self._devices, Quarantine())
        self._numbers = {row["device_id"]: row["device_no"] for row in asked(dsn, "SELECT device_id, device_no FROM devices")}
        self.acknowledged = 0

    def message(self, *items: DetectorReading | MeterReading) -> None:
        delivery = Delivery(self._acknowledge)
        for item in items:
            self._devices.of(item.device_id).note(item, "telemetry", 0)
            self._devices.changed.add(item.device_id)
            self._readings.add(item, self._numbers[item.device_id], delivery)
        delivery.release()

    def _acknowledge(self) -> None:
        self.acknowledged += 1

    async def flush(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while self._readings.waiting:
                await self._readings.flush()

    async def leave(self) -> None:
        """One connection is all there is."""
        await self._readings._drop()


async def write(dsn: str) -> int:
    """A month of two homes, with repeats in a later batch and in the same one, and one that no column takes; how many were acknowledged."""
    writer = Writer(dsn)
    for ts in moments():
        writer.message(*(make(home, ts) for home in (1, 2) for make in (detector, meter)))
    await writer.flush()
    late = list(moments())[::5]
    for ts in late:
        writer.message(detector(1, ts), meter(1, ts), detector(1, ts, seq=2), meter(2, ts, boot=2))
    await writer.flush()
    again = detector(2, NOW_MS - 60_000)
    writer.message(again, again, meter(2, NOW_MS - 60_000), detector(2, NOW_MS - 59_000, state="a\0b"), detector(2, NOW_MS - 58_000))
    await writer.flush()
    await writer.leave()
    return writer.acknowledged


async def write_to_both(partitions: str, hypertables: str) -> tuple[int, int]:
    plain = await write(partitions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings, "_write", copy_by_file.write)
        return plain, await write(hypertables)


def test_every_migration_is_applied_and_both_tables_are_hypertables_of_one_day_pieces(hypertables: str) -> None:
    versions = [row["version"] for row in asked(hypertables, "SELECT version FROM schema_migrations ORDER BY version")]
    assert versions == sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("*.sql"))
    pieces = asked(
        hypertables, "SELECT hypertable_name, column_name, time_interval FROM timescaledb_information.dimensions ORDER BY hypertable_name"
    )
    assert [tuple(row.values()) for row in pieces] == [(table, "ts", timedelta(days=1)) for table in TABLES]
    assert asked(hypertables, "SELECT * FROM pg_partitioned_table") == []


async def test_the_writer_keeps_the_same_rows_in_both(partitions: str, hypertables: str) -> None:
    plain, hyper = await write_to_both(partitions, hypertables)
    expected = kept(partitions)
    assert kept(hypertables) == expected
    assert hyper == plain
    times = len(list(moments()))
    late = len(list(moments())[::5])
    assert [len(expected[table]) for table in TABLES] == [2 * times + late + 2, 2 * times + late + 1]
    assert [row["reason"] for row in expected["quarantine"]] == ["not_stored"]
    assert len(expected["device_state"]) == 4


async def test_each_day_is_one_piece_from_midnight_to_midnight_as_with_partitions(partitions: str, hypertables: str) -> None:
    await write_to_both(partitions, hypertables)
    for table in TABLES:
        days = asked(partitions, f"SELECT DISTINCT date_trunc('day', ts, 'UTC') AS day FROM {table} ORDER BY day")
        pieces = asked(
            hypertables,
            "SELECT range_start, range_end FROM timescaledb_information.chunks WHERE hypertable_name = %(table)s ORDER BY range_start",
            table=table,
        )
        assert len(days) > len(DAYS)
        assert [row["range_start"] for row in pieces] == [row["day"] for row in days]
        assert {row["range_end"] - row["range_start"] for row in pieces} == {timedelta(days=1)}


async def test_the_console_reads_the_same_of_any_home_and_period(partitions: str, hypertables: str) -> None:
    await write_to_both(partitions, hypertables)
    periods = [(-31, 2, 10_000), (-3, -2, 10_000), (-31, 2, 7), (-90, -60, 100)]
    for home in HOMES:
        for first, last, rows in periods:
            values = {"home_id": home, "from": day(first), "to": day(last), "rows": rows}
            for question in QUESTIONS.values():
                expected, found = asked(partitions, question, **values), asked(hypertables, question, **values)
                assert [row["ts"] for row in found] == [row["ts"] for row in expected]
                # Items of one moment stand in no order among themselves: which of them a cut leaves out is open.
                if len(expected) < rows:
                    assert sorted(found, key=identity) == sorted(expected, key=identity)
                assert bool(expected) is (first > -60)


async def test_a_question_about_one_day_touches_one_piece(partitions: str, hypertables: str) -> None:
    await write_to_both(partitions, hypertables)
    for question in QUESTIONS.values():
        plan = asked(hypertables, "EXPLAIN " + question, home_id=HOMES[0], to=day(-2), rows=100, **{"from": day(-3)})
        assert len(set(re.findall(r"_hyper_\d+_\d+_chunk", str(plan)))) == 1


@pytest.mark.parametrize("table", TABLES)
def test_the_identity_of_an_item_is_taken_once(hypertables: str, table: str) -> None:
    insert = f"INSERT INTO {table} (device_no, ts, boot, seq, received_at) VALUES (1, %(ts)s, 1, %(seq)s, now())"
    asked(hypertables, insert + " RETURNING 1", ts=day(0), seq=1)
    with pytest.raises(psycopg.errors.UniqueViolation):
        asked(hypertables, insert + " RETURNING 1", ts=day(0), seq=1)
    assert asked(hypertables, insert + " ON CONFLICT DO NOTHING RETURNING 1", ts=day(0), seq=1) == []
    assert len(asked(hypertables, insert + " RETURNING 1", ts=day(0), seq=2)) == 1


def test_making_days_ahead_makes_nothing(hypertables: str) -> None:
    tables = "SELECT oid FROM pg_class ORDER BY oid"
    before = asked(hypertables, tables)
    made = asked(hypertables, "SELECT ensure_reading_days(%(first)s, %(last)s) AS made", first=day(-30).date(), last=day(2).date())
    assert made == [{"made": 0}]
    assert asked(hypertables, tables) == before


def day(number: int) -> datetime:
    return datetime.fromtimestamp((MIDNIGHT_MS + number * DAY_MS) / 1000, UTC)


def identity(row: Row) -> tuple[Any, ...]:
    return (row["device_id"], row["ts"], row["boot"], row["seq"])
