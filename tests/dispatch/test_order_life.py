"""An order's life by requests: the whole way, what is refused, and who may ask."""

from typing import Any
from uuid import uuid4

import pytest

from console.desk.alarmed_again import alarms_anew
from core.clock import ManualClock
from core.station import LeakAgainMessage, OrderMessage, ValveMessage
from dispatch.station import Station
from tests.dispatch.played import Line, PlayedVoiceWorker, Records, contact, home, order_message

TEST = {"start_kpa": 2.5, "end_kpa": 2.5, "minutes": 5.0}


class Visit:
    """One order and its technician's requests."""

    def __init__(self, records: Records, line: Line, clock: ManualClock, message: OrderMessage, order_no: str) -> None:
        self.records, self.line, self.clock, self.message, self.order_no = records, line, clock, message, order_no

    async def ask(self, kind: str, actor: str = "C1-1", **body: Any) -> dict[str, Any]:
        await self.clock.advance(1)
        return await self.records.ask(kind, actor, order_no=self.order_no, **body)

    async def go(self, *kinds: str) -> None:
        bodies: dict[str, dict[str, Any]] = {
            "made_safe": {"reading_lel": 2.0},
            "record_cause": {"cause": "hose"},
            "tightness_test": TEST,
        }
        for kind in kinds:
            answer = await self.ask(kind, **bodies.get(kind, {}))
            assert answer["asked"] == "done", answer

    async def valve(self, valve: Any) -> None:
        await self.clock.advance(1)
        said = ValveMessage(message_id=uuid4(), incident_id=self.message.incident_id, at_ms=self.clock.now_ms(), valve=valve)
        self.line.say(said)
        await self.line.until_taken(said)

    async def leak_again(self, at_ms: int | None = None) -> None:
        await self.clock.advance(1)
        at_ms = self.clock.now_ms() if at_ms is None else at_ms
        said = LeakAgainMessage(message_id=uuid4(), incident_id=self.message.incident_id, at_ms=at_ms, ch4_lel=14.0)
        self.line.say(said)
        await self.line.until_taken(said)

    async def row(self) -> dict[str, Any]:
        (found,) = await self.records.rows("SELECT * FROM work_orders WHERE order_no = %s", self.order_no)
        return found


@pytest.fixture
async def visit(station: Station, line: Line, records: Records, clock: ManualClock) -> Visit:
    await records.crew("C1")
    return await assigned(line, records, clock)


async def assigned(line: Line, records: Records, clock: ManualClock, **changes: Any) -> Visit:
    message = order_message(**{"call": False, "at_ms": clock.now_ms(), **changes})
    line.say(message)
    await line.until_taken(message)
    (order,) = await records.rows("SELECT order_no FROM work_orders WHERE incident_id = %s", message.incident_id)
    return Visit(records, line, clock, message, order["order_no"])


async def test_the_whole_way_to_gas_restored(visit: Visit, records: Records) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause", "tightness_test")
    await visit.valve("opened")
    await visit.go("restore", "archive")
    row = await visit.row()
    assert row["state"] == "archived"
    stamps = [
        row[f"{name}_ms"] for name in ("created", "assigned", "accepted", "on_site", "made_safe", "cause", "test", "restored", "archived")
    ]
    assert stamps == sorted(stamps)
    assert (row["test_passed"], row["test_by"], row["safe_reading_lel"], row["cause"]) == (True, "C1-1", 2.0, "hose")
    (finished,) = await records.rows("SELECT body, actor FROM requests WHERE station = 'line' AND kind = 'order_finished'")
    assert finished["body"] == {
        "incident_id": str(visit.message.incident_id),
        "order_no": visit.order_no,
        "order_kind": "emergency",
        "outcome": "restored",
        "test_ms": row["test_ms"],
    }
    steps = await records.rows("SELECT event, actor FROM order_steps ORDER BY step_no")
    assert [step["event"] for step in steps] == [
        "created", "assign", "accept", "arrive", "make_safe", "record_cause", "pass_test", "valve", "restore", "archive",
    ]  # fmt: skip
    assert {step["actor"] for step in steps} == {"dispatch", "C1-1", "line"}


async def test_gas_left_off(visit: Visit, records: Records) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause", "archive")
    (finished,) = await records.rows("SELECT body FROM requests WHERE kind = 'order_finished'")
    assert finished["body"]["outcome"] == "closed_without_gas"


