"""The call ladder, told as stories on a clock that is moved by hand, and held to its limits by chance."""

import itertools
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.station import ContactFacts
from dispatch.judgement import ladder
from dispatch.judgement import ladder_state as state_of
from dispatch.judgement.call_outcome import End
from dispatch.voice.protocol import Reason

POINTS = state_of.LadderPoints()
NOBODY = End(answered=False, ended_by="never_connected", reason="no_answer")
EARLY = End(answered=True, ended_by="far", reason="far_hung_up", spoken_s=5.0)
TO_THE_END = End(answered=True, ended_by="us", reason="time_over", spoken_s=80.0)
BY_KEY = End(answered=True, ended_by="us", reason="confirmed", spoken_s=8.0)
LOST = End(answered=False, ended_by="never_connected", reason="worker_lost")


def people(count: int) -> tuple[ContactFacts, ...]:
    return tuple(ContactFacts(position=i, name=f"P{i}", role="resident", phone=f"sip:{i}@sim.invalid") for i in range(1, count + 1))


class Story:
    """A ladder and the seconds that passed; writes down who was rung when, and what else was done."""

    def __init__(self, count: int = 2, lines: int = 1) -> None:
        self.second = 0.0
        self.rung: list[tuple[float, int]] = []
        self.tasks: list[tuple[float, str]] = []
        self.others: list[state_of.LadderAction] = []
        self.state, actions = ladder.start(uuid4(), people(count), lines, POINTS, 0)
        self._note(actions)

    def _note(self, actions: list[state_of.LadderAction]) -> None:
        self.state = state_of.LadderState.model_validate_json(self.state.model_dump_json())
        for action in actions:
            match action:
                case state_of.Ring():
                    self.rung.append((self.second, action.contact.position))
                case state_of.RaiseTask():
                    self.tasks.append((self.second, action.kind))
                case _:
                    self.others.append(action)

    def event(self, event: state_of.LadderEvent) -> None:
        self.state, actions = ladder.on_event(self.state, event, POINTS, round(self.second * 1000))
        self._note(actions)

    def until(self, second: float) -> None:
        while (due := ladder.due_ms(self.state, POINTS)) is not None and due <= second * 1000:
            self.second = max(self.second, due / 1000)
            self.event(state_of.TimePassed())
        self.second = second

    def call(self, person: int) -> UUID:
        return next(c.call_id for c in self.state.calls if self.state.people[c.person].contact.position == person)

    def ends(self, person: int, end: End, key: str | None = None) -> None:
        which = self.call(person)
        self.event(state_of.CallPlaced(which))
        if end.answered:
            self.event(state_of.CallAnswered(which))
        if key is not None:
            self.event(state_of.KeyPressed(which, key))
        self.event(state_of.CallEnded(which, end))

    def outcomes(self) -> list[str]:
        return [action.outcome for action in self.others if isinstance(action, state_of.Close)]


def test_the_resident_presses_1() -> None:
    story = Story()
    story.until(12)
    story.ends(1, BY_KEY, "1")
    assert story.state.outcome == "confirmed"
    story.until(10_000)
    assert story.rung == [(0, 1)]
    assert story.tasks == []
    assert story.outcomes() == ["confirmed"]


def test_nobody_answers() -> None:
    story = Story()
    story.until(30)
    story.ends(1, NOBODY)
    assert story.rung == [(0, 1), (30, 2)]  # the second at once
    story.until(60)
    story.ends(2, NOBODY)
    story.until(64.9)
    assert len(story.rung) == 2
    story.until(65)
    assert story.rung[2:] == [(65, 1)]  # the first again after the vendor's gap
    story.until(89.9)
    assert story.tasks == []
    story.until(90)
    assert story.tasks == [(90, "nobody_confirmed")]
    story.until(95)
    story.ends(1, NOBODY)
    assert story.rung[3:] == [(95, 2)]  # calling goes on
    assert story.outcomes() == ["no_answer"] * 3


