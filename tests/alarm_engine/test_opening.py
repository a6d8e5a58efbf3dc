"""Opening a valve: every guard, the confirmation at the meter, and what voids it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from core.items import StatusItem
from tests.alarm_engine.desk import Desk
from tests.alarm_engine.stage import HOME, OTHER_HOME


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield Desk(connection)


async def test_a_technician_at_the_meter_opens(desk: Desk) -> None:
    await desk.ready()
    answer = await desk.ask("open_valve", {"order_no": "Q-1"})
    (command,) = desk.opens
    assert answer == {"command_id": str(command.command_id), "expires_ms": desk.stage.clock.now_ms() + 60_000}
    assert (command.device_id, command.expires_at - command.issued_at) == ("M1", 60_000)
    assert desk.stage.incident().valve == "reported_closed"  # until somebody has confirmed
    await desk.stage.pass_time(30.0)
    desk.stage.ack("done", "open", command=command)
    assert desk.stage.incident().valve == "opened"
    assert desk.stage.valve_words[-1] == "opened"
    assert desk.stage.events().count("opened_valve") == 1
    await desk.stage.pass_time(300.0)
    assert len(desk.opens) == 1
    assert len(desk.stage.closes) == 1


async def test_a_test_that_lies_in_the_future_opens_nothing(desk: Desk) -> None:
    """The clock was set back since, and a leak of the hour that comes twice would look older than the test."""
    await desk.ready(test_ms=desk.stage.clock.now_ms() + 3_600_000)
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "no_passed_test"
    assert desk.opens == []


async def test_an_open_that_nobody_confirms_expires_and_is_not_repeated(desk: Desk) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    desk.stage.ack("accepted", "closed")
    await desk.stage.pass_time(61.0)
    assert len(desk.opens) == 1
    assert "open_expired" in desk.stage.events()
    assert desk.stage.incident().valve == "reported_closed"


@pytest.mark.parametrize("timer_was_first", [True, False])
async def test_a_confirmation_that_comes_too_late_is_none_but_the_valve_is_open(desk: Desk, timer_was_first: bool) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    await (desk.stage.pass_time(61.0) if timer_was_first else desk.stage.clock.advance(60.01))
    desk.stage.ack("done", "open", command=desk.opens[0])
    (record,) = [r for r in desk.stage.state.commands.values() if r.command == "open_valve"]
    assert record.state == "expired"
    assert desk.stage.incident().opened_valve_ms is None
    assert desk.stage.incident().valve == "opened"  # what the meter says of itself is believed: a leak must close it again
    desk.stage.alarm()
    assert len(desk.stage.closes) == 2


async def test_a_refused_open_is_said_and_not_repeated(desk: Desk) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    desk.stage.ack("rejected", "closed")
    await desk.stage.pass_time(120.0)
    assert len(desk.opens) == 1
    assert "open_refused" in desk.stage.events()
    assert desk.stage.incident().valve == "reported_closed"


async def test_a_new_leak_voids_an_open_that_waits(desk: Desk) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    desk.stage.ack("accepted", "closed", command=desk.opens[0])
    desk.stage.alarm()
    assert desk.sent == ["close_valve", "open_valve", "close_valve"]
    numbers = [message.order_no for _, message in desk.stage.ports.commands]
    assert numbers == sorted(set(numbers))
    (record,) = [r for r in desk.stage.state.commands.values() if r.command == "open_valve"]
    assert record.state == "superseded"
    assert desk.stage.incident().valve == "commanded"


async def test_a_desk_close_voids_an_open_that_waits(desk: Desk) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    await desk.ask("close_valve", {"home_id": HOME}, "desk-1")
    (record,) = [r for r in desk.stage.state.commands.values() if r.command == "open_valve"]
    assert (record.state, desk.sent[-1]) == ("superseded", "close_valve")


@pytest.mark.parametrize("actor", ["T2", "GONE", "nobody", "desk-1", ""])
async def test_only_the_orders_own_crew_opens(desk: Desk, actor: str) -> None:
    await desk.ready()
    assert await desk.refused("open_valve", {"order_no": "Q-1"}, actor) == "not_on_this_order"
    assert desk.opens == []
    assert desk.stage.events().count("open_refused") == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"on_site_ms": None}, "not_on_site"),
        ({"crew_id": "C2"}, "not_on_this_order"),
        ({"crew_id": None}, "not_on_this_order"),
        ({"state": "made_safe"}, "no_passed_test"),
        ({"state": "restored"}, "no_passed_test"),
        ({"state": "on_site"}, "no_passed_test"),
        ({"test_passed": False}, "no_passed_test"),
        ({"test_passed": None}, "no_passed_test"),
        ({"test_ms": None}, "no_passed_test"),
    ],
    ids=str,
)
async def test_each_guard_of_an_open(desk: Desk, changes: dict[str, Any], reason: str) -> None:
    await desk.ready(**changes)
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == reason
    assert desk.opens == []


@pytest.mark.parametrize(("simulated", "opened"), [(True, 1), (False, 0)])
async def test_without_access_control_at_the_broker_only_the_simulation_opens(desk: Desk, simulated: bool, opened: int) -> None:
    desk.stage.state.settings = desk.stage.state.settings.model_copy(update={"broker_access_control": False})
    await desk.ready()
    desk.stage.incident().simulated = simulated
    if simulated:
        await desk.ask("open_valve", {"order_no": "Q-1"})
    else:
        assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "no_access_control"
    assert len(desk.opens) == opened


async def test_a_leak_after_the_test_voids_it(desk: Desk) -> None:
    await desk.ready()
    await desk.stage.pass_time(1.0)
    desk.stage.reading(ch4=15.0, state="alarm")
    desk.stage.meter("closed", "command")
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "leak_after_test"
    assert desk.opens == []


async def test_a_leak_after_clean_air_is_told_at_once_so_that_the_test_is_void(desk: Desk) -> None:
    desk.stage.alarm()
    desk.stage.ack("done", "closed")
    desk.stage.reading(ch4=15.0, state="alarm")
    desk.stage.reading(ch4=0.0)
    desk.stage.reading(ch4=15.0, state="alarm")
    assert len(desk.stage.leaks_again) == 1  # a lasting leak is not said with every reading, a return is
    assert desk.stage.ports.written[-1].incidents[desk.stage.incident().incident_id]["last_leak_ms"] == desk.stage.clock.now_ms()


async def test_a_meter_not_heard_just_now_is_asked_to_report_first(desk: Desk) -> None:
    await desk.ready()
    await desk.stage.pass_time(10.5)
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "meter_not_heard"
    assert (desk.opens, desk.sent[-1]) == ([], "report")
    desk.stage.meter("closed", "command")
    await desk.ask("open_valve", {"order_no": "Q-1"})
    assert len(desk.opens) == 1


@pytest.mark.parametrize("how", ["will", "stored"])
async def test_a_last_will_and_a_stored_message_are_no_sign_of_life(desk: Desk, how: str) -> None:
    await desk.ready()
    await desk.stage.pass_time(10.5)
    now = desk.stage.clock.now_ms()
    desk.stage._take(
        StatusItem(
            account="M1", device_id="M1", ts=now, boot=1, seq=999, received_ms=now, retained=how == "stored", online=how == "stored"
        ),
        "status",
    )
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "meter_not_heard"


async def test_an_open_is_not_queued_by_a_request_that_waited(desk: Desk) -> None:
    await desk.ready()
    assert await desk.refused("open_valve", {"order_no": "Q-1"}, age_s=11.0) == "too_late"
    assert desk.opens == []
    await desk.ask("open_valve", {"order_no": "Q-1"}, age_s=2.0)


async def test_an_open_without_its_order_or_incident_is_refused(desk: Desk) -> None:
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "unknown_order"
    await desk.ready()
    desk.stage.engine.close(desk.stage.incident(), desk.stage.clock.now_ms(), "dispatch", "restored")
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "incident_closed"
    assert desk.opens == []


async def test_what_was_kept_somewhere_and_comes_late_is_no_sign_of_life(desk: Desk) -> None:
    await desk.ready()
    await desk.stage.pass_time(10.5)
    desk.stage.meter("closed", seq=1, ts=desk.stage.clock.now_ms() - 7_200_000)
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "meter_not_heard"
    assert desk.opens == []


async def test_a_meter_that_the_registry_has_moved_to_another_home_is_not_opened_for_this_one(desk: Desk) -> None:
    """The other home leaks, and its hold stands at the other home."""
    await desk.ready()
    desk.stage.alarm("D2")
    registry = desk.stage.state.registry
    registry.apply(
        [replace(registry.homes[HOME], meter_id=None), replace(registry.homes[OTHER_HOME], meter_id="M1")],
        [replace(registry.devices["M1"], home_id=OTHER_HOME), replace(registry.devices["M2"], retired=True)],
        2,
    )
    desk.stage.meter("closed", "command")
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "no_meter"
    assert desk.opens == []
