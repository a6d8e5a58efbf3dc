"""The canary on real parts: a broker, a database and a line; dispatch is played, so that it can also do nothing."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from alarm_engine.canary_rows import CanaryRows
from alarm_engine.registry_view import RegistryView
from alarm_engine.settings import LineSettings
from core.clock import ManualClock, SystemClock
from core.ids import CANARY_DETECTOR, CANARY_HOME, CANARY_METER, is_reserved
from core.station import OrderMessage, TaskMessage
from deploy.embedded.testing import TestBroker
from gateway.canary import Canary, enlist
from tests.gateway.line_stage import DispatchEar, Town, forget_sessions, until

Walk = Callable[..., Awaitable[Canary]]


class FastClock(SystemClock):
    """Real time, twenty times as fast: a minute between rounds is three seconds of the test."""

    def __init__(self) -> None:
        super().__init__(rate=20.0)


@pytest.fixture
async def town(database: str, broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    forget_sessions(broker)
    town = Town(database, broker, tmp_path)
    town.enlist(1)
    await town.start()
    yield town
    await town.close()


@pytest.fixture
async def walk(town: Town, broker: TestBroker) -> AsyncIterator[Walk]:
    """Starts the canary of a running line."""
    tasks: list[asyncio.Task[None]] = []

    async def start(**settings: Any) -> Canary:
        given = LineSettings(
            mqtt_host=broker.host,
            mqtt_port=broker.port,
            canary_detector_password=broker.accounts[CANARY_DETECTOR],
            canary_meter_password=broker.accounts[CANARY_METER],
            **settings,
        )
        canary = Canary(town.line.engine, given, pace=FastClock())
        tasks.append(asyncio.create_task(canary.run()))
        return canary

    yield start
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class PlayedDispatch:
    """Dispatch, as far as the canary sees it: it hears of the order and, when it will, says that it is finished."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.ear: DispatchEar = town.dispatch()
        self._finished: set[Any] = set()

    @property
    def orders(self) -> list[OrderMessage]:
        found = {message.message_id: message for message in self.ear.messages(CANARY_HOME) if isinstance(message, OrderMessage)}
        return list(found.values())

    @property
    def late_tasks(self) -> int:
        found = {json.loads(payload)["message_id"] for _, payload in self.ear.listen() if json.loads(payload).get("kind") == "canary_late"}
        return len(found)

    async def finish(self, outcome: str = "called") -> None:
        """What dispatch does when the canary's call has ended."""
        for order in self.orders:
            if order.incident_id not in self._finished:
                self._finished.add(order.incident_id)
                await self.town.rows(
                    "INSERT INTO requests (request_id, station, kind, body, actor) VALUES (%s, 'line', 'order_finished', %s, 'dispatch')"
                    " RETURNING request_id",
                    uuid.uuid4(),
                    json.dumps({"incident_id": str(order.incident_id), "outcome": outcome}),
                )


def rounds(end: str) -> float:
    return REGISTRY.get_sample_value("gas_line_canary_rounds_total", {"end": end}) or 0.0


async def test_a_reserved_home_walks_the_whole_line_and_its_age_is_known(town: Town, walk: Walk) -> None:
    """Invariant 6: alarm, close at the meter, promise, order, end of the incident; again in its time, and never two at once."""
    dispatch, before = PlayedDispatch(town), rounds("full")
    canary = await walk()
    await until(lambda: dispatch.orders, "the canary's order")
    order = dispatch.orders[0]
    assert (order.incident_kind, order.order_kind, order.simulated, order.send_crew, order.call) == ("canary", "canary", True, False, True)
    assert order.home is not None
    assert [contact.phone for contact in order.home.contacts] == ["sip:canary@sim.invalid"]
    assert rounds("full") == before, "full before dispatch has finished"
    assert canary.detail()["canary_passed"] is False
    counted_from = canary._pace.monotonic() - canary.age_s
    await dispatch.finish()
    await until(lambda: rounds("full") == before + 1, "a full round")
    assert canary.detail()["canary_passed"] is True
    assert canary._pace.monotonic() - canary.age_s > counted_from
    assert town.line.health().detail["homes"] == 1
    assert canary.reasons() == ()
    stored = await town.row("SELECT * FROM incidents WHERE place = %s AND state = 'closed'", CANARY_HOME)
    assert stored["reported_closed_ms"] is not None
    assert await town.rows("SELECT 1 FROM homes WHERE home_id = %s", CANARY_HOME) == []
    await until(lambda: len(dispatch.orders) == 2, "the next round")
    assert len({each.incident_id for each in dispatch.orders}) == 2
    assert open_rounds(town) == 1
    assert town.line.health().detail["open_incidents"] == 0
    assert counted_open() == 0
    await dispatch.finish()
    await until(lambda: rounds("full") == before + 2, "a second full round")
    assert dispatch.late_tasks == 0