def test_he_hangs_up_early_and_is_called_back() -> None:
    story = Story()
    story.until(20)
    story.ends(1, EARLY)
    story.until(64)
    assert story.rung == [(0, 1)]  # nobody else in between: somebody has heard
    story.until(66)
    assert story.rung == [(0, 1), (65, 1)]
    story.until(80)
    story.ends(1, BY_KEY, "1")
    assert story.outcomes() == ["heard_unconfirmed", "confirmed"]
    story.until(1000)
    assert story.tasks == []


def test_heard_is_not_confirmed() -> None:
    story = Story()
    story.until(20)
    story.ends(1, EARLY)
    story.until(90)
    assert story.tasks == [(90, "nobody_confirmed")]


def test_a_hang_up_before_a_word_is_not_heard() -> None:
    story = Story()
    story.until(10)
    story.ends(1, End(answered=True, ended_by="far", reason="far_hung_up", spoken_s=1.0))
    assert story.rung == [(0, 1), (10, 2)]
    assert story.outcomes() == ["not_reached"]


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (TO_THE_END, "not_reached"),
        (End(False, "never_connected", "busy"), "busy"),
        (End(False, "never_connected", "declined"), "declined"),
        (End(False, "never_connected", "no_ringing"), "no_answer"),
        (End(False, "never_connected", "network_failed"), "failed"),
        (End(False, "never_connected", "no_trunk"), "no_trunk"),
    ],
)
def test_whatever_is_not_a_person_goes_on_to_the_next(end: End, outcome: str) -> None:
    story = Story()
    story.until(5)
    story.ends(1, end)
    assert story.rung == [(0, 1), (5, 2)]
    assert story.outcomes() == [outcome]


def test_she_needs_help() -> None:
    story = Story()
    story.ends(1, BY_KEY, "2")
    assert story.state.outcome == "help_needed"
    assert state_of.NeedsHelp() in story.others
    assert [kind for _, kind in story.tasks] == ["help_needed"]
    assert story.outcomes() == ["help_needed"]


def test_help_after_out_still_counts() -> None:
    story = Story()
    which = story.call(1)
    story.event(state_of.KeyPressed(which, "1"))
    story.event(state_of.KeyPressed(which, "2"))
    assert story.state.outcome == "help_needed"
    story.event(state_of.KeyPressed(which, "1"))
    assert story.state.outcome == "help_needed"


def test_not_my_home() -> None:
    story = Story()
    story.until(8)
    story.ends(1, BY_KEY, "9")
    assert story.rung == [(0, 1), (8, 2)]
    assert [kind for _, kind in story.tasks] == ["registry_error"]
    story.until(38)
    story.ends(2, NOBODY)
    story.until(500)
    assert (65, 1) not in story.rung
    assert story.rung[2] == (73, 2)


def test_nobody_is_left_to_call() -> None:
    story = Story(count=1)
    story.ends(1, BY_KEY, "9")
    assert [kind for _, kind in story.tasks] == ["registry_error", "nobody_to_call"]
    assert Story(count=0).tasks == [(0, "nobody_to_call")]


def test_five_an_hour_to_one_number() -> None:
    story = Story(count=1)
    for _ in range(5):
        story.until(story.second + 30)
        story.ends(1, NOBODY)
        story.until(story.second + 40)
    assert len(story.rung) == 5
    story.until(3599)
    assert len(story.rung) == 5
    story.until(3600)
    assert story.rung[5] == (3600, 1)


def test_two_lines_where_people_may_not_help_themselves() -> None:
    story = Story(count=3, lines=2)
    assert story.rung == [(0, 1), (0, 2)]
    story.until(10)
    story.ends(2, BY_KEY, "1")
    assert state_of.HangUp(story.call(1)) in story.others


