"""The voice worker: takes requests on the unix socket, runs the calls, reports what happens to them.

A call goes on when dispatch is lost: the household hears its warning to the end, and a key pressed meanwhile is kept and reported
when dispatch is back. Refuses to decide whom to call or whether to call again.
"""

import asyncio
import contextlib
import os
from collections import OrderedDict, deque
from typing import Final

import structlog
from pydantic import BaseModel, Field, ValidationError

from core.clock import Clock
from core.door import close_door
from core.observe import Health
from dispatch.voice import figures
from dispatch.voice.call import PhoneCall
from dispatch.voice.line import TelephoneNetwork
from dispatch.voice.protocol import (
    CANARY_ADDRESS,
    MAX_LINE,
    REQUEST,
    CallRequest,
    Ended,
    HangupRequest,
    Hello,
    Placed,
    Reason,
    VoiceEvent,
    VoiceRequest,
    WordingRequest,
)
from dispatch.voice.recordings import Recordings
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.speech.voice import Voice

_KEPT_EVENTS: Final = 10_000
_KEPT_ENDS: Final = 2_000
_SLOW_READER: Final = 4 * 1024 * 1024


class VoiceWorker:
    """The socket server and the calls under way."""

    def __init__(
        self, settings: VoiceSettings, clock: Clock, network: TelephoneNetwork, voice: Voice, recordings: Recordings | None = None
    ) -> None:
        """``recordings`` None: nothing of what was said is kept."""
        self._settings = settings
        self._recordings = recordings
        self._clock = clock
        self._network = network
        self._voice = voice
        self._calls: dict[str, PhoneCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: OrderedDict[str, Ended] = OrderedDict()
        self._listeners: set[asyncio.StreamWriter] = set()
        self._unreported: deque[VoiceEvent] = deque(maxlen=_KEPT_EVENTS)
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._log = structlog.get_logger()

    async def start(self) -> None:
        """Open the socket, readable by this user only. A socket left behind by a dead worker is taken over."""
        path = self._settings.voice_socket
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=MAX_LINE)
            self._inode = path.stat().st_ino
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """End every call, report it, close the socket."""
        for call in list(self._calls.values()):
            call.hang_up("worker_stopping")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        if self._server is not None:
            await close_door(self._server)
        for writer in list(self._listeners):
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
        with contextlib.suppress(OSError):
            # Not that of a worker that was started in our place.
            if self._settings.voice_socket.stat().st_ino == self._inode:
                self._settings.voice_socket.unlink()

    def health(self) -> Health:
        """Red when a call asked for now could not be made or would be mute."""
        missing = []
        if not self._network.alive:
            missing.append("telephone_stack")
        if not self._voice.healthy:
            missing.append("speech")
        if not self._listeners:
            missing.append("dispatch_not_connected")
        return Health(
            ok=not missing,
            reasons=tuple(missing),
            detail={
                "calls_under_way": len(self._calls),
                "trunk": bool(self._settings.sip_trunk),
                "simulated_line": bool(self._settings.sim_sip_proxy),
            },
        )

    # -- the socket ----------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(Hello(calls=tuple(self._calls)).line())
        self._listeners.add(writer)
        kept, self._unreported = self._unreported, deque(maxlen=_KEPT_EVENTS)
        for event in kept:
            self._report(event)
        figures.UNREPORTED.set(len(self._unreported))
        try:
            while True:
                try:
                    line = await reader.readuntil(b"\n")
                except asyncio.LimitOverrunError:
                    self._refuse(b"", "line too long")
                    break
                self._take(line)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._listeners.discard(writer)
            writer.close()

    def _take(self, line: bytes) -> None:
        try:
            request = REQUEST.validate_json(line)
        except ValidationError as error:
            self._refuse(line, str(error.errors(include_url=False, include_input=False)))
            return
        self._obey(request)

    def _refuse(self, line: bytes, why: str) -> None:
        figures.REFUSED.inc()
        self._log.error("request refused", why=why)
        call_id = _call_id_in(line)
        if call_id is not None and call_id not in self._calls:
            self._report(
                Ended(
                    call_id=call_id,
                    at_ms=self._clock.now_ms(),
                    answered=False,
                    ended_by="never_connected",
                    reason="bad_request",
                )
            )

    def _obey(self, request: VoiceRequest) -> None:
        match request:
            case CallRequest():
                self._call(request)
            case WordingRequest(call_id=call_id, text=text):
                if call_id in self._calls:
                    self._calls[call_id].reword(text)
            case HangupRequest(call_id=call_id):
                if call_id in self._calls:
                    self._calls[call_id].hang_up()

    def _report(self, event: VoiceEvent) -> None:
        if not self._listeners:
            if len(self._unreported) == _KEPT_EVENTS:
                figures.FORGOTTEN.inc()
            self._unreported.append(event)
            figures.UNREPORTED.set(len(self._unreported))
            return
        line = event.line()
        for writer in list(self._listeners):
            if writer.transport.get_write_buffer_size() > _SLOW_READER:
                self._log.error("a listener does not read; cut off")
                self._listeners.discard(writer)
                writer.transport.abort()
            else:
                writer.write(line)

    # -- the calls -----------------------------------------------------------------------------------------------------

    def _call(self, request: CallRequest) -> None:
        if request.call_id in self._calls:
            return
        if request.call_id in self._ends:
            self._report(self._ends[request.call_id])
            return
        if request.known:
            # Whoever had it died with it. It may have rung: when it is made again is for dispatch to say.
            self._finish(request, self._unmade(request, "worker_lost"))
            return
        if len(self._calls) >= self._settings.max_concurrent_calls and request.address != CANARY_ADDRESS:
            self._finish(request, self._unmade(request, "all_lines_busy"))
            return
        asked = asyncio.get_running_loop().time()

        def report(event: VoiceEvent) -> None:
            if isinstance(event, Placed):
                figures.PLACING.observe(asyncio.get_running_loop().time() - asked)
            self._report(event)

        call = PhoneCall(request, self._network, self._voice, self._clock, self._settings, report)
        self._calls[request.call_id] = call
        figures.UNDER_WAY.set(len(self._calls))
        task = asyncio.get_running_loop().create_task(self._run(request, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, request: CallRequest, call: PhoneCall) -> None:
        try:
            ended = await call.run()
        except Exception:  # noqa: BLE001  one call must not take the others down; dispatch goes on with its next contact
            self._log.exception("call failed", call_id=request.call_id)
            ended = self._unmade(request, "stack_failed")
        if self._recordings is not None:
            self._recordings.keep(request.call_id, call.tape)
        self._calls.pop(request.call_id, None)
        figures.UNDER_WAY.set(len(self._calls))
        self._finish(request, ended)

    def _unmade(self, request: CallRequest, reason: Reason) -> Ended:
        return Ended(
            call_id=request.call_id,
            at_ms=self._clock.now_ms(),
            answered=False,
            ended_by="never_connected",
            reason=reason,
        )

    def _finish(self, request: CallRequest, ended: Ended) -> None:
        line = "canary" if request.address == CANARY_ADDRESS else "simulated" if request.simulated else "trunk"
        figures.CALLS.labels(ended.reason, line).inc()
        # What was refused for want of a line may be asked for again under the same id; what rang may not.
        if ended.reason != "all_lines_busy":
            self._ends[request.call_id] = ended
            while len(self._ends) > _KEPT_ENDS:
                self._ends.popitem(last=False)
        self._report(ended)


class _Named(BaseModel):
    type: str
    call_id: str = Field(min_length=1, max_length=64)


def _call_id_in(line: bytes) -> str | None:
    """The call that a refused line was about, so that dispatch is not left waiting."""
    try:
        found = _Named.model_validate_json(line)
    except ValidationError:
        return None
    return found.call_id if found.type == "call" else None
