"""The canary's rows do not grow for ever, and nothing but the canary's is ever deleted (on a real database)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from core.clock import ManualClock
from core.station import OrderMessage, TaskMessage, ValveMessage
from dispatch import canary_rows
from dispatch.canary_rows import CanaryRows
from dispatch.database import Lane
from dispatch.settings import DispatchSettings
from dispatch.station import Station
from tests.dispatch.played import MORNING_MS, PATIENCE_S, Line, PlayedVoiceWorker, Records, order_message
from tests.dispatch.test_canary import busy, canary
from tests.dispatch.test_order_call import put_in_outbox

DAY_MS = 86_400_000
TABLES = (
    "work_orders", "order_steps", "order_aliases", "order_numbers", "calls", "ladders", "tasks", "requests", "dispatch_inbox", "outbox",
)  # fmt: skip


@pytest.fixture
async def lane(database: str) -> AsyncIterator[Lane]:
    opened = Lane(database, "test")
    yield opened
    await opened.close()


def days_later(lane: Lane, days: float, kept_days: float = 7.0) -> CanaryRows:
    return CanaryRows(DispatchSettings(canary_kept_days=kept_days), ManualClock(MORNING_MS + round(days * DAY_MS)), lane)


async def everything(records: Records) -> dict[str, list[str]]:
    """Every row of dispatch's tables, as text."""
    return {table: [row["row"] for row in await records.rows(f"SELECT t::text AS row FROM {table} t ORDER BY 1")] for table in TABLES}


async def walk(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> OrderMessage:
    """A round of the canary with its news, by broker and outbox, to its end."""
    message = canary()
    await put_in_outbox(records, message)
    line.say(message)
    for number, valve in enumerate(("accepted", "reported_closed"), start=1):
        news = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + number, valve=valve)
        await put_in_outbox(records, news)
        line.say(news)
        await line.until_taken(news)
    busy(worker, await worker.next_call())
    await records.until("SELECT 1 FROM requests WHERE body ->> 'incident_id' = %s", str(message.incident_id))
    await records.rows("UPDATE requests SET state = 'done'")
    async with asyncio.timeout(PATIENCE_S):
        await station.settled()
    await records.until("SELECT 1 FROM calls WHERE role = 'canary' AND incident_id = %s AND outcome = 'busy'", message.incident_id)
    return message


async def ordinary(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    """An ordinary incident, as old and as much at its end as the canary's."""
    message = order_message()
    await put_in_outbox(records, message)
    line.say(message)
    news = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + 1, valve="reported_closed")
    task = TaskMessage(
        message_id=uuid4(), incident_id=uuid4(), at_ms=MORNING_MS, kind="canary_late", home_id=None, simulated=False, detail={}
    )
    for each in (news, task):
        line.say(each)
        await line.until_taken(each)
    worker.presses(await worker.next_call(), "1", "confirmed")
    await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'")
    async with asyncio.timeout(PATIENCE_S):
        await station.settled()
    await records.rows("UPDATE work_orders SET state = 'archived', archived_ms = %s", MORNING_MS + 1)
    await records.rows(
        "INSERT INTO requests (request_id, station, kind, body, actor, state)"
        " VALUES (%s, 'line', 'order_finished', '{\"order_kind\": \"emergency\"}', 'dispatch', 'done')",
        uuid4(),
    )
    await records.rows("DELETE FROM outbox")


async def test_old_rows_of_the_canary_go_and_nothing_else_does(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, lane: Lane
) -> None:
    await ordinary(station, line, worker, records)
    before = await everything(records)
    assert all(before[table] for table in TABLES if table not in ("order_aliases", "outbox"))
    for _ in range(3):
        await walk(station, line, worker, records)
    await records.rows("DELETE FROM outbox")  # what the line does with its part
    with_canary = await everything(records)
    assert all(len(with_canary[table]) > len(before[table]) for table in ("work_orders", "order_steps", "calls", "dispatch_inbox"))
    assert await days_later(lane, 6.9).forget() == (0, False)
    assert await everything(records) == with_canary
    assert await days_later(lane, 8.1).forget() == (3, False)
    assert await everything(records) == before
    assert await days_later(lane, 4000).forget() == (0, False)
    assert await everything(records) == before


async def test_nothing_goes_before_the_lines_outbox_row_has_gone(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, lane: Lane
) -> None:
    """Else its message would come again as a new one, and ring and order anew."""
    message = await walk(station, line, worker, records)
    before = await everything(records)
    assert await days_later(lane, 30).forget() == (0, False)
    assert await everything(records) == before
    await records.rows("DELETE FROM outbox WHERE message_id = %s", message.message_id)
    assert await days_later(lane, 30).forget() == (0, False)  # its news are still there
    await records.rows("DELETE FROM outbox")
    assert await days_later(lane, 30).forget() == (1, False)
    assert await records.rows("SELECT 1 FROM dispatch_inbox") == []


async def test_a_canary_under_way_stays(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, lane: Lane) -> None:
    message = canary()
    line.say(message)
    await worker.next_call()
    await line.until_taken(message)
    assert await days_later(lane, 30).forget() == (0, False)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_once_an_hour_in_bounded_pieces(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary_rows, "PIECE", 2)
    monkeypatch.setattr(canary_rows, "_PIECES", 2)
    clock = ManualClock(MORNING_MS + 8 * DAY_MS)
    rows = CanaryRows(DispatchSettings(), clock, lane)

    async def left() -> int:
        found: list[dict[str, Any]] = await records.rows("SELECT 1 FROM work_orders")
        return len(found)

    async def walk_times(times: int) -> None:
        for _ in range(times):
            await walk(station, line, worker, records)
        await records.rows("DELETE FROM outbox")

    await walk_times(5)
    await rows.look()
    assert await left() == 1
    await rows.look()  # what a round left is not for the next hour
    assert await left() == 0
    await walk_times(1)
    await rows.look()
    assert await left() == 1
    await clock.advance(3600)
    await rows.look()
    assert await left() == 0
