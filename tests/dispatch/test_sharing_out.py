"""Who gets which crew, on a real database: nearest, waiting by priority, never two orders to one crew."""

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from core.clock import ManualClock
from core.station import HomeFacts
from dispatch import order_making, orders
from dispatch.database import Connection, Lane
from dispatch.judgement.order_table import OrderEvent
from dispatch.rounds import Rounds
from dispatch.settings import DispatchSettings
from dispatch.station import Station
from tests.dispatch.played import MORNING_MS, PATIENCE_S, Line, Records, home, order_message


async def make(line: Line, records: Records, **changes: Any) -> str:
    message = order_message(**{"call": False, **changes})
    line.say(message)
    await line.until_taken(message)
    (row,) = await records.rows("SELECT order_no FROM work_orders WHERE incident_id = %s", message.incident_id)
    return str(row["order_no"])


async def crew_of(records: Records, order_no: str) -> str | None:
    (row,) = await records.rows("SELECT crew_id FROM work_orders WHERE order_no = %s", order_no)
    crew: str | None = row["crew_id"]
    return crew


def at(lon: float, **changes: Any) -> HomeFacts:
    return home(lon=lon, **changes)


async def test_the_nearest_free_crew_on_duty_of_the_same_world(station: Station, line: Line, records: Records) -> None:
    await records.crew("far", 113.20)
    await records.crew("real", 112.94, simulated=False)
    await records.crew("asleep", 112.94, shift="22:00-06:00")
    await records.crew("near", 112.96)
    assert await crew_of(records, await make(line, records)) == "near"
    assert await crew_of(records, await make(line, records)) == "far"  # the near one has its order
    assert await crew_of(records, await make(line, records)) is None
    assert await crew_of(records, await make(line, records, simulated=False)) == "real"


@pytest.mark.parametrize(("age_ms", "goes"), [(30 * 60_000, "moved"), (30 * 60_000 + 1, "stationed")])
async def test_a_crew_is_where_it_told_a_short_while_ago_and_then_at_its_post(
    station: Station, line: Line, records: Records, age_ms: int, goes: str
) -> None:
    await records.crew("moved", 113.20)
    await records.crew("stationed", 112.96)
    await records.rows(
        "INSERT INTO crew_positions (crew_id, lon, lat, coord_datum, at_ms) VALUES ('moved', 112.94, 28.23, 'WGS-84', %s) RETURNING 1",
        MORNING_MS - age_ms,
    )
    assert await crew_of(records, await make(line, records)) == goes


async def test_waiting_orders_get_the_crew_by_priority_then_age(station: Station, line: Line, records: Records, clock: ManualClock) -> None:
    visit = await make(line, records, order_kind="inspection", incident_kind="past_leak")
    old = await make(line, records)
    await clock.advance(10)
    urgent = await make(line, records, home=at(112.94, flags=("infant",)))
    assert [await crew_of(records, no) for no in (visit, old, urgent)] == [None, None, None]
    await records.crew("C1")
    for expected in (urgent, old, visit):
        (row,) = await taken(records, station)
        assert row["order_no"] == expected
        await finish(records, expected, visit=expected == visit)


async def taken(records: Records, station: Station) -> list[dict[str, Any]]:
    await station.rounds.go_round()
    return await records.rows("SELECT order_no FROM work_orders WHERE crew_id = 'C1' AND archived_ms IS NULL")


async def finish(records: Records, order_no: str, *, visit: bool) -> None:
    steps: list[tuple[str, dict[str, Any]]] = [("accept", {}), ("on_site", {})]
    steps += [] if visit else [("made_safe", {"reading_lel": 0.0})]
    for kind, body in [*steps, ("record_cause", {"cause": "hose"}), ("archive", {})]:
        answer = await records.ask(kind, "C1-1", order_no=order_no, **body)
        assert answer["asked"] == "done", answer


async def test_a_crew_that_comes_free_gets_the_next_in_the_same_moment(station: Station, line: Line, records: Records) -> None:
    await records.crew("C1")
    first, second = await make(line, records), await make(line, records)
    assert await crew_of(records, second) is None
    await finish(records, first, visit=False)
    assert await crew_of(records, second) == "C1"


async def test_a_crew_that_comes_on_duty_gets_what_waits(station: Station, line: Line, records: Records, clock: ManualClock) -> None:
    await records.crew("C1", shift="10:01-18:00")
    waiting = await make(line, records)
    await clock.advance(30)
    assert await crew_of(records, waiting) is None
    async with asyncio.timeout(PATIENCE_S):
        while await crew_of(records, waiting) is None:
            await clock.advance(5)  # a round under way reads the clock once and sleeps on it after
    (row,) = await records.rows("SELECT assigned_ms FROM work_orders")
    assert row["assigned_ms"] >= MORNING_MS + 60_000


async def reassigned(records: Records, order_no: str) -> list[dict[str, Any]]:
    return await records.rows(
        "SELECT s.to_state, s.actor, s.detail FROM order_steps s JOIN work_orders USING (order_id)"
        " WHERE order_no = %s AND s.event = 'reassign' ORDER BY step_no",
        order_no,
    )


