"""The ladders under way: turns what the ladder decides into calls, and what the telephone reports into events of the ladder.

Everything happens in memory and at once; rows follow behind (``call_records``). The words are made at the moment of the call, and made
again when what is known of the valve changes. Refuses to ring any address of the other world.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Coroutine, Iterable
from typing import Any, Final, Protocol
from uuid import UUID

import structlog

from core.clock import Clock
from core.station import OrderMessage, ValveKnowledge
from dispatch import metrics
from dispatch.call_records import CallRecord, CallRecords, LadderRow
from dispatch.judgement import ladder, ladder_state
from dispatch.judgement.call_outcome import End
from dispatch.judgement.contacts import calling_order, may_ring
from dispatch.judgement.priority import FIRST
from dispatch.live_ladder import LiveLadder, task_for_desk
from dispatch.settings import DispatchSettings
from dispatch.tasks import Desk
from dispatch.voice.protocol import Answered, CallRequest, Ended, Key, Placed, Ringing, Spoken, VoiceEvent

_KEPT_OVER: Final = 2_000
"""Ladders that are over and stay in memory, for a leak that comes again."""
_KEPT_STRAYS: Final = 2_000
_LOOK_AGAIN_S: Final = 5.0


class Telephone(Protocol):
    """What the switchboard needs of the voice worker's client."""

    async def place(self, call: CallRequest) -> None: ...
    async def reword(self, call_id: str, text: str) -> None: ...
    async def hangup(self, call_id: str) -> None: ...