async def test_gas_is_not_restored_before_the_valve_was_opened_after_the_test(visit: Visit) -> None:
    await visit.go("accept", "on_site")
    await visit.valve("opened")  # somebody opened it too early
    await visit.go("made_safe", "record_cause")
    assert (await visit.ask("restore"))["reason"] == "no_passed_test"
    await visit.go("tightness_test")
    assert (await visit.ask("restore"))["reason"] == "valve_not_open"
    await visit.valve("reported_closed")
    assert (await visit.ask("restore"))["reason"] == "valve_not_open"
    await visit.valve("opened")
    assert (await visit.ask("archive"))["reason"] == "restore_first"
    await visit.go("restore")


async def test_a_home_without_a_meter_needs_no_valve(station: Station, line: Line, records: Records, clock: ManualClock) -> None:
    await records.crew("C1")
    visit = await assigned(line, records, clock, home=home(meter_id=None), valve="no_meter")
    await visit.go("accept", "on_site", "made_safe", "record_cause", "tightness_test", "restore", "archive")


@pytest.mark.parametrize(
    ("steps", "kind", "body", "reason"),
    [
        ([], "on_site", {}, "not_accepted"),
        (["accept"], "accept", {}, "already_accepted"),
        (["accept"], "made_safe", {"reading_lel": 50.0}, "not_on_site"),
        (["accept", "on_site"], "made_safe", {"reading_lel": 10.0}, "reading_not_safe"),
        (["accept", "on_site"], "made_safe", {"reading_lel": "NaN"}, "bad_request"),
        (["accept", "on_site"], "made_safe", {}, "bad_request"),
        (["accept", "on_site"], "archive", {}, "not_made_safe"),
        (["accept", "on_site", "made_safe"], "archive", {}, "no_cause"),
        (["accept", "on_site", "made_safe"], "tightness_test", TEST, "no_cause"),
        (["accept", "on_site", "made_safe"], "record_cause", {"cause": "no_leak_found"}, "reason_wanted"),
        (["accept", "on_site", "made_safe"], "reassign", {}, "made_safe_stays"),
        ([], "reassign", {}, "no_other_crew"),
        ([], "sing", {}, "unknown_kind"),
    ],
)
async def test_refused_steps_change_nothing(visit: Visit, steps: list[str], kind: str, body: dict[str, Any], reason: str) -> None:
    await visit.go(*steps)
    before, record = await visit.row(), await visit.records.rows("SELECT * FROM order_steps")
    answer = await visit.ask(kind, **body)
    assert (answer["asked"], answer["reason"]) == ("refused", reason)
    assert answer["zh"]
    assert answer["en"]
    assert await visit.row() == before
    assert await visit.records.rows("SELECT * FROM order_steps") == record


async def test_only_the_orders_own_crew_acts(visit: Visit, records: Records) -> None:
    await records.crew("C2", 113.2)
    assert (await visit.ask("accept", "C2-1"))["reason"] == "not_your_order"
    assert (await visit.ask("accept", "desk", technician_id="C1-1"))["reason"] == "not_your_order"
    assert (await visit.ask("accept", "C1-2"))["asked"] == "done"  # his colleague
    assert (await records.ask("accept", "C1-1", order_no="QX-000000-9999"))["reason"] == "no_such_order"


async def test_the_desk_enters_pressures_for_the_technician_and_both_names_stay(visit: Visit, records: Records) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause")
    answer = await visit.ask("tightness_test", "desk-7", technician_id="C1-1", **TEST)
    assert answer["passed"] is True
    (step,) = await records.rows("SELECT actor, detail FROM order_steps WHERE event = 'pass_test'")
    assert (step["actor"], step["detail"]["test_by"], step["detail"]["entered_by"]) == ("C1-1", "C1-1", "desk-7")
    assert (await visit.ask("tightness_test", "desk-7", technician_id="C9-9", **TEST))["reason"] == "not_your_order"


async def test_a_failed_test_is_recorded_and_may_be_repeated(visit: Visit, records: Records) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause")
    answer = await visit.ask("tightness_test", start_kpa=2.5, end_kpa=2.1, minutes=5.0)
    assert (answer["asked"], answer["passed"], answer["state"]) == ("done", False, "cause_recorded")
    assert [why["reason"] for why in answer["reasons"]] == ["test_pressure_fell"]
    assert (await visit.row())["test_passed"] is False
    await visit.go("tightness_test")
    assert (await visit.row())["state"] == "tightness_passed"