async def test_an_order_that_a_crew_has_not_accepted_when_its_shift_ends_goes_to_another_in_the_same_moment(
    database: str, records: Records
) -> None:
    await records.crew("near", 112.941, shift="09:00-18:00")
    await records.crew("far", 113.2)
    lane, end_ms = Lane(database, "rounds"), MORNING_MS - MORNING_MS % 86_400_000 + 10 * 3_600_000
    clock = ManualClock(end_ms - 1)
    rounds = Rounds(DispatchSettings(), clock, lane)
    await lane.run(lambda connection: order_making.make(connection, [order_message(call=False)], end_ms - 20_000))
    (order,) = await records.rows("SELECT order_no FROM work_orders")
    await rounds.share_out()
    assert await crew_of(records, order["order_no"]) == "near"
    await clock.advance(0.001)
    await rounds.share_out()
    (row,) = await records.rows("SELECT * FROM work_orders")
    assert (row["state"], row["crew_id"], row["technician_id"], row["assigned_ms"]) == ("assigned", "far", "far-1", end_ms)
    (step,) = await reassigned(records, order["order_no"])
    assert (step["to_state"], step["actor"], step["detail"]["from_crew"], step["detail"]["reason"]) == (
        "waiting", "dispatch", "near", "crew_off_duty",
    )  # fmt: skip
    await rounds.share_out()
    assert len(await reassigned(records, order["order_no"])) == 1
    await lane.close()


async def test_what_a_crew_has_accepted_stays_with_it_after_its_shift(
    station: Station, line: Line, records: Records, clock: ManualClock
) -> None:
    await records.crew("C1", shift="09:00-10:01")
    order_no = await make(line, records)
    assert (await records.ask("accept", "C1-1", order_no=order_no))["asked"] == "done"
    await records.crew("C2", 113.2)
    await clock.advance(120)
    await station.rounds.go_round()
    assert await crew_of(records, order_no) == "C1"
    assert await reassigned(records, order_no) == []


@pytest.mark.parametrize(
    ("change", "reason", "then"),
    [
        ("UPDATE crews SET retired_at = now() WHERE crew_id = 'C1'", "crew_gone", "C2"),
        ("UPDATE crews SET shift_start = '22:00', shift_end = '06:00' WHERE crew_id = 'C1'", "crew_off_duty", "C2"),
        ("UPDATE technicians SET retired_at = now() WHERE crew_id = 'C1'", "technician_gone", "C2"),
        # His colleague is still there and is nearer than anybody else: the order is his, and he is told of it.
        ("UPDATE technicians SET retired_at = now() WHERE technician_id = 'C1-1'", "technician_gone", "C1"),
    ],
)
async def test_a_registry_that_takes_the_crew_away_gives_its_order_to_another_at_once(
    station: Station, line: Line, records: Records, change: str, reason: str, then: str
) -> None:
    """The clock stands still, so that no round comes by: the registry's notice brings it about."""
    await records.crew("C1")
    await records.crew("C2", 113.2)
    order_no = await make(line, records)
    assert await crew_of(records, order_no) == "C1"
    await records.rows(f"WITH done AS ({change} RETURNING 1) SELECT pg_notify('registry', '2') FROM done LIMIT 1")
    await records.until("SELECT 1 FROM order_steps WHERE event = 'reassign'")
    (row,) = await records.rows("SELECT state, crew_id, technician_id FROM work_orders")
    assert row == {"state": "assigned", "crew_id": then, "technician_id": f"{then}-2" if then == "C1" else "C2-1"}
    (step,) = await reassigned(records, order_no)
    assert (step["detail"]["reason"], step["detail"]["from_crew"]) == (reason, "C1")


async def test_a_round_stands_in_the_way_of_nobody_who_works_on_an_order(database: str, records: Records) -> None:
    await records.crew("C1")
    lane, clock = Lane(database, "rounds"), ManualClock(MORNING_MS)
    rounds = Rounds(DispatchSettings(), clock, lane)
    await lane.run(lambda connection: order_making.make(connection, [order_message(call=False)], MORNING_MS))
    await rounds.share_out()
    held = "SELECT order_no FROM work_orders WHERE crew_id = 'C1' FOR UPDATE NOWAIT"

    async def looked(connection: Connection) -> list[dict[str, Any]]:
        assert await orders.take_from_gone(connection, MORNING_MS) == []
        return await records.rows(held)

    ((order_no,),) = [row.values() for row in await lane.run(looked)]
    await records.rows("UPDATE crews SET retired_at = now() WHERE crew_id = 'C1' RETURNING 1")
    async with await psycopg.AsyncConnection.connect(database) as somebody:
        await somebody.execute(held)
        await rounds.share_out()
        assert await reassigned(records, order_no) == []
    await rounds.share_out()
    assert len(await reassigned(records, order_no)) == 1
    await lane.close()


