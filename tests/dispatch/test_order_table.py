"""The order's table: the whole way, the ways back, and what is refused with which reason."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.station import OrderKind
from dispatch.judgement.order_table import BEFORE_MADE_SAFE, EMERGENCY, TABLES, OrderEvent, OrderState, after
from dispatch.judgement.reasons import REASONS, Reason

STATES: tuple[OrderState, ...] = get_args(OrderState)
EVENTS: tuple[OrderEvent, ...] = get_args(OrderEvent)
KINDS: tuple[OrderKind, ...] = get_args(OrderKind)


def walk(kind: OrderKind, *events: OrderEvent, start: OrderState = "created") -> OrderState:
    state = start
    for event in events:
        following = after(kind, state, event)
        assert not isinstance(following, Reason), (state, event, following)
        state = following
    return state


def test_the_whole_way_of_an_emergency() -> None:
    way: tuple[OrderEvent, ...] = (
        "assign", "accept", "arrive", "make_safe", "record_cause", "fail_test", "pass_test", "restore", "archive",
    )  # fmt: skip
    assert walk("emergency", *way) == "archived"


def test_nobody_opens_and_the_crew_comes_again() -> None:
    assert walk("emergency", "wait", "assign", "accept", "arrive", "find_nobody", "arrive", "make_safe") == "made_safe"


def test_gas_may_stay_off() -> None:
    assert walk("emergency", "assign", "accept", "arrive", "make_safe", "record_cause", "archive") == "archived"
    assert walk("emergency", "archive", start="tightness_passed") == "archived"


def test_an_inspection_is_short() -> None:
    assert walk("inspection", "assign", "accept", "arrive", "record_cause", "archive") == "archived"
    assert after("inspection", "on_site", "make_safe") == REASONS["not_for_this_order"]
    assert after("triage", "on_site", "archive") == REASONS["no_cause"]


@pytest.mark.parametrize("state", ["made_safe", "cause_recorded", "tightness_passed", "restored"])
def test_a_new_leak_brings_the_order_back_on_site(state: OrderState) -> None:
    assert after("emergency", state, "leak_again") == "on_site"


@pytest.mark.parametrize("state", sorted(BEFORE_MADE_SAFE - {"created"}))
def test_a_new_leak_before_that_leaves_the_order_where_it_is(state: OrderState) -> None:
    assert after("emergency", state, "leak_again") == state


@pytest.mark.parametrize("state", sorted(BEFORE_MADE_SAFE - {"created", "waiting"}))
def test_until_made_safe_an_order_can_be_given_to_another_crew(state: OrderState) -> None:
    assert after("emergency", state, "reassign") == "waiting"


@pytest.mark.parametrize(
    ("state", "event", "code"),
    [
        ("waiting", "accept", "not_assigned"),
        ("assigned", "arrive", "not_accepted"),
        ("assigned", "make_safe", "not_accepted"),
        ("accepted", "accept", "already_accepted"),
        ("accepted", "make_safe", "not_on_site"),
        ("on_site", "arrive", "already_on_site"),
        ("on_site", "record_cause", "not_made_safe"),
        ("on_site", "archive", "not_made_safe"),
        ("made_safe", "pass_test", "no_cause"),
        ("made_safe", "archive", "no_cause"),
        ("made_safe", "reassign", "made_safe_stays"),
        ("cause_recorded", "restore", "no_passed_test"),
        ("restored", "restore", "already_restored"),
        ("archived", "accept", "archived"),
        ("archived", "archive", "archived"),
    ],
)
def test_refusals_say_what_is_missing(state: OrderState, event: OrderEvent, code: str) -> None:
    assert after("emergency", state, event) == REASONS[code]


def test_every_pair_has_an_answer_and_every_reason_two_languages() -> None:
    for kind in KINDS:
        for state in STATES:
            for event in EVENTS:
                answer = after(kind, state, event)
                assert answer in STATES or answer in REASONS.values()
    for reason in REASONS.values():
        assert reason.zh
        assert reason.en
        assert any("一" <= character <= "鿿" for character in reason.zh)


@given(st.sampled_from(KINDS), st.lists(st.sampled_from(EVENTS), max_size=60))
def test_no_way_into_the_archive_leaves_something_out(kind: OrderKind, events: list[OrderEvent]) -> None:
    state: OrderState = "created"
    since_leak: set[OrderEvent] = set()
    for event in events:
        following = after(kind, state, event)
        if isinstance(following, Reason):
            continue
        if event == "leak_again" and following != state:
            since_leak.clear()
        since_leak.add(event)
        if following == "restored":
            assert "pass_test" in since_leak
        if following == "archived":
            assert "record_cause" in since_leak or kind == "canary"
            assert "make_safe" in since_leak or TABLES[kind] is not EMERGENCY
            assert "assign" in since_leak or kind == "canary"
        state = following
