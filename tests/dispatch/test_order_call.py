"""From the order message to an order, a crew and a ringing phone."""

from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from core import topics
from core.clock import ManualClock
from core.station import OrderMessage, TaskMessage, ValveMessage
from dispatch.station import Station
from tests.dispatch.conftest import Life
from tests.dispatch.played import MORNING_MS, Line, PlayedVoiceWorker, Records, contact, home, order_message


async def put_in_outbox(records: Records, message: OrderMessage | ValveMessage) -> None:
    await records.rows(
        "INSERT INTO outbox (message_id, incident_id, payload, created_ms) VALUES (%s, %s, %s, %s)",
        message.message_id,
        message.incident_id,
        Jsonb(message.model_dump(mode="json")),
        message.at_ms,
    )


def desk_task() -> TaskMessage:
    return TaskMessage(
        message_id=uuid4(),
        incident_id=uuid4(),
        at_ms=MORNING_MS,
        kind="over_set_point_in_preheat",
        home_id="H1",
        simulated=True,
        detail={"ch4_lel": 12.0},
    )


async def test_a_leak_gets_an_order_a_crew_and_a_call(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    await records.crew("C1")
    message = order_message()
    line.say(message)
    call = await worker.next_call()
    await line.until_taken(message)
    (order,) = await records.rows("SELECT * FROM work_orders")
    assert order["order_no"] == "QX-260402-0001"
    assert (order["state"], order["crew_id"], order["technician_id"]) == ("assigned", "C1", "C1-1")
    assert order["distance_m"] == 0
    steps = await records.rows("SELECT event, from_state, to_state, actor FROM order_steps ORDER BY step_no")
    assert [tuple(step.values()) for step in steps] == [
        ("created", None, "created", "dispatch"),
        ("assign", "created", "assigned", "dispatch"),
    ]
    assert call.address == "sip:8001@sim.invalid"
    assert call.simulated
    assert call.text.startswith("云栖花园三栋幺单元五零幺室。燃气泄漏，马上离开！")
    worker.presses(call, "1", "confirmed")
    (row,) = await records.until("SELECT * FROM calls WHERE outcome = 'confirmed'")
    assert (row["sip_code"], row["q850_cause"], row["key"], row["attempt"]) == (200, 16, "1", 1)


async def test_the_same_message_by_every_way_is_one_order_and_one_ladder(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    await records.crew("C1")
    message = order_message()
    for _ in range(3):
        line.say(message)
    await put_in_outbox(records, message)
    await line.until_taken(message)
    line.say(message)
    last = desk_task()
    line.say(last)
    await line.until_taken(last)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1
    assert len(await records.rows("SELECT 1 FROM order_steps")) == 2
    assert len(await records.rows("SELECT 1 FROM dispatch_inbox")) == 2
    assert await records.rows("SELECT last FROM order_numbers") == [{"last": 1}]
    assert len(worker.requests) == 1


async def test_a_second_message_of_one_incident_makes_no_second_order(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    first = order_message()
    second = order_message(incident_id=first.incident_id)
    line.say(first)
    line.say(second)
    await line.until_taken(second)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1
    assert await records.rows("SELECT last FROM order_numbers") == [{"last": 1}]
    assert len(worker.requests) == 1


async def test_the_outbox_alone_is_enough(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    message = order_message()
    await put_in_outbox(records, message)
    await worker.next_call()
    await line.until_taken(message)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_what_was_said_while_dispatch_was_away_waits_for_it(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    async with life():
        pass
    message = order_message()
    line.say(message)
    async with life():
        await worker.next_call()
        await line.until_taken(message)
    async with life():  # and is not done a second time
        line.say(message)
        await line.until_taken(message, times=2)
    assert len(worker.requests) == 1
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_orders_are_numbered_by_kind_and_local_day(station: Station, line: Line, clock: ManualClock, records: Records) -> None:
    leak, visit, triage = (order_message(order_kind=kind, call=False) for kind in ("emergency", "inspection", "triage"))
    for message in (leak, visit, triage):
        line.say(message)
        await line.until_taken(message)
    await clock.advance(14 * 3600 + 1)  # past midnight in Shanghai, still 2 April in UTC
    next_day = order_message(call=False)
    line.say(next_day)
    await line.until_taken(next_day)
    numbers = await records.rows("SELECT order_no FROM work_orders ORDER BY created_ms, order_no")
    assert [row["order_no"] for row in numbers] == ["HC-260402-0001", "QX-260402-0001", "XJ-260402-0001", "QX-260403-0001"]


async def test_the_words_follow_the_valve(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    message = order_message(home=home(contacts=(contact(1),)))
    line.say(message)
    call = await worker.next_call()
    worker.answer(call)
    worker.speak(call, "燃气泄漏，马上离开！")
    line.say(ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + 2000, valve="reported_closed"))
    words = await worker.next_words()
    assert words.call_id == call.call_id
    assert "燃气表报告阀门已经关闭" in words.text
    (row,) = await records.until("SELECT * FROM work_orders WHERE valve = 'reported_closed'")
    assert row["priority"] == 4
    # News that is older than what is known changes nothing.
    late = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + 1000, valve="accepted")
    line.say(late)
    await line.until_taken(late)
    assert (await records.rows("SELECT valve FROM work_orders")) == [{"valve": "reported_closed"}]
    (said,) = await records.until("SELECT said FROM calls WHERE cardinality(said) > 0")
    assert said["said"] == ["燃气泄漏，马上离开！"]


async def test_a_valve_that_does_not_answer_makes_the_order_urgent(station: Station, line: Line, records: Records) -> None:
    message = order_message(call=False)
    line.say(message)
    silent = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + 9, valve="no_answer")
    line.say(silent)
    await line.until_taken(silent)
    assert (await records.rows("SELECT priority, valve FROM work_orders")) == [{"priority": 2, "valve": "no_answer"}]


@pytest.mark.parametrize(
    ("simulated", "phone"), [(False, "sip:8001@sim.invalid"), (False, "sip:8001@example.com"), (True, "+8613800000001")]
)
async def test_no_phone_of_another_world_is_rung(
    simulated: bool, phone: str, station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    message = order_message(simulated=simulated, home=home(contacts=(contact(1, phone),)))
    line.say(message)
    await line.until_taken(message)
    found = await records.until("SELECT kind FROM tasks ORDER BY kind", enough=lambda rows: len(rows) == 2)
    assert [row["kind"] for row in found] == ["nobody_to_call", "registry_error"]
    assert worker.requests == []
    assert await records.rows("SELECT 1 FROM calls") == []


async def test_a_message_that_nobody_can_read_stands_in_nobodys_way(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    line.link.publish(topics.TO_DISPATCH, b'{"type": "order"', qos=1)
    message = order_message()
    line.say(message)
    await line.until_taken(message)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_tasks_of_the_line_are_written_once(station: Station, line: Line, records: Records) -> None:
    task, last = desk_task(), desk_task()
    line.say(task)
    await line.until_taken(task)
    line.say(task)
    await line.until_taken(task, times=2)
    line.say(last)
    await line.until_taken(last)
    assert len(await records.rows("SELECT 1 FROM tasks")) == 2
    await records.rows("DELETE FROM tasks WHERE incident_id = %s", last.incident_id)
    (row,) = await records.rows("SELECT * FROM tasks")
    assert (row["kind"], row["detail"]) == ("over_set_point_in_preheat", {"ch4_lel": 12.0})
