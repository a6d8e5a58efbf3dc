"""The keeper against a real PostgreSQL and a real folder: durable at whichever is first, and one of the two may always be gone."""

import asyncio
import contextlib
import errno
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from alarm_engine.keeper import Keeper, decode, encode
from alarm_engine.ledger import Ledger
from alarm_engine.record import event
from alarm_engine.rows import Rows, count, pieces
from core.clock import ManualClock
from core.journal import Disk, Journal

WAIT_S = 90.0
TIDY_FROM_BYTES = 20_000
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
POSITION = "SELECT position FROM line_journal WHERE identity = %(identity)s"


def entry(number: int, **detail: Any) -> Rows:
    """A bundle that holds one entry of a record; ``number`` tells it from others."""
    return Rows(events=[{**event(UUID(int=number), number, "opened", **detail), "entry_no": number}])


def command(number: int, state: str) -> Rows:
    """A whole row by id, of which the latest state counts."""
    key = UUID(int=number)
    row: dict[str, object] = {
        "command_id": str(key),
        "device_id": "M1",
        "account": "M1",
        "command": "close_valve",
        "incident_id": None,
        "attempt": 1,
        "order_no": number,
        "reason": "leak",
        "state": state,
        "sends": 1,
        "issued_ms": 1,
        "expires_ms": 1,
        "requested_by": "line",
    }
    return Rows(commands={key: row})


class ToldDisk(Disk):
    """A disk that fails when told to."""

    def __init__(self) -> None:
        self.error = 0

    def write(self, descriptor: int, data: bytes) -> None:
        if self.error:
            raise OSError(self.error, "as told")
        super().write(descriptor, data)


class Line:
    """A keeper over a ledger and a journal, started and stopped like the line's."""

    def __init__(self, dsn: str, folder: Path, max_bytes: int = 10_000_000, disk: Disk | None = None) -> None:
        self.done: list[int] = []
        self.refused: list[Rows] = []
        self.ledger = Ledger(dsn, ManualClock(), lambda rows, error: self.refused.append(rows))
        self.journal = Journal(folder, "decisions", max_bytes, disk=disk)
        self.keeper = Keeper(self.ledger, self.journal, tidy_from_bytes=TIDY_FROM_BYTES)
        self.found = self.keeper.open()
        self.ledger.prepare = self._position
        self._tasks: list[asyncio.Task[None]] = []

    async def _position(self, connection: psycopg.AsyncConnection[Any]) -> None:
        row = await (await connection.execute(POSITION, {"identity": self.journal.identity})).fetchone()
        self.ledger.drop_committed(0 if row is None else row[0])

    def start(self) -> "Line":
        self._tasks = [asyncio.create_task(self.ledger.run()), asyncio.create_task(self.keeper.run())]
        return self

    def put(self, rows: Rows, number: int) -> None:
        self.keeper.put(rows, lambda: self.done.append(number), number)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.journal.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


async def rows(dsn: str, query: str) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query)
        return await cursor.fetchall()


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
async def lines() -> AsyncIterator[Callable[..., Line]]:
    made: list[Line] = []

    def make(*given: Any, **options: Any) -> Line:
        made.append(Line(*given, **options))
        return made[-1]

    yield make
    for line in made:
        await line.stop()


Lines = Callable[..., Line]


async def test_without_the_database_the_journal_makes_it_durable_once(lines: Lines, database: str, tmp_path: Path) -> None:
    line = lines(NOWHERE, tmp_path).start()
    for number in (1, 2, 3):
        line.put(entry(number), number)
    await until(lambda: line.done == [1, 2, 3])
    assert line.ledger.oldest_alarm_s() == 0.0
    assert line.ledger.depth >= 3
    await line.stop()
    # The next life, with the database: everything is written, nothing is told to anybody who is gone.
    after = lines(database, tmp_path).start()
    assert [r for _, r in after.found] == [entry(number) for number in (1, 2, 3)]
    await until(lambda: after.ledger.depth == 0)
    assert [row["at_ms"] for row in await rows(database, "SELECT at_ms FROM incident_events ORDER BY at_ms")] == [1, 2, 3]


async def test_without_the_disk_the_database_makes_it_durable(lines: Lines, database: str, tmp_path: Path) -> None:
    disk = ToldDisk()
    line = lines(database, tmp_path, disk=disk).start()
    line.put(entry(1), 1)
    await until(lambda: line.done == [1])
    disk.error = errno.ENOSPC
    line.put(entry(2), 2)
    await until(lambda: line.done == [1, 2] and line.keeper.trouble)
    line.put(entry(3), 3)
    await until(lambda: line.done == [1, 2, 3])
    assert await rows(database, "SELECT at_ms FROM incident_events ORDER BY at_ms") == [{"at_ms": number} for number in (1, 2, 3)]
    disk.error = 0
    await until(lambda: not line.keeper.trouble)