async def test_a_new_leak_voids_the_test(visit: Visit) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause", "tightness_test")
    await visit.leak_again()
    row = await visit.row()
    assert (row["state"], row["test_passed"], row["test_ms"], row["made_safe_ms"]) == ("on_site", None, None, None)
    assert row["crew_id"] == "C1"
    assert (await visit.ask("restore"))["reason"] == "not_made_safe"
    await visit.go("made_safe", "record_cause", "tightness_test")


async def test_a_leak_from_before_made_safe_voids_nothing(visit: Visit, clock: ManualClock) -> None:
    before_ms = clock.now_ms()
    await visit.go("accept", "on_site", "made_safe", "record_cause", "tightness_test")
    await visit.leak_again(at_ms=before_ms)
    assert (await visit.row())["state"] == "tightness_passed"


async def test_a_leak_before_anybody_is_on_site_leaves_the_order_where_it_is(visit: Visit) -> None:
    await visit.go("accept")
    await visit.leak_again()
    assert (await visit.row())["state"] == "accepted"


async def test_a_leak_after_the_archive_opens_the_order_again(visit: Visit, records: Records) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause", "archive")
    await visit.leak_again()
    row = await visit.row()
    assert row["archived_ms"] is None
    assert (row["state"], row["order_no"]) == ("waiting", visit.order_no)
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1


async def test_only_a_leak_that_sends_the_order_back_asks_the_desk_again(visit: Visit, records: Records, clock: ManualClock) -> None:
    anew = f"SELECT a.at_ms FROM (SELECT %s::uuid AS incident_id, 0 AS received_ms) i, LATERAL {alarms_anew('i')} AS a ORDER BY a.at_ms"
    await visit.go("accept", "on_site")
    await visit.leak_again()
    await visit.go("made_safe", "record_cause", "tightness_test")
    await visit.leak_again(at_ms=clock.now_ms() - 3_600_000)
    assert await records.rows(anew, visit.message.incident_id) == []
    await visit.leak_again()
    back_ms = clock.now_ms()
    await visit.leak_again()
    assert [row["at_ms"] for row in await records.rows(anew, visit.message.incident_id)] == [back_ms]


async def test_nobody_opens_the_door(visit: Visit, clock: ManualClock) -> None:
    await visit.go("accept", "on_site", "no_access")
    row = await visit.row()
    assert (row["state"], row["revisit_due_ms"]) == ("no_access", clock.now_ms() + 7_200_000)
    await visit.go("on_site")
    row = await visit.row()
    assert (row["state"], row["revisit_due_ms"]) == ("on_site", None)


async def test_an_order_goes_to_another_crew(visit: Visit, records: Records) -> None:
    await records.crew("C2", 113.2)
    await visit.go("accept")
    answer = await visit.ask("reassign", "desk-7", note="爆胎")
    assert (answer["state"], answer["crew_id"]) == ("assigned", "C2")
    row = await visit.row()
    assert (row["crew_id"], row["technician_id"], row["accepted_ms"]) == ("C2", "C2-1", None)
    assert (await visit.ask("accept"))["reason"] == "not_your_order"


async def test_an_order_goes_to_the_crew_that_a_person_chose(visit: Visit, records: Records) -> None:
    await records.crew("C2", 113.2)
    await records.crew("C3", 113.9)
    await visit.go("accept")
    answer = await visit.ask("reassign", "desk-7", crew_id="C3")
    assert (answer["state"], answer["crew_id"]) == ("assigned", "C3")
    assert (await visit.row())["technician_id"] == "C3-1"


@pytest.mark.parametrize("chosen", ["C1", "C9"])
async def test_a_crew_that_cannot_go_is_not_sent_and_the_order_stays_where_it_is(visit: Visit, records: Records, chosen: str) -> None:
    if chosen == "C1":
        await records.crew("C2", 113.2)
        await visit.ask("reassign", "desk-7", crew_id="C2")
        await records.rows("UPDATE crews SET retired_at = now() WHERE crew_id = 'C1' RETURNING 1")
    before = await visit.row()
    answer = await visit.ask("reassign", "desk-7", crew_id=chosen)
    assert (answer["asked"], answer["reason"]) == ("refused", "crew_not_free")
    assert await visit.row() == before


