"""What people and dispatch ask of the line: each kind answered once, each refusal with its ground, and every guard of an open."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from core.station import OrderMessage
from tests.alarm_engine.desk import Desk
from tests.alarm_engine.stage import HOME, device, home


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield Desk(connection)


# -- hotline -----------------------------------------------------------------------------------------------------------------------


async def test_a_hotline_report_closes_and_sends_and_does_not_ring_the_caller(desk: Desk) -> None:
    answer = await desk.ask(
        "hotline_report", {"home_id": HOME, "place": "x", "note": "异味", "caller_phone": "sip:9@sim.invalid"}, "desk-3"
    )
    incident = desk.stage.incident()
    assert answer == {"incident_id": str(incident.incident_id), "already_open": False, "closing": True}
    assert desk.stage.ports.log[0] == "command:close_valve"
    (order,) = desk.stage.orders
    assert (order.incident_kind, order.order_kind, order.send_crew, order.call) == ("hotline_report", "emergency", True, True)
    assert (order.exclude_phone, order.valve) == ("sip:9@sim.invalid", "commanded")
    (opened,) = [row for rows in desk.stage.ports.written for row in rows.events if row["kind"] == "opened"]
    detail: Any = opened["detail"]
    assert (opened["actor"], detail["note"], detail["caller_phone"]) == ("desk-3", "异味", "sip:9@sim.invalid")


async def test_a_hotline_report_may_leave_the_valve_alone(desk: Desk) -> None:
    answer = await desk.ask("hotline_report", {"home_id": HOME, "close": False})
    assert answer["closing"] is False
    assert desk.sent == []
    assert len(desk.stage.orders) == 1


async def test_a_hotline_report_without_a_home_or_a_meter_is_served(desk: Desk) -> None:
    street = await desk.ask("hotline_report", {"home_id": None, "place": "五一大道 1 号"})
    assert street["closing"] is False
    no_meter = await desk.ask("hotline_report", {"home_id": "H3"})
    assert no_meter["closing"] is False
    assert desk.sent == []
    assert [(order.place.split(":")[0], order.valve) for order in desk.stage.orders] == [("hotline", "none"), ("H3", "no_meter")]
    handed = [row["detail"] for rows in desk.stage.ports.written for row in rows.events if row["kind"] == "order_sent"]
    assert handed[0] == {"order": "emergency", "call": False}, "nobody is known in the street"


async def test_a_hotline_report_joins_the_open_incident(desk: Desk) -> None:
    desk.stage.alarm()
    answer = await desk.ask("hotline_report", {"home_id": HOME, "note": "again"})
    assert answer == {"incident_id": str(desk.stage.incident().incident_id), "already_open": True}
    assert len(desk.stage.orders) == 1
    assert len(desk.stage.closes) == 1  # one is on its way


async def test_a_hotline_report_closes_again_what_was_opened_since(desk: Desk) -> None:
    desk.stage.alarm()
    desk.stage.ack("done", "closed")
    desk.stage.meter("open")
    await desk.ask("hotline_report", {"home_id": HOME})
    assert len({command.command_id for command in desk.stage.closes}) == 2
    await desk.ask("hotline_report", {"home_id": HOME})
    assert len(desk.stage.closes) == 2


async def test_a_hotline_report_for_a_home_under_inspection_is_an_emergency(desk: Desk) -> None:
    desk.stage.reading(seq=50)
    desk.stage.alarm(seq=40, ts=desk.stage.clock.now_ms() - 3_600_000)
    answer = await desk.ask("hotline_report", {"home_id": HOME})
    assert answer["already_open"] is False
    assert [order.incident_kind for order in desk.stage.orders] == ["past_leak", "hotline_report"]


async def test_a_leak_after_a_hotline_report_that_left_the_valve_closes_it(desk: Desk) -> None:
    await desk.ask("hotline_report", {"home_id": HOME, "close": False})
    desk.stage.alarm()
    assert desk.sent == ["close_valve"]
    assert len(desk.stage.orders) == 1
    desk.stage.ack("done", "closed")
    assert desk.stage.incident().valve == "reported_closed"


async def test_a_hotline_report_for_a_home_that_there_is_not_is_refused(desk: Desk) -> None:
    assert await desk.refused("hotline_report", {"home_id": "H99"}) == "unknown_home"
    assert desk.stage.ports.log == []


async def test_a_caller_given_as_a_number_spoils_nothing(desk: Desk) -> None:
    await desk.ask("hotline_report", {"home_id": HOME, "caller_phone": 13800000000})
    (order,) = desk.stage.orders
    assert order.exclude_phone == "13800000000"


# -- closing from the desk -----------------------------------------------------------------------------------------------------------


async def test_the_desk_closes_a_home_without_an_incident(desk: Desk) -> None:
    answer = await desk.ask("close_valve", {"home_id": HOME, "reason": "moved out"}, "desk-1")
    (command,) = desk.stage.closes
    assert answer == {"command_id": str(command.command_id)}
    assert command.reason == "moved out"
    (rows,) = desk.stage.ports.written
    (row,) = rows.commands.values()
    assert (row["requested_by"], row["state"], row["incident_id"]) == ("desk-1", "sent", None)
    await desk.stage.pass_time(1.25)
    assert len(desk.stage.closes) == 2  # no answer: the same again
    desk.stage.ack("done", "closed")
    await desk.stage.pass_time(120.0)
    assert len(desk.stage.closes) == 2


async def test_the_desk_closes_within_the_open_incident_as_a_new_attempt(desk: Desk) -> None:
    desk.stage.alarm()
    answer = await desk.ask("close_valve", {"home_id": HOME})
    first, second = desk.stage.closes
    assert first.command_id != second.command_id
    assert second.order_no > first.order_no
    assert answer["incident_id"] == str(desk.stage.incident().incident_id)
    assert answer["command_id"] == str(second.command_id)
    desk.stage.ack("done", "closed", command=second)
    assert desk.stage.incident().valve == "reported_closed"


def exchange_the_meter(desk: Desk, before: str, after: str, number: int) -> None:
    registry = desk.stage.state.registry.copy()
    gone, hung = device(number, before, "meter", None, retired=True), device(number + 1, after, "meter", HOME)
    registry.apply([home(HOME, after)], [gone, hung], registry.version + 1)
    desk.stage.state.registry.take_over(registry)
    desk.stage.engine.valves.tick()


def a_leak_of_the_past(desk: Desk) -> None:
    desk.stage.reading(seq=50)
    desk.stage.alarm(seq=40, ts=desk.stage.clock.now_ms() - 3_600_000)


async def test_the_desk_closes_the_meter_that_hangs_there_now_whatever_the_inspection_began_with(desk: Desk) -> None:
    a_leak_of_the_past(desk)
    incident = desk.stage.incident()
    exchange_the_meter(desk, "M1", "M1X", 90)
    assert (incident.kind, incident.meter_id, desk.stage.closes) == ("past_leak", "M1", [])
    await desk.ask("close_valve", {"home_id": HOME})
    assert [(close.device_id, close.incident_id) for close in desk.stage.closes] == [("M1X", incident.incident_id)]
    assert incident.meter_id == "M1X"
    assert "meter_exchanged" in desk.stage.events()
    desk.stage.ack("done", "closed")
    assert incident.is_closed
    # It has been asked for: the next meter is closed as well.
    exchange_the_meter(desk, "M1X", "M1Y", 92)
    assert [close.device_id for close in desk.stage.closes] == ["M1X", "M1Y"]


async def test_a_close_that_the_desk_asked_for_outlives_an_inspection_without_a_test(desk: Desk) -> None:
    a_leak_of_the_past(desk)
    key = desk.stage.incident().incident_id
    await desk.ask("close_valve", {"home_id": HOME})
    await desk.ask("order_finished", {"incident_id": str(key), "order_no": "X", "outcome": "nothing_found"}, "dispatch")
    assert desk.stage.state.incidents == {}
    sent = len(desk.stage.closes)
    await desk.stage.pass_time(60.0)
    assert len(desk.stage.closes) > sent
    desk.stage.ack("done", "closed", command=desk.stage.closes[-1])
    assert desk.stage.state.loose_closes == {}


async def test_a_caller_who_leaves_the_valve_stops_no_close_that_the_desk_asked_for(desk: Desk) -> None:
    a_leak_of_the_past(desk)
    await desk.ask("close_valve", {"home_id": HOME})
    await desk.ask("hotline_report", {"home_id": HOME, "close": False})
    incident = desk.stage.incident()
    assert incident.kind == "hotline_report"
    assert incident.close is not None
    assert incident.close.under_way


async def test_a_caller_reaches_the_meter_that_hangs_there_now(desk: Desk) -> None:
    await desk.ask("hotline_report", {"home_id": HOME, "close": False})
    exchange_the_meter(desk, "M1", "M1X", 90)
    assert desk.stage.closes == []
    await desk.ask("hotline_report", {"home_id": HOME})
    assert [close.device_id for close in desk.stage.closes] == ["M1X"]


async def test_a_meter_exchanged_under_an_inspection_is_not_closed_unasked(desk: Desk) -> None:
    a_leak_of_the_past(desk)
    exchange_the_meter(desk, "M1", "M1X", 90)
    await desk.stage.pass_time(120.0)
    assert desk.stage.incident().kind == "past_leak"
    assert desk.sent == []


@pytest.mark.parametrize("home_id", ["H3", "H99"])
async def test_there_must_be_a_meter_to_close(desk: Desk, home_id: str) -> None:
    assert await desk.refused("close_valve", {"home_id": home_id}) == "no_meter"


# -- the rest ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["self_test", "report"])
async def test_a_device_is_asked_and_its_answer_is_written_down(desk: Desk, kind: str) -> None:
    answer = await desk.ask(kind, {"device_id": "D2"}, "desk-1")
    ((account, command),) = desk.stage.ports.commands
    assert (account, command.device_id, command.command, answer["command_id"]) == ("HUB", "D2", kind, str(command.command_id))
    desk.stage.ack("done")
    states = [row["state"] for rows in desk.stage.ports.written for row in rows.commands.values()]
    assert states == ["sent", "done"]


async def test_a_device_that_does_not_answer_is_not_asked_again(desk: Desk) -> None:
    await desk.ask("report", {"device_id": "M1"})
    await desk.stage.pass_time(120.0)
    assert desk.sent == ["report"]
    assert desk.stage.ports.written[-1].commands.popitem()[1]["state"] == "expired"


@pytest.mark.parametrize("device_id", ["OLD", "GHOST"])
async def test_a_device_out_of_service_is_not_asked(desk: Desk, device_id: str) -> None:
    assert await desk.refused("self_test", {"device_id": device_id}) == "unknown_device"


async def test_an_archived_order_ends_its_incident(desk: Desk) -> None:
    desk.stage.alarm()
    desk.stage.ack("done", "closed")
    key = str(desk.stage.incident().incident_id)
    body = {"incident_id": key, "order_no": "Q-1", "outcome": "restored"}
    assert await desk.ask("order_finished", body, "dispatch") == {"incident_id": key}
    assert desk.stage.state.open_by_place == {}
    assert desk.stage.ports.written[-1].incidents[UUID(key)]["state"] == "closed"
    assert await desk.ask("order_finished", body, "dispatch") == {"already_closed": True}
    await desk.stage.pass_time(120.0)
    assert len(desk.stage.closes) == 1  # nothing is due for what is over


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("hotline_report", []),
        ("hotline_report", "x"),
        ("hotline_report", {"home_id": {"a": 1}}),
        ("close_valve", {}),
        ("close_valve", None),
        ("close_valve", {"home_id": []}),
        ("open_valve", {}),
        ("open_valve", {"order_no": 5}),
        ("open_valve", {"order_no": {"a": 1}}),
        ("open_valve", {"order_no": ["Q-1"]}),
        ("self_test", {}),
        ("report", {"device_id": 7.5e300}),
        ("order_finished", {"incident_id": "x"}),
        ("order_finished", {"incident_id": 5}),
        ("order_finished", {"incident_id": None}),
        ("paint_it_red", {}),
    ],
    ids=str,
)
async def test_a_request_that_makes_no_sense_is_answered_and_holds_nobody(desk: Desk, kind: str, body: object) -> None:
    bad = await desk.insert(kind, body)
    good = await desk.insert("report", {"device_id": "M1"})
    assert await desk.requests.answer_pending(desk.connection) == 2
    state, answer = await desk.answer_to(bad)
    assert (state, answer["reason"]) in [
        ("refused", "bad_request"),
        ("refused", "unknown_kind"),
        ("refused", "unknown_device"),
        ("refused", "unknown_order"),
    ]
    assert (await desk.answer_to(good))[0] == "done"
    assert await desk.requests.answer_pending(desk.connection) == 0


async def test_each_request_is_answered_once_in_order_and_others_are_left_alone(desk: Desk) -> None:
    other = await desk.insert("accept", {"order_no": "Q-1"}, station="dispatch")
    first = await desk.insert("hotline_report", {"home_id": HOME}, age_s=2.0)
    second = await desk.insert("close_valve", {"home_id": HOME}, age_s=1.0)
    assert await desk.requests.answer_pending(desk.connection) == 2
    assert await desk.requests.answer_pending(desk.connection) == 0
    assert (await desk.answer_to(first))[1]["already_open"] is False
    assert (await desk.answer_to(second))[1]["incident_id"] == (await desk.answer_to(first))[1]["incident_id"]
    assert (await desk.answer_to(other))[0] == "pending"
    assert sum(isinstance(message, OrderMessage) for message in desk.stage.ports.told) == 1


# -- what a leak after the test voids, and places that are no home -------------------------------------------------------------------


async def test_a_hotline_report_voids_a_passed_test_and_an_open_on_its_way(desk: Desk) -> None:
    await desk.ready()
    await desk.ask("open_valve", {"order_no": "Q-1"})
    await desk.stage.pass_time(1.0)
    await desk.ask("hotline_report", {"home_id": HOME, "close": False})
    assert desk.sent[-1] == "close_valve"
    assert [record.state for record in desk.stage.state.commands.values() if record.command == "open_valve"] == ["superseded"]
    assert len(desk.stage.leaks_again) == 1
    assert await desk.refused("open_valve", {"order_no": "Q-1"}) == "leak_after_test"


async def test_an_order_whose_test_is_older_than_the_last_leak_does_not_end_its_incident(desk: Desk) -> None:
    await desk.ready()
    await desk.stage.pass_time(1.0)
    desk.stage.reading(ch4=15.0, state="alarm")
    told = len(desk.stage.leaks_again)
    body = {"incident_id": str(desk.stage.incident().incident_id), "order_no": "Q-1", "outcome": "restored"}
    assert await desk.refused("order_finished", body, "dispatch") == "leak_after_test"
    assert len(desk.stage.leaks_again) == told + 1
    await desk.connection.execute("UPDATE work_orders SET test_ms = %s", (desk.stage.clock.now_ms() + 1,))
    await desk.ask("order_finished", body, "dispatch")
    assert desk.stage.state.open_by_place == {}


async def test_the_place_of_a_hotline_report_is_its_address(desk: Desk) -> None:
    await desk.ask("hotline_report", {"home_id": None, "place": "五一大道 1 号"})
    (order,) = desk.stage.orders
    assert order.home is not None
    assert (order.home.address_zh, order.home.home_id, order.valve) == ("五一大道 1 号", order.place, "none")
    (row,) = desk.stage.ports.written[0].incidents.values()
    home: Any = row["home"]
    assert (row["home_id"], home["address_zh"]) == (None, "五一大道 1 号")
    assert list(desk.stage.state.holds_in_force()) == []
