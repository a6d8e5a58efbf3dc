"""Alarm stories: what devices say, and what comes of it."""

import json
import subprocess
import sys
from typing import Any

import pytest

from alarm_engine import record
from alarm_engine.incident import Incident
from tests.alarm_engine.stage import HOME, OTHER_HOME, Stage, device, home


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_close_leaves_before_anything_else(stage: Stage) -> None:
    stage.alarm()
    assert stage.ports.log == ["command:close_valve", "station:order", "put"]
    assert [account for account, _ in stage.ports.commands] == ["M1"]


def test_a_leak_asks_for_order_crew_and_call_in_one_message(stage: Stage) -> None:
    stage.alarm(ch4=23.0)
    (order,) = stage.orders
    assert (order.order_kind, order.send_crew, order.call, order.valve, order.ch4_lel) == ("emergency", True, True, "commanded", 23.0)
    assert order.home is not None
    assert (order.home.address_zh, order.simulated) == ("芙蓉区 云栖花园 3栋 2单元 501室", True)
    assert [contact.phone for contact in order.home.contacts] == ["sip:H1@sim.invalid"]


def test_alarm_command_and_outbox_are_one_bundle(stage: Stage) -> None:
    stage.alarm()
    (rows,) = stage.ports.written
    assert (len(rows.incidents), len(rows.alarms), len(rows.commands), len(rows.outbox)) == (1, 1, 1, 1)


def test_the_alarm_is_acknowledged_only_when_durable(stage: Stage) -> None:
    stage.ports.database_up = False
    item = stage.alarm()
    assert stage.acknowledged == []
    stage.again(item)
    assert stage.acknowledged == []
    stage.ports.commit()
    assert stage.acknowledged == [item, item]


def test_a_repeat_writes_nothing_and_is_acknowledged_again(stage: Stage) -> None:
    item = stage.alarm()
    written = len(stage.ports.written)
    stage.again(item)
    assert len(stage.ports.written) == written
    assert stage.acknowledged == [item, item]
    assert len(stage.closes) == 1


def test_the_same_item_gives_the_same_ids_after_a_crash() -> None:
    first, second = Stage(), Stage()
    item = first.alarm()
    second.again(item)
    assert first.incident().incident_id == second.incident().incident_id
    assert first.closes[0].command_id == second.closes[0].command_id
    assert first.orders[0].message_id == second.orders[0].message_id


def test_entries_of_one_millisecond_are_numbered_in_the_order_of_the_story(stage: Stage) -> None:
    stage.meter("closed", "linkage")
    stage.alarm()
    stage.ack("done", "closed")
    stage.meter("open")
    stage.alarm("D1B")
    entries = [row for rows in stage.ports.written for row in rows.events]
    assert len({row["at_ms"] for row in entries}) == 1, "the clock stands still"
    told = [row["kind"] for row in sorted(entries, key=lambda row: int(str(row["entry_no"])))]
    begins = ["opened", "closed_locally", "close_sent", "order_sent", "hold_set", "reported_closed", "proof_due"]
    assert told == [*begins, "opened_valve", "leak_again", "close_sent", "device_added"]
    assert len({row["entry_no"] for row in entries}) == len(entries)


def test_a_later_life_of_the_line_numbers_on() -> None:
    """Without asking what was numbered before: a program that starts later begins higher than the last one came."""
    here = next(record._NUMBERS)
    told = subprocess.run(
        [sys.executable, "-c", "from alarm_engine import record; print(next(record._NUMBERS))"], capture_output=True, check=True, text=True
    )
    assert int(told.stdout) > here


def test_telemetry_over_the_set_point_closes_like_an_alarm(stage: Stage) -> None:
    stage.reading(ch4=11.0, state="warning")
    assert len(stage.closes) == 1
    assert stage.incident().lane == "telemetry"


def test_a_second_detector_joins_the_open_incident(stage: Stage) -> None:
    stage.alarm("D1")
    stage.alarm("D1B")
    assert len(stage.orders) == 1
    assert stage.incident().devices == ["D1", "D1B"]
    assert len(stage.closes) == 1  # the first is still awaited and re-sent by its own clock


