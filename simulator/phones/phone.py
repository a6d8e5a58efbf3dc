"""One phone's life with one call, as its owner's behaviour has it: rings, is picked up or not, listens, presses, hangs up."""

import asyncio
from array import array
from collections.abc import Callable
from contextlib import suppress
from math import pi, sin
from pathlib import Path
from typing import Any, Final, Literal

from baresip import AudioNotActive, AudioRestarted, BaresipError, Call
from baresip.events import Event, StackEvent

from core.clock import Clock
from simulator.phones.behaviour import Behaviour
from simulator.phones.ear import SAMPLE_HZ, Ear
from simulator.phones.lines import PhoneReport

_LISTEN_EVERY_S: Final = 0.1
_MAILBOX_S: Final = 60.0
_BEEP_S: Final = 1.0


class Phone:
    """Serves one incoming call."""

    def __init__(
        self,
        call: Call,
        number: str,
        behaviour: Behaviour,
        clock: Clock,
        report: Callable[[PhoneReport], None],
        recordings: Path | None,
    ) -> None:
        self._call = call
        self._number = number
        self._behaviour = behaviour
        self._clock = clock
        self._report = report
        self._id = call.call_id or ""
        self._established = asyncio.Event()
        self._closed = asyncio.Event()
        self._hung_up_by: Literal["phone", "caller"] = "caller"
        self._ear = Ear(recordings / f"{number}-{self._id}.wav" if recordings else None)
        call.on(self._on_event)

    def _on_event(self, event: StackEvent) -> None:
        if event.event is Event.CALL_ESTABLISHED:
            self._established.set()
        elif event.event is Event.CALL_CLOSED:
            self._closed.set()

    def _tell(self, event: Literal["ringing", "answered", "pressed", "heard", "refused", "hung_up"], **more: Any) -> None:
        self._report(PhoneReport(event=event, number=self._number, call=self._id, at_ms=self._clock.now_ms(), **more))

    async def serve(self) -> None:
        """Live through the call; returns when it is over."""
        self._tell("ringing")
        with suppress(BaresipError):
            await self._until_closed(self._live())
        if self._established.is_set():
            self._take_sound()
            recording = self._ear.recording
            self._ear.close()
            self._tell("heard", heard_s=self._ear.heard_s, audio_s=self._ear.audio_s, recording=recording)
        self._tell("hung_up", by=self._hung_up_by)

    async def _until_closed(self, life: Any) -> None:
        living = asyncio.ensure_future(life)
        closed = asyncio.ensure_future(self._closed.wait())
        listening = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait((living, closed), return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                living.result()
                await asyncio.wait((closed,), timeout=2)
        finally:
            for task in (living, closed, listening):
                task.cancel()
            await asyncio.gather(living, closed, listening, return_exceptions=True)

    async def _live(self) -> None:
        way = self._behaviour
        if way.manner == "never_answers":
            await self._closed.wait()
            return
        await self._clock.sleep(way.rings_s)
        if way.manner == "busy":
            self._hung_up_by = "phone"
            try:
                await self._call.reject()
            except asyncio.CancelledError:
                # The end of the call was heard before the end of our command: it was refused all the same.
                self._tell("refused", sip_code=486)
                raise
            self._tell("refused", sip_code=486)
            return
        await self._call.answer()
        await self._established.wait()
        self._tell("answered")
        match way.manner:
            case "listens":
                await self._closed.wait()
            case "voicemail":
                await self._speak(_beep())
                await self._clock.sleep(_MAILBOX_S)
                await self._hang_up()
            case "hangs_up_early":
                await self._clock.sleep(way.listens_s)
                await self._hang_up()
            case _:
                await self._clock.sleep(way.listens_s)
                await self._press(way.key or "")
                await self._closed.wait()

    async def _press(self, digit: str) -> None:
        await self._call.send_dtmf(digit)
        self._tell("pressed", digit=digit)

    async def _hang_up(self) -> None:
        self._hung_up_by = "phone"
        await self._call.hangup()

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(_LISTEN_EVERY_S)
            self._take_sound()

    def _take_sound(self) -> None:
        with suppress(AudioNotActive, AudioRestarted):
            while pcm := self._call.audio.read(SAMPLE_HZ):
                self._ear.hear(pcm)

    async def _speak(self, pcm: bytes) -> None:
        at = 0
        while at < len(pcm):
            with suppress(AudioNotActive, AudioRestarted):
                at += self._call.audio.write(pcm[at : at + 4000])
            await asyncio.sleep(0.1)  # sound runs in real time on any clock; each piece is longer than this


def _beep() -> bytes:
    return array("h", (round(8000 * sin(2 * pi * 425 * n / SAMPLE_HZ)) for n in range(int(SAMPLE_HZ * _BEEP_S)))).tobytes()
