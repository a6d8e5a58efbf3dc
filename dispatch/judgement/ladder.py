"""The call ladder: whom to ring when, and what an end of a call means. A function of state, event and time; the state is plain data.

The first contact is rung at once; who is not reached hands on to the next contact at once; a number is rung again only after the vendor's
gap and only so often an hour; a person at the desk gets a task when nobody confirmed in time, and calling goes on. Only a key confirms.
Refuses to know how a call is made, what it says, and what became of the valve: a key never clears an alarm.
"""

from typing import Final
from uuid import UUID, uuid5

from core.station import ContactFacts
from dispatch.judgement.call_outcome import WITHDRAWN, is_our_loss, outcome_of
from dispatch.judgement.ladder_state import (
    CallAnswered,
    CallEnded,
    CallPlaced,
    CallSent,
    CallUnderWay,
    Close,
    HangUp,
    KeyPressed,
    LadderAction,
    LadderEvent,
    LadderOutcome,
    LadderPoints,
    LadderState,
    LeakAgain,
    LineBack,
    NeedsHelp,
    Person,
    RaiseTask,
    Ring,
    Step,
    TimePassed,
    WorkDone,
)

KEY_OUT: Final = "1"
KEY_HELP: Final = "2"
KEY_WRONG_HOME: Final = "9"

_HOUR_MS: Final = 3_600_000
_LONGEST_RETRY_MS: Final = 30_000


def call_id(incident_id: UUID, attempt: int) -> UUID:
    """The id of one attempt. Computed, so that asking twice for one attempt never rings twice."""
    return uuid5(incident_id, f"call/{attempt}")


def start(incident_id: UUID, people: tuple[ContactFacts, ...], lines: int, points: LadderPoints, now_ms: int) -> Step:
    """A new ladder over ``people`` in calling order, ``lines`` of them at a time, and its first calls."""
    state = LadderState(
        incident_id=incident_id,
        started_ms=now_ms,
        people=tuple(Person(contact=person) for person in people),
        lines=max(1, lines),
        human_due_ms=now_ms + points.human_after_ms,
    )
    return _go_on(state, points, now_ms)


def on_event(state: LadderState, event: LadderEvent, points: LadderPoints, now_ms: int) -> Step:
    """The ladder after ``event``, and what is to be done. An event of a call that is not under way changes nothing."""
    match event:
        case CallSent(call_id=which):
            return _sent(state, which, now_ms), []
        case CallPlaced(call_id=which):
            return _with_call(state, which, placed=True), []
        case CallAnswered(call_id=which):
            return _with_call(state, which, answered=True), []
        case KeyPressed():
            state, actions = _on_key(state, event, now_ms)
        case CallEnded():
            state, actions = _on_end(state, event, points, now_ms)
        case LineBack():
            state, actions = state.model_copy(update={"not_before_ms": 0, "losses": 0}), []
        case LeakAgain():
            state, actions = _anew(state, points, now_ms), []
        case WorkDone():
            state, actions = _finish(state, "work_done", now_ms)
        case TimePassed():
            actions = []
    state, more = _go_on(state, points, now_ms)
    return state, actions + more


def due_ms(state: LadderState, points: LadderPoints) -> int | None:
    """When something may be due next (Unix ms), None when only an event can move the ladder."""
    if state.over:
        return None
    moments = [state.started_ms + points.over_after_ms]
    if state.human_due_ms is not None:
        moments.append(state.human_due_ms)
    if len(state.calls) < state.lines:
        moments += [_may_ring_ms(state, who, points) for who in _candidates(state)]
    return min(moments)


# -- the rules ---------------------------------------------------------------------------------------------------------


def _go_on(state: LadderState, points: LadderPoints, now_ms: int) -> Step:
    actions: list[LadderAction] = []
    if state.over:
        return state, actions
    if all(person.struck for person in state.people):
        state, actions = _finish(state, "nobody_to_call", now_ms)
        return state, [*actions, RaiseTask("nobody_to_call", str(state.started_ms))]
    if state.human_due_ms is not None and now_ms >= state.human_due_ms:
        actions.append(RaiseTask("nobody_confirmed", str(state.started_ms)))
        state = state.model_copy(update={"human_due_ms": None})
    if now_ms >= state.started_ms + points.over_after_ms:
        state, more = _finish(state, "given_up", now_ms)
        return state, actions + more
    while len(state.calls) < state.lines:
        who = next((p for p in _candidates(state) if _may_ring_ms(state, p, points) <= now_ms), None)
        if who is None:
            break
        state, ring = _ring(state, who, now_ms)
        actions.append(ring)
    return state, actions


def _candidates(state: LadderState) -> list[int]:
    """People who are not out and not on the phone, the one after the last rung first; only him who is owed a call back, if any."""
    busy = {call.person for call in state.calls}
    if state.call_back is not None and not state.people[state.call_back].struck:
        return [] if state.call_back in busy else [state.call_back]
    count = len(state.people)
    around = ((state.turn + 1 + step) % count for step in range(count))
    return [who for who in around if who not in busy and not state.people[who].struck]


def _may_ring_ms(state: LadderState, who: int, points: LadderPoints) -> int:
    person = state.people[who]
    earliest = state.not_before_ms
    if person.tried_ms:
        earliest = max(earliest, person.tried_ms[-1] + points.again_after_ms)
    if person.ended_ms is not None:
        earliest = max(earliest, person.ended_ms + points.breath_ms)
    if len(person.tried_ms) >= points.an_hour:
        earliest = max(earliest, person.tried_ms[-points.an_hour] + _HOUR_MS)
    return earliest