async def test_where_no_other_crew_is_there_it_waits_and_is_seen_to_wait(station: Station, line: Line, records: Records) -> None:
    await records.crew("C1")
    order_no = await make(line, records)
    await records.rows("UPDATE crews SET retired_at = now() WHERE crew_id = 'C1' RETURNING 1")
    await station.rounds.go_round()
    (row,) = await records.rows("SELECT state, crew_id, assigned_ms FROM work_orders")
    assert row == {"state": "waiting", "crew_id": None, "assigned_ms": None}
    await records.crew("C3")
    await station.rounds.go_round()
    assert await crew_of(records, order_no) == "C3"


async def test_no_crew_is_sent_where_none_is_wanted(station: Station, line: Line, records: Records) -> None:
    await records.crew("C1")
    triage = await make(line, records, order_kind="triage", incident_kind="unknown_sender", home=None, send_crew=False, place="account:x")
    await station.rounds.go_round()
    (row,) = await records.rows("SELECT * FROM work_orders WHERE order_no = %s", triage)
    assert (row["state"], row["crew_id"], row["place"]["place"]) == ("waiting", None, "account:x")
    assert await crew_of(records, await make(line, records)) == "C1"


async def test_an_order_that_nobody_accepts_becomes_a_task(station: Station, line: Line, records: Records, clock: ManualClock) -> None:
    await records.crew("C1")
    order_no = await make(line, records)
    await clock.advance(59)
    await station.rounds.go_round()
    assert await records.rows("SELECT kind FROM tasks") == []
    await clock.advance(2)
    await station.rounds.go_round()
    await station.rounds.go_round()
    (task,) = await records.rows("SELECT * FROM tasks")
    assert (task["kind"], task["detail"]["order_no"], task["simulated"]) == ("not_accepted", order_no, True)


@pytest.mark.parametrize(("event", "note"), [("accept", "accepted"), ("reassign", "taken back")])
async def test_nobody_is_told_any_longer_to_urge_a_crew_that_has_accepted_or_that_it_was_taken_from(
    station: Station, line: Line, records: Records, clock: ManualClock, database: str, event: OrderEvent, note: str
) -> None:
    await records.crew("C1")
    order_no = await make(line, records)
    await clock.advance(61)
    await station.rounds.go_round()

    async def moved(connection: Connection) -> None:
        query = "SELECT * FROM work_orders WHERE order_no = %s FOR UPDATE"
        order = await (await connection.execute(query, [order_no])).fetchone()
        assert order is not None
        assert await orders.move(connection, order, event, "T1", clock.now_ms()) in {"accepted", "waiting"}

    lane = Lane(database, "moved")
    await lane.run(moved)
    await lane.close()
    (task,) = await records.rows("SELECT done_ms, done_by, note FROM tasks")
    assert (task["done_ms"], task["done_by"]) == (clock.now_ms(), "dispatch")
    assert note in task["note"]


async def test_no_crew_gets_two_orders_however_many_hands_give_them_out(database: str, records: Records) -> None:
    """Several processes at once: twelve leaks, seven crews, rounds in between."""
    for number in range(7):
        await records.crew(f"C{number}", 112.9 + number / 100)
    lanes = [Lane(database, f"lane{number}") for number in range(6)]

    async def work(lane: Lane, number: int) -> None:
        for index in range(2):
            message = order_message(call=False, incident_id=uuid4(), home=at(112.9 + number / 100 + index / 1000))

            async def both(connection: Connection, message: Any = message) -> None:
                await order_making.make(connection, [message], MORNING_MS + number)

            await lane.run(both)
            await lane.run(lambda connection: orders.share_out(connection, MORNING_MS + number))

    await asyncio.gather(*(work(lane, number) for number, lane in enumerate(lanes)))
    for lane in lanes:
        await lane.close()
    rows = await records.rows("SELECT order_no, crew_id, state FROM work_orders")
    crews = [row["crew_id"] for row in rows if row["crew_id"] is not None]
    assert len(rows) == 12
    assert sorted(crews) == [f"C{number}" for number in range(7)]
    assert {row["order_no"] for row in rows} == {f"QX-260402-{number:04}" for number in range(1, 13)}


async def test_one_incident_from_many_hands_is_one_order(database: str, records: Records) -> None:
    message = order_message()
    lanes = [Lane(database, f"lane{number}") for number in range(5)]
    made = await asyncio.gather(*(lane.run(lambda connection: order_making.make(connection, [message], MORNING_MS)) for lane in lanes))
    for lane in lanes:
        await lane.close()
    assert sum(one is not None for (one,) in made) == 1
    assert len(await records.rows("SELECT 1 FROM work_orders")) == 1
    assert await records.rows("SELECT last FROM order_numbers") == [{"last": 1}]


def test_every_set_point_says_what_it_is_in_both_languages() -> None:
    for name, field in DispatchSettings.model_fields.items():
        assert field.description, name
        assert " / " in field.description, name


@pytest.mark.parametrize(("now_ms", "day"), [(1_775_059_199_999, "2026-04-01"), (1_775_059_200_000, "2026-04-02")])
def test_the_day_of_an_order_number_is_the_day_in_shanghai(now_ms: int, day: str) -> None:
    assert order_making.local_day(now_ms).isoformat() == day
