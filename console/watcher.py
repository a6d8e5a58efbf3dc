"""One client of the event stream: where he is in the ring, what he may see, and when he is cut off.

Every watcher takes from the ring at his own pace, so that nothing is queued for him and nobody waits for him.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from console.access.who import Who
from console.ring import Ring

Look = Callable[[Who], Awaitable[Who | None]]
"""Who a watcher is by now; None once his session or token has ended. May raise DatabaseAway, which says nothing."""

PATIENCE_SECONDS: Final = 2.0
_CHUNK: Final = 64 * 1024


class Watcher:
    """One client of the event stream. ``position`` is the last event that was judged for him, sent or not his to see."""

    def __init__(self, ring: Ring, who: Who, look: Look, clock_frame: Callable[[str, int | None], bytes], position: int) -> None:
        self.who = who
        self.look = look
        self.position = position
        self.ended = False
        self._ring = ring
        self._clock_frame = clock_frame
        self._greet = True
        self._beat = False
        self._behind_s: float | None = None
        self._before = b""
        self._last: bytes | None = None
        self._wake = asyncio.Event()
        self._catching_up = position < ring.last

    def first(self, frame: bytes) -> None:
        """Send ``frame`` before everything else."""
        self._before = frame
        self._wake.set()

    def wake(self, *, beat: bool = False) -> None:
        """There is something to send; with ``beat`` the clock too."""
        self._beat = self._beat or beat
        self._wake.set()

    def too_slow(self, behind_max: int, now_s: float) -> bool:
        """Whether he no longer keeps up: more than ``behind_max`` events behind for some time, or the ring lost what he has not had.

        What he missed before he came back is his to read at his own pace. ``now_s`` is monotonic seconds.
        """
        if not self._ring.follows(self.position):
            return True
        if self._catching_up or self._ring.last - self.position <= behind_max:
            self._behind_s = None
            return False
        # Many things may change at once: he has not even been asked yet whether he takes them.
        if self._behind_s is None:
            self._behind_s = now_s
        return now_s - self._behind_s > PATIENCE_SECONDS

    def end(self, last: bytes | None) -> None:
        """Send nothing more but ``last``, and close."""
        self.ended = True
        self._last = last
        self._wake.set()

    async def next(self) -> bytes | None:
        """The next bytes of the wire format; None at the end."""
        while True:
            self._wake.clear()
            if self.ended:
                last, self._last = self._last, None
                return last
            if found := self._take():
                return found
            await self._wake.wait()

    def _take(self) -> bytes:
        found, size = [], 0
        if self._greet:
            self._greet = False
            found.append(self._clock_frame(self._ring.id_of(self.position), 1000))
        if self._before:
            found.append(self._before)
            self._before = b""
        while size < _CHUNK and self.position < self._ring.last:
            self.position += 1
            event = self._ring.get(self.position)
            if event is not None and (frame := event.frame(self.who)) is not None:
                found.append(frame)
                size += len(frame)
        if self.position == self._ring.last:
            self._catching_up = False
        if self._beat:
            self._beat = False
            found.append(self._clock_frame(self._ring.id_of(self.position), None))
        return b"".join(found)