async def test_with_both_gone_nothing_is_promised_until_one_is_back(lines: Lines, tmp_path: Path) -> None:
    disk = ToldDisk()
    disk.error = errno.EIO
    line = lines(NOWHERE, tmp_path, disk=disk).start()
    for number in range(1, 4):
        line.put(entry(number), number)
    await until(lambda: line.keeper.trouble)
    assert line.done == []
    assert line.ledger.oldest_alarm_s() > 0.0
    disk.error = 0
    await until(lambda: line.done == [1, 2, 3])
    await line.stop()
    assert [r for _, r in lines(NOWHERE, tmp_path).found] == [entry(number) for number in (1, 2, 3)]


async def test_a_replay_never_sets_back_what_the_database_heard_without_the_journal(lines: Lines, database: str, tmp_path: Path) -> None:
    disk = ToldDisk()
    line = lines(database, tmp_path, disk=disk).start()
    line.put(command(1, "sent"), 1)
    await until(lambda: line.ledger.depth == 0 and line.done)
    disk.error = errno.ENOSPC
    line.put(command(1, "reported_closed"), 2)
    await until(lambda: line.ledger.depth == 0 and len(line.done) == 2)
    await line.stop()
    disk.error = 0
    after = lines(database, tmp_path).start()
    await until(lambda: after.ledger.depth == 0 and after.ledger.database_up)
    assert [row["state"] for row in await rows(database, "SELECT state FROM commands")] == ["reported_closed"]


async def test_what_the_database_has_is_not_written_again(lines: Lines, database: str, tmp_path: Path) -> None:
    line = lines(database, tmp_path).start()
    for number in range(1, 6):
        line.put(entry(number), number)
    await until(lambda: line.ledger.depth == 0 and len(line.done) == 5)
    await line.stop()
    after = lines(database, tmp_path)
    assert len(after.found) == 5
    after.start()
    await until(lambda: after.ledger.database_up)
    assert after.ledger.depth == 0
    (position,) = await rows(database, "SELECT position FROM line_journal")
    assert position["position"] == after.found[-1][0]


async def test_a_bundle_that_the_database_refuses_leaves_the_journal_too(lines: Lines, database: str, tmp_path: Path) -> None:
    line = lines(database, tmp_path).start()
    line.put(entry(1, note="\0"), 1)
    line.put(entry(2), 2)
    await until(lambda: line.ledger.depth == 0)
    assert len(line.refused) == 1
    await line.stop()
    after = lines(database, tmp_path).start()
    await until(lambda: after.ledger.database_up)
    assert after.refused == []
    assert after.ledger.depth == 0


async def test_what_waits_for_long_is_merged_and_the_journal_stays_bounded(lines: Lines, database: str, tmp_path: Path) -> None:
    line = lines(NOWHERE, tmp_path, max_bytes=400_000).start()
    for number in range(6_000):
        line.put(command(number % 50 + 1, f"state {number}"), number)
        if number % 100 == 0:
            await asyncio.sleep(0)  # the keeper's turn: what waits is more than one write
    await until(lambda: len(line.done) == 6_000)
    assert line.ledger.depth < 2_100
    assert size(tmp_path) <= 400_000
    await line.stop()
    after = lines(database, tmp_path).start()
    await until(lambda: after.ledger.depth == 0 and after.ledger.database_up)
    stored = {row["order_no"]: row["state"] for row in await rows(database, "SELECT order_no, state FROM commands")}
    assert stored == {number % 50 + 1: f"state {number}" for number in range(5_950, 6_000)}


