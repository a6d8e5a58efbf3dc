"""A thousand homes at once on few telephone lines: nobody starves, nobody is forgotten, the limit holds."""

import asyncio
from collections import defaultdict
from uuid import UUID, uuid4

from core.clock import ManualClock
from core.station import ValveMessage
from dispatch.judgement.answers import Answers
from dispatch.judgement.priority import priority
from dispatch.station import Station
from dispatch.voice.protocol import CallRequest
from tests.dispatch.conftest import Life
from tests.dispatch.played import PATIENCE_S, Line, PlayedVoiceWorker, Records, contact, home, order_message
from tests.dispatch.test_calling import ended

HOMES = 1_000
CAPACITY = 20


async def test_a_thousand_homes_on_twenty_lines(life: Life, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    async with life(max_concurrent_calls=CAPACITY, inbox_window=200) as station:
        urgency: dict[str, int] = {}
        for number in range(HOMES):
            home_id = f"H{number}"
            flags = ("infant",) if number % 10 == 9 else ()
            phone = f"sip:{number}@sim.invalid"
            urgency[phone] = priority("emergency", flags, Answers(valve="commanded"))
            line.say(order_message(home=home(home_id=home_id, flags=flags, contacts=(contact(1, phone),)), place=home_id))
        await records.until("SELECT 1 FROM ladders", enough=lambda rows: len(rows) == HOMES)
        assert len(worker.requests) == CAPACITY  # the others wait
        under_way = [await worker.next_call() for _ in range(CAPACITY)]
        rung = list(under_way)
        while under_way:
            assert len(worker.under_way) <= CAPACITY
            call = under_way.pop(0)
            worker.presses(call, "1", "confirmed")
            if len(rung) < HOMES:
                rung.append(await worker.next_call())
                under_way.append(rung[-1])
        assert len({call.address for call in rung}) == HOMES  # each home once, none twice, none forgotten
        waited = [urgency[call.address] for call in rung[CAPACITY:]]
        assert waited == sorted(waited)
        await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'", enough=lambda rows: len(rows) == HOMES)
        async with asyncio.timeout(3 * PATIENCE_S):
            await station.settled()
        assert len(await records.rows("SELECT 1 FROM work_orders")) == HOMES


async def test_every_home_has_its_first_call_before_any_has_its_second(
    life: Life, line: Line, worker: PlayedVoiceWorker, clock: ManualClock
) -> None:
    homes = 60
    async with life(max_concurrent_calls=5):
        for number in range(homes):
            people = tuple(contact(position, f"sip:{number}-{position}@sim.invalid") for position in (1, 2))
            line.say(order_message(home=home(home_id=f"H{number}", contacts=people), place=f"H{number}"))
        under_way: list[CallRequest] = [await worker.next_call() for _ in range(5)]
        order: list[str] = [call.address for call in under_way]
        while len(order) < 2 * homes:
            await clock.advance(2)
            worker.nobody_answers(under_way.pop(0))
            under_way.append(await worker.next_call())
            order.append(under_way[-1].address)
    calls: dict[str, list[int]] = defaultdict(list)
    for at, address in enumerate(order):
        calls[address.removeprefix("sip:").partition("-")[0]].append(at)
    assert max(turns[0] for turns in calls.values()) < homes
    assert all(len(turns) == 2 for turns in calls.values())


async def test_a_home_that_becomes_more_urgent_while_it_waits_is_rung_sooner(life: Life, line: Line, worker: PlayedVoiceWorker) -> None:
    async with life(max_concurrent_calls=1) as station:
        messages = [order_message(home=home(contacts=(contact(n),))) for n in range(1, 5)]
        for message in messages:
            line.say(message)
        first = await worker.next_call()
        last = messages[-1]
        line.say(ValveMessage(message_id=uuid4(), incident_id=last.incident_id, at_ms=last.at_ms + 1, valve="refused"))
        await until_refused(station, last.incident_id)
        worker.presses(first, "1", "confirmed")
        second = await worker.next_call()
        assert second.address == "sip:8004@sim.invalid"
        assert "没有执行关阀" in second.text


async def until_refused(station: Station, incident_id: UUID) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (row := station.switchboard.row(incident_id)) is None or '"valve":"refused"' not in row.state:
            await asyncio.sleep(0.01)


async def test_the_gap_counts_from_when_a_call_went_out_not_from_when_it_began_to_wait(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    async with life(max_concurrent_calls=1):
        line.say(order_message(home=home(contacts=(contact(1),))))
        long = await worker.next_call()
        message = order_message(home=home(contacts=(contact(2),)))
        line.say(message)
        await line.until_taken(message)
        await clock.advance(40)
        worker.presses(long, "1", "confirmed")
        waited = await worker.next_call()
        worker.nobody_answers(waited)
        await ended(records, waited)
        await clock.advance(64)
        assert len(worker.requests) == 2
        await clock.advance(1)
        assert (await worker.next_call()).address == waited.address


async def test_without_a_telephone_calls_wait_and_none_is_lost(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    await worker.stop()
    async with life(max_concurrent_calls=2):
        messages = [order_message(home=home(contacts=(contact(n),))) for n in (1, 2, 3)]
        for message in messages:
            line.say(message)
            await line.until_taken(message)
        await clock.advance(91)
        await records.until("SELECT 1 FROM tasks WHERE kind = 'nobody_confirmed'", enough=lambda rows: len(rows) == 3)
        await worker.start()
        for _ in messages:
            worker.presses(await worker.next_call(), "1", "confirmed")
        await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'", enough=lambda rows: len(rows) == 3)
    assert len(worker.requests) == 3


async def test_a_line_whose_call_was_lost_without_a_word_is_free_again(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    async with life(max_concurrent_calls=1):
        for number in (1, 2):
            message = order_message(home=home(contacts=(contact(number),)))
            line.say(message)
            await line.until_taken(message)
        silent = await worker.next_call()
        await clock.advance(160)
        assert (await worker.next_call()).address != silent.address
        await records.until("SELECT 1 FROM calls WHERE outcome = 'worker_lost'")
