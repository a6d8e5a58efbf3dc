"""From NOTIFY ``changes`` to everybody who watches: each thing that changed is read once and given to all, in bounded queues.

Decides what a watcher is sent and when a slow one is cut off. A watcher that was cut off, and everybody after a lost
connection to the database, is told to read everything again (``resync``): nothing is ever silently missed.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi.sse import format_sse_event
from pydantic import BaseModel
from structlog import get_logger

from console.listener import Listener
from console.metrics import Metrics
from console.store import DatabaseAway, Store
from core.clock import SystemClock

_PENDING_MAX = 20_000
_BATCH = 500
_log = get_logger()

Notice = tuple[str, str]
Read = Callable[[Store, Mapping[str, Sequence[str]]], Awaitable[list[tuple[str, BaseModel]]]]
"""Reads what changed: from kind of notice -> ids, to (event name, thing) in the order in which they are told."""


class Watcher:
    """One client of the event stream."""

    def __init__(self, queue_max: int) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(queue_max + 2)
        self._max = queue_max
        self.cut = False

    def give(self, frame: bytes) -> bool:
        """Queue a frame; False when the client is too slow, or was."""
        if self.cut:
            return False
        if self._queue.qsize() >= self._max:
            self.cut = True
            return False
        self._queue.put_nowait(frame)
        return True

    def end(self, last: bytes | None) -> None:
        """Drop what is queued, send ``last`` and close."""
        self.cut = True
        while not self._queue.empty():
            self._queue.get_nowait()
        if last is not None:
            self._queue.put_nowait(last)
        self._queue.put_nowait(None)

    async def next(self) -> bytes | None:
        """The next frame of the wire format; None at the end."""
        return await self._queue.get()


class Changes:
    """The watchers, and the one connection that feeds them."""

    def __init__(
        self,
        store: Store,
        read: Read,
        clock: SystemClock,
        metrics: Metrics,
        *,
        queue_max: int,
        clients_max: int,
        heartbeat_s: float,
    ) -> None:
        self._store = store
        self._read = read
        self._clock = clock
        self._metrics = metrics
        self._queue_max = queue_max
        self._clients_max = clients_max
        self._heartbeat_s = heartbeat_s
        self._watchers: set[Watcher] = set()
        self._pending: OrderedDict[Notice, None] = OrderedDict()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listener = Listener(store.dsn, "changes", self._heard, self._listens)
        self._started_ms = clock.now_ms()
        self._count = 0
        self._closing = False
        self.listening = False
        self.lost_ms: int | None = self._started_ms

    def start(self) -> None:
        """Begin to listen and to beat."""
        self._listener.start()
        self._tasks = [asyncio.create_task(self._publish(), name="changes"), asyncio.create_task(self._beat(), name="heartbeat")]

    async def stop(self) -> None:
        """Tell everybody good-bye and hang up."""
        self.close()
        await self._listener.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """End every stream now; new ones are not taken."""
        self._closing = True
        for watcher in list(self._watchers):
            watcher.end(None)
        self._watchers.clear()

    def join(self) -> Watcher | None:
        """A new watcher, greeted with the clock; None when there are too many."""
        if self._closing or len(self._watchers) >= self._clients_max:
            return None
        watcher = Watcher(self._queue_max)
        watcher.give(self._clock_frame(retry=1000))
        self._watchers.add(watcher)
        self._metrics.stream_clients.set(len(self._watchers))
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        self._watchers.discard(watcher)
        self._metrics.stream_clients.set(len(self._watchers))

    # --- what the database says -------------------------------------------------------------------------------------------------

    def _listens(self, up: bool) -> None:
        self.listening = up
        self._metrics.listening.set(int(up))
        if up:
            self._resync("listening_again" if self._count else "listening")
            self.lost_ms = None
        else:
            self.lost_ms = self._clock.now_ms()
            self._give_all(self._clock_frame())

    def _heard(self, payload: str) -> None:
        try:
            notice = json.loads(payload)
            what, thing, incident = str(notice["what"]), notice["id"], notice.get("incident_id")
        except (ValueError, KeyError, TypeError):
            _log.warning("notice not understood", channel="changes")
            return
        self._note(what, thing)
        if what in {"order", "call"} and incident is not None:
            # The clocks and the one-line summary of its incident changed with it.
            self._note("incident", incident)
        if len(self._pending) > _PENDING_MAX:
            self._pending.clear()
            self._resync("too_much_at_once")
        self._wake.set()

    def _note(self, what: str, thing: object) -> None:
        if thing is not None:
            self._pending[(what, str(thing))] = None

    async def _publish(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                batch = [self._pending.popitem(last=False)[0] for _ in range(min(_BATCH, len(self._pending)))]
                if not self._watchers:
                    continue
                try:
                    await self._tell(batch)
                except DatabaseAway as error:
                    _log.warning("changes not read", reason=str(error), count=len(batch))
                    self._resync("changes_not_read")
                except Exception:  # noqa: BLE001
                    # One row that cannot be shown must not stop the stream for all others.
                    _log.exception("changes not shown", count=len(batch))
                    self._resync("changes_not_shown")

    async def _tell(self, batch: Sequence[Notice]) -> None:
        wanted: dict[str, list[str]] = {}
        for what, thing in batch:
            wanted.setdefault(what, []).append(thing)
        for name, thing_read in await self._read(self._store, wanted):
            self._metrics.stream_events.labels(name).inc()
            self._give_all(format_sse_event(event=name, id=self._next_id(), data_str=thing_read.model_dump_json()))

    # --- what the watchers get --------------------------------------------------------------------------------------------------

    def _resync(self, reason: str) -> None:
        data = json.dumps({"reason": reason, "since_ms": self.lost_ms, "now_ms": self._clock.now_ms()})
        self._give_all(format_sse_event(event="resync", id=self._next_id(), data_str=data))

    def _give_all(self, frame: bytes) -> None:
        for watcher in [w for w in self._watchers if not w.give(frame)]:
            self._metrics.stream_cut_off.inc()
            data = json.dumps({"reason": "too_slow", "since_ms": None, "now_ms": self._clock.now_ms()})
            watcher.end(format_sse_event(event="resync", data_str=data, retry=1000))
            self.leave(watcher)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._started_ms}-{self._count}"

    def _clock_frame(self, retry: int | None = None) -> bytes:
        now = self._clock.now_ms()
        data = json.dumps({"now_ms": now, "rate": self._clock.rate, "live": self.listening, "since_ms": self.lost_ms})
        # A browser's EventSource hides comments, so the beat is both: a comment for people with curl, an event for pages.
        return format_sse_event(comment=f"heartbeat {now}", event="clock", data_str=data, retry=retry)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._give_all(self._clock_frame())
