"""Devices that do not keep to the book: counters and clocks that go back, stored messages, wills, and the canary."""

import pytest

from core.ids import CANARY_HOME
from core.messages import Command
from tests.alarm_engine.stage import HOME, OTHER_HOME, Stage, device, home


@pytest.fixture
def stage() -> Stage:
    return Stage()


# -- counters and clocks -------------------------------------------------------------------------------------------------------------


def test_the_same_count_with_another_time_is_a_new_item_and_flagged(stage: Stage) -> None:
    stage.alarm(seq=7, ts=1_775_000_000_000)
    stage.ack("done", "closed")
    stage.meter("open")
    stage.alarm(seq=7, ts=1_775_000_005_000)
    assert len({command.command_id for command in stage.closes}) == 2
    assert [row["defects"] for rows in stage.ports.written for row in rows.alarms] == [[], ["counter_reset"]]
    assert stage.state.devices.of("D1").counter_resets == 1


async def test_a_meter_that_lost_clock_and_counters_is_believed_again_after_a_while(stage: Stage) -> None:
    stage.meter("open", boot=9, seq=500)
    base = stage.clock.now_ms() - 86_400_000
    heard = []
    for number in range(1, 6):
        await stage.pass_time(5.0)
        stage.meter("closed", "manual", boot=0, seq=number, ts=base + number * 5000)
        heard.append(stage.state.devices.of("M1").valve)
    assert heard == ["open", "open", "open", "closed", "closed"]
    assert stage.state.devices.of("M1").counter_resets == 1
    stage.alarm()
    await stage.pass_time(1.0)
    stage.meter("closed", "manual", boot=0, seq=9, ts=base + 26_000)
    assert stage.incident().valve == "reported_closed"


async def test_a_backlog_is_not_taken_for_a_lost_clock(stage: Stage) -> None:
    stage.meter("open", boot=9, seq=500)
    base = stage.clock.now_ms() - 86_400_000
    for number in range(1, 40):
        await stage.pass_time(0.5)
        stage.meter("closed", "manual", boot=9, seq=number, ts=base + number * 900_000)
    assert stage.state.devices.of("M1").valve == "open"


async def test_a_detector_that_lost_everything_and_leaks_is_closed_by_its_second_item(stage: Stage) -> None:
    stage.reading(seq=50)
    base = stage.clock.now_ms() - 3_600_000
    stage.alarm(seq=1, ts=base)
    assert stage.incident().kind == "past_leak"
    await stage.pass_time(30.0)
    stage.alarm(seq=2, ts=base + 30_000)
    assert (stage.incident().kind, len(stage.closes)) == ("leak", 1)


async def test_the_clock_offset_falls_at_once_and_rises_slowly(stage: Stage) -> None:
    view = stage.state.devices.of("M1")
    stage.meter("open", ts=stage.clock.now_ms() - 500)
    assert view.clock_offset_ms == 500
    stage.meter("open", ts=stage.clock.now_ms() - 120)
    assert view.clock_offset_ms == 120
    for _ in range(5):
        await stage.pass_time(100.0)
        stage.meter("open", ts=stage.clock.now_ms() - 60_000)
        assert view.clock_offset_ms == 120
    for _ in range(8):
        await stage.pass_time(100.0)
        stage.meter("open", ts=stage.clock.now_ms() - 60_000)
    assert view.clock_offset_ms == 60_000


async def test_after_a_boot_the_clock_offset_rises_sooner(stage: Stage) -> None:
    view = stage.state.devices.of("M1")
    stage.meter("open")
    for number in range(6):
        await stage.pass_time(15.0)
        stage.meter("open", boot=2, seq=number, ts=stage.clock.now_ms() - 60_000)
    assert view.clock_offset_ms == 60_000


# -- stored messages -----------------------------------------------------------------------------------------------------------------


def test_a_stored_leak_closes_all_the_same_and_says_so(stage: Stage) -> None:
    item = stage.alarm(retained=True)
    assert len(stage.closes) == 1
    assert stage.acknowledged == [item]
    assert [row["defects"] for rows in stage.ports.written for row in rows.alarms] == [["retained"]]
    assert stage.state.devices.of("D1").retained_items == 1


def test_a_stored_leak_that_is_over_is_inspected(stage: Stage) -> None:
    stage.reading(seq=50)
    stage.alarm(seq=40, ts=stage.clock.now_ms() - 3_600_000, retained=True)
    assert (stage.incident().kind, stage.closes) == ("past_leak", [])