def test_a_lost_worker_costs_the_person_no_try() -> None:
    story = Story()
    which = story.call(1)
    story.event(state_of.CallEnded(which, LOST))
    story.until(2)
    assert story.rung == [(0, 1), (2, 1)]
    story.event(state_of.CallEnded(story.call(1), LOST))
    story.until(5.9)
    assert len(story.rung) == 2
    story.event(state_of.LineBack())
    assert story.rung[2] == (5.9, 1)
    assert story.outcomes() == ["worker_lost", "worker_lost"]


def test_a_leak_again_rings_those_who_may_have_gone_back() -> None:
    story = Story()
    story.until(10)
    story.ends(1, BY_KEY, "1")
    story.until(100)
    story.event(state_of.LeakAgain())
    assert len(story.rung) == 1  # they are outside
    story.until(300)
    story.event(state_of.WorkDone())
    story.event(state_of.LeakAgain())
    assert story.rung == [(0, 1), (300, 1)]
    story.until(390)
    assert story.tasks == [(390, "nobody_confirmed")]


def test_work_done_ends_the_calling() -> None:
    story = Story()
    which = story.call(1)
    story.event(state_of.WorkDone())
    assert story.others == [state_of.HangUp(which)]
    story.until(10_000)
    assert len(story.rung) == 1


def test_an_event_of_a_call_that_is_over_changes_nothing() -> None:
    story = Story()
    which = story.call(1)
    story.ends(1, NOBODY)
    before = story.state
    story.event(state_of.CallEnded(which, BY_KEY))
    story.event(state_of.KeyPressed(which, "1"))
    assert story.state == before


class AnyEvening(RuleBasedStateMachine):
    """Whatever people, telephones and time do, the ladder keeps its limits."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(count=3, lines=1)
        self.lost = 0

    @rule(seconds=st.floats(0.1, 400))
    def time_passes(self, seconds: float) -> None:
        self.story.until(round(self.story.second + seconds, 3))

    @precondition(lambda self: self.story.state.calls)
    @rule(key=st.sampled_from("1290#"), data=st.data())
    def somebody_presses(self, key: str, data: Any) -> None:
        call = data.draw(st.sampled_from(self.story.state.calls))
        self.story.event(state_of.CallAnswered(call.call_id))
        self.story.event(state_of.KeyPressed(call.call_id, key))

    @precondition(lambda self: self.story.state.calls)
    @rule(
        reason=st.sampled_from([r for r in get_args(Reason) if r not in ("worker_lost", "worker_stopping", "all_lines_busy")]),
        answered=st.booleans(),
        ended_by=st.sampled_from(["us", "far"]),
        spoken=st.floats(0, 90),
        data=st.data(),
    )
    def a_call_ends(self, reason: str, answered: bool, ended_by: str, spoken: float, data: Any) -> None:
        call = data.draw(st.sampled_from(self.story.state.calls))
        by = ended_by if answered else "never_connected"
        self.story.event(state_of.CallEnded(call.call_id, End(answered, by, reason, spoken)))

    @rule()
    def leak_again(self) -> None:
        self.story.event(state_of.LeakAgain())

    @rule()
    def work_done(self) -> None:
        self.story.event(state_of.WorkDone())

    @invariant()
    def one_line_one_call(self) -> None:
        assert len(self.story.state.calls) <= 1

    @invariant()
    def the_vendors_limits_hold(self) -> None:
        for person in (1, 2, 3):
            times = [round(second * 1000) for second, who in self.story.rung if who == person]
            assert all(b - a >= 65_000 for a, b in itertools.pairwise(times))
            assert all(b - a >= 3_600_000 for a, b in zip(times, times[5:], strict=False))

    @invariant()
    def calling_means_that_something_is_coming(self) -> None:
        if not self.story.state.over:
            assert ladder.due_ms(self.story.state, POINTS) is not None

    @invariant()
    def nobody_confirmed_is_said_in_time(self) -> None:
        state = self.story.state
        if not state.over and self.story.second * 1000 > state.started_ms + POINTS.human_after_ms:
            assert state.human_due_ms is None


AnyEvening.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyEvening = AnyEvening.TestCase
