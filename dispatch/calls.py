"""The calls between asking and end: their records, the telephone lines that they wait for, and what the telephone said of them.

A call waits for a line in the order of ``lines``; without a telephone all wait and none is lost to it. Refuses to know whom to ring and
what an end means: that is the ladder's.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Protocol
from uuid import UUID

from core.clock import Clock
from dispatch import metrics
from dispatch.call_records import CallRecord, CallRecords
from dispatch.judgement import ladder_state
from dispatch.judgement.call_outcome import End
from dispatch.lines import Lines, Rank
from dispatch.settings import DispatchSettings
from dispatch.voice.protocol import (
    Answered,
    CallRequest,
    Ended,
    HangupRequest,
    Key,
    Language,
    Placed,
    Ringing,
    Spoken,
    VoiceEvent,
    VoiceRequest,
    WordingRequest,
)

_KEPT_STRAYS: Final = 2_000
_KEPT_CLOSED: Final = 20_000
"""Calls that ended in this life: a row that says otherwise was read before it was written."""


class Telephone(Protocol):
    """What is needed of the voice worker's client."""

    @property
    def connected(self) -> bool: ...

    def ask(self, request: VoiceRequest) -> None: ...


class Calls:
    """All calls under way. Call it from its event loop only."""

    def __init__(self, settings: DispatchSettings, clock: Clock, telephone: Telephone, records: CallRecords) -> None:
        self._settings = settings
        self._clock = clock
        self._telephone = telephone
        self._records = records
        self._lines = Lines(settings.max_concurrent_calls)
        self._calls: dict[UUID, CallRecord] = {}
        self._closed: OrderedDict[UUID, None] = OrderedDict()
        self._strays: OrderedDict[UUID, list[VoiceEvent]] = OrderedDict()
        self._longest_ms = 1000 * (settings.ring_s + settings.call_max_s + 30)

    def __contains__(self, call_id: object) -> bool:
        return call_id in self._calls

    def get(self, call_id: UUID) -> CallRecord | None:
        """The record of a call under way."""
        return self._calls.get(call_id)

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, record: CallRecord, rank: Rank) -> None:
        """A new call, which waits for a line. In an exercise, one beyond the number that it names never gets one."""
        self._calls[record.call_id] = record
        metrics.CALLS_UNDER_WAY.set(len(self._calls))
        self._records.call(record)
        most = self._settings.exercise_most_calls
        if most is None or not record.simulated or self._lines.busy + self._lines.waiting < most:
            self._lines.want(record.call_id, rank)

    def rank(self, call_id: UUID, rank: Rank) -> bool:
        """How urgent a call is that waits for a line; False when it does not wait."""
        if not self._lines.waits(call_id):
            return False
        self._lines.want(call_id, rank)
        return True

    def give_line(self) -> CallRecord | None:
        """The call that gets a line now; None when none waits, no line is free or no telephone is there."""
        metrics.CALLS_WAITING.set(self._lines.waiting)
        while self._telephone.connected and (which := self._lines.next(self._clock.now_ms())) is not None:
            if which in self._calls:
                return self._calls[which]
            self._lines.let_go(which)
        return None

    def place(self, record: CallRecord, language: Language, text: str, *, known: bool = False) -> None:
        """Have the telephone make this call; one that it is said to have is only taken up, and rings nobody anew."""
        request = CallRequest(
            call_id=str(record.call_id),
            address=record.address,
            simulated=record.simulated,
            language=language,
            ring_s=self._settings.ring_s,
            max_s=self._settings.call_max_s,
            text=text,
            known=known,
        )
        self._telephone.ask(request)

    def reword(self, call_id: UUID, text: str) -> None:
        """Speak this from the next sentence on."""
        self._telephone.ask(WordingRequest(call_id=str(call_id), text=text))

    def hang_up(self, call_id: UUID) -> bool:
        """End the call; False when it waits for a line, so that there is nothing to hang up."""
        if self._lines.waits(call_id):
            return False
        self._telephone.ask(HangupRequest(call_id=str(call_id)))
        return True

    # -- hearing -------------------------------------------------------------------------------------------------------

    def heard(self, event: VoiceEvent) -> tuple[CallRecord, ladder_state.LadderEvent | None] | None:
        """Write down what the telephone said; the call, and what the ladder is to be told. None of a call that is not known (yet)."""
        which = UUID(event.call_id)
        record = self._calls.get(which)
        if record is None:
            # Reports of calls of an earlier life come before its ladders are read again.
            self._strays.setdefault(which, []).append(event)
            while len(self._strays) > _KEPT_STRAYS:
                self._strays.popitem(last=False)
            return None
        told = _note(record, event)
        self._records.call(record, lasting=not isinstance(event, Ringing | Spoken))
        return record, told

    def close(self, record: CallRecord, outcome: str) -> None:
        """The call is over; its line is free."""
        record.outcome = outcome
        if record.ended_ms is None:
            record.ended_ms = self._clock.now_ms()
        self._calls.pop(record.call_id, None)
        self._closed[record.call_id] = None
        while len(self._closed) > _KEPT_CLOSED:
            self._closed.popitem(last=False)
        self._records.call(record)
        metrics.CALLS.labels(outcome).inc()
        metrics.CALLS_UNDER_WAY.set(len(self._calls))
        self._lines.let_go(record.call_id)

    def overdue(self, now_ms: int) -> CallRecord | None:
        """A call that is older than any call can be: it was lost without a word."""
        while (since := self._lines.oldest_ms()) is not None and now_ms - since > self._longest_ms:
            which = self._lines.oldest()
            if which in self._calls:
                return self._calls[which]
            if which is not None:
                self._lines.let_go(which)
        return None

    @property
    def busy(self) -> bool:
        """Whether any call has a line."""
        return self._lines.busy > 0

    # -- after a restart -----------------------------------------------------------------------------------------------

    def not_ended(self, calls: Iterable[CallRecord]) -> dict[UUID, CallRecord]:
        """Of calls as they were kept, those that this life has not seen end."""
        return {call.call_id: call for call in calls if call.outcome == "under_way" and call.call_id not in self._closed}

    def resume(self, record: CallRecord) -> list[VoiceEvent]:
        """Know a call of an earlier life; what the telephone said of it since."""
        self._calls[record.call_id] = record
        metrics.CALLS_UNDER_WAY.set(len(self._calls))
        return self._strays.pop(record.call_id, [])

    def too_old(self, record: CallRecord) -> bool:
        """Whether no call can be under way for so long."""
        return self._clock.now_ms() - (record.placed_ms or record.requested_ms) > self._longest_ms

    def go_on(self, record: CallRecord, rank: Rank, *, sent: bool) -> bool:
        """A call of an earlier life has its line already if it was sent; else it waits for one. Whether it has one."""
        if sent:
            self._lines.hold(record.call_id, self._clock.now_ms())
        else:
            self._lines.want(record.call_id, rank)
        return sent


def end_of(event: Ended) -> End:
    """How the call ended."""
    return End(event.answered, event.ended_by, event.reason, event.spoken_s)


def _note(record: CallRecord, event: VoiceEvent) -> ladder_state.LadderEvent | None:
    which = record.call_id
    match event:
        case Placed():
            record.placed_ms = event.at_ms
            return ladder_state.CallPlaced(which)
        case Ringing():
            record.ringing_ms = event.at_ms
        case Answered():
            record.answered_ms = event.at_ms
            return ladder_state.CallAnswered(which)
        case Spoken():
            record.spoken(event.text)
        case Key():
            record.key, record.key_ms = event.digit[:4], event.at_ms
            return ladder_state.KeyPressed(which, event.digit)
        case Ended():
            record.ended_ms, record.sip_code, record.q850_cause = event.at_ms, event.sip_code, event.q850_cause
            record.cause_source, record.reason = event.cause_source, event.reason
            return ladder_state.CallEnded(which, end_of(event))
    return None
