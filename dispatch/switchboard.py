"""The ladders under way: turns what the ladder decides into calls, and what the telephone reports into events of the ladder.

Everything happens in memory and at once; rows follow behind (``call_records``). There are only so many telephone lines: a call waits
for one in the order of ``lines``. The words are made at the moment of the call, and made again when what is known of valve or room
changes. Refuses to ring any address of the other world.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import structlog

from core.clock import Clock
from core.station import OrderMessage, ValveMessage
from dispatch import metrics
from dispatch.call_records import CallRecord, CallRecords, LadderRow
from dispatch.calls import Calls, Telephone, end_of
from dispatch.judgement import ladder, ladder_state
from dispatch.judgement.answers import Answers
from dispatch.judgement.call_outcome import WITHDRAWN, End, outcome_of
from dispatch.judgement.contacts import calling_order, may_ring
from dispatch.judgement.priority import FIRST
from dispatch.live_ladder import LiveLadder, place_of, task_for_desk
from dispatch.places import Places
from dispatch.settings import DispatchSettings
from dispatch.tasks import Desk
from dispatch.voice.protocol import Ended, Placed, VoiceEvent

_KEPT_OVER: Final = 2_000
"""Ladders that are over and stay in memory, for a leak that comes again."""
_LOOK_AGAIN_S: Final = 5.0
_LATE_MS: Final = 1_000
"""A call that waited longer for its line is counted from when it went out."""


class Switchboard:
    """All ladders of this process. Call it from its event loop only."""

    def __init__(self, settings: DispatchSettings, clock: Clock, telephone: Telephone, records: CallRecords, desk: Desk) -> None:
        self._settings = settings
        self._points = settings.ladder_points()
        self._clock = clock
        self._records = records
        self._desk = desk
        self._calls = Calls(settings, clock, telephone, records)
        self._places = Places()
        self._ladders: dict[UUID, LiveLadder] = {}
        self._over: OrderedDict[UUID, None] = OrderedDict()
        self._due: list[tuple[int, UUID]] = []
        self._moved = asyncio.Event()
        self._giving = False
        self._log = structlog.get_logger()

    # -- what the station says -----------------------------------------------------------------------------------------

    def begin(self, message: OrderMessage) -> bool:
        """Start the ladder of an incident, its first call included; False when there is one already or nobody is to be rung.

        An incident of a place whose ladder is under way joins it: to its people it is a leak again.
        """
        if not message.call or message.home is None or self.knows(message.incident_id):
            return False
        running = self._places.at(place_of(message))
        if running is not None:
            self.join(message.incident_id, running)
            self.news(message.incident_id, Answers.of(message), message.at_ms)
            self.leak_again(running, message.at_ms)
            return False
        home = message.home
        order = calling_order(home.contacts, home.flags, simulated=message.simulated, exclude=message.exclude_phone)
        for contact in order.refused:
            self._log.error("address of another world refused", incident=str(message.incident_id), simulated=message.simulated)
            self._desk.raise_task(task_for_desk(message, ladder_state.RaiseTask("registry_error", contact.phone, contact)))
        if not order.people and message.exclude_phone is not None:
            return False  # the one person whom we know is the one who reported it
        now_ms = self._clock.now_ms()
        state, actions = ladder.start(message.incident_id, order.people, order.lines, self._points, now_ms)
        live = LiveLadder(facts=message, answers=Answers.of(message), said_ms=message.at_ms, ladder=state)
        self._admit(live)
        self._carry_out(live, actions)
        return True

    def knows(self, incident_id: UUID) -> bool:
        """Whether a ladder that serves this incident is in memory, over or not."""
        return self._places.served_by(incident_id) in self._ladders

    def incidents(self) -> list[UUID]:
        """The incidents whose ladders are in memory."""
        return list(self._ladders)

    def join(self, alias: UUID, incident_id: UUID) -> None:
        """Both ids are one incident of one place. Whichever has a ladder serves both; where each has one, each keeps its own."""
        if self.knows(alias) and not self.knows(incident_id):
            alias, incident_id = incident_id, alias
        live = self._ladder(incident_id)
        if live is None or self.knows(alias):
            return
        live.aliases = (*live.aliases, alias)
        self._places.join(alias, live.incident_id)
        self._save(live)

    def valve(self, message: ValveMessage) -> None:
        """What is known of valve or room changed: calls under way are worded anew from their next sentence on."""
        self.news(message.incident_id, Answers.of(message), message.at_ms)

    def news(self, incident_id: UUID, answers: Answers, at_ms: int) -> None:
        """The answers of the valve as the line had them at ``at_ms`` (Unix ms); older ones than those known change nothing."""
        live = self._ladder(incident_id)
        if live is None or at_ms < live.said_ms:
            return
        now_ms = self._clock.now_ms()
        before = live.words(self._settings.language, now_ms)
        live.answers, live.said_ms = answers, at_ms
        words = live.words(self._settings.language, now_ms)
        for call in live.ladder.calls:
            if not self._calls.rank(call.call_id, _rank(live, call.attempt)) and words != before:
                self._calls.reword(call.call_id, words)
        self._save(live)

    def leak_again(self, incident_id: UUID, at_ms: int) -> None:
        """Gas leaks anew, as the line said at ``at_ms`` (Unix ms): the ladder begins anew if it was over. What was said before is old."""
        live = self._ladder(incident_id)
        if live is None or at_ms <= live.leak_ms:
            return
        live.leak_ms, live.archived = at_ms, False
        self._places.open(live.place, live.incident_id)
        self._event(live.incident_id, ladder_state.LeakAgain())

    def work_done(self, incident_id: UUID, *, archived: bool = False) -> None:
        """The place is made safe: nobody is rung any more. Once its order is ``archived``, another leak there is another incident's."""
        live = self._ladder(incident_id)
        if live is None:
            return
        if archived:
            live.archived = True
            self._places.close(live.place, live.incident_id)
        self._event(live.incident_id, ladder_state.WorkDone())

    def line_back(self) -> None:
        """The telephone is there again."""
        for incident_id in [i for i, live in self._ladders.items() if not live.ladder.over]:
            self._event(incident_id, ladder_state.LineBack())
        self._give_lines()

    def row(self, incident_id: UUID) -> LadderRow | None:
        """The ladder that serves this incident, as it is to be kept."""
        live = self._ladder(incident_id)
        return None if live is None else live.row(self._points)

    # -- after a restart -----------------------------------------------------------------------------------------------

    def resume(self, ladders: Iterable[LiveLadder], calls: Iterable[CallRecord]) -> None:
        """Go on with ladders of an earlier life of this process; of one that is here already, only if it is a newer copy.

        A call that went out is taken up by its own id and never rings twice; where the telephone does not know it, or it is older than any
        call can be, it is lost, and the ladder's gaps hold. What the telephone reported before now is made good.
        """
        records = self._calls.not_ended(calls)
        for live in ladders:
            here = self._ladders.get(live.incident_id)
            if here is not None and here.revision >= live.revision:
                continue
            self._admit(live)
            for call in live.ladder.calls:
                record = records.pop(call.call_id, None) or self._calls.get(call.call_id)
                if record is None:
                    ring = ladder_state.Ring(call.call_id, call.attempt, live.contact(call.person))
                    record = live.record(ring, self._settings.language, self._clock.now_ms())
                self._take_up(live, record, sent=call.placed or call.answered)
            self._event(live.incident_id, ladder_state.TimePassed())
        for record in records.values():
            if record.call_id not in self._calls:
                self._calls.close(record, "worker_lost")
        self._give_lines()

    def _take_up(self, live: LiveLadder, record: CallRecord, *, sent: bool) -> None:
        for event in self._calls.resume(record):
            self.heard(event)
        if record.call_id not in self._calls:
            return
        if self._calls.too_old(record):
            self._lose(record)
        elif self._calls.go_on(record, _rank(live, record.attempt), sent=sent):
            self._place(live, record, known=True)

    # -- what the telephone says ---------------------------------------------------------------------------------------

    def heard(self, event: VoiceEvent) -> None:
        """Take a report of the voice worker."""
        found = self._calls.heard(event)
        if found is None:
            return
        record, told = found
        if isinstance(event, Placed):
            self._measure(record)
        if told is not None:
            self._event(record.incident_id, told)
        if isinstance(event, Ended) and record.call_id in self._calls:
            # Its ladder does not know it: a copy of another life has taken the ladder's place.
            self._calls.close(record, outcome_of(end_of(event), record.key, self._points.heard_s))
            self._give_lines()

    async def keep_time(self) -> None:
        """Wake the ladders when they are due, for ever."""
        while True:
            self._moved.clear()
            now_ms = self._clock.now_ms()
            while self._due and self._due[0][0] <= now_ms:
                _, incident_id = heapq.heappop(self._due)
                live = self._ladders.get(incident_id)
                due = None if live is None else ladder.due_ms(live.ladder, self._points)
                if due is not None and due <= now_ms:
                    self._event(incident_id, ladder_state.TimePassed())
            while (lost := self._calls.overdue(now_ms)) is not None:
                self._lose(lost)
            # Due times are wall time, sleep is not: looked at again soon, so that a step of the wall clock delays nothing for long.
            soon = (self._due[0][0] - now_ms) / 1000 if self._due else _LOOK_AGAIN_S
            await self._until(min(_LOOK_AGAIN_S, soon) if self._due or self._calls.busy else None)

    async def _until(self, seconds: float | None) -> None:
        waits: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._moved.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # -- within --------------------------------------------------------------------------------------------------------

    def _ladder(self, incident_id: UUID) -> LiveLadder | None:
        """The ladder that serves this incident."""
        return self._ladders.get(self._places.served_by(incident_id))

    def _admit(self, live: LiveLadder) -> None:
        """Take a ladder into memory."""
        self._ladders[live.incident_id] = live
        for alias in live.aliases:
            self._places.join(alias, live.incident_id)
        if not live.archived:
            self._places.open(live.place, live.incident_id)

    def _event(self, incident_id: UUID, event: ladder_state.LadderEvent) -> None:
        live = self._ladders.get(incident_id)
        if live is None:
            return
        live.ladder, actions = ladder.on_event(live.ladder, event, self._points, self._clock.now_ms())
        self._carry_out(live, actions)

    def _carry_out(self, live: LiveLadder, actions: list[ladder_state.LadderAction]) -> None:
        for action in actions:
            match action:
                case ladder_state.Ring():
                    self._ring(live, action)
                case ladder_state.HangUp(call_id=which):
                    self._hang_up(live, which)
                case ladder_state.Close(call_id=which, outcome=outcome):
                    if (record := self._calls.get(which)) is not None:
                        self._calls.close(record, outcome)
                case ladder_state.RaiseTask():
                    self._desk.raise_task(task_for_desk(live.facts, action))
                case ladder_state.NeedsHelp():
                    self._desk.raise_priority(live.facts.incident_id, FIRST)
        self._give_lines()
        self._remember(live)
        self._save(live)
        due = ladder.due_ms(live.ladder, self._points)
        if due is not None:
            heapq.heappush(self._due, (due, live.facts.incident_id))
            self._moved.set()

    def _ring(self, live: LiveLadder, ring: ladder_state.Ring) -> None:
        if not may_ring(ring.contact.phone, simulated=live.facts.simulated):
            # Unreachable by the calling order; kept as the last lock before the telephone.
            lost = End(answered=False, ended_by="never_connected", reason="simulated_mismatch")
            self._event(live.facts.incident_id, ladder_state.CallEnded(ring.call_id, lost))
            return
        record = live.record(ring, self._settings.language, self._clock.now_ms())
        self._calls.ask(record, _rank(live, ring.attempt))

    def _give_lines(self) -> None:
        """Calls that wait get the lines that are free."""
        if self._giving:
            return  # whoever gives already goes on until no line is free
        self._giving = True
        try:
            self._give_each()
        finally:
            self._giving = False

    def _give_each(self) -> None:
        while (record := self._calls.give_line()) is not None:
            live = self._ladders.get(record.incident_id)
            if live is None:
                self._calls.close(record, "worker_lost")
                continue
            if self._clock.now_ms() - record.requested_ms > _LATE_MS:
                self._event(live.incident_id, ladder_state.CallSent(record.call_id))
            self._place(live, record)

    def _place(self, live: LiveLadder, record: CallRecord, *, known: bool = False) -> None:
        language = live.language(self._settings.language)
        self._calls.place(record, language, live.words(self._settings.language, self._clock.now_ms()), known=known)

    def _hang_up(self, live: LiveLadder, which: UUID) -> None:
        if not self._calls.hang_up(which):
            gone = End(answered=False, ended_by="never_connected", reason=WITHDRAWN)
            self._event(live.incident_id, ladder_state.CallEnded(which, gone))

    def _lose(self, record: CallRecord) -> None:
        lost = End(answered=False, ended_by="never_connected", reason="worker_lost")
        self._event(record.incident_id, ladder_state.CallEnded(record.call_id, lost))
        if record.call_id in self._calls:
            self._calls.close(record, "worker_lost")
            self._give_lines()

    def _remember(self, live: LiveLadder) -> None:
        incident_id = live.facts.incident_id
        if live.ladder.over and not live.ladder.calls:
            self._over[incident_id] = None
            while len(self._over) > _KEPT_OVER:
                self._forget(self._over.popitem(last=False)[0])
        else:
            self._over.pop(incident_id, None)
        metrics.LADDERS.set(len(self._ladders) - len(self._over))

    def _forget(self, incident_id: UUID) -> None:
        live = self._ladders.pop(incident_id, None)
        if live is not None:
            self._places.forget(live.place, incident_id, live.aliases)
            self._records.forget(incident_id)

    def _save(self, live: LiveLadder) -> None:
        live.revision += 1
        self._records.ladder(live.row(self._points))

    def _measure(self, record: CallRecord) -> None:
        live = self._ladders.get(record.incident_id)
        if record.attempt == 1 and live is not None and record.placed_ms is not None:
            metrics.CALL_PLACED.observe(max(0, record.placed_ms - live.facts.received_ms) / 1000)


def _rank(live: LiveLadder, attempt: int) -> tuple[int, int]:
    """Its place among those who wait for a line: a home that is rung on several lines at once has one turn with them."""
    return max(1, attempt - live.ladder.lines + 1), live.priority()
