"""Work for the database is delayed, not lost, and what it refuses holds nobody else."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from core.station import ValveMessage
from dispatch import ledger as ledger_module
from dispatch.call_records import CallRecord, CallRecords
from dispatch.database import Connection, DatabaseAway, Lane
from dispatch.journal import CallJournal
from dispatch.ledger import Ledger
from dispatch.station import Station
from tests.dispatch.played import MORNING_MS, Line, Records, order_message
from tests.dispatch.test_order_call import put_in_outbox


@pytest.fixture
async def lane(database: str) -> AsyncIterator[Lane]:
    opened = Lane(database, "test")
    yield opened
    await opened.close()


async def test_refused_work_is_tried_again_then_given_up_and_holds_nobody(
    lane: Lane, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "RETRY_AFTER_S", (0.0, 0.0))
    ledger = Ledger(lane)
    running = asyncio.create_task(ledger.run())
    tries: list[str] = []
    said: list[tuple[str, bool]] = []

    async def poison(connection: Connection) -> None:
        tries.append("poison")
        await connection.execute("INSERT INTO dispatch_inbox VALUES (%s, 1)", (uuid4(),))
        await connection.execute("SELECT 1 / 0")

    async def good(connection: Connection) -> None:
        tries.append("good")
        await connection.execute("INSERT INTO dispatch_inbox VALUES (%s, 2)", (uuid4(),))

    ledger.put("poison", poison, lambda done: said.append(("poison", done)))
    ledger.put("good", good, lambda done: said.append(("good", done)))
    await ledger.settled()
    running.cancel()
    assert tries == ["poison", "good", "poison", "poison"]
    assert said == [("good", True), ("poison", False)]
    assert await records.rows("SELECT handled_ms FROM dispatch_inbox") == [{"handled_ms": 2}]


async def test_a_connection_that_is_cut_costs_time_only(lane: Lane, records: Records) -> None:
    async def cut(connection: Connection) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseAway):
        await lane.run(cut)
    assert lane.up is False
    cuts = 2

    async def cut_twice(connection: Connection) -> str:
        nonlocal cuts
        cuts -= 1
        if cuts >= 0:
            await cut(connection)
        return "done"

    assert await lane.until_done(cut_twice) == "done"
    assert lane.up is True


async def test_one_call_record_that_the_database_refuses_spoils_no_other(lane: Lane, records: Records) -> None:
    written = CallRecords(lane, CallJournal(None, 0))
    good = [call(attempt) for attempt in range(1, 6)]
    bad = call(2**40)  # more than the column holds
    for record in [*good[:3], bad, *good[3:]]:
        written.call(record)
    running = asyncio.create_task(written.run())
    await written.settled()
    running.cancel()
    found = await records.rows("SELECT attempt FROM calls ORDER BY attempt")
    assert [row["attempt"] for row in found] == [1, 2, 3, 4, 5]


def call(attempt: int) -> CallRecord:
    return CallRecord(
        call_id=uuid4(), incident_id=uuid4(), home_id=None, attempt=attempt, position=1, name="\0", role="resident",
        address="sip:1@sim.invalid", simulated=True, language="zh", requested_ms=MORNING_MS, said=["a\0b"],
    )  # fmt: skip


async def test_news_of_a_valve_waits_for_its_order(station: Station, line: Line, records: Records) -> None:
    message = order_message(call=False)
    valve = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + 5, valve="refused")
    line.say(valve)
    await records.until("SELECT 1 FROM dispatch_inbox", enough=lambda rows: not rows)
    await put_in_outbox(records, message)
    await line.until_taken(valve)
    assert await records.rows("SELECT valve, priority FROM work_orders") == [{"valve": "refused", "priority": 2}]
