"""Readings into the database: binary COPY in batches, repeats recognised, each message acknowledged when its readings are stored.

Sole writer of detector_readings, meter_readings and device_state. A database that is away is waited for, never in the way of the lane:
the broker is answered by the window's rule. When the buffer is full the newest readings are left out and counted, and their messages are
never called done: only the window, which counts them too, lets the broker forget them.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString, TypeVar

import psycopg
import structlog
from pydantic_core import to_json

from alarm_engine import metrics
from alarm_engine.device_view import DeviceViews
from alarm_engine.settings import LineSettings
from core.clock import Clock
from core.items import DetectorReading, MeterReading
from gateway.decode import Rejection
from gateway.delivery import Delivery
from gateway.quarantine import Quarantine

log = structlog.get_logger()

_COMMON: Final = ("device_no", "ts", "boot", "seq", "received_at")
_COMMON_TYPES: Final = ("int4", "timestamptz", "int8", "int8", "timestamptz")
_TABLES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "detector_readings": (
        (*_COMMON, "ch4_lel", "state", "ch4_raw", "ch4_raw_unit", "power", "temp_c", "battery_v", "rssi_dbm", "defects"),
        (*_COMMON_TYPES, "float4", "text", "float4", "text", "text", "float4", "float4", "float4", "text[]"),
    ),
    "meter_readings": (
        (
            *_COMMON,
            "volume_m3",
            "flow_m3h",
            "valve",
            "cause",
            "pressure_kpa",
            "credit_cny",
            "flags",
            "temp_c",
            "battery_v",
            "rssi_dbm",
            "defects",
        ),
        (
            *_COMMON_TYPES,
            "float8",
            "float4",
            "text",
            "text",
            "float4",
            "float4",
            "text[]",
            "float4",
            "float4",
            "float4",
            "text[]",
        ),
    ),
}

STORE_STATE: Final = """
INSERT INTO device_state SELECT * FROM jsonb_populate_recordset(NULL::device_state, %(rows)s::jsonb)
ON CONFLICT (device_id) DO UPDATE SET
    last_ts = excluded.last_ts, last_boot = excluded.last_boot, last_seq = excluded.last_seq, heard_ms = excluded.heard_ms,
    lane = excluded.lane, state = excluded.state, ch4_lel = excluded.ch4_lel, normal_ts = excluded.normal_ts,
    normal_boot = excluded.normal_boot, normal_seq = excluded.normal_seq, valve = excluded.valve, cause = excluded.cause,
    volume_m3 = excluded.volume_m3, flow_m3h = excluded.flow_m3h, power = excluded.power, battery_v = excluded.battery_v,
    credit_cny = excluded.credit_cny, rssi_dbm = excluded.rssi_dbm, online = excluded.online, model = excluded.model,
    firmware = excluded.firmware, connectivity = excluded.connectivity, report_interval_s = excluded.report_interval_s,
    register_step_m3 = excluded.register_step_m3, clock_offset_ms = excluded.clock_offset_ms, flags = excluded.flags,
    last_order_no = excluded.last_order_no, counter_resets = excluded.counter_resets, retained_items = excluded.retained_items