async def test_made_safe_ends_the_calling(
    station: Station, line: Line, worker: PlayedVoiceWorker, records: Records, clock: ManualClock
) -> None:
    await records.crew("C1")
    visit = await assigned(line, records, clock, call=True, home=home(contacts=(contact(1),)))
    call = await worker.next_call()
    worker.ring(call)
    await visit.go("accept", "on_site", "made_safe")
    await records.until("SELECT 1 FROM calls WHERE outcome = 'not_reached'")
    assert call.call_id == worker.hung_up.get_nowait()
    await records.until("SELECT 1 FROM ladders WHERE done")


async def test_a_crew_says_where_it_is_and_the_desk_ends_a_task(station: Station, line: Line, records: Records) -> None:
    here = {"lon": 112.9401, "lat": 28.23, "coord_datum": "WGS-84"}
    await records.crew("mover", 113.9)
    first = order_message()
    line.say(first)
    await line.until_taken(first)
    (order,) = await records.rows("SELECT order_no FROM work_orders")
    assert (await records.ask("accept", "mover-1", order_no=order["order_no"]))["asked"] == "done"
    assert (await records.ask("crew_position", "mover-1", crew_id="mover", **here))["asked"] == "done"
    assert (await records.ask("crew_position", "x", crew_id="none", lon=1, lat=1, coord_datum="WGS-84"))["reason"] == "no_such_crew"
    assert (await records.ask("crew_position", "x", crew_id="mover", lon=999, lat=1, coord_datum="WGS-84"))["reason"] == "bad_request"
    await records.crew("near", 112.95)
    await records.rows("UPDATE work_orders SET state = 'archived', archived_ms = 1 RETURNING 1")
    message = order_message(home=home(contacts=()))
    line.say(message)
    await line.until_taken(message)
    assert (await records.rows("SELECT crew_id FROM work_orders WHERE archived_ms IS NULL")) == [{"crew_id": "mover"}]
    (task,) = await records.until("SELECT task_id, kind FROM tasks WHERE kind = 'nobody_to_call'")
    assert (await records.ask("task_done", "desk-7", task_id=str(task["task_id"]), note="电话联系物业"))["asked"] == "done"
    assert (await records.ask("task_done", "desk-7", task_id=str(task["task_id"])))["reason"] == "no_such_task"


async def test_a_position_is_told_on_shift_by_a_member_of_a_crew_at_work_and_only_the_newest_stays(
    station: Station, line: Line, records: Records
) -> None:
    async def refused(who: str) -> str:
        answer = await records.ask("crew_position", who, crew_id="C1", **there)
        assert answer["asked"] == "refused", answer
        assert answer["zh"]
        assert answer["en"]
        return str(answer["reason"])

    await records.crew("C1")
    there = {"lon": 112.9, "lat": 28.2, "coord_datum": "WGS-84"}
    assert await refused("C1-1") == "no_order_under_way"
    message = order_message()
    line.say(message)
    await line.until_taken(message)
    await records.crew("C2")
    assert await refused("C2-1") == "not_your_crew"
    assert await refused("C1-1") == "no_order_under_way", "assigned: nobody of it has gone yet"
    (order,) = await records.rows("SELECT order_no FROM work_orders")
    assert (await records.ask("accept", "C1-1", order_no=order["order_no"]))["asked"] == "done"
    await records.rows("UPDATE crews SET shift_start = '01:00', shift_end = '02:00' WHERE crew_id = 'C1' RETURNING 1")
    assert await refused("C1-1") == "off_shift"
    await records.rows("UPDATE crews SET shift_start = '00:00', shift_end = '24:00' WHERE crew_id = 'C1' RETURNING 1")
    assert await records.rows("SELECT crew_id FROM crew_positions") == []
    for lon in (112.91, 112.92):
        assert (await records.ask("crew_position", "C1-2", crew_id="C1", lon=lon, lat=28.21, coord_datum="WGS-84"))["asked"] == "done"
    assert await records.rows("SELECT crew_id, lon FROM crew_positions") == [{"crew_id": "C1", "lon": 112.92}]
    kept = await records.rows("SELECT body FROM requests WHERE kind = 'crew_position'")
    assert [sorted(row["body"]) for row in kept] == [["coord_datum", "crew_id"]] * 6, "no way of a crew is kept"