async def test_what_no_picture_holds_stays_in_the_journal_although_the_database_has_it(lines: Lines, database: str, tmp_path: Path) -> None:
    line, pictured = lines(database, tmp_path), 0
    line.keeper.pictured = lambda: pictured
    line.start()
    number = 0

    def all_promised() -> bool:
        return len(line.done) == number

    for number in range(1, 201):
        line.put(entry(number, note="x" * 200), number)
        await until(all_promised)
    await until(lambda: line.ledger.depth == 0)
    assert line.keeper.size > TIDY_FROM_BYTES
    line.put(entry(201), 201)
    await until(lambda: line.ledger.depth == 0 and len(line.done) == 201)
    await line.stop()
    alone = lines(NOWHERE, tmp_path)
    assert [rows for _, rows in alone.found] == [*(entry(number, note="x" * 200) for number in range(1, 201)), entry(201)]
    # Once a picture holds it, the log is written anew and is small.
    pictured = alone.journal.last_number
    alone.keeper.pictured = lambda: pictured
    alone.ledger.drop_committed(alone.found[-1][0])
    alone.start()
    alone.put(entry(202), 202)
    await until(lambda: alone.done == [202])
    await until(lambda: alone.keeper.size < TIDY_FROM_BYTES)


async def test_a_refused_row_among_merged_ones_is_found_alone(lines: Lines, database: str, tmp_path: Path) -> None:
    line = lines(database, tmp_path)
    for number in range(1, 501):
        line.put(Rows(events=[{**entry(number).events[0], "kind": None}]) if number == 77 else entry(number), number)
    while line.ledger.merge():
        pass
    assert line.ledger.depth < 10
    line.start()
    await until(lambda: line.ledger.depth == 0 and line.ledger.database_up)
    assert [rows.events[0]["at_ms"] for rows in line.refused] == [77]
    assert len(line.done) == 500
    assert len(await rows(database, "SELECT 1 FROM incident_events")) == 499


async def test_a_folder_that_vanishes_and_comes_back(lines: Lines, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    line = lines(NOWHERE, folder).start()
    line.put(entry(1), 1)
    await until(lambda: line.done == [1])
    shutil.rmtree(folder)
    line.put(entry(2), 2)
    await until(lambda: line.done == [1, 2])
    await line.stop()
    assert [r for _, r in lines(NOWHERE, folder).found] == [entry(1), entry(2)]


async def test_merging_again_and_again_loses_reorders_and_doubles_nothing(lines: Lines, database: str, tmp_path: Path) -> None:
    """Whole rows at their latest, entries once each, promises in order; whatever the journal makes of it in between."""
    line = lines(NOWHERE, tmp_path).start()
    for number in range(1, 4_001):
        bundle = command(number % 300 + 1 if number % 3 else number + 1_000, f"state {number}")
        bundle.add(entry(number))
        line.put(bundle, number)
        if number % 500 == 0:
            line.keeper.renew()
        if number % 50 == 0:
            await asyncio.sleep(0)  # the turn of the ledger and the keeper
    await until(lambda: len(line.done) == 4_000 and not line.keeper.trouble)
    assert line.done == list(range(1, 4_001))
    assert line.ledger.depth < 4_000
    await line.stop()
    after = lines(database, tmp_path).start()
    await until(lambda: after.ledger.depth == 0 and after.ledger.database_up)
    expected = {number % 300 + 1 if number % 3 else number + 1_000: f"state {number}" for number in range(1, 4_001)}
    assert {row["order_no"]: row["state"] for row in await rows(database, "SELECT order_no, state FROM commands")} == expected
    found = await rows(database, "SELECT at_ms FROM incident_events ORDER BY at_ms")
    assert [row["at_ms"] for row in found] == list(range(1, 4_001))
    assert after.refused == []


async def test_a_merge_takes_a_bounded_number_of_bundles_and_touches_no_list_again(lines: Lines, tmp_path: Path) -> None:
    line = lines(NOWHERE, tmp_path)
    for number in range(2_150):
        line.put(entry(number), number)
    before = line.ledger.waiting
    merged = [waiting for waiting in before if waiting.merged]
    assert len(before) - len(merged) < 2_100
    assert line.ledger.merge()
    after = line.ledger.waiting
    assert after[: len(merged)] == merged
    assert sum(count(waiting.rows) for waiting in after) == 2_150
    assert [row["at_ms"] for waiting in after for row in waiting.rows.events] == list(range(2_150))
    assert len([waiting for waiting in after if not waiting.merged]) == len(before) - len(merged) - 100


def test_what_is_no_json_goes_to_the_journal_as_far_as_it_can() -> None:
    bundle = entry(1, note="\ud800", what=...)
    assert decode(encode(bundle)).events[0]["detail"] == {"note": "\ufffd", "what": "Ellipsis"}


def test_a_bundle_survives_the_journal() -> None:
    bundle = command(1, "sent")
    bundle.add(entry(2, note="气味"))
    assert decode(encode(bundle)) == bundle
    cut = list(pieces(bundle, 1))
    assert [count(piece) for piece in cut] == [1, 1]
