"""The broken setting of the storms: what finds the telephones busy is dropped, of simulated homes alone."""

import pytest

from tests.dispatch.conftest import Life
from tests.dispatch.played import Line, PlayedVoiceWorker, Records, contact, home, order_message


@pytest.mark.parametrize("simulated", [True, False])
async def test_calls_beyond_the_number_are_dropped_in_an_exercise_only(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, simulated: bool
) -> None:
    phones = [f"sip:{number}@sim.invalid" if simulated else f"+8613800000{number:03}" for number in range(3)]
    messages = [
        order_message(home=home(home_id=f"H{number}", contacts=(contact(1, phone),)), place=f"H{number}", simulated=simulated)
        for number, phone in enumerate(phones)
    ]
    async with life(exercise_most_calls=1, max_concurrent_calls=1):
        line.say(messages[0])
        first = await worker.next_call()
        line.say(messages[1])
        await records.until("SELECT 1 FROM calls", enough=lambda rows: len(rows) == 2)
        worker.presses(first, "1", "confirmed")
        await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'")
        line.say(messages[2])
        assert (await worker.next_call()).address == phones[2 if simulated else 1]
        assert len(await records.until("SELECT 1 FROM work_orders", enough=lambda rows: len(rows) == 3)) == 3
