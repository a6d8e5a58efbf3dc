"""Entries of one kind are written together and before other work; one that the database refuses costs the others nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from core.station import LeakAgainMessage, ValveMessage
from dispatch import ledger as ledger_module
from dispatch import order_making
from dispatch.database import Connection, Lane
from dispatch.ledger import MOST_TOGETHER, Ledger, Together
from dispatch.station import Station
from tests.dispatch.played import MORNING_MS, Line, Records, home, order_message

WRITE = "INSERT INTO dispatch_inbox (message_id, handled_ms) VALUES (%s, 1) ON CONFLICT DO NOTHING"
WRITTEN = "SELECT message_id FROM dispatch_inbox"


@pytest.fixture
async def lane(database: str) -> AsyncIterator[Lane]:
    opened = Lane(database, "test")
    yield opened
    await opened.close()


class Book:
    """Writes entries into the inbox table; remembers what came in one transaction and what was said of each."""

    def __init__(self, refuses: frozenset[UUID] = frozenset()) -> None:
        self.refuses = refuses
        self.transactions: list[list[UUID]] = []
        self.said: list[tuple[UUID, bool]] = []
        self.kind = Together("entry", self._write)

    async def _write(self, connection: Connection, entries: Sequence[UUID]) -> None:
        self.transactions.append(list(entries))
        for entry in entries:
            await connection.execute(WRITE, (entry,))
            if entry in self.refuses:
                await connection.execute("SELECT 1 / 0")

    def put(self, ledger: Ledger, entry: UUID, subject: UUID | None = None) -> None:
        ledger.put_entry(self.kind, entry, self.tell(entry), subject or entry)

    def tell(self, entry: UUID) -> Callable[[bool], None]:
        return lambda done: self.said.append((entry, done))


async def settle(ledger: Ledger) -> None:
    running = asyncio.create_task(ledger.run())
    await ledger.settled()
    running.cancel()


async def test_what_waits_is_written_in_bounded_transactions_in_order(lane: Lane, records: Records) -> None:
    ledger, book = Ledger(lane), Book()
    entries = [uuid4() for _ in range(2 * MOST_TOGETHER + 7)]
    for entry in entries:
        book.put(ledger, entry)
    await settle(ledger)
    assert [len(transaction) for transaction in book.transactions] == [MOST_TOGETHER, MOST_TOGETHER, 7]
    assert book.said == [(entry, True) for entry in entries]
    assert {row["message_id"] for row in await records.rows(WRITTEN)} == set(entries)


@pytest.mark.parametrize("places", [(0,), (MOST_TOGETHER - 1,), (3, 4, 70)])
async def test_a_bad_entry_is_found_and_costs_no_other(
    lane: Lane, records: Records, monkeypatch: pytest.MonkeyPatch, places: tuple[int, ...]
) -> None:
    monkeypatch.setattr(ledger_module, "RETRY_AFTER_S", (0.0,))
    entries = [uuid4() for _ in range(80)]
    bad = frozenset(entries[place] for place in places)
    ledger, book = Ledger(lane), Book(bad)
    for entry in entries:
        book.put(ledger, entry)
    await settle(ledger)
    good = [entry for entry in entries if entry not in bad]
    assert [entry for entry, done in book.said if done] == good  # each once, in their order
    assert sorted(entry for entry, done in book.said if not done) == sorted(bad)
    assert {row["message_id"] for row in await records.rows(WRITTEN)} == set(good)


async def test_a_connection_that_is_cut_in_the_middle_loses_none(lane: Lane, records: Records) -> None:
    ledger, book = Ledger(lane), Book()
    cuts = 2

    async def cut(connection: Connection, entries: Sequence[UUID]) -> None:
        nonlocal cuts
        await book.kind.write(connection, entries)
        if cuts:
            cuts -= 1
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    kind = Together("entry", cut)
    entries = [uuid4() for _ in range(MOST_TOGETHER)]
    for entry in entries:
        ledger.put_entry(kind, entry, book.tell(entry), entry)
    await settle(ledger)
    assert book.said == [(entry, True) for entry in entries]
    assert {row["message_id"] for row in await records.rows(WRITTEN)} == set(entries)
    sizes = [len(transaction) for transaction in book.transactions]
    assert sizes[:3] == [MOST_TOGETHER, MOST_TOGETHER // 2, MOST_TOGETHER // 4]  # perhaps it was too much at once


async def test_entries_go_before_other_work_but_not_before_work_about_the_same(lane: Lane) -> None:
    ledger, book = Ledger(lane), Book()
    order: list[str] = []
    subject = uuid4()

    def work(name: str) -> Callable[[Connection], "asyncio.Future[None]"]:
        def done(connection: Connection) -> "asyncio.Future[None]":
            order.append(name)
            finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            finished.set_result(None)
            return finished

        return done

    def entry(name: str, about: UUID) -> None:
        ledger.put_entry(book.kind, uuid4(), lambda _: order.append(name), about)

    ledger.put("work", work("news of another"), subject=uuid4())
    ledger.put("work", work("news"), subject=subject)
    entry("entry behind its news", subject)
    entry("entry", uuid4())
    ledger.put("work", work("later news"), subject=subject)
    await settle(ledger)
    assert order == ["entry", "news of another", "news", "entry behind its news", "later news"]


async def test_a_storm_makes_each_order_once_and_keeps_each_incidents_messages_in_order(
    station: Station, line: Line, records: Records
) -> None:
    for number in range(5):
        await records.crew(f"C{number}", 112.9 + number / 100)
    messages = []
    for number in range(120):
        flags = ("infant",) if number % 40 == 39 else ()
        message = order_message(call=False, place=f"H{number // 2}", home=home(flags=flags))  # two incidents a place
        messages.append(message)
        line.say(message)
        for later, valve in enumerate(("accepted", "reported_closed"), start=1):
            line.say(ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + later, valve=valve))
        line.say(LeakAgainMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + 3))
        line.say(message)  # and again, as the outbox would
    await records.until("SELECT 1 FROM dispatch_inbox", enough=lambda rows: len(rows) == 480)
    await station.settled()
    orders = await records.rows("SELECT order_no, incident_id, valve, crew_id FROM work_orders ORDER BY order_no")
    assert len(orders) == 60
    assert [row["order_no"] for row in orders] == [f"QX-260402-{number:04}" for number in range(1, 61)]
    assert {row["incident_id"] for row in orders} | {
        row["incident_id"] for row in await records.rows("SELECT incident_id FROM order_aliases")
    } == {message.incident_id for message in messages}
    assert {row["valve"] for row in orders} == {"reported_closed"}
    assert sorted(row["crew_id"] for row in orders if row["crew_id"]) == [f"C{number}" for number in range(5)]
    steps = await records.rows(
        "SELECT s.order_id, s.detail ->> 'valve' AS valve, (s.detail ->> 'said_ms')::bigint AS said_ms FROM order_steps s"
        " WHERE s.event = 'valve' ORDER BY s.order_id, s.step_no"
    )
    said: dict[UUID, list[int]] = {}
    for row in steps:
        said.setdefault(row["order_id"], []).append(row["said_ms"])
    assert all(times == sorted(times) for times in said.values())


async def test_of_many_at_once_the_most_urgent_get_the_crews(lane: Lane, records: Records) -> None:
    await records.crew("C1")
    infant = order_message(call=False, home=home(flags=("infant",)), received_ms=MORNING_MS + 5)
    ordinary = [order_message(call=False) for _ in range(3)]
    made = await lane.run(lambda connection: order_making.make(connection, [*ordinary, infant], MORNING_MS + 9))
    assert [one.crew_id for one in made if isinstance(one, order_making.Made)] == [None, None, None, "C1"]
    assert [row["incident_id"] for row in await records.rows("SELECT incident_id FROM work_orders ORDER BY order_no")] == [
        message.incident_id for message in [*ordinary, infant]
    ]


async def test_one_order_that_cannot_be_made_costs_no_other(
    station: Station, line: Line, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "RETRY_AFTER_S", ())
    bad = order_message(call=False, home=home(access_note="a\0b"))  # no character of PostgreSQL's
    messages = [order_message(call=False) for _ in range(20)]
    for message in [*messages[:10], bad, *messages[10:]]:
        line.say(message)
    for message in messages:
        await line.until_taken(message)
    await station.settled()
    assert bad.message_id not in line.taken
    found = await records.rows("SELECT incident_id FROM work_orders")
    assert {row["incident_id"] for row in found} == {message.incident_id for message in messages}
    assert len(found) == len(messages)