def test_a_new_leak_after_the_valve_was_opened_closes_again(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed")
    stage.reading(ch4=12.0, state="alarm")
    assert len(stage.closes) == 1  # reported closed: nothing to close
    stage.meter("open")
    stage.reading(ch4=12.0, state="alarm")
    assert [command.order_no for command in stage.closes] == sorted({c.order_no for c in stage.closes})
    assert len(stage.closes) == 2
    assert stage.closes[0].command_id != stage.closes[1].command_id
    assert stage.leaks_again


async def test_no_answer_is_sent_again_with_its_own_id(stage: Stage) -> None:
    stage.alarm()
    await stage.pass_time(16.0)
    ids = {command.command_id for command in stage.closes}
    assert len(ids) == 1
    assert len(stage.closes) == 5  # at 0, 1, 3, 7 and 15 s
    assert stage.valve_words == ["no_answer"]
    assert stage.incident().valve == "no_answer"


async def test_a_refusal_is_tried_anew_with_a_new_id(stage: Stage) -> None:
    stage.alarm()
    stage.ack("rejected")
    assert stage.incident().valve == "refused"
    await stage.pass_time(1.25)
    assert len({command.command_id for command in stage.closes}) == 2
    stage.ack("done", "closed")
    assert stage.valve_words == ["refused", "commanded", "reported_closed"]
    await stage.pass_time(120)
    assert len(stage.closes) == 2


async def test_travel_time_over_is_tried_anew(stage: Stage) -> None:
    stage.alarm()
    stage.ack("accepted")
    await stage.pass_time(14.0)
    assert len(stage.closes) == 1
    await stage.pass_time(3.0)
    assert len({command.command_id for command in stage.closes}) == 2
    assert "travel_time_over" in stage.events()


def test_done_without_being_closed_is_a_refusal(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "open")
    assert stage.incident().valve == "refused"


def test_linkage_is_heard_as_the_local_cut_off(stage: Stage) -> None:
    stage.meter("open")
    stage.alarm()
    locally = stage.clock.now_ms()
    stage.meter("closed", "linkage")
    incident = stage.incident()
    assert incident.valve == "reported_closed"
    assert incident.valve_closed_locally_ms == locally
    assert stage.events().count("closed_locally") == 1


def test_a_valve_that_closed_just_before_the_alarm_is_still_commanded(stage: Stage) -> None:
    stage.meter("closed", "linkage")
    stage.alarm()
    assert len(stage.closes) == 1
    assert stage.incident().valve == "commanded"
    assert stage.incident().valve_closed_locally_ms is not None


def test_a_stale_report_proves_nothing(stage: Stage) -> None:
    stage.meter("open", seq=500)
    stage.alarm()
    stage.meter("closed", "arrears", seq=400, ts=stage.clock.now_ms() - 60_000)
    assert stage.incident().valve == "commanded"


def test_a_late_leak_that_is_over_is_inspected_not_closed(stage: Stage) -> None:
    early = stage.clock.now_ms() - 3_600_000
    stage.reading(seq=50)
    stage.alarm(seq=40, ts=early)
    assert stage.closes == []
    (order,) = stage.orders
    assert (order.incident_kind, order.order_kind, order.call) == ("past_leak", "inspection", False)


def test_a_leak_during_an_inspection_is_a_leak(stage: Stage) -> None:
    stage.reading(seq=50)
    stage.alarm(seq=40, ts=stage.clock.now_ms() - 3_600_000)
    stage.alarm(seq=60)
    assert len(stage.closes) == 1
    assert [order.incident_kind for order in stage.orders] == ["past_leak", "leak"]
    assert stage.incident().kind == "leak"


@pytest.mark.parametrize(
    ("device_id", "account"), [("GHOST", "GHOST"), ("D1", "GHOST"), ("GHOST", "D1"), ("OLD", "OLD"), ("SPARE", "SPARE")]
)
def test_a_sender_that_cannot_be_placed_is_triaged_once(stage: Stage, device_id: str, account: str) -> None:
    stage.alarm(device_id, account=account)
    stage.alarm(device_id, account=account)
    assert stage.closes == []
    (order,) = stage.orders
    assert (order.incident_kind, order.order_kind, order.send_crew, order.call) == ("unknown_sender", "triage", False, False)
    assert len(stage.acknowledged) == 2


def test_devices_of_one_unknown_account_are_listed_in_one_incident(stage: Stage) -> None:
    for number in range(150):
        stage.alarm(f"X{number}", account="GHOST")
    assert len(stage.orders) == 1
    assert len(stage.incident("account:GHOST").devices) == 100
    assert len(stage.acknowledged) == 150


def test_another_registered_account_is_acted_on(stage: Stage) -> None:
    stage.alarm("D1", account="HUB")
    assert len(stage.closes) == 1


def test_a_close_goes_to_the_hub_that_serves_the_meter(stage: Stage) -> None:
    stage.alarm("D2")
    ((account, command),) = stage.ports.commands
    assert (account, command.device_id) == ("HUB", "M2")


def test_a_home_without_a_meter_is_served_all_the_same(stage: Stage) -> None:
    stage.alarm("D3")
    assert stage.closes == []
    (order,) = stage.orders
    assert (order.valve, order.call, order.send_crew) == ("no_meter", True, True)


def test_garbled_alarms_are_one_incident_per_device_and_hour(stage: Stage) -> None:
    acknowledged: list[int] = []
    for _ in range(3):
        assert stage.engine.garbled("D1", "D1", "not_json", stage.clock.now_ms(), lambda: acknowledged.append(1))
    assert not stage.engine.garbled("GHOST", "GHOST", "not_json", stage.clock.now_ms(), lambda: None)
    assert [order.incident_kind for order in stage.orders] == ["garbled_alarm"]
    assert len(acknowledged) == 3
    stage.engine.garbled("D1", "D1", "not_json", stage.clock.now_ms() + 3_600_000, lambda: None)
    assert len(stage.orders) == 2


def test_preheat_over_the_set_point_is_a_task_and_no_leak(stage: Stage) -> None:
    stage.reading(ch4=30.0, state="preheat")
    assert stage.closes == []
    assert [message.type for message in stage.ports.told] == ["task"]


async def test_a_lasting_leak_is_said_again_now_and_then_not_with_every_reading(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed")
    for _ in range(20):
        stage.reading(ch4=15.0, state="alarm")
    assert stage.leaks_again == []
    await stage.pass_time(10.0)
    for _ in range(20):
        stage.reading(ch4=15.0, state="alarm")
    assert len(stage.leaks_again) == 1


def test_a_return_after_clean_air_is_recorded(stage: Stage) -> None:
    stage.alarm()
    stage.reading(ch4=0.0)
    stage.reading(ch4=15.0, state="alarm")
    assert stage.events().count("leak_again") == 1


def _leaks_again(stage: Stage) -> list[dict[str, Any]]:
    return [dict(row) for rows in stage.ports.written for row in rows.events if row["kind"] == "leak_again"]


def _new_leaks(stage: Stage) -> list[str]:
    """Of the entries of leaks of the open incident, those that are new leaks: what each came after."""
    return [row["detail"]["after"] for row in _leaks_again(stage) if "after" in row["detail"]]


def test_a_leak_into_a_clear_room_is_a_new_one_and_lasts_without_being_another(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed")
    stage.reading(ch4=15.0, state="alarm")
    assert _new_leaks(stage) == []
    stage.reading(ch4=1.0)
    for _ in range(5):
        stage.reading(ch4=15.0, state="alarm")
    assert _new_leaks(stage) == ["clear"]
    stage.alarm(event="leak_cleared", ch4=3.0)
    stage.alarm()
    assert _new_leaks(stage) == ["clear", "clear"]


def test_a_room_that_hovers_about_the_set_point_leaks_once(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed")
    for _ in range(5):
        stage.reading(ch4=9.5)
        stage.reading(ch4=10.5, state="alarm")
        stage.alarm(event="leak_cleared", ch4=9.0)
        stage.alarm()
    assert _new_leaks(stage) == []


def test_clean_air_in_one_room_makes_no_new_leak_of_the_one_that_lasts_in_another(stage: Stage) -> None:
    stage.alarm("D1")
    stage.ack("done", "closed")
    for _ in range(5):
        stage.reading("D1B", ch4=0.0)
        stage.reading("D1", ch4=15.0, state="alarm")
    assert _new_leaks(stage) == []
    stage.alarm("D1B")
    assert _new_leaks(stage) == ["clear"]


def test_the_first_leak_of_another_room_is_a_new_one(stage: Stage) -> None:
    stage.alarm("D1")
    stage.ack("done", "closed")
    for _ in range(3):
        stage.alarm("D1B")
        stage.alarm("D1")
    assert _new_leaks(stage) == ["elsewhere"]


def test_a_leak_of_the_past_is_no_new_one_and_keeps_none_that_comes(stage: Stage) -> None:
    stage.reading(ch4=1.0, seq=10)
    stage.alarm(seq=11)
    stage.ack("done", "closed")
    stage.reading(ch4=1.0, seq=12)
    stage.alarm(seq=9)
    assert _new_leaks(stage) == []
    stage.alarm(seq=13)
    assert _new_leaks(stage) == ["clear"]


def test_a_new_leak_is_not_lost_beside_the_old_one_of_the_same_message(stage: Stage) -> None:
    stage.alarm()
    stage.ack("rejected")
    stage.alarm()
    stage.alarm(event="leak_cleared", ch4=0.0)
    stage.alarm()
    entries = _leaks_again(stage)
    assert [row["detail"].get("after") for row in entries] == [None, "clear"]
    assert len({row["at_ms"] for row in entries}) == 1, "the clock stands still"
    assert len({row["event_id"] for row in entries}) == 2


async def test_a_leak_behind_an_opened_valve_is_a_new_one_and_a_close_that_is_refused_makes_none(stage: Stage) -> None:
    stage.alarm()
    for _ in range(3):
        stage.ack("rejected")
        stage.reading(ch4=15.0, state="alarm")
    assert len(stage.closes) > 3
    assert _new_leaks(stage) == []
    stage.ack("done", "closed")
    await stage.pass_time(1.0)
    stage.meter("open")
    stage.reading(ch4=15.0, state="alarm")
    stage.reading(ch4=15.0, state="alarm")
    assert _new_leaks(stage) == ["opened"]


def test_that_a_room_was_clear_is_known_after_a_restart(stage: Stage) -> None:
    stage.alarm()
    stage.reading(ch4=0.0)
    later = Incident.from_row(stage.incident().row())
    later.recall(json.loads(json.dumps(stage.incident().memory())))
    assert later.clear == {"D1"}


def test_two_homes_do_not_touch_each_other(stage: Stage) -> None:
    stage.alarm("D1")
    stage.alarm("D2")
    assert {command.device_id for command in stage.closes} == {"M1", "M2"}
    stage.ack("done", "closed")
    assert stage.incident(OTHER_HOME).valve == "reported_closed"
    assert stage.incident().valve == "commanded"


def test_the_repeat_of_an_incident_that_is_over_opens_nothing(stage: Stage) -> None:
    item = stage.alarm()
    stage.engine.close(stage.incident(), stage.clock.now_ms(), "dispatch", "restored", tested=True)
    stage.again(item)
    assert len(stage.closes) == 1
    assert len(stage.orders) == 1
    assert stage.acknowledged == [item, item]


def test_a_new_leak_after_the_end_is_a_new_incident(stage: Stage) -> None:
    stage.alarm()
    stage.engine.close(stage.incident(), stage.clock.now_ms(), "dispatch", "restored", tested=True)
    stage.alarm()
    assert len({order.incident_id for order in stage.orders}) == 2
    assert len(stage.closes) == 2


def test_an_answer_to_nothing_is_counted_and_harmless(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed", device_id="M2")
    assert stage.incident().valve == "commanded"


def test_orders_to_one_meter_grow(stage: Stage) -> None:
    stage.alarm()
    for _ in range(5):
        stage.ack("done", "closed")
        stage.meter("open")
        stage.reading(ch4=20.0, state="alarm")
    numbers = [command.order_no for command in stage.closes]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 6


def test_an_exercise_set_point_binds_simulated_homes_only(stage: Stage) -> None:
    stage.state.settings = stage.state.settings.model_copy(update={"exercise_set_point_lel": 100.0})
    assert stage.engine.set_point(stage.state.registry.homes["H1"]) == 100.0
    real = stage.state.registry.homes["H1"].__class__(
        **{name: getattr(stage.state.registry.homes["H1"], name) for name in stage.state.registry.homes["H1"].__slots__}
        | {"simulated": False}
    )
    assert stage.engine.set_point(real) == 10.0


def test_a_registry_change_is_taken_over_whole(stage: Stage) -> None:
    registry = stage.state.registry
    fresh = registry.copy()
    fresh.apply([home("H4", "M4")], [], version=2)
    fresh.apply([], [device(10, "M4", "meter", "H4"), device(11, "D4", "detector", "H4")], version=2)
    fresh.apply([], [device(9, "D1B", "detector", "H4")], version=2)
    assert (registry.version, "H4" in registry.homes, registry.place("D4", "D4").sender) == (1, False, "unknown_account")
    assert registry.detectors[HOME] == ("D1", "D1B")
    registry.take_over(fresh)
    assert (registry.version, registry.place("D4", "D4").sender) == (2, "placed")
    assert (registry.detectors[HOME], registry.detectors["H4"]) == (("D1",), ("D1B", "D4"))
    stage.alarm("D4")
    assert [command.device_id for command in stage.closes] == ["M4"]
