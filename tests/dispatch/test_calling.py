"""Ladders on the whole station: what is rung, what is recorded, what is left for a person, and what a restart takes up."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from core.clock import ManualClock
from core.station import LeakAgainMessage
from deploy.embedded.testing import TestPostgres
from dispatch import switchboard
from dispatch.database import DatabaseAway
from dispatch.station import Station
from dispatch.voice.protocol import CallRequest
from tests.dispatch.conftest import Life
from tests.dispatch.played import Line, PlayedVoiceWorker, Records, contact, home, order_message


async def ended(records: Records, call: CallRequest) -> dict[str, Any]:
    (row,) = await records.until("SELECT * FROM calls WHERE call_id = %s AND ended_ms IS NOT NULL", UUID(call.call_id))
    return row


async def test_nobody_answers_and_a_person_gets_a_task_at_90_seconds(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    message = order_message()
    line.say(message)
    first = await worker.next_call()
    await clock.advance(30)
    worker.nobody_answers(first)
    second = await worker.next_call()
    assert second.address == "sip:8002@sim.invalid"
    await clock.advance(30)
    worker.nobody_answers(second)
    assert (await ended(records, second))["outcome"] == "no_answer"
    await clock.advance(5)
    again = await worker.next_call()
    assert (again.address, again.call_id != first.call_id) == (first.address, True)
    assert await records.rows("SELECT 1 FROM tasks WHERE kind = 'nobody_confirmed'") == []
    await clock.advance(25)
    (task,) = await records.until("SELECT * FROM tasks WHERE kind = 'nobody_confirmed'")
    assert (task["priority"], task["home_id"], task["created_ms"]) == (2, "H1", clock.now_ms())
    await clock.advance(5)
    worker.nobody_answers(again)
    await worker.next_call()  # calling goes on
    row = await ended(records, first)
    assert (row["sip_code"], row["q850_cause"], row["cause_source"], row["reason"]) == (487, 19, "mapped", "no_answer")
    attempts = await records.until("SELECT attempt FROM calls ORDER BY attempt", enough=lambda rows: len(rows) > 3)
    assert [row["attempt"] for row in attempts] == [1, 2, 3, 4]


async def test_an_early_hang_up_is_called_back(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    line.say(order_message())
    first = await worker.next_call()
    await clock.advance(12)
    worker.hangs_up_early(first)
    assert (await ended(records, first))["outcome"] == "heard_unconfirmed"
    await clock.advance(53)
    back = await worker.next_call()
    assert back.address == first.address
    worker.presses(back, "1", "confirmed")
    assert (await ended(records, back))["outcome"] == "confirmed"
    await clock.advance(600)
    assert len(worker.requests) == 2
    assert await records.rows("SELECT 1 FROM tasks WHERE kind = 'nobody_confirmed'") == []


async def test_key_9_goes_to_the_next_contact_and_to_the_registry(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    line.say(order_message())
    first = await worker.next_call()
    worker.presses(first, "9", "wrong_home")
    assert (await worker.next_call()).address == "sip:8002@sim.invalid"
    assert (await ended(records, first))["outcome"] == "wrong_home"
    (task,) = await records.until("SELECT * FROM tasks WHERE kind = 'registry_error'")
    assert task["detail"]["phone"] == first.address


async def test_key_2_makes_the_order_first(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    message = order_message()
    line.say(message)
    call = await worker.next_call()
    worker.presses(call, "2", "help_asked")
    assert (await ended(records, call))["outcome"] == "help_needed"
    await records.until("SELECT 1 FROM work_orders WHERE priority = 1")
    await records.until("SELECT 1 FROM tasks WHERE kind = 'help_needed' AND priority = 1")


async def test_a_neighbour_is_rung_at_once_for_an_infirm_home(station: Station, line: Line, worker: PlayedVoiceWorker) -> None:
    contacts = (contact(1), contact(2, role="family"), contact(3, role="neighbour"))
    line.say(order_message(home=home(flags=("infirm",), contacts=contacts)))
    rung = {(await worker.next_call()).address, (await worker.next_call()).address}
    assert rung == {"sip:8001@sim.invalid", "sip:8003@sim.invalid"}


async def test_a_restart_in_the_middle_goes_on_with_the_ladder(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    async with life():
        message = order_message()
        line.say(message)
        first = await worker.next_call()
        worker.ring(first)
        await line.until_taken(message)
        await records.until("SELECT 1 FROM calls WHERE ringing_ms IS NOT NULL")
    await clock.advance(20)
    worker.nobody_answers(first)  # while nobody listens
    async with life():
        second = await worker.next_call()
        assert second.address == "sip:8002@sim.invalid"
        assert (await ended(records, first))["outcome"] == "no_answer"
        await clock.advance(45)
        worker.nobody_answers(second)
        await worker.next_call()
        await clock.advance(25)
        await records.until("SELECT 1 FROM tasks WHERE kind = 'nobody_confirmed'")
    assert len(worker.requests) == 3
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_a_call_that_is_still_under_way_after_a_restart_is_not_made_twice(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    async with life():
        message = order_message()
        line.say(message)
        call = await worker.next_call()
        worker.answer(call)
        await line.until_taken(message)
        await records.until("SELECT 1 FROM calls WHERE answered_ms IS NOT NULL")
    async with life():
        worker.presses(call, "1", "confirmed")
        assert (await ended(records, call))["outcome"] == "confirmed"
        await records.until("SELECT 1 FROM ladders WHERE done")
    assert len(worker.requests) == 1


async def test_calls_that_were_lost_with_everything_are_closed_as_lost(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    async with life():
        message = order_message()
        line.say(message)
        call = await worker.next_call()
        await line.until_taken(message)
    await worker.die()
    await worker.start()
    await clock.advance(600)
    async with life():
        assert (await ended(records, call))["outcome"] == "worker_lost"
        await clock.advance(5)
        again = await worker.next_call()
        assert again.address == call.address
        assert again.call_id != call.call_id


async def test_the_voice_worker_dies_and_comes_back(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    line.say(order_message())
    first = await worker.next_call()
    await worker.die()
    assert (await ended(records, first))["outcome"] == "worker_lost"
    await worker.start()
    again = await worker.next_call()
    assert again.address == first.address
    assert station.health().reasons == ()


async def test_gas_again_after_made_safe_rings_again(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    message = order_message()
    line.say(message)
    call = await worker.next_call()
    worker.presses(call, "1", "confirmed")
    await ended(records, call)
    await clock.advance(3600)
    leak = LeakAgainMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=clock.now_ms())
    line.say(leak)
    again = await worker.next_call()
    assert again.address == call.address
    assert (await records.until("SELECT attempt FROM calls WHERE call_id = %s", UUID(again.call_id))) == [{"attempt": 2}]


async def test_a_ladder_that_memory_let_go_of_begins_anew_from_its_row(
    station: Station,
    line: Line,
    worker: PlayedVoiceWorker,
    records: Records,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(switchboard, "_KEPT_OVER", 1)
    message = order_message()
    calls = []
    for each in (message, order_message()):
        line.say(each)
        calls.append(await worker.next_call())
        worker.presses(calls[-1], "1", "confirmed")
        await ended(records, calls[-1])
    call = calls[0]
    await records.until("SELECT 1 FROM ladders WHERE done", enough=lambda rows: len(rows) == 2)
    assert not station.switchboard.knows(message.incident_id)
    await clock.advance(3600)
    line.say(LeakAgainMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=clock.now_ms()))
    again = await worker.next_call()
    assert (again.address, again.call_id != call.call_id) == (call.address, True)


async def test_the_phone_rings_with_the_database_away_and_the_order_follows(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, postgres: TestPostgres, database: str
) -> None:
    await records.crew("C1")
    await reachable(postgres, database, "false")
    message = order_message()
    line.say(message)
    call = await worker.next_call()
    worker.presses(call, "1", "confirmed")
    with pytest.raises(DatabaseAway):
        await station.rounds.go_round()
    assert "database_away" in station.health().reasons
    assert message.message_id not in line.taken
    await reachable(postgres, database, "true")
    await line.until_taken(message)
    assert (await ended(records, call))["outcome"] == "confirmed"
    (order,) = await records.rows("SELECT * FROM work_orders")
    assert (order["state"], order["crew_id"]) == ("assigned", "C1")
    assert len(worker.requests) == 1


async def test_phones_ring_beyond_the_brokers_window_while_the_database_is_away(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, postgres: TestPostgres, database: str
) -> None:
    async with life(inbox_window=4):
        await reachable(postgres, database, "false")
        messages = [order_message(home=home(contacts=(contact(number),))) for number in range(1, 13)]
        for message in messages:
            line.say(message)
        rung = {(await worker.next_call()).address for _ in messages}
        assert len(rung) == 12
        assert line.taken == []  # given back to the broker, but not promised
        await reachable(postgres, database, "true")
        for message in messages:
            await line.until_taken(message)
        assert len(await records.rows("SELECT 1 FROM work_orders")) == 12


async def reachable(postgres: TestPostgres, database: str, allowed: str) -> None:
    """Let nobody into this test's database, and put out who is in it."""
    name = database.rpartition("/")[2].partition("?")[0]
    async with await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True) as connection:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}')
        if allowed == "false":
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


async def test_health_names_what_is_missing(life: Life, worker: PlayedVoiceWorker, clock: ManualClock) -> None:
    async with life(mqtt_port=1) as station:
        assert "broker_away" in station.health().reasons
    await worker.stop()
    async with life() as station:
        assert station.health().reasons == ("voice_away",)
    await worker.start()


@pytest.mark.parametrize("flag", ["lives_alone", "infirm", "infant", "hard_of_hearing"])
async def test_flags_raise_the_order(flag: str, station: Station, line: Line, records: Records) -> None:
    message = order_message(call=False, home=home(flags=(flag,)))
    line.say(message)
    await line.until_taken(message)
    assert (await records.rows("SELECT priority FROM work_orders")) == [{"priority": 3}]
