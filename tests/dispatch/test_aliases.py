"""One open order and one ladder a place and kind, whatever ids the line gives to what leaks there (invariant 3)."""

from uuid import uuid4

from core.clock import ManualClock
from core.station import LeakAgainMessage, OrderMessage, ValveMessage
from dispatch.station import Station
from tests.dispatch.conftest import Life
from tests.dispatch.played import Line, PlayedVoiceWorker, Records, order_message


def twice(clock: ManualClock) -> tuple[OrderMessage, OrderMessage]:
    first = order_message(place="H1")
    return first, order_message(place="H1", at_ms=clock.now_ms() + 1, received_ms=clock.now_ms() + 1)


async def finished_of(records: Records) -> list[str]:
    found = await records.rows("SELECT body ->> 'incident_id' AS id FROM requests WHERE kind = 'order_finished'")
    return sorted(row["id"] for row in found)


async def test_one_open_order_a_place_and_kind(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    await records.crew("C1")
    first, second = twice(clock)
    line.say(first)
    call = await worker.next_call()
    line.say(second)
    await line.until_taken(second)
    (order,) = await records.rows("SELECT * FROM work_orders")
    assert order["incident_id"] == first.incident_id
    assert await records.rows("SELECT incident_id, order_id FROM order_aliases") == [
        {"incident_id": second.incident_id, "order_id": order["order_id"]}
    ]
    assert [row["event"] for row in await records.rows("SELECT event FROM order_steps ORDER BY step_no")] == [
        "created",
        "assign",
        "leak_again",
        "valve",
    ]
    assert [request.call_id for request in worker.requests] == [call.call_id]  # the ladder is joined too
    assert await records.rows("SELECT last FROM order_numbers") == [{"last": 1}]


async def test_news_under_either_id_reach_the_order_and_the_call(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    first, second = twice(clock)
    line.say(first)
    call = await worker.next_call()
    worker.answer(call)
    line.say(second)
    for number, message in enumerate((first, second)):
        valve = "refused" if number == 0 else "reported_closed"
        news = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=clock.now_ms() + 2 + number, valve=valve)
        line.say(news)
        await line.until_taken(news)
        assert (await records.rows("SELECT valve FROM work_orders")) == [{"valve": valve}]
    assert "没有执行关阀" in (await worker.next_words()).text
    assert "燃气表报告阀门已经关闭" in (await worker.next_words()).text
    leak = LeakAgainMessage(message_id=uuid4(), incident_id=second.incident_id, at_ms=clock.now_ms() + 9)
    line.say(leak)
    await line.until_taken(leak)
    steps = await records.rows("SELECT event FROM order_steps WHERE event = 'leak_again'")
    assert len(steps) == 2


async def test_another_kind_another_place_or_another_world_has_its_own_order(station: Station, line: Line, records: Records) -> None:
    for changes in ({}, {"place": "H2"}, {"order_kind": "inspection"}, {"simulated": False}):
        message = order_message(**{"place": "H1", "call": False, **changes})
        line.say(message)
        await line.until_taken(message)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 4
    assert await records.rows("SELECT 1 FROM order_aliases") == []


async def test_every_id_of_the_order_is_told_finished_and_the_next_leak_is_a_new_one(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    await records.crew("C1")
    first, second = twice(clock)
    for message in (first, second):
        line.say(message)
        await line.until_taken(message)
    (row,) = await records.rows("SELECT order_no FROM work_orders")
    await clock.advance(60)
    for kind, body in (("accept", {}), ("on_site", {}), ("made_safe", {"reading_lel": 1.0}), ("record_cause", {"cause": "hose"})):
        assert (await records.ask(kind, "C1-1", order_no=row["order_no"], **body))["asked"] == "done"
    assert (await records.ask("archive", "C1-1", order_no=row["order_no"]))["asked"] == "done"
    assert await finished_of(records) == sorted([str(first.incident_id), str(second.incident_id)])
    third = order_message(place="H1", at_ms=clock.now_ms(), received_ms=clock.now_ms())
    line.say(third)
    await line.until_taken(third)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 2
    await records.until("SELECT 1 FROM ladders WHERE incident_id = %s", third.incident_id)


async def test_an_alias_is_known_after_a_restart(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    first, second = twice(clock)
    async with life():
        line.say(first)
        worker.ring(await worker.next_call())
        line.say(second)
        await line.until_taken(second)
    async with life():
        news = ValveMessage(message_id=uuid4(), incident_id=second.incident_id, at_ms=clock.now_ms() + 5, valve="refused")
        line.say(news)
        assert "没有执行关阀" in (await worker.next_words()).text
        await line.until_taken(news)
    assert (await records.rows("SELECT valve, priority FROM work_orders")) == [{"valve": "refused", "priority": 2}]
    assert len(worker.requests) == 1


async def test_an_order_without_a_ladder_joins_the_ladder_of_its_alias(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    """The first id needed no call, the second does: news under the first reach it too."""
    first = order_message(place="H1", call=False)
    second = order_message(place="H1", at_ms=clock.now_ms() + 1)
    for message in (first, second):
        line.say(message)
        await line.until_taken(message)
    call = await worker.next_call()
    worker.answer(call)
    line.say(ValveMessage(message_id=uuid4(), incident_id=first.incident_id, at_ms=clock.now_ms() + 5, valve="no_answer"))
    assert "没有回答，阀门可能还开着" in (await worker.next_words()).text
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1