def test_stored_good_news_is_none(stage: Stage) -> None:
    stage.alarm()
    stage.alarm(event="leak_cleared", ch4=0.0, retained=True)
    stage.meter("closed", "command", retained=True)
    assert (stage.incident().cleared, stage.incident().valve, stage.incident().clearing) == (False, "commanded", "unknown")
    assert stage.state.devices.of("D1").normal is None
    assert stage.state.devices.of("M1").heard == float("-inf")
    assert stage.state.devices.of("M1").retained_items == 1


def test_a_stored_answer_proves_nothing(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed", retained=True)
    assert stage.incident().valve == "commanded"
    stage.ack("done", "closed")
    assert stage.incident().valve == "reported_closed"


# -- wills ---------------------------------------------------------------------------------------------------------------------------


def test_a_will_is_exempt_from_order_and_makes_its_device_unknown(stage: Stage) -> None:
    stage.meter("closed", "command", seq=900)
    stage.status("M1", online=False)
    view = stage.state.devices.of("M1")
    assert (view.online, view.heard, view.valve) == (False, float("-inf"), "closed")


def test_a_hubs_will_makes_its_devices_unknown_and_closes_nothing(stage: Stage) -> None:
    stage.reading("D2")
    stage.meter("open", device_id="M2")
    stage.meter("open")
    stage.status("HUB", online=False)
    heard = {name: stage.state.devices.of(name).heard for name in ("D2", "M2", "M1")}
    assert heard == {"D2": float("-inf"), "M2": float("-inf"), "M1": stage.clock.monotonic()}
    stage.meter("open", device_id="M2")
    assert stage.state.devices.of("M2").heard == stage.clock.monotonic()
    assert OTHER_HOME not in stage.state.open_by_place
    assert stage.ports.commands == []


# -- timer, desk, canary ---------------------------------------------------------------------------------------------------------------


async def test_one_step_of_the_timer_that_fails_loses_no_other_and_is_done_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.alarm("D1")
    stage.alarm("D2")
    send, broken = stage.ports.command, [True]

    def sometimes(account: str, message: Command) -> None:
        if account == "M1" and broken[0]:
            raise RuntimeError("no")
        send(account, message)

    monkeypatch.setattr(stage.ports, "command", sometimes)
    await stage.pass_time(1.25)
    assert [command.device_id for command in stage.closes] == ["M1", "M2", "M2"]
    broken[0] = False
    await stage.pass_time(1.25)
    assert [command.device_id for command in stage.closes].count("M1") == 2


async def test_a_desk_close_is_tried_anew_and_ends_with_the_meters_own_report(stage: Stage) -> None:
    from uuid import UUID

    meter = stage.state.registry.devices["M1"]
    stage.meter("open")
    await stage.pass_time(1.0)
    stage.engine.valves.close_loose(meter, UUID(int=7), "desk", "desk-1")
    stage.ack("rejected")
    await stage.pass_time(1.25)
    assert len({command.command_id for command in stage.closes}) == 2
    assert [command.incident_id for command in stage.closes] == [None, None]
    stage.meter("closed", "command", ts=stage.clock.now_ms() - 5000)
    assert "M1" in stage.state.loose_closes
    stage.meter("closed", "command")
    assert stage.state.loose_closes == {}
    await stage.pass_time(120.0)
    assert len(stage.closes) == 2


async def test_a_desk_close_goes_on_after_a_restart(stage: Stage) -> None:
    from uuid import UUID

    from alarm_engine.incident import CommandRecord

    record = stage.engine.valves.close_loose(stage.state.registry.devices["M1"], UUID(int=7), "desk", "desk-1")
    after = Stage()
    after.engine.valves.take_loose(CommandRecord.from_row(record.row()))
    await after.pass_time(0.5)
    assert [command.command_id for command in after.closes] == [record.command_id]
    after.alarm()
    assert after.state.loose_closes == {}
    assert after.state.commands[record.command_id].state == "superseded"


def test_the_reserved_home_is_a_canary(stage: Stage) -> None:
    stage.state.registry.apply(
        [home(CANARY_HOME, "canary-meter")],
        [device(30, "canary-meter", "meter", CANARY_HOME), device(31, "canary-detector", "detector", CANARY_HOME)],
        version=2,
    )
    stage.alarm("canary-detector")
    incident = stage.incident(CANARY_HOME)
    (order,) = stage.orders
    assert (incident.kind, order.incident_kind, order.order_kind) == ("canary", "canary", "canary")
    assert (order.send_crew, order.call) == (False, True)
    assert [command.device_id for command in stage.closes] == ["canary-meter"]
    stage.ack("done", "closed")
    assert (incident.valve, incident.proof) == ("reported_closed", "none")
    assert (stage.asked, list(stage.state.holds_in_force())) == ([], [])
    stage.alarm("D1")
    assert stage.incident(HOME).kind == "leak"
