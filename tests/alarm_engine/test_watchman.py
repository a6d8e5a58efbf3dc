"""The watchman over a real PostgreSQL: what is missing is made, counted and raised once; what is there is left alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from prometheus_client import REGISTRY
from psycopg.types.json import Jsonb

from alarm_engine.ledger import Ledger
from alarm_engine.watchman import Finding, Watchman
from core.clock import ManualClock
from core.ids import message_id
from core.station import OrderMessage, TaskMessage
from tests.alarm_engine.stage import Stage

LATER_S = 11.0
AGAIN_S = 31.0


class Rounds:
    """A stage, its database written by the real ledger, dispatch's rows by SQL, and a watchman whose time is moved by hand."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.stage = Stage()
        self.pace = ManualClock()
        self.watchman = Watchman(self.stage.engine, dsn, self.pace)
        self._written = 0

    async def keep(self) -> None:
        ledger = Ledger(self.dsn, self.stage.clock)
        for rows in self.stage.ports.written[self._written :]:
            ledger.put(rows)
        self._written = len(self.stage.ports.written)
        task = asyncio.create_task(ledger.run())
        assert await ledger.drain(20.0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def sql(self, statement: str, **values: object) -> None:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await connection.execute(statement.encode(), values)

    async def leak(self) -> UUID:
        self.stage.alarm()
        await self.keep()
        return self.stage.incident().incident_id

    async def order(self, incident_id: UUID) -> None:
        """Dispatch makes the order."""
        await self.sql(
            "INSERT INTO work_orders (order_id, order_no, kind, incident_id, incident_kind, simulated, priority, state, place, valve,"
            " created_ms) VALUES (%(order_id)s, %(number)s, 'emergency', %(incident)s, 'leak', true, 1, 'created', '{}', 'commanded', 1)",
            order_id=uuid4(),
            number=str(uuid4()),
            incident=incident_id,
        )

    async def ladder(self, incident_id: UUID) -> None:
        await self.sql("INSERT INTO ladders (incident_id, state) VALUES (%(incident)s, %(state)s)", incident=incident_id, state=Jsonb({}))

    async def look(self, after_s: float = 5.0) -> list[Finding]:
        await self.pace.advance(after_s)
        return await self.watchman.look()

    @property
    def tasks(self) -> list[str]:
        return [message.kind for message in self.stage.ports.told if isinstance(message, TaskMessage)]

    @property
    def orders_told(self) -> list[OrderMessage]:
        return [message for message in self.stage.ports.told if isinstance(message, OrderMessage)]


@pytest.fixture
async def rounds(database: str) -> AsyncIterator[Rounds]:
    made = Rounds(database)
    yield made
    await made.watchman._drop()


def counted(kind: str) -> float:
    return REGISTRY.get_sample_value("gas_line_watchman_findings_total", {"kind": kind}) or 0.0


async def test_where_all_is_there_he_does_nothing(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    before = list(rounds.stage.ports.log)
    for _ in range(20):
        assert await rounds.look() == []
        await rounds.stage.pass_time(0.0)
    assert rounds.stage.ports.log == before


async def test_an_order_that_was_never_made_is_told_again(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    before = counted("order_missing")
    assert await rounds.look() == []
    assert await rounds.look() == []
    assert await rounds.look() == [Finding("order_missing", incident_id)]
    first, second = rounds.orders_told
    assert second.message_id == first.message_id == message_id(incident_id, "order")
    assert second.home == first.home
    assert counted("order_missing") == before + 1
    assert rounds.tasks == []
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    assert await rounds.look(AGAIN_S) == []
    assert len(rounds.orders_told) == 2
    assert rounds.tasks == []


async def test_an_order_row_that_was_deleted_is_told_again_under_an_id_that_dispatch_has_not_seen(rounds: Rounds) -> None:
    """Dispatch answers a message that it knows with *taken*; what it has lost since, only a new message makes."""
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    assert await rounds.look() == []
    await rounds.sql("DELETE FROM work_orders")
    await rounds.look()
    assert await rounds.look(LATER_S) == [Finding("order_missing", incident_id)]
    assert await rounds.look(AGAIN_S) == [Finding("order_missing", incident_id)]
    assert await rounds.look(AGAIN_S) == [Finding("order_missing", incident_id)]
    assert len({message.message_id for message in rounds.orders_told}) == 3
    assert {message.incident_id for message in rounds.orders_told} == {incident_id}
    assert rounds.tasks == ["order_missing"], "raised once"


async def test_a_call_that_is_missing_is_asked_for_again(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.look()
    before = counted("call_missing")
    assert await rounds.look(LATER_S) == [Finding("call_missing", incident_id)]
    assert [message.call for message in rounds.orders_told] == [True, True]
    assert counted("call_missing") == before + 1
    await rounds.look(AGAIN_S)
    assert rounds.tasks == ["call_missing"]
    await rounds.ladder(incident_id)
    assert await rounds.look(AGAIN_S) == []


async def test_a_call_that_waits_for_a_free_line_is_a_call(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.sql(
        "INSERT INTO calls (call_id, incident_id, attempt, position, name, role, address, simulated, language, requested_ms)"
        " VALUES (%(call)s, %(incident)s, 1, 1, '', 'resident', 'sip:1@sim.invalid', true, 'zh', 1)",
        call=uuid4(),
        incident=incident_id,
    )
    await rounds.look()
    for _ in range(10):
        assert await rounds.look(AGAIN_S) == []
    assert rounds.tasks == []


async def test_the_canarys_close_is_left_to_the_canary(rounds: Rounds) -> None:
    """A round that the watchman helped along would say that the line is whole."""
    await rounds.leak()
    incident = rounds.stage.incident()
    incident.kind = "canary"
    assert incident.close is not None
    incident.close.due = None
    assert await rounds.look() == []
    assert await rounds.look(AGAIN_S) == []


async def test_an_order_under_another_id_is_an_order(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.sql(
        "INSERT INTO order_aliases (incident_id, order_id, at_ms) VALUES (%(incident)s, %(order)s, 1)", incident=incident_id, order=uuid4()
    )
    await rounds.look()
    assert await rounds.look(LATER_S) == []


async def test_a_close_that_fell_out_of_the_due_times_is_tried_again(rounds: Rounds) -> None:
    """Nothing is due any more and no answer ever came: the next attempt leaves, and a person hears of it."""
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    record = rounds.stage.incident().close
    assert record is not None
    record.due = None
    await rounds.stage.pass_time(120.0)
    assert len(rounds.stage.closes) == 1, "lost indeed"
    before = counted("close_missing")
    assert await rounds.look() == [Finding("close_missing", incident_id)]
    assert len(rounds.stage.closes) == 2
    assert rounds.stage.closes[1].order_no > rounds.stage.closes[0].order_no
    assert counted("close_missing") == before + 1
    assert rounds.tasks == ["close_missing"]
    rounds.stage.ack("done", "closed")
    assert await rounds.look(AGAIN_S) == []


async def test_a_close_whose_time_passed_without_anybody_noticing_is_tried_again(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    rounds.stage.engine.valves._due.clear()
    await rounds.stage.clock.advance(30.0)
    assert await rounds.look() == []
    assert await rounds.look() == [Finding("close_missing", incident_id)]
    assert len(rounds.stage.closes) == 2


async def test_closes_under_way_and_valves_that_are_closed_are_left_alone(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    for _ in range(10):
        await rounds.stage.pass_time(5.0)
        assert await rounds.look() == []
    rounds.stage.ack("done", "closed")
    for _ in range(3):
        assert await rounds.look() == []


async def test_the_close_of_a_sleeping_meter_waits_for_its_uplink_and_is_not_missed(rounds: Rounds) -> None:
    stage = rounds.stage
    stage.meter("open")
    view = stage.state.devices.of("M1")
    view.connectivity, view.report_interval_s = "psm", 21_600
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    assert stage.incident().answer_due_ms is not None
    for _ in range(20):
        await stage.pass_time(60.0)
        assert await rounds.look() == []
    assert len(stage.closes) == 1


async def test_without_the_database_he_is_silent_on_orders_and_still_looks_at_closes(rounds: Rounds) -> None:
    away = Watchman(rounds.stage.engine, "postgresql://nobody@127.0.0.1:1/none", rounds.pace)
    rounds.stage.alarm()
    told = len(rounds.stage.ports.told)
    for _ in range(10):
        await rounds.pace.advance(AGAIN_S)
        assert await away.look() == []
    assert len(rounds.stage.ports.told) == told
    record = rounds.stage.incident().close
    assert record is not None
    record.due = None
    assert [finding.kind for finding in await away.look()] == ["close_missing"]
    assert len(rounds.stage.closes) == 2


async def test_the_time_begins_anew_when_the_database_is_back(rounds: Rounds) -> None:
    await rounds.leak()
    await rounds.look()
    dsn, rounds.watchman._dsn = rounds.watchman._dsn, "postgresql://nobody@127.0.0.1:1/none"
    await rounds.watchman._drop()
    assert await rounds.look(LATER_S) == []
    rounds.watchman._dsn = dsn
    assert await rounds.look(LATER_S) == []
    assert [finding.kind for finding in await rounds.look(LATER_S)] == ["order_missing"]


async def test_an_incident_that_the_database_does_not_have_is_written_again(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    await rounds.ladder(incident_id)
    await rounds.sql("DELETE FROM incidents")
    await rounds.look()
    assert await rounds.look(61.0) == [Finding("incident_unwritten", incident_id)]
    await rounds.keep()
    assert await rounds.look(AGAIN_S) == []


async def test_an_open_incident_that_nobody_here_knows_is_counted_and_said_until_it_is_over(rounds: Rounds) -> None:
    incident_id = await rounds.leak()
    await rounds.order(incident_id)
    rounds.stage.state.incidents.clear()
    before = counted("incident_unknown")
    assert await rounds.look() == []
    assert rounds.watchman.unknown == 0
    assert await rounds.look(AGAIN_S) == [Finding("incident_unknown", incident_id)]
    assert rounds.watchman.unknown == 1
    # It is not found anew at every look, and it is unknown all the same.
    assert await rounds.look() == []
    assert rounds.watchman.unknown == 1
    assert counted("incident_unknown") == before + 1
    await rounds.sql("UPDATE incidents SET state = 'closed', closed_ms = 1")
    assert await rounds.look() == []
    assert rounds.watchman.unknown == 0
