"""The line stops and starts again: a second engine takes up from the database what the first one left, and nothing is forgotten."""

import asyncio
import contextlib
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from alarm_engine.ledger import Ledger
from alarm_engine.recovery import recover, resume
from alarm_engine.rows import Rows
from core.items import StatusItem
from deploy.embedded.testing import TestPostgres
from gateway.readings import STORE_STATE
from tests.alarm_engine.stage import HOME, OTHER_HOME, Stage

WAIT_S = 90.0


class Lives:
    """Stages one after the other over one database: each life writes down as the line does, and the next one recovers."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.stage = Stage()
        self._written = 0

    async def keep(self) -> None:
        """Make durable what this life decided, by the real ledger, and what it heard of its devices."""
        ledger = Ledger(self.dsn, self.stage.clock)
        for rows in self.stage.ports.written[self._written :]:
            ledger.put(rows)
        self._written = len(self.stage.ports.written)
        task = asyncio.create_task(ledger.run())
        assert await ledger.drain(WAIT_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute(STORE_STATE, {"rows": Jsonb(self.stage.state.devices.take_changed())})

    async def next_life(self, after_s: float = 5.0) -> Stage:
        """Everything in memory is gone; the clock went on."""
        await self.keep()
        before, after = self.stage, Stage()
        after.clock.step(before.clock.now_ms() - after.clock.now_ms() + int(after_s * 1000))
        after._seq = before._seq
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            found = await recover(after.engine, connection)
        assert found == len(before.state.incidents)
        resume(after.engine)
        self.stage, self._written = after, 0
        return after


@pytest.fixture
def lives(database: str) -> Lives:
    return Lives(database)


async def closes_in(stage: Stage, seconds: float) -> list[UUID]:
    """Ids of the closes that leave within so much time."""
    await stage.pass_time(seconds)
    return [command.command_id for command in stage.closes]


async def test_everything_of_an_open_incident_is_taken_up(lives: Lives) -> None:
    first = lives.stage
    first.meter("open")
    first.alarm()
    first.alarm("D1B")
    first.ack("rejected")
    await first.pass_time(1.25)
    first.ack("done", "closed")
    before = first.incident()
    second = await lives.next_life()
    after = second.incident()
    assert after.row() == before.row()
    assert (after.attempts, after.is_closed, after.devices) == (2, True, ["D1", "D1B"])
    assert before.close is not None
    assert after.close is not None
    assert after.close.row() == before.close.row()
    assert second.state.devices.of("M1").row() == first.state.devices.of("M1").row()
    assert second.state.devices.of("D1").row() == first.state.devices.of("D1").row()
    await second.pass_time(120.0)
    assert second.ports.commands == []


async def test_an_unanswered_close_is_sent_again_with_its_own_id_and_goes_on(lives: Lives) -> None:
    lives.stage.alarm()
    sent = lives.stage.closes[0]
    second = await lives.next_life()
    assert await closes_in(second, 0.25) == [sent.command_id]
    assert second.closes[0] == sent
    ids = await closes_in(second, 120.0)
    assert set(ids) == {sent.command_id}
    assert len(ids) >= 4
    second.ack("done", "closed")
    assert second.incident().valve == "reported_closed"


def refused(stage: Stage) -> None:
    stage.ack("rejected")


def accepted(stage: Stage) -> None:
    stage.ack("accepted")


def done_while_open(stage: Stage) -> None:
    stage.ack("done", "open")


def expired(stage: Stage) -> None:
    stage.ack("expired")


@pytest.mark.parametrize("answer", [refused, accepted, done_while_open, expired])
async def test_a_close_that_did_not_succeed_is_tried_anew_after_a_restart(lives: Lives, answer: Callable[[Stage], None]) -> None:
    lives.stage.alarm()
    failed = lives.stage.closes[0]
    answer(lives.stage)
    second = await lives.next_life(60.0)
    ids = await closes_in(second, 2.0)
    assert len(set(ids)) == 1
    assert failed.command_id not in ids
    assert second.closes[0].order_no > failed.order_no
    assert second.incident().attempts == 2
    second.ack("done", "closed")
    assert second.incident().valve == "reported_closed"


async def test_travel_time_over_goes_on_after_a_restart(lives: Lives) -> None:
    lives.stage.alarm()
    lives.stage.ack("accepted")
    await lives.stage.pass_time(15.25)
    assert lives.stage.incident().valve == "travel_time_over"
    second = await lives.next_life()
    assert len(set(await closes_in(second, 1.0))) == 1


async def test_an_answer_that_was_under_way_over_the_restart_is_understood(lives: Lives) -> None:
    lives.stage.alarm()
    command = lives.stage.closes[0]
    second = await lives.next_life()
    second.ack("done", "closed", command=command)
    assert second.incident().valve == "reported_closed"
    assert await closes_in(second, 120.0) == []


async def test_a_repeat_over_the_restart_is_acknowledged_and_does_nothing(lives: Lives) -> None:
    item = lives.stage.alarm()
    lives.stage.ack("done", "closed")
    cleared = lives.stage.alarm(event="leak_cleared", ch4=0.0)
    second = await lives.next_life()
    second.again(item)
    second.again(cleared)
    assert second.acknowledged == [item, cleared]
    assert (second.ports.written, second.ports.told, second.ports.commands) == ([], [], [])


async def test_a_repeat_of_an_incident_that_is_over_opens_nothing_after_a_restart(lives: Lives) -> None:
    item = lives.stage.alarm()
    lives.stage.engine.close(lives.stage.incident(), lives.stage.clock.now_ms(), "dispatch", "restored")
    second = await lives.next_life()
    assert second.state.incidents == {}
    second.again(item)
    assert second.acknowledged == [item]
    assert second.ports.commands == []
    assert second.ports.told == []


async def test_a_leak_that_was_not_durable_gets_the_same_ids_in_the_next_life(lives: Lives) -> None:
    item = lives.stage.alarm()
    first = (lives.stage.incident().incident_id, lives.stage.closes[0].command_id, lives.stage.orders[0].message_id)
    lives.stage.ports.written.clear()
    lives.stage.state.incidents.clear()
    second = await lives.next_life()
    second.again(item)
    assert (second.incident().incident_id, second.closes[0].command_id, second.orders[0].message_id) == first


async def test_order_numbers_go_on_even_with_a_clock_that_was_set_back(lives: Lives) -> None:
    lives.stage.alarm()
    lives.stage.ack("rejected")
    number = lives.stage.closes[0].order_no
    second = await lives.next_life(-3_600.0)
    await second.pass_time(1.0)
    assert second.closes[0].order_no > number


async def test_a_new_leak_after_the_restart_joins_the_open_incident(lives: Lives) -> None:
    lives.stage.alarm()
    lives.stage.ack("done", "closed")
    lives.stage.meter("open")
    second = await lives.next_life()
    assert second.incident().valve == "opened"
    second.reading(ch4=30.0, state="alarm")
    assert len(second.closes) == 1
    assert second.orders == []
    assert second.incident().attempts == 2


async def test_a_late_leak_is_still_past_and_a_stale_report_still_stale(lives: Lives) -> None:
    early = lives.stage.clock.now_ms() - 60_000
    lives.stage.reading(seq=50)
    lives.stage.meter("open", seq=500)
    second = await lives.next_life()
    second.alarm(seq=40, ts=early)
    assert second.closes == []
    second.alarm(seq=60)
    second.meter("closed", "manual", seq=400, ts=early)
    assert second.incident().valve == "commanded"


async def test_an_open_under_way_expires_in_the_next_life_and_a_leak_voids_it(lives: Lives) -> None:
    first = lives.stage
    first.alarm()
    first.ack("done", "closed")
    incident = first.incident()
    meter = first.state.registry.devices["M1"]
    record = first.engine.valves.order("open_valve", meter, incident.incident_id, UUID(int=9), "tightness_passed", "T1")
    incident.opening = record
    first.ports.put(Rows(commands={record.command_id: record.row()}))
    second = await lives.next_life(5.0)
    assert [message.command for _, message in second.ports.commands] == []
    second.alarm()
    assert [message.command for _, message in second.ports.commands] == ["close_valve"]
    assert second.state.commands[record.command_id].state == "superseded"


async def test_an_open_is_never_sent_again(lives: Lives) -> None:
    first = lives.stage
    first.alarm()
    first.ack("done", "closed")
    record = first.engine.valves.order(
        "open_valve", first.state.registry.devices["M1"], first.incident().incident_id, UUID(int=9), "tightness_passed", "T1"
    )
    first.ports.put(Rows(commands={record.command_id: record.row()}))
    second = await lives.next_life(5.0)
    await second.pass_time(120.0)
    assert second.ports.commands == []
    assert second.state.commands[record.command_id].state == "expired"
    assert "open_expired" in second.events()


async def test_other_kinds_of_incident_are_taken_up_too(lives: Lives) -> None:
    first = lives.stage
    first.alarm("GHOST", account="GHOST")
    first.alarm("D2")
    first.engine.garbled("D1", "D1", "not_json", first.clock.now_ms(), lambda: None)
    first.alarm("D3")
    second = await lives.next_life()
    assert set(second.state.open_by_place) == {"account:GHOST", OTHER_HOME, "garbled:D1", "H3"}
    second.alarm("GHOST", account="GHOST")
    second.engine.garbled("D1", "D1", "not_json", first.clock.now_ms(), lambda: None)
    second.alarm("D3")
    assert second.orders == []
    assert second.incident("H3").valve == "no_meter"
    assert HOME not in second.state.open_by_place


async def test_status_is_remembered_and_hearing_is_not(lives: Lives) -> None:
    now = lives.stage.clock.now_ms()
    lives.stage._take(
        StatusItem(account="M1", device_id="M1", ts=now, boot=1, seq=1, received_ms=now, online=True, model="LX", connectivity="psm"),
        "status",
    )
    lives.stage.meter("closed", "manual")
    second = await lives.next_life()
    view = second.state.devices.of("M1")
    assert (view.model, view.connectivity, view.online, view.valve, view.cause) == ("LX", "psm", True, "closed", "manual")
    assert view.heard == float("-inf")


async def test_an_empty_database_is_a_quiet_start(postgres: TestPostgres) -> None:
    lives = Lives(postgres.clone())
    second = await lives.next_life()
    assert (second.state.incidents, second.ports.log) == ({}, [])


async def lags(lives: Lives, milliseconds: int) -> None:
    """The stored incident is older than what was heard of it, as after a crash between two writes."""
    await lives.keep()
    async with await psycopg.AsyncConnection.connect(lives.dsn, autocommit=True) as connection:
        await connection.execute("UPDATE incidents SET last_leak_ms = last_leak_ms - %s", (milliseconds,))


async def test_a_test_passed_before_the_last_alarm_stays_void_though_the_incident_row_is_older(lives: Lives) -> None:
    first = lives.stage
    first.alarm()
    await first.pass_time(30.0)
    first.alarm()
    before = first.incident().last_leak_ms
    await lags(lives, 25_000)
    second = await lives.next_life()
    assert second.incident().last_leak_ms == before


async def test_a_test_passed_before_the_last_reading_over_the_set_point_stays_void(lives: Lives) -> None:
    first = lives.stage
    first.alarm()
    await first.pass_time(3.0)
    first.reading("D1", 30.0, "alarm")
    before = first.incident().last_leak_ms
    await lags(lives, 3_000)
    second = await lives.next_life()
    assert second.incident().last_leak_ms == before


async def test_a_close_without_an_incident_is_taken_up_too(lives: Lives) -> None:
    first = lives.stage
    meter = first.state.registry.devices["M1"]
    record = first.engine.valves.close_loose(meter, UUID(int=9), "desk", "operator")
    second = await lives.next_life()
    assert second.state.loose_closes["M1"].command_id == record.command_id
    assert record.command_id in await closes_in(second, 0.2)
    second.ack("done", "closed")
    third = await lives.next_life()
    assert third.state.loose_closes == {}


async def test_a_safety_hold_of_an_incident_that_is_not_there_belongs_to_the_one_that_is_open(lives: Lives) -> None:
    lives.stage.alarm()
    await lives.keep()
    async with await psycopg.AsyncConnection.connect(lives.dsn, autocommit=True) as connection:
        await connection.execute("UPDATE valve_holds SET incident_id = gen_random_uuid()")
    second = await lives.next_life()
    (hold,) = second.engine.holds.of(HOME)
    assert hold.incident_id == second.incident().incident_id
