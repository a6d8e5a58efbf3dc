"""From NOTIFY ``changes`` to everybody who watches: each thing that changed is read once, and kept for a while in a ring.

Decides when a watcher is told to read everything again (``resync``): nothing is ever silently missed. That is where he was too slow, was
away for longer than the ring remembers or from another life of the console, and where the connection to the database was lost. Ends the
stream of whoever is no longer signed in.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from fastapi.sse import format_sse_event
from structlog import get_logger

from console.access.who import Who
from console.listener import Listener
from console.metrics import Metrics
from console.ring import LONGEST_SECONDS, Ring, Told
from console.store import DatabaseAway, Store
from console.watcher import Look, Watcher
from core.clock import SystemClock

_PENDING_MAX: Final = 20_000
_BATCH: Final = 500
LOOK_SECONDS: Final = 10.0
"""How often it is looked whether a watcher is still signed in."""
_log = get_logger()

Notice = tuple[str, str]
Read = Callable[[Store, Mapping[str, Sequence[str]], int], Awaitable[list[Told]]]
"""Reads what changed: from kind of notice -> ids, and now (Unix ms), in the order in which it is told."""


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
        look_s: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._read = read
        self._clock = clock
        self._metrics = metrics
        self._behind_max = queue_max
        self._clients_max = clients_max
        self._heartbeat_s = heartbeat_s
        self._look_s = look_s
        self._watchers: set[Watcher] = set()
        self._ring = Ring()
        self._pending: OrderedDict[Notice, None] = OrderedDict()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listener = Listener(store.dsn, "changes", self._heard, self._listens)
        self._watched_s: float | None = None
        self._closing = False
        self.listening = False
        self.lost_ms: int | None = clock.now_ms()

    def start(self) -> None:
        """Begin to listen, to beat and to look who is still there."""
        self._listener.start()
        for work, name in ((self._publish(), "changes"), (self._beat(), "heartbeat"), (self._look(), "watchers")):
            self._tasks.append(asyncio.create_task(work, name=name))

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

    def join(self, who: Who, look: Look, last_event_id: str | None = None) -> Watcher | None:
        """A new watcher, greeted with the clock, who goes on after ``last_event_id``; None when there are too many.

        Where that cannot be followed any more his first event is ``resync``.
        """
        if self._closing or len(self._watchers) >= self._clients_max:
            return None
        at = self._ring.position(last_event_id)
        follows = at is not None and self._ring.follows(at)
        watcher = Watcher(self._ring, who, look, self._clock_frame, at if at is not None and follows else self._ring.last)
        if last_event_id and not follows:
            watcher.first(self._resync_frame("console_restarted" if at is None else "away_too_long"))
        self._watchers.add(watcher)
        self._watched_s = monotonic()
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
            self._resync("listening_again" if self._ring.last else "listening")
            self.lost_ms = None
        else:
            self.lost_ms = self._clock.now_ms()
            self._wake_all(beat=True)

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
                if not self._is_watched():
                    continue
                try:
                    await self._tell(batch)
                except DatabaseAway as error:
                    _log.warning("changes not read", reason=str(error), count=len(batch))
                    self._resync("changes_not_read")
                except Exception:  # noqa: BLE001  one row that cannot be shown must not stop the stream for all others
                    _log.exception("changes not shown", count=len(batch))
                    self._resync("changes_not_shown")

    def _is_watched(self) -> bool:
        """Whether somebody watches, or was there so lately that he may come back for what he misses."""
        now = monotonic()
        if self._watchers:
            self._watched_s = now
        elif self._watched_s is not None and now - self._watched_s > LONGEST_SECONDS:
            self._watched_s = None
            self._ring.forget()
        return self._watched_s is not None

    async def _tell(self, batch: Sequence[Notice]) -> None:
        wanted: dict[str, list[str]] = {}
        for what, thing in batch:
            wanted.setdefault(what, []).append(thing)
        for told in await self._read(self._store, wanted, self._clock.now_ms()):
            self._metrics.stream_events.labels(told.name).inc()
            self._ring.tell(told)
        self._wake_all()

    # --- what the watchers get --------------------------------------------------------------------------------------------------

    def _resync(self, reason: str) -> None:
        self._ring.tell_all("resync", self._resync_data(reason))
        self._wake_all()

    def _wake_all(self, *, beat: bool = False) -> None:
        now_s = monotonic()
        for watcher in list(self._watchers):
            if watcher.too_slow(self._behind_max, now_s):
                self._metrics.stream_cut_off.inc()
                self._end(watcher, "resync", self._resync_data("too_slow"))
            else:
                watcher.wake(beat=beat)

    def _end(self, watcher: Watcher, name: str, data: str) -> None:
        """Close a stream with a last event, behind which he goes on when he comes back."""
        watcher.end(format_sse_event(event=name, id=self._ring.id_of(self._ring.last), data_str=data, retry=1000))
        self.leave(watcher)

    def _resync_data(self, reason: str) -> str:
        return json.dumps({"reason": reason, "since_ms": self.lost_ms, "now_ms": self._clock.now_ms()})

    def _resync_frame(self, reason: str) -> bytes:
        return format_sse_event(event="resync", id=self._ring.id_of(self._ring.last), data_str=self._resync_data(reason))

    def _clock_frame(self, at: str, retry: int | None) -> bytes:
        now = self._clock.now_ms()
        data = json.dumps({"now_ms": now, "rate": self._clock.rate, "live": self.listening, "since_ms": self.lost_ms})
        # A browser's EventSource hides comments, so the beat is both: a comment for people with curl, an event for pages.
        return format_sse_event(comment=f"heartbeat {now}", event="clock", id=at, data_str=data, retry=retry)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._wake_all(beat=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            try:
                for watcher in list(self._watchers):
                    self._is_now(watcher, await watcher.look(watcher.who))
            except DatabaseAway:
                # Nobody can be asked who is signed in; and nothing can be told either.
                continue
            except Exception:  # noqa: BLE001  one watcher that cannot be looked after must not end it for all others
                _log.exception("watchers not looked after")

    def _is_now(self, watcher: Watcher, who: Who | None) -> None:
        """End the stream of who is signed out; whose rights or scope changed sees by the new ones, and reads everything again."""
        if who is None:
            self._end(watcher, "signed_out", json.dumps({"now_ms": self._clock.now_ms()}))
            return
        before, watcher.who = watcher.who, who
        if (who.rights, who.scope.districts, who.scope.crew_id) != (before.rights, before.scope.districts, before.scope.crew_id):
            watcher.first(self._resync_frame("rights_changed"))
