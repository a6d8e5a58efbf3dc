"""The one clock. Everything that is late, due or stamped asks it, so that a test or a scenario can move time.

Wall time is Unix milliseconds UTC; durations are monotonic seconds. Both may run at a declared rate against real time
(``up --clock-rate``); every process of one platform shares rate and epoch, so their stamps agree.
"""

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What a station may know of time."""

    def now_ms(self) -> int:
        """Unix time in milliseconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep for a number of this clock's seconds."""
        ...


class SystemClock:
    """The machine's clock, optionally scaled: one real second is ``rate`` seconds here, counted from ``epoch_ms``.

    ``epoch_ms`` is the real Unix time at which scaled time and real time were equal.
    """

    def __init__(self, rate: float = 1.0, epoch_ms: int | None = None) -> None:
        if rate <= 0:
            raise ValueError("rate must be above 0")
        self.rate = rate
        self._epoch_ms = int(time.time() * 1000) if epoch_ms is None else epoch_ms

    def now_ms(self) -> int:
        real = time.time_ns() // 1_000_000
        if self.rate == 1.0:
            return real
        return self._epoch_ms + int((real - self._epoch_ms) * self.rate)

    def monotonic(self) -> float:
        return time.monotonic() * self.rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.rate)


class ManualClock:
    """A clock that stands still until it is advanced. Sleepers wake in order of their time."""

    def __init__(self, now_ms: int = 1_775_000_000_000) -> None:
        self._start_ms = now_ms
        self._elapsed = 0.0
        self._step_ms = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now_ms(self) -> int:
        return self._start_ms + self._step_ms + int(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(0.0, seconds), next(self._order), future))
        await future

    def step(self, milliseconds: int) -> None:
        """Set the wall clock forward or back without any time passing (an NTP correction)."""
        self._step_ms += milliseconds

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its own moment and letting it run."""
        end = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = due
            if not future.done():
                future.set_result(None)
            await _settle()
        self._elapsed = end
        await _settle()


async def _settle() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