def _ring(state: LadderState, who: int, now_ms: int) -> tuple[LadderState, Ring]:
    attempt = state.attempt + 1
    this = call_id(state.incident_id, attempt)
    person = state.people[who]
    rung = person.model_copy(update={"tried_ms": (*person.tried_ms[-19:], now_ms)})
    call = CallUnderWay(call_id=this, attempt=attempt, person=who)
    state = state.model_copy(
        update={
            "attempt": attempt,
            "turn": who,
            "call_back": None if state.call_back == who else state.call_back,
            "people": _replaced(state.people, who, rung),
            "calls": (*state.calls, call),
        }
    )
    return state, Ring(this, attempt, person.contact)


def _sent(state: LadderState, which: UUID, now_ms: int) -> LadderState:
    """Gaps count from when the call went out, not from when it began to wait for a line."""
    call = _find(state, which)
    if call is None:
        return state
    person = state.people[call.person]
    sent = person.model_copy(update={"tried_ms": (*person.tried_ms[:-1], now_ms)})
    return state.model_copy(update={"people": _replaced(state.people, call.person, sent)})


def _on_key(state: LadderState, event: KeyPressed, now_ms: int) -> Step:
    call = _find(state, event.call_id)
    if call is None or event.digit not in (KEY_OUT, KEY_HELP, KEY_WRONG_HOME):
        return state, []
    state = _with_call(state, call.call_id, key=event.digit)
    contact = state.people[call.person].contact
    if event.digit == KEY_WRONG_HOME:
        struck = state.people[call.person].model_copy(update={"struck": True})
        state = state.model_copy(update={"people": _replaced(state.people, call.person, struck)})
        return state, [RaiseTask("registry_error", contact.phone, contact)]
    if event.digit == KEY_OUT:
        # Whoever asked for help before still needs it.
        return (state, []) if state.outcome == "help_needed" else _finish(state, "confirmed", now_ms)
    state, actions = _finish(state, "help_needed", now_ms)
    return state, [*actions, NeedsHelp(), RaiseTask("help_needed", str(state.started_ms), contact)]


def _on_end(state: LadderState, event: CallEnded, points: LadderPoints, now_ms: int) -> Step:
    call = _find(state, event.call_id)
    if call is None:
        return state, []
    end = event.end
    outcome = outcome_of(end, call.key, points.heard_s)
    person = state.people[call.person]
    changes: dict[str, object] = {"calls": tuple(c for c in state.calls if c.call_id != call.call_id)}
    actions: list[LadderAction] = [Close(call.call_id, outcome)]
    if end.reason == WITHDRAWN or (is_our_loss(end) and not call.placed and not call.answered):
        person = person.model_copy(update={"tried_ms": person.tried_ms[:-1]})  # nothing rang: the try does not count
    if is_our_loss(end):
        pause = min(points.retry_ms << min(state.losses, 8), _LONGEST_RETRY_MS)
        # We lost the call, or cannot know: this person is tried again soon.
        changes |= {"not_before_ms": now_ms + pause, "losses": state.losses + 1, "turn": call.person - 1}
    else:
        person = person.model_copy(update={"ended_ms": now_ms})
        changes |= {"losses": 0, "not_before_ms": 0}
    if outcome == "heard_unconfirmed" and state.call_back is None:
        changes["call_back"] = call.person
    if end.reason in ("bad_address", "simulated_mismatch"):
        person = person.model_copy(update={"struck": True})
        actions.append(RaiseTask("registry_error", person.contact.phone, person.contact))
    changes["people"] = _replaced(state.people, call.person, person)
    return state.model_copy(update=changes), actions


def _anew(state: LadderState, points: LadderPoints, now_ms: int) -> LadderState:
    """The ladder from its first contact on, if it was over. Gaps and hourly counts stay; a wrong home stays a wrong home."""
    if not state.over:
        return state
    if state.outcome in ("confirmed", "help_needed") and now_ms < (state.over_ms or 0) + points.confirmed_holds_ms:
        return state
    return state.model_copy(
        update={
            "outcome": "calling",
            "over_ms": None,
            "started_ms": now_ms,
            "human_due_ms": now_ms + points.human_after_ms,
            "turn": -1,
            "call_back": None,
            "not_before_ms": 0,
            "losses": 0,
        }
    )


def _finish(state: LadderState, outcome: LadderOutcome, now_ms: int) -> Step:
    """Nobody is rung any more; calls that nobody answered yet are given up, a conversation is heard to its end."""
    ringing: list[LadderAction] = [HangUp(call.call_id) for call in state.calls if not call.answered and call.key is None]
    if state.over and outcome not in ("help_needed", "work_done"):
        return state, ringing
    return state.model_copy(update={"outcome": outcome, "over_ms": now_ms, "human_due_ms": None}), ringing


def _find(state: LadderState, which: UUID) -> CallUnderWay | None:
    return next((call for call in state.calls if call.call_id == which), None)


def _with_call(state: LadderState, which: UUID, **changes: object) -> LadderState:
    calls = tuple(call.model_copy(update=changes) if call.call_id == which else call for call in state.calls)
    return state.model_copy(update={"calls": calls})


def _replaced(people: tuple[Person, ...], who: int, person: Person) -> tuple[Person, ...]:
    return (*people[:who], person, *people[who + 1 :])