class Switchboard:
    """All ladders of this process. Call it from its event loop only."""

    def __init__(self, settings: DispatchSettings, clock: Clock, telephone: Telephone, records: CallRecords, desk: Desk) -> None:
        self._settings = settings
        self._points = settings.ladder_points()
        self._clock = clock
        self._telephone = telephone
        self._records = records
        self._desk = desk
        self._ladders: dict[UUID, LiveLadder] = {}
        self._over: OrderedDict[UUID, None] = OrderedDict()
        self._calls: dict[UUID, CallRecord] = {}
        self._strays: OrderedDict[UUID, list[VoiceEvent]] = OrderedDict()
        self._due: list[tuple[int, UUID]] = []
        self._moved = asyncio.Event()
        self._asked: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()

    # -- what the station says -----------------------------------------------------------------------------------------

    def begin(self, message: OrderMessage) -> bool:
        """Start the ladder of an incident, its first call included; False when there is one already or nobody is to be rung."""
        if not message.call or message.home is None or message.incident_id in self._ladders:
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
        live = LiveLadder(facts=message, valve=message.valve, valve_ms=message.at_ms, ladder=state)
        self._ladders[message.incident_id] = live
        self._carry_out(live, actions)
        return True

    def knows(self, incident_id: UUID) -> bool:
        """Whether this incident's ladder is in memory, over or not."""
        return incident_id in self._ladders

    def valve(self, incident_id: UUID, valve: ValveKnowledge, at_ms: int) -> None:
        """What is known of the valve changed: calls under way are worded anew from their next sentence on."""
        live = self._ladders.get(incident_id)
        if live is None or at_ms < live.valve_ms:
            return
        live.valve, live.valve_ms = valve, at_ms
        for call in live.ladder.calls:
            self._ask(self._telephone.reword(str(call.call_id), live.words(self._settings.language)))
        self._save(live)

    def leak_again(self, incident_id: UUID) -> None:
        """Gas leaks anew: the ladder begins anew if it was over."""
        self._event(incident_id, ladder_state.LeakAgain())

    def work_done(self, incident_id: UUID) -> None:
        """The place is made safe: nobody is rung any more."""
        self._event(incident_id, ladder_state.WorkDone())

    def line_back(self) -> None:
        """The telephone is there again."""
        for incident_id in [i for i, live in self._ladders.items() if not live.ladder.over]:
            self._event(incident_id, ladder_state.LineBack())

    def row(self, incident_id: UUID) -> LadderRow | None:
        """The ladder as it is to be kept."""
        live = self._ladders.get(incident_id)
        return None if live is None else live.row(self._points)

    # -- after a restart -----------------------------------------------------------------------------------------------

    def resume(self, ladders: Iterable[LiveLadder], calls: Iterable[CallRecord]) -> None:
        """Go on with ladders of an earlier life of this process.

        A call that may still be under way is asked for again by its own id, which never rings twice; one that is older than any call can
        be is closed as lost. What the telephone reported before now is made good.
        """
        records = {record.call_id: record for record in calls}
        for live in ladders:
            here = self._ladders.get(live.facts.incident_id)
            if here is not None and here.ladder.attempt > live.ladder.attempt:
                continue
            self._ladders[live.facts.incident_id] = live
            for call in live.ladder.calls:
                record = records.pop(call.call_id, None) or live.record(
                    ladder_state.Ring(call.call_id, call.attempt, live.ladder.people[call.person].contact),
                    self._settings.language,
                    self._clock.now_ms(),
                )
                self._calls[call.call_id] = record
                self._take_up(live, record)
            self._event(live.facts.incident_id, ladder_state.TimePassed())
        for record in records.values():
            if record.call_id not in self._calls:
                self._close(record, "worker_lost")

    def _take_up(self, live: LiveLadder, record: CallRecord) -> None:
        longest_ms = 1000 * (self._settings.ring_s + self._settings.call_max_s + 30)
        if self._clock.now_ms() - record.requested_ms > longest_ms:
            lost = End(answered=False, ended_by="never_connected", reason="worker_lost")
            self._event(record.incident_id, ladder_state.CallEnded(record.call_id, lost))
            return
        for event in self._strays.pop(record.call_id, []):
            self.heard(event)
        if record.call_id in self._calls:
            self._place(live, record)

    # -- what the telephone says ---------------------------------------------------------------------------------------

    def heard(self, event: VoiceEvent) -> None:
        """Take a report of the voice worker."""
        which = UUID(event.call_id)
        record = self._calls.get(which)
        if record is None:
            self._keep_stray(which, event)
            return
        told: ladder_state.LadderEvent | None = None
        match event:
            case Placed():
                record.placed_ms = event.at_ms
                told = ladder_state.CallPlaced(which)
                self._measure(record)
            case Ringing():
                record.ringing_ms = event.at_ms
            case Answered():
                record.answered_ms = event.at_ms
                told = ladder_state.CallAnswered(which)
            case Spoken():
                record.spoken(event.text)
            case Key():
                record.key, record.key_ms = event.digit[:4], event.at_ms
                told = ladder_state.KeyPressed(which, event.digit)
            case Ended():
                record.ended_ms, record.sip_code, record.q850_cause = event.at_ms, event.sip_code, event.q850_cause
                record.cause_source, record.reason = event.cause_source, event.reason
                end = End(event.answered, event.ended_by, event.reason, event.spoken_s)
                told = ladder_state.CallEnded(which, end)
        self._records.call(record)
        if told is not None:
            self._event(record.incident_id, told)

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
            # Due times are wall time, sleep is not: looked at again soon, so that a step of the wall clock delays nothing for long.
            await self._until(min(_LOOK_AGAIN_S, (self._due[0][0] - now_ms) / 1000) if self._due else None)

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
                    self._ask(self._telephone.hangup(str(which)))
                case ladder_state.Close(call_id=which, outcome=outcome):
                    if which in self._calls:
                        self._close(self._calls[which], outcome)
                case ladder_state.RaiseTask() if live.facts.order_kind != "canary":
                    self._desk.raise_task(task_for_desk(live.facts, action))
                case ladder_state.NeedsHelp():
                    self._desk.raise_priority(live.facts.incident_id, FIRST)
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
        self._calls[ring.call_id] = record
        metrics.CALLS_UNDER_WAY.set(len(self._calls))
        self._records.call(record)
        self._place(live, record)

    def _place(self, live: LiveLadder, record: CallRecord) -> None:
        request = CallRequest(
            call_id=str(record.call_id),
            address=record.address,
            simulated=live.facts.simulated,
            language=live.language(self._settings.language),
            ring_s=self._settings.ring_s,
            max_s=self._settings.call_max_s,
            text=live.words(self._settings.language),
        )
        self._ask(self._telephone.place(request))

    def _close(self, record: CallRecord, outcome: str) -> None:
        record.outcome = outcome
        if record.ended_ms is None:
            record.ended_ms = self._clock.now_ms()
        self._calls.pop(record.call_id, None)
        self._records.call(record)
        metrics.CALLS.labels(outcome).inc()
        metrics.CALLS_UNDER_WAY.set(len(self._calls))

    def _remember(self, live: LiveLadder) -> None:
        incident_id = live.facts.incident_id
        if live.ladder.over and not live.ladder.calls:
            self._over[incident_id] = None
            while len(self._over) > _KEPT_OVER:
                self._ladders.pop(self._over.popitem(last=False)[0], None)
        else:
            self._over.pop(incident_id, None)
        metrics.LADDERS.set(len(self._ladders) - len(self._over))

    def _save(self, live: LiveLadder) -> None:
        self._records.ladder(live.row(self._points))

    def _measure(self, record: CallRecord) -> None:
        live = self._ladders.get(record.incident_id)
        if record.attempt == 1 and live is not None and record.placed_ms is not None:
            metrics.CALL_PLACED.observe(max(0, record.placed_ms - live.facts.received_ms) / 1000)

    def _keep_stray(self, which: UUID, event: VoiceEvent) -> None:
        """Reports of calls of an earlier life come before its ladders are read again."""
        self._strays.setdefault(which, []).append(event)
        while len(self._strays) > _KEPT_STRAYS:
            self._strays.popitem(last=False)

    def _ask(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(asking)
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
