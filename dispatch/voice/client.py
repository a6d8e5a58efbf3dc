"""Dispatch's end of the telephone: asks the voice worker for calls and hands on what it reports.

Reconnects by itself. When the worker is lost, every call under way ends here and now with the reason ``worker_lost``; a later
``ended`` of such a call, from a worker that was only out of reach, is dropped, while a key pressed meanwhile is still handed on.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, Self

import structlog
from pydantic import ValidationError

from core.clock import Clock, SystemClock
from dispatch.voice.protocol import (
    MAX_LINE,
    REPORT,
    CallRequest,
    Ended,
    HangupRequest,
    Hello,
    VoiceEvent,
    VoiceRequest,
    WordingRequest,
)

_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 1.0
_LOST_KEPT: Final = 2_000


class VoiceClient:
    """One connection to one worker. Use ``async with``, or ``start`` and ``close``."""

    def __init__(self, socket_path: Path | str, clock: Clock | None = None, on_connected: Callable[[bool], None] | None = None) -> None:
        """``on_connected`` is told of every change of ``connected``."""
        self._path = str(socket_path)
        self._clock = clock or SystemClock()
        self._on_connected = on_connected
        self._writer: asyncio.StreamWriter | None = None
        self._events: asyncio.Queue[VoiceEvent | None] = asyncio.Queue()
        self._under_way: set[str] = set()
        self._lost: OrderedDict[str, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._log = structlog.get_logger()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to connect, and to reconnect for as long as the client lives."""
        self._task = asyncio.get_running_loop().create_task(self._stay_connected())

    async def close(self) -> None:
        """Let go of the worker; its calls go on. ``events`` ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._drop()
        self._events.put_nowait(None)

    @property
    def connected(self) -> bool:
        """Whether a call asked for now would reach the worker."""
        return self._writer is not None

    async def wait_connected(self) -> None:
        """Return once connected."""
        await self._ready.wait()

    def ask(self, request: VoiceRequest) -> None:
        """Send a request to the worker, now. A call without a worker ends with ``worker_lost``, at once; nothing is raised."""
        sent = self._send(request.line())
        if isinstance(request, CallRequest):
            self._lost.pop(request.call_id, None)
            self._under_way.add(request.call_id)
            if not sent:
                self._lose(request.call_id)

    async def place(self, call: CallRequest) -> None:
        """Ask for a call."""
        self.ask(call)

    async def reword(self, call_id: str, text: str) -> None:
        """Speak ``text`` from the next sentence of the call on. For a call that is over: nothing."""
        self.ask(WordingRequest(call_id=call_id, text=text))

    async def hangup(self, call_id: str) -> None:
        """End the call now. For a call that is over: nothing."""
        self.ask(HangupRequest(call_id=call_id))

    async def events(self) -> AsyncIterator[VoiceEvent]:
        """Everything that the worker reports, in its order, until ``close``. One reader."""
        while (event := await self._events.get()) is not None:
            yield event

    # -- the connection ------------------------------------------------------------------------------------------------

    def _send(self, line: bytes) -> bool:
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(line)
        return True

    async def _stay_connected(self) -> None:
        pause = _FIRST_RETRY_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_LINE)
            except OSError:
                await asyncio.sleep(pause * random.uniform(0.7, 1.3))
                pause = min(pause * 2, _LAST_RETRY_S)
                continue
            pause = _FIRST_RETRY_S
            self._writer = writer
            self._ready.set()
            self._tell(True)
            try:
                await self._read(reader)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                pass
            finally:
                self._drop()
            self._log.warning("voice worker lost", calls=len(self._under_way))
            for call_id in sorted(self._under_way):
                self._lose(call_id)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            line = await reader.readuntil(b"\n")
            try:
                report = REPORT.validate_json(line)
            except ValidationError as error:
                self._log.error("voice worker said what is not understood", why=error.error_count())
                continue
            if isinstance(report, Hello):
                self._under_way.update(report.calls)
            else:
                self._hand_on(report)

    def _hand_on(self, event: VoiceEvent) -> None:
        if isinstance(event, Ended):
            self._under_way.discard(event.call_id)
            if event.call_id in self._lost:
                del self._lost[event.call_id]
                return
        self._events.put_nowait(event)

    def _lose(self, call_id: str) -> None:
        self._under_way.discard(call_id)
        self._lost[call_id] = None
        while len(self._lost) > _LOST_KEPT:
            self._lost.popitem(last=False)
        self._events.put_nowait(
            Ended(
                call_id=call_id,
                at_ms=self._clock.now_ms(),
                answered=False,
                ended_by="never_connected",
                reason="worker_lost",
            )
        )

    def _drop(self) -> None:
        writer, self._writer = self._writer, None
        self._ready.clear()
        if writer is not None:
            writer.close()
            self._tell(False)

    def _tell(self, connected: bool) -> None:
        if self._on_connected is not None:
            self._on_connected(connected)
