"""Stories of commands that a device gets."""

from uuid import UUID

import pytest

from core.messages import Command, CommandName
from simulator.world.obedience import Obedience

NOW = 1_775_000_000_000


def command(number: int, order_no: int, name: CommandName = "close_valve", expires_ms: int = NOW + 60_000) -> Command:
    return Command(
        device_id="M1",
        command_id=UUID(int=number),
        order_no=order_no,
        command=name,
        reason="leak",
        issued_at=NOW,
        expires_at=expires_ms,
    )


def test_a_close_is_accepted_and_done_when_the_valve_arrives() -> None:
    meter = Obedience("meter")
    verdict = meter.receive(command(1, 5), NOW, "open")
    assert (verdict.act, [a.result for a in verdict.answers]) == ("close", ["accepted"])
    assert [(a.result, a.valve) for a in meter.arrived("closed")] == [("done", "closed")]
    assert meter.arrived("closed") == ()


def test_a_close_for_a_closed_valve_is_done_at_once() -> None:
    verdict = Obedience("meter").receive(command(1, 5), NOW, "closed")
    assert [(a.result, a.valve) for a in verdict.answers] == [("done", "closed")]


def test_a_close_long_expired_by_its_own_clock_is_carried_out_all_the_same() -> None:
    assert Obedience("meter").receive(command(1, 5, expires_ms=NOW - 999_999), NOW, "open").act == "close"


def test_a_repeated_command_is_answered_again_with_its_newest_answer_and_not_carried_out() -> None:
    meter = Obedience("meter")
    meter.receive(command(1, 5), NOW, "open")
    first = meter.receive(command(1, 5), NOW, "closing")
    meter.arrived("closed")
    second = meter.receive(command(1, 5), NOW, "closed")
    assert (first.act, first.repeated, [a.result for a in first.answers]) == (None, True, ["accepted"])
    assert (second.act, second.repeated, [a.result for a in second.answers]) == (None, True, ["done"])


def test_a_close_that_a_later_carried_out_open_superseded_is_refused() -> None:
    meter = Obedience("meter")
    meter.receive(command(2, 6, "open_valve"), NOW, "closed")
    assert meter.key_pressed(NOW) == "open"
    meter.arrived("open")
    verdict = meter.receive(command(1, 5), NOW, "open")
    assert (verdict.act, [a.result for a in verdict.answers]) == (None, ["rejected"])


def test_a_close_older_than_an_open_that_nobody_confirmed_is_carried_out() -> None:
    meter = Obedience("meter")
    meter.receive(command(2, 6, "open_valve"), NOW, "closed")
    meter.passed(NOW + 60_001, "closed")
    assert meter.receive(command(1, 5), NOW + 60_002, "open").act == "close"


def test_a_refused_valve_says_so_and_a_new_attempt_is_tried() -> None:
    meter = Obedience("meter")
    meter.receive(command(1, 5), NOW, "open")
    assert [(a.result, a.valve) for a in meter.arrived("fault")] == [("rejected", "fault")]
    assert meter.receive(command(2, 6), NOW, "fault").act == "close"


def test_an_open_waits_for_the_key_and_is_done_when_the_valve_is_open() -> None:
    meter = Obedience("meter")
    waiting = meter.receive(command(1, 5, "open_valve"), NOW, "closed")
    assert (waiting.act, [(a.result, a.valve) for a in waiting.answers]) == (None, [("accepted", "closed")])
    assert meter.key_pressed(NOW + 59_000) == "open"
    assert [(a.result, a.valve) for a in meter.arrived("open")] == [("done", "open")]


def test_a_key_without_an_order_opens_nothing() -> None:
    assert Obedience("meter").key_pressed(NOW) is None


def test_an_open_without_a_key_expires_and_a_later_key_opens_nothing() -> None:
    meter = Obedience("meter")
    meter.receive(command(1, 5, "open_valve"), NOW, "closed")
    assert meter.passed(NOW + 60_000, "closed") == ()
    assert meter.key_pressed(NOW + 60_001) is None
    assert [a.result for a in meter.passed(NOW + 60_001, "closed")] == ["expired"]
    assert meter.passed(NOW + 70_000, "closed") == ()
    assert meter.key_pressed(NOW + 70_000) is None


def test_an_open_that_arrives_expired_is_answered_so() -> None:
    verdict = Obedience("meter").receive(command(1, 5, "open_valve"), NOW + 60_001, "closed")
    assert (verdict.act, [a.result for a in verdict.answers]) == (None, ["expired"])


def test_a_new_close_voids_an_open_that_waits_and_one_that_moves() -> None:
    meter = Obedience("meter")
    meter.receive(command(1, 5, "open_valve"), NOW, "closed")
    verdict = meter.receive(command(2, 6), NOW, "closed")
    assert [(a.command.command, a.result) for a in verdict.answers] == [("open_valve", "rejected"), ("close_valve", "done")]
    assert meter.key_pressed(NOW) is None
    meter.receive(command(3, 7, "open_valve"), NOW, "closed")
    meter.key_pressed(NOW)
    verdict = meter.receive(command(4, 8), NOW, "opening")
    assert [(a.command.command, a.result) for a in verdict.answers] == [("open_valve", "rejected"), ("close_valve", "accepted")]
    assert [a.command.order_no for a in meter.arrived("closed")] == [8]


def test_a_late_report_request_does_not_supersede_a_close() -> None:
    meter = Obedience("meter")
    meter.receive(command(1, 9, "report"), NOW, "open")
    assert meter.receive(command(2, 5), NOW, "open").act == "close"


@pytest.mark.parametrize(
    ("kind", "name", "act", "result"),
    [
        ("detector", "self_test", "self_test", "done"),
        ("detector", "report", "report", "done"),
        ("meter", "report", "report", "done"),
        ("detector", "close_valve", None, "rejected"),
        ("detector", "open_valve", None, "rejected"),
        ("meter", "self_test", None, "rejected"),
    ],
)
def test_each_device_does_what_it_can(kind: str, name: CommandName, act: str | None, result: str) -> None:
    device = Obedience("meter" if kind == "meter" else "detector")
    verdict = device.receive(command(1, 5, name), NOW, "open")
    assert (verdict.act, [a.result for a in verdict.answers]) == (act, [result])


def test_memory_of_answers_is_bounded() -> None:
    meter = Obedience("meter")
    for number in range(200):
        meter.receive(command(number, number, "report"), NOW, "open")
    assert len(meter.answers) == 64
