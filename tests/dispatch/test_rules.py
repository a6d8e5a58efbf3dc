"""Tightness, priority, who is rung in which order, and what an end of a call means."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.station import ContactFacts
from dispatch.judgement.answers import NOT_SHUT, Answers
from dispatch.judgement.contacts import calling_order, may_ring
from dispatch.judgement.priority import priority
from dispatch.judgement.tightness import TightnessRule, failures

RULE = TightnessRule()


@pytest.mark.parametrize(
    ("start", "end", "minutes", "codes"),
    [
        (2.0, 2.0, 3.0, []),
        (2.5, 2.45, 5.0, []),
        (2.5, 2.44, 5.0, ["test_pressure_fell"]),
        (1.99, 1.99, 3.0, ["test_pressure_too_low"]),
        (2.0, 2.0, 2.9, ["test_too_short"]),
        (2.0, 2.1, 3.0, ["test_pressure_rose"]),
        (1.0, 0.2, 1.0, ["test_too_short", "test_pressure_too_low", "test_pressure_fell"]),
        (math.nan, 2.0, 3.0, ["test_not_a_number"]),
    ],
)
def test_tightness(start: float, end: float, minutes: float, codes: list[str]) -> None:
    assert [reason.code for reason in failures(RULE, start, end, minutes)] == codes


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_a_passed_test_lost_no_more_than_a_gauge_step(start: float, end: float, minutes: float) -> None:
    if not failures(RULE, start, end, minutes):
        assert start - end <= 0.05 + 1e-6
        assert minutes >= 3
        assert start >= 2


CLOSED = Answers(valve="reported_closed")
DANGERS = [
    *(Answers(valve=valve) for valve in sorted(NOT_SHUT)),
    Answers(valve="reported_closed", proof="flows"),
    Answers(valve="reported_closed", proof="holds", clearing="not_clearing"),
    Answers(valve="reported_closed", proof="not_provable", before_meter=True),
]


def test_priority_rises_with_every_reason() -> None:
    assert priority("emergency", (), CLOSED) == 4
    assert priority("emergency", ("infant",), CLOSED) == 3
    assert priority("inspection", (), Answers(valve="none"), help_needed=True) == 1
    none = Answers(valve="none")
    assert priority("emergency", (), Answers(valve="commanded")) < priority("triage", (), none) < priority("inspection", (), none)
    assert priority("canary", ("infant",), Answers(valve="refused"), help_needed=True) == 9


@pytest.mark.parametrize("answers", DANGERS)
def test_gas_that_goes_on_is_the_most_urgent_short_of_help_asked(answers: Answers) -> None:
    for flags in ((), ("infant", "infirm")):
        assert priority("emergency", flags, answers) == 2
        assert priority("emergency", flags, CLOSED) > 2
    assert priority("emergency", (), answers, help_needed=True) == 1


@pytest.mark.parametrize("proof", ["none", "not_yet", "due_at_uplink", "holds", "not_provable"])
def test_what_is_only_not_proven_raises_nothing(proof: Any) -> None:
    assert priority("emergency", (), Answers(valve="reported_closed", proof=proof, clearing="clearing")) == 4


def contact(position: int, phone: str, role: str = "resident") -> ContactFacts:
    return ContactFacts(position=position, name="", role=role, phone=phone)


def test_a_neighbour_comes_in_at_once_where_people_may_not_help_themselves() -> None:
    known = [contact(1, "+8613800000001"), contact(2, "+8613800000002", "family"), contact(3, "+8613800000003", "neighbour")]
    ordinary = calling_order(known, (), simulated=False)
    assert ([c.position for c in ordinary.people], ordinary.lines) == ([1, 2, 3], 1)
    alone = calling_order(known, ("lives_alone",), simulated=False)
    assert ([c.position for c in alone.people], alone.lines) == ([1, 3, 2], 2)
    no_neighbour = calling_order(known[:2], ("infirm",), simulated=False)
    assert ([c.position for c in no_neighbour.people], no_neighbour.lines) == ([1, 2], 2)
    assert calling_order(known[:1], ("infirm",), simulated=False).lines == 1


def test_the_caller_of_a_report_is_not_rung_and_no_number_twice() -> None:
    known = [contact(1, "+8613800000001"), contact(2, "+86 138 0000 0001"), contact(3, "+8613800000003")]
    order = calling_order(known, (), simulated=False, exclude="138-0000-0003")
    assert [c.position for c in order.people] == [1]


@pytest.mark.parametrize(
    ("address", "simulated", "allowed"),
    [
        ("sip:8001@sim.invalid", True, True),
        ("sip:8001@sim.invalid", False, False),
        ("sip:8001@example.com", False, False),
        ("sip:8001@example.com", True, False),
        ("sip:8001@sim.invalid;transport=tcp", True, False),
        ("+8613800000001", True, False),
        ("+8613800000001", False, True),
        ("SIPS:8001@x", False, False),
        ("", False, False),
    ],
)
def test_the_two_worlds_never_ring_each_other(address: str, simulated: bool, allowed: bool) -> None:
    assert may_ring(address, simulated=simulated) is allowed
    order = calling_order([contact(1, address)], (), simulated=simulated)
    assert (len(order.people), len(order.refused)) == ((1, 0) if allowed else (0, 1))
