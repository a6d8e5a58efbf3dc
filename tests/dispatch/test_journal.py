"""What dispatch still knows after a crash with the database away: the journal alone, and a whole life built on it."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from core.clock import ManualClock
from core.station import LeakAgainMessage, ValveMessage
from deploy.embedded.testing import TestPostgres
from dispatch.journal import CallJournal
from tests.dispatch.conftest import Life
from tests.dispatch.played import PATIENCE_S, Line, PlayedVoiceWorker, Records, home, order_message
from tests.dispatch.test_calling import ended, reachable

MB = 1_000_000


async def written(journal: CallJournal) -> None:
    """A life that writes what it keeps and ends."""
    running = asyncio.ensure_future(journal.run())
    await asyncio.sleep(0)  # it has begun; it may be cut off in the middle of a write
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await journal.close()


def logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("calls-*.log"))


def opened(folder: Path, max_bytes: int = MB) -> CallJournal:
    journal = CallJournal(folder, max_bytes)
    journal.open()
    return journal


async def test_the_newest_of_each_thing_is_kept_in_its_place_and_what_is_let_go_is_gone(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for name, body in (("a", "1"), ("b", "2"), ("a", '{"x": [3]}'), ("c", "4")):
        journal.keep("ladder", name, body)
    journal.keep("call", "a", '"Z"')
    journal.let_go("ladder", "b")
    await written(journal)
    again = opened(tmp_path)
    assert again.kept("ladder") == [("a", '{"x": [3]}'), ("c", "4")]
    assert again.kept("call") == [("a", '"Z"')]
    assert again.kept("message") == []


async def test_a_torn_end_costs_only_what_was_torn(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.keep("ladder", "a", "1")
    journal.keep("ladder", "b", "2")
    await written(journal)
    (log,) = logs(tmp_path)
    log.write_bytes(log.read_bytes()[:-3])
    again = opened(tmp_path)
    assert again.kept("ladder") == [("a", "1")]
    again.keep("ladder", "c", "3")
    await written(again)
    assert opened(tmp_path).kept("ladder") == [("a", "1"), ("c", "3")]


async def test_it_stays_within_its_bound_however_much_is_said(tmp_path: Path) -> None:
    journal = opened(tmp_path, 200_000)
    running = asyncio.ensure_future(journal.run())
    for number in range(4_000):
        journal.keep("ladder", str(number % 10), f'"{number:01000}"')
        if number % 50 == 0:
            await asyncio.sleep(0)  # the journal's turn to write
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await journal.close()
    assert not journal.failing
    assert sum(path.stat().st_size for path in logs(tmp_path)) <= 200_000
    assert [body for _, body in opened(tmp_path).kept("ladder")] == [f'"{number:01000}"' for number in range(3_990, 4_000)]


async def test_a_disk_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    journal = opened(tmp_path / "a file")
    assert journal.failing
    failures = REGISTRY.get_sample_value("dispatch_journal_failures_total") or 0.0
    running = asyncio.ensure_future(journal.run())
    journal.keep("ladder", "a", "1")
    journal.let_go("ladder", "a")
    async with asyncio.timeout(PATIENCE_S):
        while REGISTRY.get_sample_value("dispatch_journal_failures_total") == failures:
            await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await journal.close()


async def test_without_a_folder_nothing_is_kept() -> None:
    journal = CallJournal(None, MB)
    journal.open()
    journal.keep("ladder", "a", "1")
    assert journal.kept("ladder") == []
    await journal.run()
    await journal.close()


async def test_a_life_without_the_database_goes_on_where_the_last_one_was(
    life: Life,
    line: Line,
    worker: PlayedVoiceWorker,
    records: Records,
    clock: ManualClock,
    postgres: TestPostgres,
    database: str,
    tmp_path: Path,
) -> None:
    await records.crew("C1")
    await reachable(postgres, database, "false")
    message = order_message()
    async with life(state_dir=tmp_path):
        line.say(message)
        first = await worker.next_call()
        await clock.advance(20)
        worker.nobody_answers(first)
        second = await worker.next_call()
        worker.ring(second)
        refused = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=clock.now_ms(), valve="refused")
        line.say(refused)
        await worker.next_words()
    async with life(state_dir=tmp_path):
        await clock.advance(10)
        worker.nobody_answers(second)
        await clock.advance(34)
        assert len(worker.requests) == 2  # nobody is rung within the vendor's gap, although nobody else is left
        await clock.advance(1)
        third = await worker.next_call()
        assert third.address == first.address
        assert "没有执行关阀" in third.text
        await clock.advance(25)  # 90 s: a person at the desk
        worker.answer(third)
    async with life(state_dir=tmp_path):
        worker.presses(third, "2", "help_asked")
        await reachable(postgres, database, "true")
        await line.until_taken(message)
        await line.until_taken(refused)
        assert (await ended(records, third))["outcome"] == "help_needed"
        await records.until("SELECT 1 FROM work_orders WHERE priority = 1")
        (order,) = await records.rows("SELECT * FROM work_orders")
        assert (order["crew_id"], order["valve"]) == ("C1", "refused")
        rung = await records.until("SELECT outcome FROM calls ORDER BY attempt", enough=lambda rows: len(rows) == 3)
        assert [row["outcome"] for row in rung] == ["no_answer", "no_answer", "help_needed"]
        found = await records.until("SELECT kind FROM tasks ORDER BY kind", enough=lambda rows: len(rows) == 2)
        assert [task["kind"] for task in found] == ["help_needed", "nobody_confirmed"]
    assert len(worker.requests) == 3


async def test_what_is_in_the_database_is_not_kept_any_more(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, tmp_path: Path
) -> None:
    async with life(state_dir=tmp_path):
        message = order_message()
        line.say(message)
        call = await worker.next_call()
        worker.presses(call, "2", "help_asked")
        await line.until_taken(message)
        await records.until("SELECT 1 FROM work_orders WHERE priority = 1")
        await records.until("SELECT 1 FROM tasks WHERE kind = 'help_needed'")
        await ended(records, call)
    journal = opened(tmp_path)
    for kind in ("message", "call", "task", "priority"):
        assert journal.kept(kind) == []
    assert [name for name, _ in journal.kept("ladder")] == [str(message.incident_id)]  # for a leak that comes again


async def test_a_leak_again_after_a_restart_without_the_database_rings_again(
    life: Life,
    line: Line,
    worker: PlayedVoiceWorker,
    records: Records,
    clock: ManualClock,
    postgres: TestPostgres,
    database: str,
    tmp_path: Path,
) -> None:
    async with life(state_dir=tmp_path):
        message = order_message()
        line.say(message)
        call = await worker.next_call()
        worker.presses(call, "1", "confirmed")
        await ended(records, call)
        await line.until_taken(message)
    await clock.advance(3600)
    await reachable(postgres, database, "false")
    async with life(state_dir=tmp_path):
        line.say(LeakAgainMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=clock.now_ms()))
        assert (await worker.next_call()).address == call.address
    await reachable(postgres, database, "true")


async def test_an_order_archived_meanwhile_is_not_joined_by_the_next_leak(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock, tmp_path: Path
) -> None:
    """The crash came between the archive and hearing of it."""
    first = order_message(place="H1")
    async with life(state_dir=tmp_path):
        line.say(first)
        call = await worker.next_call()
        worker.presses(call, "1", "confirmed")
        await ended(records, call)
        await line.until_taken(first)
    await records.rows("UPDATE work_orders SET state = 'archived', archived_ms = 1")
    async with life(state_dir=tmp_path) as station:
        await station.settled()
        second = order_message(place="H1", home=home(), at_ms=clock.now_ms() + 5)
        line.say(second)
        call = await worker.next_call()
        assert await records.until("SELECT incident_id FROM calls WHERE call_id = %s", UUID(call.call_id)) == [
            {"incident_id": second.incident_id}
        ]


async def test_what_a_newer_life_cannot_read_is_let_go_and_stops_nobody(
    life: Life, line: Line, worker: PlayedVoiceWorker, tmp_path: Path
) -> None:
    journal = opened(tmp_path)
    for kind in ("message", "ladder", "call", "task", "priority"):
        journal.keep(kind, "a", '{"from": "another version"}')
    await written(journal)
    async with life(state_dir=tmp_path) as station:
        line.say(order_message())
        await worker.next_call()
        assert station.health().ok
    again = opened(tmp_path)
    assert [name for kind in ("message", "call", "task", "priority", "ladder") for name, _ in again.kept(kind) if name == "a"] == []


@pytest.mark.parametrize("rubbish", [b"", b"no journal at all", b"\xa7JR\n" + b"\x00" * 40])
async def test_a_journal_that_cannot_be_read_does_not_keep_dispatch_from_starting(
    rubbish: bytes, life: Life, line: Line, worker: PlayedVoiceWorker, tmp_path: Path
) -> None:
    (tmp_path / "calls-00000000000000000001.log").write_bytes(rubbish)
    async with life(state_dir=tmp_path) as station:
        line.say(order_message())
        await worker.next_call()
        assert station.health().ok