"""
ENSURE_DAYS: Final = "SELECT ensure_reading_days(%s, %s)"

_Row = tuple[Any, ...]
_Any = TypeVar("_Any")
_RETRY_S: Final = 0.5
_PIECE_ROWS: Final = 50


class Readings:
    """A buffer of readings and the task that stores them."""

    def __init__(self, dsn: str, settings: LineSettings, clock: Clock, devices: DeviceViews, quarantine: Quarantine) -> None:
        self._dsn = dsn
        self._settings = settings
        self._clock = clock
        self._devices = devices
        self._quarantine = quarantine
        self._rows: dict[str, list[_Row]] = {name: [] for name in _TABLES}
        self._deliveries: list[Delivery] = []
        self._full = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._days_until: datetime | None = None

    @property
    def waiting(self) -> int:
        """Readings not stored yet."""
        return sum(len(rows) for rows in self._rows.values())

    def add(self, item: DetectorReading | MeterReading, device_no: int, delivery: Delivery) -> None:
        """Queue a reading; its message is done once it is stored, never when it is left out because the buffer is full.

        ``device_no`` is the registry's number of the device.
        """
        settings = self._settings
        too_old = item.ts < item.received_ms - settings.oldest_reading_days * 86_400_000
        if too_old or item.ts > item.received_ms + settings.future_reading_s * 1000:
            self._quarantine.add(
                item.account,
                "telemetry",
                Rejection("clock_out_of_range", f"{item.device_id} ts={item.ts}".encode(), item.device_id),
                item.received_ms,
            )
            return
        if self.waiting >= settings.buffered_readings:
            metrics.readings_dropped.labels("any").inc()
            delivery.hold()
            return
        table = "detector_readings" if isinstance(item, DetectorReading) else "meter_readings"
        self._rows[table].append(_row(item, device_no))
        self._deliveries.append(delivery)
        delivery.hold()
        if self.waiting >= settings.batch_rows:
            self._full.set()

    async def run(self) -> None:
        """Store batches until cancelled."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self._settings.batch_wait_s)
                self._full.clear()
                await self.flush()
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def flush(self) -> None:
        """Store everything that waits now; returns when it is committed or has gone back to wait."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        if not self.waiting and not self._devices.changed and not self._quarantine.waiting:
            return
        taken = self._rows
        deliveries, self._deliveries = self._deliveries, []
        self._rows = {name: [] for name in _TABLES}
        states = self._devices.take_changed()
        try:
            connection = await self._connected()
            await self._ensure_days(connection)
            await self._store(connection, taken, states)
            await self._quarantine.store(connection)
        except psycopg.Error as error:
            log.warning("readings wait for the database", error=str(error), waiting=sum(map(len, taken.values())))
            for name, rows in taken.items():
                self._rows[name] = rows + self._rows[name]
            self._deliveries = deliveries + self._deliveries
            self._devices.put_back([str(row["device_id"]) for row in states])
            self._days_until = None
            await self._drop()
            await asyncio.sleep(_RETRY_S)
            return
        for delivery in deliveries:
            delivery.release()

    async def _store(self, connection: psycopg.AsyncConnection[Any], rows: dict[str, list[_Row]], states: list[dict[str, object]]) -> None:
        async def copy(table: str, found: Sequence[_Row]) -> None:
            await _copy(connection, table, found)

        async def keep(_: str, found: Sequence[dict[str, object]]) -> None:
            async with connection.transaction():
                await connection.execute(STORE_STATE, {"rows": to_json(found).decode()})

        async with connection.transaction():
            for table, found in rows.items():
                if found:
                    await self._halve(copy, table, found)
            if states:
                await self._halve(keep, "device_state", states)

    async def _halve(self, store: Callable[[str, Sequence[_Any]], Awaitable[None]], table: str, rows: Sequence[_Any]) -> None:
        """Store rows; one that the database will not take for its content is found by halving and holds nobody."""
        try:
            await store(table, rows)
        except (psycopg.DataError, OverflowError, ValueError) as error:
            if len(rows) == 1:
                log.error("row refused by the database", table=table, error=str(error))
                sample = f"{error}\n{rows[0]}".encode(errors="replace")[:2048]
                self._quarantine.add("", table, Rejection("not_stored", sample, ""), self._clock.now_ms())
                return
            middle = len(rows) // 2
            await self._halve(store, table, rows[:middle])
            await self._halve(store, table, rows[middle:])

    async def _ensure_days(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Make daily partitions ahead: from the oldest reading that is taken to two days from now."""
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        if self._days_until is not None and now < self._days_until:
            return
        first = now - timedelta(days=self._settings.oldest_reading_days + 1)
        last = now + timedelta(seconds=self._settings.future_reading_s) + timedelta(days=1)
        await connection.execute(ENSURE_DAYS, (first.date(), last.date()))
        self._days_until = now + timedelta(hours=6)

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=2)
        return self._connection

    async def _drop(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


async def _copy(connection: psycopg.AsyncConnection[Any], table: str, rows: Sequence[_Row]) -> None:
    """COPY straight in; on a repeat, once more through a temporary table that leaves out what is there."""
    columns, types = _TABLES[table]
    names = ", ".join(columns)
    try:
        async with connection.transaction():
            await _write(connection, f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)", types, rows)
        metrics.readings_stored.labels(table).inc(len(rows))
        return
    except psycopg.errors.UniqueViolation:
        pass
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(f"CREATE TEMPORARY TABLE again (LIKE {table}) ON COMMIT DROP")
        await _write(connection, f"COPY again ({names}) FROM STDIN (FORMAT BINARY)", types, rows)
        statement = f"INSERT INTO {table} ({names}) SELECT {names} FROM again ON CONFLICT DO NOTHING"  # noqa: S608  names of our own
        await cursor.execute(statement)
        stored = cursor.rowcount
        await cursor.execute("DROP TABLE again")
    metrics.readings_stored.labels(table).inc(stored)
    metrics.readings_repeated.labels(table).inc(len(rows) - stored)


async def _write(connection: psycopg.AsyncConnection[Any], statement: LiteralString, types: Sequence[str], rows: Sequence[_Row]) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for number, row in enumerate(rows, 1):
            await copy.write_row(row)
            if number % _PIECE_ROWS == 0:
                # A leak may have come in.
                await asyncio.sleep(0)


def _row(item: DetectorReading | MeterReading, device_no: int) -> _Row:
    at = datetime.fromtimestamp(item.ts / 1000, UTC)
    received = datetime.fromtimestamp(item.received_ms / 1000, UTC)
    common = (device_no, at, item.boot, item.seq, received)
    defects = list(item.defects) or None
    if isinstance(item, DetectorReading):
        return (
            *common,
            item.ch4_lel,
            item.state,
            item.ch4_raw_value,
            item.ch4_raw_unit,
            item.power,
            item.temp_c,
            item.battery_v,
            item.rssi_dbm,
            defects,
        )
    return (
        *common,
        item.volume_m3,
        item.flow_m3h,
        item.valve,
        item.cause,
        item.pressure_kpa,
        item.credit_cny,
        list(item.flags) or None,
        item.temp_c,
        item.battery_v,
        item.rssi_dbm,
        defects,
    )
