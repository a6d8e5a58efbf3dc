"""The canary at dispatch: one call to its own telephone, no crew, no number of a person, no count (invariants 6 and 9)."""

from typing import Any

from core.clock import ManualClock
from core.station import OrderMessage
from dispatch import metrics
from dispatch.station import Station
from dispatch.voice.protocol import CANARY_ADDRESS, CallRequest
from tests.dispatch.conftest import Life
from tests.dispatch.played import Line, PlayedVoiceWorker, Records, contact, home, order_message


def canary(**changes: Any) -> OrderMessage:
    """As the line would never make it: with real numbers, and asking for a crew."""
    real = home(home_id="CANARY", contacts=(contact(1, "+8613800000001"), contact(2, "sip:8002@sim.invalid")))
    return order_message(**{"order_kind": "canary", "incident_kind": "canary", "home": real, "place": "CANARY", **changes})


def busy(worker: PlayedVoiceWorker, call: CallRequest) -> None:
    worker.ring(call)
    worker.end(call, "busy", sip_code=486, q850_cause=17, cause_source="mapped")


async def finished(records: Records) -> list[dict[str, Any]]:
    return await records.until("SELECT body FROM requests WHERE station = 'line' AND kind = 'order_finished'")


async def test_a_canary_is_rung_at_its_own_telephone_and_archived_with_its_call(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records
) -> None:
    await records.crew("C1")
    message = canary()
    line.say(message)
    call = await worker.next_call()
    assert (call.address, call.simulated) == (CANARY_ADDRESS, True)
    busy(worker, call)
    (request,) = await finished(records)
    (order,) = await records.rows("SELECT * FROM work_orders")
    assert request["body"] == {
        "incident_id": str(message.incident_id),
        "order_no": order["order_no"],
        "order_kind": "canary",
        "outcome": "called",
        "test_ms": None,
    }
    assert (order["state"], order["crew_id"], order["priority"], order["order_no"]) == ("archived", None, 9, "TS-260402-0001")
    assert await records.until("SELECT address, outcome FROM calls") == [{"address": CANARY_ADDRESS, "outcome": "busy"}]
    assert len(worker.requests) == 1


async def test_no_real_number_and_no_crew_for_a_canary(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    """Invariant 9: whatever contacts its home carries and whatever world it says it is of."""
    await records.crew("real", simulated=False)
    await records.crew("simulated")
    for simulated in (True, False):
        message = canary(simulated=simulated)
        line.say(message)
        busy(worker, await worker.next_call())
        await line.until_taken(message)
    await clock.advance(3600)
    await records.until("SELECT 1 FROM work_orders WHERE archived_ms IS NOT NULL", enough=lambda rows: len(rows) == 2)
    assert {request.address for request in worker.requests} == {CANARY_ADDRESS}
    assert {request.simulated for request in worker.requests} == {True}
    assert await records.rows("SELECT 1 FROM work_orders WHERE crew_id IS NOT NULL") == []
    assert await records.rows("SELECT 1 FROM tasks") == []


async def test_a_canary_counts_nowhere(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    ordinary = order_message(call=False)
    line.say(canary())
    await worker.next_call()
    line.say(ordinary)
    await line.until_taken(ordinary)
    await station.rounds.go_round()
    (orders,) = metrics.ORDERS.collect()
    assert {sample.labels["kind"] for sample in orders.samples} == {"emergency"}
    (row,) = await records.rows("SELECT order_no FROM work_orders WHERE kind = 'emergency'")
    assert row["order_no"].endswith("-0001")  # the people's series has no gap


async def test_without_a_telephone_the_canary_fails_after_its_time(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    await worker.stop()
    async with life() as station:
        message = canary()
        line.say(message)
        await line.until_taken(message)
        await clock.advance(19)
        await station.rounds.go_round()
        assert await records.rows("SELECT state FROM work_orders") == [{"state": "waiting"}]
        await clock.advance(2)
        await station.rounds.go_round()
        (request,) = await finished(records)
        assert request["body"]["outcome"] == "call_failed"
        assert await records.rows("SELECT 1 FROM tasks") == []
    await worker.start()


async def test_a_canary_of_an_earlier_life_is_let_go(
    life: Life, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    async with life():
        message = canary()
        line.say(message)
        await worker.next_call()
        await line.until_taken(message)
    await clock.advance(21)
    async with life():
        (request,) = await finished(records)
        assert request["body"]["outcome"] == "call_failed"


async def test_each_round_has_an_order_of_its_own(station: Station, line: Line, worker: PlayedVoiceWorker, records: Records) -> None:
    for _ in range(2):  # the second comes while the first is still open
        line.say(canary())
    for _ in range(2):
        busy(worker, await worker.next_call())
    await records.until("SELECT 1 FROM work_orders WHERE archived_ms IS NOT NULL", enough=lambda rows: len(rows) == 2)
    assert await records.rows("SELECT 1 FROM order_aliases") == []
