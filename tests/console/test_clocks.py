"""The table of clocks: which row gives which clock, and which clocks stay unknown."""

from typing import Any

import pytest

from console.clocks import Clocks, compose, speaking_call, working_order
from dispatch.judgement.crews import on_duty

INCIDENT = {
    "alarmed_ms": 100,
    "valve_closed_locally_ms": None,
    "received_ms": 140,
    "close_sent_ms": None,
    "reported_closed_ms": None,
    "holds_ms": None,
    "clearing_ms": None,
}
ORDER = {
    "kind": "emergency",
    "created_ms": 160,
    "assigned_ms": None,
    "accepted_ms": None,
    "on_site_ms": None,
    "made_safe_ms": None,
    "test_ms": None,
    "test_passed": None,
    "restored_ms": None,
}
CALL = {"attempt": 1, "requested_ms": 160, "placed_ms": None, "ringing_ms": None, "key_ms": None}


@pytest.mark.parametrize(
    ("clock", "incident", "order", "calls", "expected"),
    [
        ("T0", {}, None, [], 100),
        ("T1", {"valve_closed_locally_ms": 90}, None, [], 90),
        ("T1", {}, None, [], None),
        ("T2", {}, None, [], 140),
        ("T3", {"close_sent_ms": 141}, None, [], 141),
        ("T4", {"reported_closed_ms": 900}, None, [], 900),
        ("T5", {"reported_closed_ms": 900}, None, [], None),
        ("T5", {"reported_closed_ms": 900, "holds_ms": 1900}, None, [], 1900),
        ("T5c", {}, None, [], None),
        ("T5c", {"clearing_ms": 1500}, None, [], 1500),
        ("T6a", {}, None, [], None),
        ("T6a", {}, None, [{"placed_ms": 300, "attempt": 2}, {"placed_ms": 200}], 200),
        ("T6b", {}, None, [{"placed_ms": 200}, {"placed_ms": 300, "ringing_ms": 400}], 400),
        ("T7", {}, None, [{"key_ms": 800}, {"key_ms": 700}, {"key_ms": None}], 700),
        ("T8", {}, None, [], None),
        ("T8", {}, {}, [], 160),
        ("T9", {}, {"assigned_ms": 170}, [], 170),
        ("T10", {}, {"accepted_ms": 180}, [], 180),
        ("T11", {}, {"on_site_ms": 190}, [], 190),
        ("T12", {}, {"made_safe_ms": 200}, [], 200),
        ("T13", {}, {"test_ms": 210, "test_passed": True}, [], 210),
        ("T13", {}, {"test_ms": 210, "test_passed": False}, [], None),
        ("T13", {}, {"test_ms": 210, "test_passed": None}, [], None),
        ("T14", {}, {"restored_ms": 220}, [], 220),
    ],
)
def test_each_clock_comes_from_its_row(
    clock: str, incident: dict[str, Any], order: dict[str, Any] | None, calls: list[dict[str, Any]], expected: int | None
) -> None:
    found = compose({**INCIDENT, **incident}, None if order is None else {**ORDER, **order}, [{**CALL, **call} for call in calls])
    assert getattr(found, clock) == expected


def test_all_seventeen_clocks_are_named() -> None:
    names = [*(f"T{number}" for number in range(6)), "T5c", "T6a", "T6b", *(f"T{number}" for number in range(7, 15))]
    assert list(Clocks.model_fields) == names


def test_the_emergency_order_speaks_for_the_incident() -> None:
    triage, emergency, second = (
        {"kind": "triage", "created_ms": 1},
        {"kind": "emergency", "created_ms": 5},
        {"kind": "emergency", "created_ms": 9},
    )
    assert working_order([triage, second, emergency]) is emergency
    assert working_order([triage]) is triage
    assert working_order([]) is None


def test_a_pressed_key_says_more_than_a_later_call() -> None:
    pressed = {**CALL, "key_ms": 5}
    later = {**CALL, "attempt": 3, "requested_ms": 900}
    assert speaking_call([pressed, later]) is pressed
    assert speaking_call([CALL, later]) is later
    assert speaking_call([]) is None


def test_the_page_and_dispatch_agree_on_duty() -> None:
    noon_beijing = 1_775_102_400_000
    assert on_duty("00:00", "24:00", noon_beijing)
    assert not on_duty("22:00", "06:00", noon_beijing)
