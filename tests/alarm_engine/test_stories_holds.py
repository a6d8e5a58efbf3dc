"""Holds on a valve: what sets them, who lifts them, and that a payment opens nothing."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from core.messages import ValveCause
from core.station import TaskMessage
from tests.alarm_engine.desk import Desk
from tests.alarm_engine.stage import HOME, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield Desk(connection)


def held(stage: Stage, home: str = HOME) -> set[tuple[str, str]]:
    return set(stage.state.holds.get(home, {}))


def rows(stage: Stage) -> list[dict[str, Any]]:
    return [row for bundle in stage.ports.written for row in bundle.holds.values()]


def test_a_leak_holds_the_valve_in_the_same_bundle_as_its_incident(stage: Stage) -> None:
    stage.alarm()
    assert held(stage) == {("safety", "")}
    (bundle,) = stage.ports.written
    (row,) = bundle.holds.values()
    assert (row["home_id"], row["incident_id"], row["lifted_ms"]) == (HOME, str(stage.incident().incident_id), None)
    assert "hold_set" in stage.events()


def test_a_past_leak_and_an_unknown_sender_hold_nothing(stage: Stage) -> None:
    stage.alarm("GHOST", account="GHOST")
    stage.reading(seq=50)
    stage.alarm(seq=40, ts=stage.clock.now_ms() - 3_600_000)
    assert list(stage.state.holds_in_force()) == []


def test_credit_that_is_used_up_holds_and_a_payment_lifts_it(stage: Stage) -> None:
    stage.meter("closed", "arrears", credit=0.0)
    assert held(stage) == {("arrears", "")}
    stage.meter("closed", "arrears", credit=-2.0)
    assert len(rows(stage)) == 1
    stage.meter("closed", "arrears", credit=50.0)
    assert held(stage) == set()
    assert (rows(stage)[-1]["lifted_by"], rows(stage)[-1]["lifted_why"]) == ("M1", "credit 50.00")
    assert stage.ports.commands == []


def test_a_payment_during_a_leak_opens_nothing_and_lifts_no_safety(stage: Stage) -> None:
    stage.meter("closed", "arrears", credit=0.0)
    stage.alarm()
    stage.ack("done", "closed")
    stage.meter("closed", "arrears", credit=80.0)
    assert held(stage) == {("safety", "")}
    assert not any(command.command == "open_valve" for _, command in stage.ports.commands)


def test_old_news_of_a_payment_lifts_nothing(stage: Stage) -> None:
    stage.meter("closed", "arrears", credit=0.0, seq=50)
    stage.meter("closed", credit=80.0, seq=40)
    stage.meter("closed", credit=80.0, seq=60, retained=True)
    assert held(stage) == {("arrears", "")}


@pytest.mark.parametrize("cause", ["excess_flow", "long_use", "low_pressure", "low_battery"])
def test_a_resident_at_the_meter_lifts_what_is_his_to_judge(stage: Stage, cause: ValveCause) -> None:
    stage.meter("closed", cause)
    assert held(stage) == {("self_protection", cause)}
    stage.meter("open")
    assert held(stage) == set()


@pytest.mark.parametrize("cause", ["tamper", "seismic"])
def test_only_an_inspection_lifts_the_others(stage: Stage, cause: ValveCause) -> None:
    stage.meter("closed", cause)
    stage.meter("open")
    assert held(stage) == {("self_protection", cause)}


def test_a_resident_lifts_nothing_while_another_hold_is_on(stage: Stage) -> None:
    stage.meter("closed", "excess_flow")
    stage.alarm()
    stage.meter("open")
    assert held(stage) == {("self_protection", "excess_flow"), ("safety", "")}


def tasks(stage: Stage) -> list[TaskMessage]:
    return [message for message in stage.ports.told if isinstance(message, TaskMessage)]


def test_a_valve_opened_by_hand_against_its_safety_hold_is_a_task_once_a_close(stage: Stage) -> None:
    stage.meter("open")
    stage.alarm()
    stage.meter("open")
    stage.ack("done", "closed")
    assert tasks(stage) == []  # until it was closed, open is how it was found
    stage.meter("open")
    stage.meter("open")
    (task,) = tasks(stage)
    incident = stage.incident()
    assert (task.kind, task.incident_id, task.home_id, task.detail) == (
        "held_valve_open",
        incident.incident_id,
        HOME,
        {"device_id": "M1"},
    )
    assert [row["message_id"] for bundle in stage.ports.written for row in bundle.outbox].count(str(task.message_id)) == 1
    stage.alarm()
    stage.ack("done", "closed")
    stage.meter("open")
    assert len({told.message_id for told in tasks(stage)}) == 2
    assert held(stage) == {("safety", "")}


async def test_a_valve_that_stands_open_after_its_order_was_archived_without_a_test_is_a_task(desk: Desk) -> None:
    stage = desk.stage
    stage.alarm()
    key = stage.incident().incident_id
    await desk.ask("order_finished", {"incident_id": str(key), "order_no": "X", "outcome": "x"}, "dispatch")
    assert stage.state.incidents == {}
    stage.meter("open")
    assert tasks(stage) == []  # its close is still on its way
    stage.ack("done", "closed", command=stage.closes[-1])
    stage.meter("closed", "command")
    stage.meter("open")
    stage.meter("open")
    (task,) = tasks(stage)
    assert (task.kind, task.incident_id, task.home_id) == ("held_valve_open", key, HOME)


async def test_each_time_a_held_valve_is_opened_by_hand_a_person_is_told(desk: Desk) -> None:
    stage = desk.stage
    stage.alarm()
    key = stage.incident().incident_id
    stage.ack("done", "closed")
    await desk.ask("order_finished", {"incident_id": str(key), "order_no": "X", "outcome": "x"}, "dispatch")
    stage.meter("open")
    stage.meter("open")
    assert len(tasks(stage)) == 1
    await desk.ask("close_valve", {"home_id": HOME})
    stage.ack("done", "closed")
    stage.meter("closed", "command")
    stage.meter("open")
    stage.meter("open")
    assert len({told.message_id for told in tasks(stage)}) == 2
    # An inspection that has sent no close waits for none.
    stage.meter("closed", "command")
    stage.reading(seq=5000)
    stage.alarm(seq=4000, ts=stage.clock.now_ms() - 3_600_000)
    assert stage.incident().kind == "past_leak"
    await desk.ask("report", {"device_id": "M1"})
    stage.meter("open")
    assert len({told.message_id for told in tasks(stage)}) == 3


async def test_an_open_that_was_asked_for_is_no_task(desk: Desk) -> None:
    await desk.ready()
    stage = desk.stage
    await desk.ask("open_valve", {"order_no": "Q-1"})
    stage.meter("open")
    assert stage.incident().valve == "opened"
    stage.ack("done", "open", command=desk.opens[0])
    stage.meter("open")
    assert held(stage) == set()
    assert tasks(stage) == []


async def test_the_confirmed_open_lifts_the_safety_hold_and_a_new_leak_sets_it_again(desk: Desk) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    assert held(desk.stage) == {("safety", "")}
    desk.stage.ack("done", "open", command=desk.opens[0])
    assert held(desk.stage) == set()
    assert (rows(desk.stage)[-1]["lifted_by"], rows(desk.stage)[-1]["lifted_why"]) == ("T1", "tightness_passed")
    desk.stage.alarm()
    assert held(desk.stage) == {("safety", "")}
    assert len({row["hold_id"] for row in rows(desk.stage)}) == 2


async def test_the_order_archived_after_a_passed_test_lifts_the_safety_hold(desk: Desk) -> None:
    await desk.ready()
    finished = {"incident_id": str(desk.stage.incident().incident_id), "order_no": "Q-1", "outcome": "closed_without_gas"}
    await desk.ask("order_finished", finished, "dispatch")
    assert held(desk.stage) == set()
    assert rows(desk.stage)[-1]["lifted_why"] == "closed_without_gas"


async def test_the_order_archived_without_a_test_leaves_the_safety_hold_to_the_next_order_of_the_home(desk: Desk) -> None:
    await desk.ready(test_passed=None, test_ms=None, made_safe_ms=desk.stage.clock.now_ms() + 61_000)
    first = desk.stage.incident()
    finished = {"incident_id": str(first.incident_id), "order_no": "Q-1", "outcome": "closed_without_gas"}
    await desk.ask("order_finished", finished, "dispatch")
    assert desk.stage.state.open_by_place == {}
    assert held(desk.stage) == {("safety", "")}
    await desk.stage.pass_time(10.0)
    desk.stage.alarm()
    assert desk.stage.incident().incident_id != first.incident_id
    assert held(desk.stage) == {("safety", "")}
    assert [row["incident_id"] for row in rows(desk.stage) if row["lifted_ms"] is None][-1] == str(desk.stage.incident().incident_id)


async def test_an_order_archived_before_its_place_leaked_again_ends_nothing(desk: Desk) -> None:
    """The leak comes after the archiving and before the line hears of it: no test stands in between to be void."""
    await desk.ready(test_passed=None, test_ms=None, made_safe_ms=desk.stage.clock.now_ms() + 61_000)
    await desk.stage.pass_time(60.0)
    desk.stage.alarm()
    incident = desk.stage.incident()
    finished = {"incident_id": str(incident.incident_id), "order_no": "Q-1", "outcome": "closed_without_gas"}
    assert await desk.refused("order_finished", finished) == "leak_after_test"
    assert desk.stage.incident() is incident
    assert held(desk.stage) == {("safety", "")}
    assert [message.type for message in desk.stage.ports.told].count("leak_again") >= 1


async def test_a_close_that_was_never_carried_out_goes_on_after_its_order_is_archived(desk: Desk) -> None:
    desk.stage.alarm()
    finished = {"incident_id": str(desk.stage.incident().incident_id), "order_no": "Q-1", "outcome": "closed_without_gas"}
    await desk.order(test_passed=None, test_ms=None)
    await desk.ask("order_finished", finished, "dispatch")
    before = len(desk.stage.closes)
    await desk.stage.pass_time(60.0)
    assert len(desk.stage.closes) > before
    desk.stage.ack("done", "closed", command=desk.stage.closes[-1])
    before = len(desk.stage.closes)
    await desk.stage.pass_time(120.0)
    assert len(desk.stage.closes) == before


@pytest.mark.parametrize(
    ("cause", "credit", "name"), [("arrears", 0.0, "arrears"), ("tamper", None, "self-protection (tamper)"), (None, -1.0, "arrears")]
)
async def test_an_open_is_refused_while_another_hold_is_on(desk: Desk, cause: ValveCause | None, credit: float | None, name: str) -> None:
    await desk.ready()
    desk.stage.meter("closed", cause, credit=credit)
    request = await desk.insert("open_valve", {"order_no": "Q-1"})
    await desk.requests.answer_pending(desk.connection)
    state, answer = await desk.answer_to(request)
    assert (state, answer["reason"]) == ("refused", "held")
    assert name in answer["en"]
    assert answer["zh"]
    assert desk.opens == []


@pytest.mark.parametrize("hold", ["away", "works"])
async def test_a_hold_on_request_closes_and_is_lifted_by_request(desk: Desk, hold: str) -> None:
    answer = await desk.ask("set_hold", {"home_id": HOME, "hold": hold, "reason": "x"}, "desk-1")
    assert held(desk.stage) == {(hold, "")}
    assert [str(command.command_id) for command in desk.stage.closes] == [answer["command_id"]]
    assert (await desk.ask("set_hold", {"home_id": HOME, "hold": hold}, "desk-1"))["already_held"] is True
    assert await desk.refused("lift_hold", {"home_id": HOME, "hold": "safety"}) == "no_such_hold"
    await desk.ask("lift_hold", {"home_id": HOME, "hold": hold, "why": "back"}, "desk-2")
    assert held(desk.stage) == set()
    assert (rows(desk.stage)[-1]["lifted_by"], rows(desk.stage)[-1]["lifted_why"]) == ("desk-2", "back")
    assert desk.opens == []


async def test_an_inspection_lifts_self_protection_on_request(desk: Desk) -> None:
    desk.stage.meter("closed", "tamper")
    body = {"home_id": HOME, "hold": "self_protection", "cause": "tamper"}
    assert await desk.refused("lift_hold", body) == "not_this_authority"
    await desk.ask("lift_hold", {**body, "authority": "inspection", "why": "seal renewed"})
    assert held(desk.stage) == set()


@pytest.mark.parametrize("hold", ["safety", "arrears"])
async def test_nobody_lifts_by_request_what_another_authority_set(desk: Desk, hold: str) -> None:
    desk.stage.meter("closed", "arrears", credit=0.0)
    desk.stage.alarm()
    body = {"home_id": HOME, "hold": hold, "authority": "inspection"}
    assert await desk.refused("lift_hold", body) == "not_this_authority"
    assert (hold, "") in held(desk.stage)
    assert await desk.refused("set_hold", {"home_id": HOME, "hold": hold}) == "hold_not_by_request"
    assert await desk.refused("set_hold", {"home_id": "H99", "hold": "away"}) == "unknown_home"


def test_holds_survive_a_restart(stage: Stage) -> None:
    stage.meter("closed", "tamper")
    stage.alarm()
    after = Stage()
    after.state.take_holds(list(stage.state.holds_in_force()))
    assert held(after) == held(stage)
    assert list(after.state.holds_in_force()) == list(stage.state.holds_in_force())
