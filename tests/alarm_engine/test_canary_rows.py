"""The line's rows of the canary do not grow for ever, and nothing but the canary's is ever deleted (on a real database)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from alarm_engine import canary_rows
from alarm_engine.canary_rows import CanaryRows
from alarm_engine.settings import LineSettings
from core.clock import ManualClock
from core.ids import CANARY_DETECTOR, CANARY_HOME, CANARY_METER

START_MS = 1_775_000_000_000
DAY_MS = 86_400_000
TABLES = ("incidents", "incident_events", "incident_aliases", "alarms", "commands", "outbox", "requests", "valve_holds", "device_state")

Store = psycopg.AsyncConnection[dict[str, Any]]


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def days_later(database: str, days: float, kept_days: float = 7.0) -> CanaryRows:
    return CanaryRows(database, LineSettings(canary_kept_days=kept_days), ManualClock(START_MS + round(days * DAY_MS)))


async def insert(store: Store, table: str, **row: object) -> None:
    """A row; what is not named gets the column's default."""
    names = ", ".join(row)
    await store.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, %s)",
        (json.dumps(row, default=str),),
    )


async def leave(store: Store, *, kind: str = "canary", home: str = CANARY_HOME, state: str = "closed", at_ms: int = START_MS) -> UUID:
    """What one incident leaves behind, whatever it is of; returns its id."""
    key = uuid4()
    meter, detector = (CANARY_METER, CANARY_DETECTOR) if home == CANARY_HOME else ("M1", "D1")
    closed_ms = at_ms + 5_000 if state == "closed" else None
    await insert(
        store, "incidents", incident_id=key, kind=kind, state=state, home_id=home, account=detector, place=home, simulated=True,
        lane="alarm", reason="event", boot=1, seq=1, valve="reported_closed", alarmed_ms=at_ms, received_ms=at_ms, last_leak_ms=at_ms,
        closed_ms=closed_ms, devices=[], home={}, lel_vol_percent=5, proof="none", clearing="unknown", watch={},
    )  # fmt: skip
    for number in range(3):
        await insert(store, "incident_events", event_id=uuid4(), incident_id=key, at_ms=at_ms, kind="note", actor="line", detail={})
        payload = {"incident_kind": kind}
        await store.execute(
            "INSERT INTO outbox (message_id, incident_id, payload, created_ms) VALUES (%s, %s, %s, %s)",
            (uuid4(), key, json.dumps(payload), at_ms + number * 1_000),
        )
    seq = key.int % 1_000_000_000
    item = {"device_id": detector, "ts": at_ms, "boot": 1, "account": detector, "lane": "alarm", "event": "leak", "verdict": "leak"}
    await insert(store, "alarms", **item, seq=seq, defects=[], home_id=home, incident_id=key, received_ms=at_ms)
    await insert(store, "alarms", **item, seq=seq + 1, defects=[], home_id=home, received_ms=at_ms)
    order = {"device_id": meter, "account": meter, "attempt": 1, "order_no": seq, "reason": "leak", "state": "done", "sends": 1}
    order |= {"issued_ms": at_ms, "expires_ms": at_ms, "requested_by": "line"}
    await insert(store, "commands", **order, command_id=uuid4(), command="close_valve", incident_id=key)
    await insert(store, "commands", **order, command_id=uuid4(), command="report")
    await insert(store, "incident_aliases", alias_id=uuid4(), incident_id=key, at_ms=at_ms, reason="test")
    return key


async def everything(store: Store) -> dict[str, list[str]]:
    """Every row of the line's tables, as text."""
    found = {}
    for table in TABLES:
        rows = await (await store.execute(f"SELECT t::text AS row FROM {table} t ORDER BY 1")).fetchall()
        found[table] = [row["row"] for row in rows]
    return found


async def ordinary(store: Store) -> None:
    """Incidents of people, of the same age and older; one of a real kind that bears the canary's home."""
    for at_ms in (START_MS - 300 * DAY_MS, START_MS, START_MS + 1_000):
        await leave(store, kind="leak", home="H1", at_ms=at_ms)
    await leave(store, kind="canary", home="H2")
    await insert(store, "incident_events", event_id=uuid4(), incident_id=uuid4(), at_ms=START_MS, kind="note", actor="line", detail={})
    # The lateness of a canary is told to people: it is no row of the canary.
    await store.execute(
        'INSERT INTO outbox (message_id, incident_id, payload, created_ms) VALUES (%s, %s, \'{"kind": "canary_late"}\', %s)',
        (uuid4(), uuid4(), START_MS),
    )
    await insert(store, "device_state", device_id=CANARY_METER, last_ts=1, last_boot=1, last_seq=1, heard_ms=1, lane="alarm",
                 flags=[], last_order_no=0, counter_resets=0, retained_items=0)  # fmt: skip


async def test_old_rows_of_the_canary_go_and_nothing_else_does(store: Store, database: str) -> None:
    await ordinary(store)
    before = await everything(store)
    for number in range(5):
        await leave(store, at_ms=START_MS + number * 60_000)
    with_canary = await everything(store)
    assert await days_later(database, 6.9).forget() == 0
    assert await everything(store) == with_canary
    # Five incidents, and of each an alarm and a command that name none.
    assert await days_later(database, 8).forget() == 15
    assert await everything(store) == before
    assert await days_later(database, 4000).forget() == 0
    assert await everything(store) == before


async def test_an_open_canary_stays_and_a_newer_one_too(store: Store, database: str) -> None:
    open_one = await leave(store, state="open")
    newer = await leave(store, at_ms=START_MS + 5 * DAY_MS)
    await leave(store)
    await days_later(database, 8).forget()
    rows = await (await store.execute("SELECT incident_id FROM incidents")).fetchall()
    assert {row["incident_id"] for row in rows} == {open_one, newer}
    rows = await (await store.execute("SELECT DISTINCT incident_id FROM outbox")).fetchall()
    assert {row["incident_id"] for row in rows} == {open_one, newer}


async def test_it_goes_in_pieces(store: Store, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_rows, "PIECE", 2)
    for number in range(7):
        await leave(store, at_ms=START_MS + number * 60_000)
    assert await days_later(database, 30, kept_days=0.5).forget() == 21
    assert not any((await everything(store)).values())


async def test_it_looks_once_an_hour_and_outlives_a_database_that_is_away(store: Store, database: str) -> None:
    clock = ManualClock(START_MS + 8 * DAY_MS)
    rows = CanaryRows(database, LineSettings(), clock)
    running = asyncio.create_task(rows.run())
    away = asyncio.create_task(CanaryRows("host=127.0.0.1 port=1 dbname=x", LineSettings(), clock).run())

    async def forgotten() -> None:
        statement = "SELECT 1 FROM incidents"
        while await (await store.execute(statement)).fetchone():
            await asyncio.sleep(0.01)

    try:
        for _ in range(2):
            await leave(store)
            async with asyncio.timeout(90.0):
                looked = asyncio.create_task(forgotten())
                while not looked.done():
                    await clock.advance(3600)
                    await asyncio.sleep(0.02)  # the database works in real time
        assert not running.done()
        assert not away.done()
    finally:
        for task in (running, away):
            task.cancel()
        await asyncio.gather(running, away, return_exceptions=True)
