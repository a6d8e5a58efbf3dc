"""The tables row by row."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarm_engine.judgement.alarm_table import ALARM_TABLE, Sender, leak_kind
from alarm_engine.judgement.command_table import COMMAND_TABLE, FAILED, UNDER_WAY, CommandState, next_step, resend_delay_s, retry_delay_s
from alarm_engine.judgement.leak import blind_over_set_point, leak_grounds, says_normal
from core.items import AlarmItem, DetectorReading
from core.messages import AlarmEvent, DetectorState
from core.station import IncidentKind

_COMMON: dict[str, Any] = {"account": "D1", "device_id": "D1", "ts": 0, "boot": 1, "seq": 1, "received_ms": 0}


def reading(ch4: float | None, state: DetectorState | None) -> DetectorReading:
    return DetectorReading(**_COMMON, ch4_lel=ch4, state=state)


def alarm(event: AlarmEvent | None, ch4: float | None) -> AlarmItem:
    return AlarmItem(**_COMMON, event=event, ch4_lel=ch4)


@pytest.mark.parametrize(
    ("item", "grounds"),
    [
        (alarm("leak", None), "event"),
        (alarm("leak", 0.0), "event"),
        (alarm("fault", 10.0), "set_point"),
        (alarm("power_lost", 55.0), "set_point"),
        (alarm(None, 10.0), "set_point"),
        (alarm("leak_cleared", 10.0), "set_point"),
        (alarm("leak_cleared", 9.9), None),
        (alarm("power_lost", None), None),
        (reading(0.0, "alarm"), "state"),
        (reading(None, "alarm"), "state"),
        (reading(10.0, "normal"), "set_point"),
        (reading(10.0, "warning"), "set_point"),
        (reading(10.0, "fault"), "set_point"),
        (reading(10.0, "end_of_life"), "set_point"),
        (reading(10.0, None), "set_point"),
        (reading(99.0, "preheat"), None),
        (reading(99.0, "self_test"), None),
        (reading(9.99, "normal"), None),
        (reading(None, "normal"), None),
        (reading(None, None), None),
    ],
)
def test_what_counts_as_a_leak(item: AlarmItem | DetectorReading, grounds: str | None) -> None:
    assert leak_grounds(item, 10.0) == grounds


@given(ch4=st.floats(allow_nan=False, allow_infinity=False), set_point=st.floats(3, 25))
def test_the_set_point_is_the_homes_own(ch4: float, set_point: float) -> None:
    assert (leak_grounds(reading(ch4, "normal"), set_point) is not None) == (ch4 >= set_point)


def test_over_the_set_point_in_preheat_is_blind_and_wants_a_person() -> None:
    assert blind_over_set_point(reading(12.0, "preheat"), 10.0)
    assert not blind_over_set_point(reading(12.0, "normal"), 10.0)
    assert not blind_over_set_point(reading(9.0, "preheat"), 10.0)


def test_only_a_normal_reading_or_a_cleared_leak_says_normal() -> None:
    assert says_normal(reading(0.0, "normal"), 10.0)
    assert not says_normal(reading(None, "normal"), 10.0)
    assert not says_normal(reading(0.0, "fault"), 10.0)
    assert says_normal(alarm("leak_cleared", None), 10.0)
    assert not says_normal(alarm("power_restored", 0.0), 10.0)


@pytest.mark.parametrize(
    ("sender", "order", "ts", "normal", "kind"),
    [
        ("placed", (1, 5), 1000, None, "leak"),
        ("placed", (1, 5), 1000, ((1, 6), 2000), "past_leak"),
        ("placed", (1, 5), 1000, ((2, 1), 2000), "past_leak"),
        ("placed", (1, 7), 1000, ((1, 6), 2000), "leak"),  # later in order: a new leak with a clock that stepped back
        ("placed", (1, 5), 3000, ((1, 6), 2000), "leak"),  # later in time: a counter that was reset
        ("placed", (-1, -1), 1000, ((1, 6), 2000), "leak"),  # no order given: in doubt, close
        ("unknown_account", (1, 5), 1000, None, "unknown_sender"),
        ("unknown_device", (1, 5), 1000, None, "unknown_sender"),
        ("retired", (1, 5), 1000, None, "unknown_sender"),
        ("no_home", (1, 5), 1000, None, "unknown_sender"),
    ],
)
def test_which_incident_a_leak_opens(
    sender: Sender, order: tuple[int, int], ts: int, normal: tuple[tuple[int, int], int] | None, kind: IncidentKind
) -> None:
    assert leak_kind(sender, order, ts, normal) == kind


def test_every_kind_has_its_row() -> None:
    asked = {kind: (row.close, row.order, row.crew, row.call) for kind, row in ALARM_TABLE.items()}
    assert asked == {
        "leak": (True, "emergency", True, True),
        "hotline_report": (True, "emergency", True, True),
        "past_leak": (False, "inspection", True, False),
        "unknown_sender": (False, "triage", False, False),
        "garbled_alarm": (False, "triage", False, False),
        "canary": (True, "canary", False, True),
    }


def test_a_close_is_never_given_up() -> None:
    """From every state of a close that is not closed or superseded, something is due or an attempt follows."""
    table = COMMAND_TABLE["close_valve"]
    for state in ("sent", "no_answer"):
        step = table[state, "answer_due"]
        assert step.follow == "resend"
    assert table["accepted", "travel_due"].follow == "next_attempt"
    waiting: tuple[CommandState, ...] = ("sent", "no_answer", "accepted")
    for state in waiting:
        assert table[state, "refused"].follow == "next_attempt"
    assert table["reported_closed", "flows"].follow == "next_attempt"
    assert {step.state for step in table.values() if step.follow == "next_attempt"} == FAILED


def test_an_open_is_never_sent_twice() -> None:
    assert all(step.follow == "none" for step in COMMAND_TABLE["open_valve"].values())
    assert ("sent", "answer_due") not in COMMAND_TABLE["open_valve"]


def test_what_means_nothing_changes_nothing() -> None:
    ends: set[CommandState] = {"reported_closed", "superseded", "opened", "expired", "done"}
    events = {event for table in COMMAND_TABLE.values() for _, event in table}
    for (command, table), end, event in itertools.product(COMMAND_TABLE.items(), ends, events):
        if (end, event) != ("reported_closed", "flows"):  # a valve that says it is closed may still let gas through
            assert next_step(command, end, event) is None, (table, end, event)
    assert not ends & UNDER_WAY


def test_resends_grow_to_their_longest() -> None:
    assert [resend_delay_s(sends) for sends in (1, 2, 3, 4, 5, 6, 7, 8, 10_000)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert retry_delay_s(1) == 1
    assert retry_delay_s(100) == 30