def counted_open() -> float:
    """Open incidents by the line's figures, whatever is known of their valves."""
    return sum(
        sample.value for family in REGISTRY.collect() if family.name == "gas_line_open_incidents_by_valve" for sample in family.samples
    )


def open_rounds(town: Town) -> int:
    """Open incidents of the canary."""
    return sum(incident.place == CANARY_HOME for incident in town.line.state.incidents.values())


async def test_a_round_leaves_nothing_behind_once_it_is_old(town: Town, walk: Walk, database: str) -> None:
    """What a real round writes is what is deleted with its incident."""
    dispatch = PlayedDispatch(town)
    await walk(canary_every_s=3600.0)
    await until(lambda: dispatch.orders, "the canary's order")
    await dispatch.finish()
    await until(lambda: open_rounds(town) == 0, "the end of the round")
    await town.row("SELECT 1 FROM incidents WHERE place = %s AND state = 'closed'", CANARY_HOME)
    await town.line.keeper.settled(10.0)
    in_eight_days = ManualClock(town.line.state.clock.now_ms() + 8 * 86_400_000)
    assert await CanaryRows(database, LineSettings(), in_eight_days).forget() >= 1
    key = dispatch.orders[0].incident_id
    for table in ("incidents", "incident_events", "alarms", "commands", "outbox"):
        assert await town.rows(f"SELECT 1 FROM {table} WHERE incident_id = %s", key) == [], table
    assert await town.rows("SELECT 1 FROM commands WHERE device_id = %s", CANARY_METER) == []
    assert await town.rows("SELECT 1 FROM alarms WHERE device_id = %s", CANARY_DETECTOR) == []


async def test_a_round_that_sticks_is_recorded_with_its_step_and_turns_health_red(town: Town, walk: Walk) -> None:
    dispatch, before = PlayedDispatch(town), rounds("order")
    canary = await walk(canary_red_s=20.0)
    await until(lambda: canary.reasons() == ("canary_late",), "red")
    await until(lambda: rounds("order") == before + 1, "stuck at its order")
    assert canary.stuck_at == "order"
    assert canary.detail()["canary_stuck_at"] == "order"
    stored = await town.row(
        "SELECT e.detail FROM incidents i JOIN incident_events e USING (incident_id) WHERE i.place = %s AND e.kind = 'closed' LIMIT 1",
        CANARY_HOME,
    )
    assert stored["detail"]["outcome"] == "canary_stuck_at_order"
    await until(lambda: dispatch.late_tasks == 1, "one task")
    assert open_rounds(town) <= 1

    async def finished() -> None:
        while rounds("full") == full:
            await dispatch.finish()
            await asyncio.sleep(0.02)

    full = rounds("full")
    await asyncio.wait_for(finished(), 30.0)
    assert canary.stuck_at is None
    assert canary.reasons() == ()
    assert dispatch.late_tasks == 1


async def test_a_round_whose_call_failed_is_no_full_round(town: Town, walk: Walk) -> None:
    dispatch, before, full = PlayedDispatch(town), rounds("call"), rounds("full")
    canary = await walk()
    await until(lambda: dispatch.orders, "the canary's order")
    await dispatch.finish("call_failed")
    await until(lambda: rounds("call") == before + 1, "stuck at its call")
    assert canary.stuck_at == "call"
    assert rounds("full") == full


async def test_without_passwords_it_is_off_and_not_red(town: Town) -> None:
    canary = Canary(town.line.engine, LineSettings())
    await asyncio.wait_for(canary.run(), 5.0)
    assert (canary.on, canary.reasons(), canary.detail()) == (False, (), {"canary": "canary_off"})
    assert CANARY_HOME not in town.line.state.registry.homes


def test_its_home_and_devices_are_placed_and_reserved() -> None:
    registry = RegistryView()
    enlist(registry)
    enlist(registry)
    assert registry.place(CANARY_DETECTOR, CANARY_DETECTOR).sender == "placed"
    home = registry.homes[CANARY_HOME]
    assert home.simulated
    assert registry.meter_of(home) is not None
    assert registry.version == 0
    facts = registry.facts(home)
    assert facts.detector_ids == (CANARY_DETECTOR,)
    assert facts.contacts[0].phone.endswith("@sim.invalid")
    assert all(is_reserved(name) for name in (CANARY_HOME, CANARY_DETECTOR, CANARY_METER, "canary-x"))
    copied = registry.copy()
    registry.take_over(copied)
    assert CANARY_HOME in registry.homes


def test_a_late_canary_is_a_task_of_the_platform() -> None:
    kinds = TaskMessage.model_fields["kind"].annotation
    assert "canary_late" in str(kinds)
