"""Each of the four answers changes the order's row, its record, its urgency and the words of a call under way."""

from typing import Any
from uuid import uuid4

import pytest

from core.station import OrderMessage, ValveMessage
from dispatch.station import Station
from tests.dispatch.played import MORNING_MS, Line, PlayedVoiceWorker, Records, contact, home, order_message


def news(message: OrderMessage, after_ms: int, **answers: Any) -> ValveMessage:
    facts = {"valve": "reported_closed", **answers}
    return ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=MORNING_MS + after_ms, **facts)


@pytest.mark.parametrize(
    ("answers", "priority", "words"),
    [
        ({"proof": "not_yet", "proof_due_ms": MORNING_MS + 170_000}, 4, "大约还要三分钟才能确认关严"),
        ({"proof": "due_at_uplink", "proof_due_ms": MORNING_MS + 1_200_000}, 4, "要等它大约十点二十分再上报"),
        ({"valve": "commanded", "answer_due_ms": MORNING_MS + 1_200_000}, 4, "大约十点二十分上报时才能收到切断指令"),
        ({"proof": "holds", "clearing": "clearing"}, 4, "阀门已经关严"),
        ({"proof": "not_provable"}, 4, "要到现场才能确认"),
        ({"valve": "gas_still_flows", "proof": "flows"}, 2, "燃气还在流"),
        ({"proof": "not_yet", "clearing": "not_clearing"}, 2, "屋里的燃气还没有减少"),
        ({"proof": "holds", "clearing": "not_clearing", "before_meter": True}, 2, "叫邻居也离开"),
    ],
)
async def test_an_answer_reaches_the_call_the_order_and_its_record(
    answers: dict[str, Any], priority: int, words: str, station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    message = order_message(home=home(contacts=(contact(1),)))
    line.say(message)
    call = await worker.next_call()
    worker.answer(call)
    said = news(message, 1000, **answers)
    line.say(said)
    assert words in (await worker.next_words()).text
    await line.until_taken(said)
    (row,) = await records.rows("SELECT valve, proof, proof_due_ms, clearing, before_meter, answer_due_ms, priority FROM work_orders")
    assert row == {
        "valve": said.valve, "proof": said.proof, "proof_due_ms": said.proof_due_ms, "clearing": said.clearing,
        "before_meter": said.before_meter, "answer_due_ms": said.answer_due_ms, "priority": priority,
    }  # fmt: skip
    (step,) = await records.rows("SELECT detail FROM order_steps WHERE event = 'valve'")
    assert step["detail"].items() >= answers.items()


async def test_a_leak_before_the_meter_is_a_step_of_its_own_once(station: Station, line: Line, records: Records) -> None:
    message = order_message(call=False)
    line.say(message)
    for after_ms in (10, 20):
        said = news(message, after_ms, proof="holds", clearing="not_clearing", before_meter=True)
        line.say(said)
        await line.until_taken(said)
    steps = await records.rows("SELECT actor, detail FROM order_steps WHERE event = 'before_meter_suspected'")
    assert steps == [{"actor": "line", "detail": {"wanted": ["riser_valve", "neighbours"], "said_ms": MORNING_MS + 10}}]


async def test_answers_that_are_older_change_nothing(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    message = order_message(home=home(contacts=(contact(1),)))
    line.say(message)
    worker.answer(await worker.next_call())
    holds = news(message, 2000, proof="holds", clearing="clearing")
    line.say(holds)
    await worker.next_words()
    late = news(message, 1000, proof="holds", clearing="not_clearing", before_meter=True)
    line.say(late)
    await line.until_taken(late)
    assert worker.words.empty()
    (row,) = await records.rows("SELECT proof, clearing, before_meter, priority FROM work_orders")
    assert row == {"proof": "holds", "clearing": "clearing", "before_meter": False, "priority": 4}
