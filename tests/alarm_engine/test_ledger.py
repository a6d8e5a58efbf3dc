"""The ledger against a real PostgreSQL: what is put becomes rows, once, in order, and nothing stands in the way for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from alarm_engine import ledger
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.command_table import CommandState
from alarm_engine.ledger import Entry, Ledger
from alarm_engine.record import alarm_row, event, order_message, outbox_row
from alarm_engine.rows import Rows
from core.clock import ManualClock
from core.items import AlarmItem
from core.station import ValveKnowledge
from deploy.embedded.testing import TestPostgres

WAIT_S = 90.0


def incident(number: int = 1, **changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "incident_id": UUID(int=number),
        "kind": "leak",
        "place": f"H{number}",
        "account": "D1",
        "device_id": "D1",
        "home": None,
        "simulated": True,
        "lane": "alarm",
        "reason": "event",
        "ch4_lel": 20.0,
        "alarm_lel": 10.0,
        "boot": 1,
        "seq": number,
        "alarmed_ms": 1,
        "received_ms": 2,
        "last_leak_ms": 2,
    }
    return Incident(**(fields | changes))


def command(number: int = 1, **changes: Any) -> CommandRecord:
    fields: dict[str, Any] = {
        "command_id": UUID(int=number),
        "device_id": "M1",
        "account": "M1",
        "command": "close_valve",
        "incident_id": UUID(int=number),
        "attempt": 1,
        "order_no": number,
        "reason": "leak",
        "issued_ms": 1,
        "expires_ms": 1,
        "requested_by": "line",
    }
    return CommandRecord(**(fields | changes))


def entry(number: int, **detail: Any) -> Rows:
    """A bundle that holds one entry of a record; ``number`` tells it from others."""
    return Rows(events=[{**event(UUID(int=number), number, "opened", **detail), "entry_no": number}])


class Book:
    """A running ledger and what it called back."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.done: list[int] = []
        self.refused: list[tuple[Rows, str]] = []
        self.ledger = Ledger(dsn, ManualClock(), lambda rows, error: self.refused.append((rows, error)))
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.ledger.run())

    def put(self, rows: Rows, number: int = 0, alarm_received_ms: int | None = None) -> None:
        self.ledger.put(rows, lambda: self.done.append(number), alarm_received_ms)

    async def settled(self) -> None:
        assert self.task is not None
        assert await self.ledger.drain(WAIT_S), self.ledger.last_error
        assert not self.task.done()

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

    async def rows(self, table: str, order: str) -> list[dict[str, Any]]:
        async with (
            await psycopg.AsyncConnection.connect(self.dsn) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(f"SELECT * FROM {table} ORDER BY {order}")
            return await cursor.fetchall()

    async def written(self) -> list[int]:
        return [row["at_ms"] for row in await self.rows("incident_events", "at_ms")]


@pytest.fixture
async def book(database: str) -> AsyncIterator[Book]:
    found = Book(database)
    yield found
    await found.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_bundle_becomes_its_rows(book: Book) -> None:
    opened = incident()
    record = command()
    order = order_message(opened, 5)
    item = AlarmItem(account="D1", device_id="D1", ts=1, boot=1, seq=1, received_ms=2, event="leak", ch4_lel=20.0, defects=("cause",))
    book.put(
        Rows(
            incidents={opened.incident_id: opened.row()},
            commands={record.command_id: record.row()},
            alarms=[alarm_row(item, "alarm", "leak", "H1", opened.incident_id)],
            events=[event(opened.incident_id, 3, "opened", lane="alarm")],
            outbox=[outbox_row(order)],
        ),
        7,
        2,
    )
    book.start()
    await book.settled()
    assert book.done == [7]
    (stored,) = await book.rows("incidents", "place")
    assert (stored["incident_id"], stored["state"], stored["place"], stored["ch4_lel"]) == (opened.incident_id, "open", "H1", 20.0)
    (stored,) = await book.rows("commands", "order_no")
    assert (stored["command_id"], stored["state"], stored["order_no"]) == (record.command_id, "requested", 1)
    (stored,) = await book.rows("alarms", "seq")
    assert (stored["device_id"], stored["event"], stored["verdict"], stored["defects"]) == ("D1", "leak", "leak", ["cause"])
    (stored,) = await book.rows("incident_events", "at_ms")
    assert (stored["kind"], stored["detail"], stored["actor"]) == ("opened", {"lane": "alarm"}, "line")
    (stored,) = await book.rows("outbox", "outbox_no")
    assert (stored["message_id"], stored["payload"]) == (order.message_id, order.model_dump(mode="json"))


@pytest.mark.parametrize(("numbers", "statements"), [((1, 2), 1), ((None, None), 2)], ids=["in the journal", "nowhere yet"])
async def test_what_the_journal_has_is_written_with_what_follows_at_once(
    book: Book, monkeypatch: pytest.MonkeyPatch, numbers: tuple[int | None, int | None], statements: int
) -> None:
    monkeypatch.setattr(ledger, "_GATHER_S", 1.0)
    book.start()
    await until(lambda: book.ledger.database_up or book.ledger.queue(Entry(entry(9), None, None, 0.0)))
    await book.settled()
    for at_ms, number in enumerate(numbers, 1):
        book.ledger.queue(Entry(entry(at_ms), None, None, 0.0, number))
        for _ in range(5):
            # Long enough to begin to write, were it in a hurry.
            await asyncio.sleep(0)
    await book.settled()
    assert await book.written() == [1, 2, 9]
    transactions = await book.rows("(SELECT xmin AS statement, at_ms FROM incident_events WHERE at_ms < 9) AS found", "at_ms")
    assert len({row["statement"] for row in transactions}) == statements


async def test_the_latest_state_wins_in_one_batch_and_over_batches(book: Book) -> None:
    opened, record = incident(), command()
    steps: Sequence[tuple[ValveKnowledge, CommandState]]
    steps = [("commanded", "sent"), ("accepted", "accepted"), ("reported_closed", "reported_closed")]
    for number, (valve, state) in enumerate(steps[:2]):
        opened.valve, record.state = valve, state
        book.put(Rows(incidents={opened.incident_id: opened.row()}, commands={record.command_id: record.row()}), number)
    book.start()
    await book.settled()
    opened.valve, record.state = steps[2]
    opened.reported_closed_ms, opened.meter_id = 99, "M1"
    book.put(Rows(incidents={opened.incident_id: opened.row()}, commands={record.command_id: record.row()}), 2)
    await book.settled()
    (stored,) = await book.rows("incidents", "place")
    assert (stored["valve"], stored["reported_closed_ms"], stored["meter_id"]) == ("reported_closed", 99, "M1")
    (stored,) = await book.rows("commands", "order_no")
    assert stored["state"] == "reported_closed"
    assert book.done == [0, 1, 2]


async def test_an_incident_may_end_and_the_next_begin_at_its_place_in_one_batch(book: Book) -> None:
    first, second = incident(1, place="H1"), incident(2, place="H1")
    book.put(Rows(incidents={first.incident_id: first.row()}), 1)
    first.state, first.closed_ms = "closed", 5
    book.put(Rows(incidents={first.incident_id: first.row()}), 2)
    book.put(Rows(incidents={second.incident_id: second.row()}), 3)
    book.start()
    await book.settled()
    assert book.refused == []
    assert [row["state"] for row in await book.rows("incidents", "seq")] == ["closed", "open"]


async def test_what_is_put_twice_is_written_once(book: Book) -> None:
    item = AlarmItem(account="D1", device_id="D1", ts=1, boot=1, seq=1, received_ms=2, event="leak")
    order = order_message(incident(), 5)

    def bundle() -> Rows:
        return Rows(
            alarms=[alarm_row(item, "alarm", "leak", None, None)],
            events=[event(UUID(int=1), 3, "opened")],
            outbox=[outbox_row(order)],
        )

    book.put(bundle(), 1)
    book.put(bundle(), 2)
    book.start()
    await book.settled()
    book.put(bundle(), 3)
    await book.settled()
    assert book.done == [1, 2, 3]
    for table, order_by in (("alarms", "seq"), ("incident_events", "at_ms"), ("outbox", "outbox_no")):
        assert len(await book.rows(table, order_by)) == 1, table


BAD: dict[str, Callable[[], Rows]] = {
    "a bigint that overflows": lambda: Rows(commands={UUID(int=50): {**command(50).row(), "order_no": 2**63}}),
    "no number": lambda: Rows(incidents={UUID(int=50): {**incident(50).row(), "received_ms": "yesterday"}}),
    "a kind that there is not": lambda: Rows(incidents={UUID(int=50): {**incident(50).row(), "kind": "party"}}),
    "nothing where something must be": lambda: Rows(incidents={UUID(int=50): {**incident(50).row(), "place": None}}),
    "no JSON": lambda: entry(50, note=...),
}
MENDED: dict[str, tuple[object, object]] = {
    "NUL in a text": ("a\0b", "a\ufffdb"),
    "half a surrogate pair": ("\ud800", "\ufffd"),
    "NaN": (float("nan"), None),
    "infinity deep inside": ({"a": [float("inf"), "\0"]}, {"a": [None, "\ufffd"]}),
}


@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_bundle_is_found_by_halving_and_holds_nobody(book: Book, bad: str) -> None:
    for number in range(1, 100):
        book.put(BAD[bad]() if number == 50 else entry(number), number)
    book.start()
    await book.settled()
    assert await book.written() == [number for number in range(1, 100) if number != 50]
    assert book.done == list(range(1, 100))  # in order, each once; the bad one is let go too
    ((rows, error),) = book.refused
    assert error
    assert repr(rows) == repr(BAD[bad]())
    assert book.ledger.depth == 0


@pytest.mark.parametrize("bad", BAD)
async def test_one_bad_row_costs_nothing_else_of_its_bundle(book: Book, bad: str) -> None:
    """A leak's bundle: its incident, close, alarm, entries and order are written although one row beside them is not."""
    opened, close = incident(), command()
    item = AlarmItem(account="D1", device_id="D1", ts=1, boot=1, seq=1, received_ms=2, event="leak", ch4_lel=20.0)
    bundle = Rows(
        incidents={opened.incident_id: opened.row()},
        commands={close.command_id: close.row()},
        alarms=[alarm_row(item, "alarm", "leak", "H1", opened.incident_id)],
        events=[*entry(1).events, *entry(2).events],
        outbox=[outbox_row(order_message(opened, 5))],
    )
    bundle.add(BAD[bad]())
    book.put(bundle, 1, 2)
    book.put(entry(3), 2)
    book.start()
    await book.settled()
    ((refused, _),) = book.refused
    assert repr(refused) == repr(BAD[bad]())
    for table, order_by in (("incidents", "place"), ("commands", "order_no"), ("alarms", "seq"), ("outbox", "outbox_no")):
        assert len(await book.rows(table, order_by)) == 1, table
    assert await book.written() == [1, 2, 3]
    assert book.done == [1, 2]


@pytest.mark.parametrize("bad", MENDED)
async def test_a_text_that_cannot_be_stored_is_no_reason_to_lose_its_row(book: Book, bad: str) -> None:
    said, stored = MENDED[bad]
    opened = incident()
    book.put(Rows(incidents={opened.incident_id: {**opened.row(), "home": {"note": said}}}, events=entry(1, note=said).events), 1)
    book.start()
    await book.settled()
    assert [row["home"] for row in await book.rows("incidents", "place")] == [{"note": stored}]
    assert [row["detail"] for row in await book.rows("incident_events", "at_ms")] == [{"note": stored}]
    # What was said is kept with its reason, row by row.
    assert [(len(rows.incidents), len(rows.events)) for rows, _ in book.refused] == [(1, 0), (0, 1)]
    assert all(error for _, error in book.refused)
    assert book.done == [1]


async def test_two_bad_bundles_among_many_are_both_found(book: Book) -> None:
    for number in range(1, 200):
        book.put(Rows(events=[{**entry(number).events[0], "kind": None}]) if number in (7, 150) else entry(number), number)
    book.start()
    await book.settled()
    assert len(await book.written()) == 197
    assert len(book.refused) == 2
    assert book.done == list(range(1, 200))


async def test_whoever_cannot_be_told_stops_nobody(book: Book) -> None:
    def fails() -> None:
        raise ValueError("no promise can be made of this")

    book.ledger.put(entry(1), fails)
    book.put(entry(2), 2)
    book.start()
    await book.settled()
    book.put(entry(3), 3)
    await book.settled()
    assert book.done == [2, 3]


async def terminate_others(dsn: str) -> None:
    """End every other connection to the database, as an administrator or a failing network would."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_terminated_connection_costs_time_only(book: Book) -> None:
    book.start()
    for number in range(1, 6):
        for part in range(40):
            book.put(entry(number * 100 + part), number * 100 + part)
        if number % 2:
            await terminate_others(book.dsn)
        await asyncio.sleep(0)  # the ledger's turn: what follows is not one batch with this
    await book.settled()
    expected = [number * 100 + part for number in range(1, 6) for part in range(40)]
    assert await book.written() == expected
    assert book.done == expected


async def test_a_statement_that_is_cut_off_while_it_waits_is_repeated(book: Book) -> None:
    """The connection ends while the write is under way: it waits for a lock that somebody else holds."""
    book.start()
    book.put(entry(1), 1)
    await book.settled()
    async with await psycopg.AsyncConnection.connect(book.dsn) as holder:
        await holder.execute("LOCK TABLE incident_events IN EXCLUSIVE MODE")
        for number in (2, 3):
            book.put(entry(number), number)
        async with await psycopg.AsyncConnection.connect(book.dsn, autocommit=True) as admin:
            waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            async with asyncio.timeout(WAIT_S):
                while not (found := await (await admin.execute(waiting)).fetchall()):
                    await asyncio.sleep(0.01)
            assert book.done == [1]
            await admin.execute("SELECT pg_terminate_backend(%s)", found[0])
            await until(lambda: not book.ledger.database_up)
        assert book.done == [1]
        assert book.ledger.depth == 2
        await holder.rollback()
    await book.settled()
    assert await book.written() == [1, 2, 3]
    assert book.done == [1, 2, 3]
    assert book.ledger.database_up


async def test_the_database_may_be_away_from_the_start(postgres: TestPostgres) -> None:
    dsn = postgres.clone()
    postgres.drop(dsn)
    book = Book(dsn)
    book.start()
    try:
        for number in range(1, 4):
            book.put(entry(number), number, 5)
        await until(lambda: book.ledger.last_error)
        assert not book.ledger.database_up
        assert book.ledger.depth == 3
        assert book.ledger.oldest_alarm_s() > 0
        assert book.done == []
        await book.ledger.ping()
        postgres.server.create_database(dsn.rpartition("/")[2].partition("?")[0], postgres.template)
        book.put(entry(4), 4)
        await book.settled()
        assert await book.written() == [1, 2, 3, 4]
        assert book.done == [1, 2, 3, 4]
        assert book.ledger.oldest_alarm_s() == 0
    finally:
        await book.stop()


async def test_a_look_at_the_database_tells_whether_it_is_there(book: Book, postgres: TestPostgres) -> None:
    assert not book.ledger.database_up
    book.start()
    await asyncio.gather(*(book.ledger.ping() for _ in range(5)))
    assert book.ledger.database_up
    nowhere = Ledger(postgres.dsn.replace("/postgres", "/no_such_database"), ManualClock())
    await nowhere.ping()
    assert not nowhere.database_up


async def test_more_than_one_statement_holds_is_written_in_order(book: Book) -> None:
    for number in range(1, 1_203):
        book.put(entry(number), number)
    book.start()
    await book.settled()
    assert book.done == list(range(1, 1_203))
    assert await book.written() == list(range(1, 1_203))
