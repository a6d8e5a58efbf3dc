"""The table of holds: every hold against every authority, and what no sequence of words may open."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarm_engine.judgement.holds import (
    HOLD_TABLE,
    HOLDS,
    SELF_PROTECTION,
    Authority,
    Hold,
    against_opening,
    hold_of_cause,
    may_lift,
    named,
    resident_opened,
)
from core.messages import ValveCause

CAUSES = [*SELF_PROTECTION, ""]
keys = st.lists(st.tuples(st.sampled_from(HOLDS), st.sampled_from(CAUSES)), max_size=5)


def test_every_hold_has_its_row() -> None:
    assert set(HOLD_TABLE) == set(get_args(Hold))
    lifted_by = {hold: sorted(row.lifted_by) for hold, row in HOLD_TABLE.items()}
    assert lifted_by == {
        "safety": ["order", "test"],
        "arrears": ["payment"],
        "self_protection": ["inspection", "resident"],
        "away": ["request"],
        "works": ["request"],
    }


def test_payment_lifts_arrears_and_nothing_else() -> None:
    assert [hold for hold in HOLDS for cause in ("", "tamper") if may_lift(hold, cause, "payment")] == ["arrears", "arrears"]


@pytest.mark.parametrize("authority", get_args(Authority))
def test_safety_is_lifted_by_its_own_order_alone(authority: Authority) -> None:
    assert may_lift("safety", "", authority) == (authority in ("test", "order"))


@pytest.mark.parametrize(
    ("cause", "resident"),
    [("excess_flow", True), ("long_use", True), ("low_pressure", True), ("low_battery", True), ("tamper", False), ("seismic", False)],
)
def test_self_protection_is_lifted_by_its_cause(cause: str, resident: bool) -> None:
    assert may_lift("self_protection", cause, "resident") is resident
    assert may_lift("self_protection", cause, "inspection")
    assert not may_lift("self_protection", cause, "payment")


@pytest.mark.parametrize("cause", [*get_args(ValveCause), None])
def test_which_hold_a_cause_sets(cause: str | None) -> None:
    expected = ("arrears", "") if cause == "arrears" else ("self_protection", cause) if cause in SELF_PROTECTION else None
    assert hold_of_cause(cause) == expected


@given(in_force=keys)
def test_a_resident_lifts_only_what_stands_alone(in_force: list[tuple[Hold, str]]) -> None:
    lifted = resident_opened(in_force)
    assert all(hold == "self_protection" and cause not in ("tamper", "seismic") for hold, cause in lifted)
    if any(hold != "self_protection" for hold, _ in in_force):
        assert lifted == []


@given(in_force=keys, own=st.booleans(), test_passed=st.booleans())
def test_an_open_goes_through_no_hold_but_the_own_orders(in_force: list[tuple[Hold, str]], own: bool, test_passed: bool) -> None:
    against = against_opening([(hold, cause, own) for hold, cause in in_force], test_passed)
    passes = {key for key in in_force if key not in against}
    assert all(hold == "safety" for hold, _ in passes)
    if not (own and test_passed):
        assert not passes


def test_holds_have_names_in_both_languages() -> None:
    assert named([("safety", ""), ("self_protection", "tamper")], "en") == "safety, self-protection (tamper)"
    assert named([("arrears", "")], "zh") == "欠费"
