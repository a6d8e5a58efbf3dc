"""One call from request to end: rings, speaks, listens for keys, says how it ended.

Everything that happens to a call comes through one queue of signals and is answered in one place, ``_follow``. Knows nothing of
incidents, of contacts, nor of the calls beside it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from baresip.events import Event, StackEvent

from core.clock import Clock
from dispatch.voice import causes, wording
from dispatch.voice.line import DialError, Leg, TelephoneNetwork
from dispatch.voice.protocol import (
    Answered,
    CallRequest,
    Ended,
    EndedBy,
    Key,
    Placed,
    Reason,
    Ringing,
    Spoken,
    VoiceEvent,
)
from dispatch.voice.recital import Recital
from dispatch.voice.route import Dial, route
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.speech.tone import alarm_tone
from dispatch.voice.speech.voice import BYTES_PER_SECOND, SpeechLostError, Voice
from dispatch.voice.tape import Tape

_AHEAD: Final = BYTES_PER_SECOND * 6 // 10
"""Bytes written ahead of the wire: a stall of the process shorter than this is not heard."""
_PIECE_GOES_S: Final = 0.2
_NO_ROOM_S: Final = 0.05
"""Until more is written: a third of what lies ahead has gone out by then; where there was no room, soon again."""

_CLOSING_S: Final = 3.0
_MEDIA_S: Final = 5.0
_MEDIA_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class _Signal:
    kind: Literal["ringing", "answered", "key", "closed", "hang_up", "time_over", "said"]
    text: str = ""


class PhoneCall:
    """One attempt to reach one person."""

    def __init__(
        self,
        request: CallRequest,
        network: TelephoneNetwork,
        voice: Voice,
        clock: Clock,
        settings: VoiceSettings,
        report: Callable[[VoiceEvent], None],
    ) -> None:
        self._request = request
        self._network = network
        self._voice = voice
        self._clock = clock
        self._settings = settings
        self._report = report
        self._recital = Recital(request.text)
        self._signals: asyncio.Queue[_Signal] = asyncio.Queue()
        self._leg: Leg | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._rang = False
        self._answered = False
        self._ended_by_us: Reason | None = None
        self._key_meaning: Reason | None = None
        self._closing_key = ""
        self._sent_bytes = 0
        self.tape = Tape()
        """What was said, from the answer on."""
        self._log = structlog.get_logger().bind(call_id=request.call_id)

    # -- asked by dispatch ---------------------------------------------------------------------------------------------

    def reword(self, text: str) -> None:
        """Speak ``text`` from the next sentence on."""
        self._recital.reword(text)
        self._prepare()

    def hang_up(self, reason: Literal["hangup_asked", "worker_stopping"] = "hangup_asked") -> None:
        """End the call now."""
        self._signals.put_nowait(_Signal("hang_up", reason))

    # -- life ----------------------------------------------------------------------------------------------------------

    async def run(self) -> Ended:
        """Make the call. Always returns how it ended; the ``ended`` itself is reported by the caller."""
        way = route(self._request.address, self._request.simulated, self._settings)
        if not isinstance(way, Dial):
            return self._ended(way.reason)
        try:
            self._leg = await self._network.dial(way.line, way.uri, self._on_stack_event)
        except DialError as error:
            self._log.error("dial failed", error=str(error))
            return self._ended("stack_failed")
        self._report(Placed(call_id=self._request.call_id, at_ms=self._clock.now_ms()))
        self._prepare()
        self._set_timer(self._settings.setup_s)
        try:
            return await self._follow(self._leg)
        finally:
            for task in (self._speaking, self._timer):
                if task is not None:
                    task.cancel()

    async def _follow(self, leg: Leg) -> Ended:
        while True:
            signal = await self._signals.get()
            match signal.kind:
                case "ringing" if not self._rang and not self._answered:
                    self._rang = True
                    self._report(Ringing(call_id=self._request.call_id, at_ms=self._clock.now_ms()))
                    self._set_timer(self._request.ring_s)
                case "answered" if not self._answered and self._ended_by_us is None:
                    self._answered = True
                    self.tape.begin(_real_s())
                    self._report(Answered(call_id=self._request.call_id, at_ms=self._clock.now_ms()))
                    self._set_timer(self._request.max_s)
                    self._say(self._recite(leg))
                    self._prepare_answers()
                case "key":
                    self._on_key(leg, signal.text)
                case "said":
                    await self._end("time_over" if self._key_meaning is None else self._key_meaning)
                case "hang_up":
                    await self._end("worker_stopping" if signal.text == "worker_stopping" else "hangup_asked")
                case "time_over":
                    if self._ended_by_us is not None:
                        # We hung up and the stack did not say so in time: the call is over for us.
                        return self._close("")
                    await self._end(self._timed_out())
                case "closed":
                    return self._close(signal.text)
                case _:
                    pass

    def _timed_out(self) -> Reason:
        if self._answered:
            return self._key_meaning or "time_over"
        return "no_answer" if self._rang else "no_ringing"

    def _on_key(self, leg: Leg, digit: str) -> None:
        self._report(Key(call_id=self._request.call_id, at_ms=self._clock.now_ms(), digit=digit))
        words = wording.AFTER_KEY.get(digit)
        if words is None or digit == self._closing_key or self._ended_by_us is not None:
            return
        self._closing_key = digit
        self._key_meaning = wording.MEANING[digit]
        self._say(self._confirm(leg, words[self._request.language]))

    async def _end(self, reason: Reason) -> None:
        if self._ended_by_us is not None or self._leg is None:
            return
        self._ended_by_us = reason
        self._silence()
        self._set_timer(_CLOSING_S)
        await self._leg.hang_up()

    def _close(self, text: str) -> Ended:
        self._silence()
        by_us = self._ended_by_us
        if not self._answered:
            cause = causes.cancelled(by_us) if by_us else causes.unconnected(text, rang=self._rang)
            return self._ended(by_us or causes.word(cause), cause)
        cause = causes.connected("" if by_us else text)
        if by_us is not None:
            return self._ended(by_us, cause, "us")
        return self._ended(self._key_meaning or "far_hung_up", cause, "far")

    def _ended(self, reason: Reason, cause: causes.Cause | None = None, ended_by: EndedBy = "never_connected") -> Ended:
        return Ended(
            call_id=self._request.call_id,
            at_ms=self._clock.now_ms(),
            answered=self._answered,
            ended_by=ended_by,
            reason=reason,
            sip_code=cause.sip_code if cause else None,
            q850_cause=cause.q850 if cause else None,
            cause_source=cause.source if cause else "none",
            spoken_s=round(self._sent_bytes / BYTES_PER_SECOND, 2),
        )

    def _on_stack_event(self, event: StackEvent) -> None:
        put = self._signals.put_nowait
        match event.event:
            case Event.CALL_RINGING | Event.CALL_PROGRESS:
                put(_Signal("ringing"))
            case Event.CALL_ESTABLISHED:
                put(_Signal("answered"))
            case Event.CALL_DTMF_START:
                put(_Signal("key", event.text or ""))
            case Event.CALL_CLOSED:
                put(_Signal("closed", event.text or ""))
            case _:
                pass

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()

        async def ring() -> None:
            await self._clock.sleep(seconds)
            self._signals.put_nowait(_Signal("time_over"))

        self._timer = asyncio.get_running_loop().create_task(ring())

    # -- speech --------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        coming = self._recital.peek()
        if coming is not None:
            self._voice.prepare(coming, self._request.language)

    def _prepare_answers(self) -> None:
        for words in wording.AFTER_KEY.values():
            self._voice.prepare(words[self._request.language], self._request.language)

    def _say(self, speech: Coroutine[Any, Any, None]) -> None:
        self._silence()
        self._speaking = asyncio.get_running_loop().create_task(speech)

    def _silence(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None
        if self._leg is not None and self._answered:
            self._sent_bytes -= min(self._leg.queued, self._sent_bytes)
            self._leg.hush()
            self.tape.cut(_real_s())

    async def _recite(self, leg: Leg) -> None:
        """Say the message pass after pass. What would not end within the call's time is not begun: the rest is left for a key."""
        settings = self._settings
        over = self._clock.monotonic() + self._request.max_s
        if not await self._media(leg):
            self._log.error("answered, but no sound can be sent")
            return
        await asyncio.sleep(settings.lead_in_s)  # sound runs in real time on any clock
        while True:
            sentence = self._recital.take()
            if sentence is None:
                await asyncio.sleep(settings.pass_gap_s)
                continue
            try:
                sound = await self._voice.render(sentence, self._request.language)
            except SpeechLostError as error:
                self._log.error("no speech, sounding a tone", error=str(error))
                await self._play(leg, alarm_tone())
                continue
            if self._clock.monotonic() + len(sound) / BYTES_PER_SECOND * settings.clock_rate > over:
                return
            self._report(Spoken(call_id=self._request.call_id, at_ms=self._clock.now_ms(), text=sentence))
            self._prepare()
            await self._play(leg, sound)
            await asyncio.sleep(settings.sentence_gap_s)

    async def _confirm(self, leg: Leg, words: str) -> None:
        try:
            sound = await self._voice.render(words, self._request.language)
        except SpeechLostError:
            sound = b""
        if sound:
            self._report(Spoken(call_id=self._request.call_id, at_ms=self._clock.now_ms(), text=words))
            await self._play(leg, sound)
        self._signals.put_nowait(_Signal("said"))

    @staticmethod
    async def _media(leg: Leg) -> bool:
        """Wait until sound can be sent; a call that never gets so far is left to its own time, for a key."""
        for _ in range(round(_MEDIA_S / _MEDIA_POLL_S)):
            if leg.ready:
                return True
            await asyncio.sleep(_MEDIA_POLL_S)
        return False

    async def _play(self, leg: Leg, sound: bytes) -> None:
        """Send ``sound`` at the pace of the wire; returns when the last of it went out."""
        at = 0
        while at < len(sound):
            room = _AHEAD - leg.queued
            taken = leg.write(sound[at : at + room]) if room > 0 else 0
            self.tape.sent(memoryview(sound)[at : at + taken], _real_s())
            at += taken
            self._sent_bytes += taken
            if at < len(sound):
                await asyncio.sleep(_PIECE_GOES_S if taken else _NO_ROOM_S)
        while True:
            queued = leg.queued
            if queued == 0:
                return
            await asyncio.sleep(queued / BYTES_PER_SECOND)


def _real_s() -> float:
    # Sound runs in real time on any clock.
    return asyncio.get_running_loop().time()
