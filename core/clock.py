"""The one clock. Everything that is late, due or stamped asks it, so that a test or a scenario can move time.

Wall time is Unix milliseconds UTC; durations are monotonic seconds. Both may run at a declared rate against real time
(``up --clock-rate``); every process of one platform shares rate and epoch, so their stamps agree.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Final, Protocol

_PACE: Final = 7 / 8
_FARTHEST_BACK_MS: Final = 2 * 3_600_000


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

    It never goes back: which of a leak and a tightness test came first, and when somebody is rung again, is judged by it. Where the
    machine's clock is set back it goes on at seven eighths of its pace until that has caught up. Only what is set back by more than two
    hours was no correction of a running clock, and is followed at once. ``wall`` and ``steady`` are the machine's clocks, in nanoseconds.
    """

    def __init__(
        self,
        rate: float = 1.0,
        epoch_ms: int | None = None,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if rate <= 0:
            raise ValueError("rate must be above 0")
        self.rate = rate
        self._wall, self._steady = wall, steady
        self._told, self._told_at = wall(), steady()
        self._epoch_ms = self._told // 1_000_000 if epoch_ms is None else epoch_ms

    def now_ms(self) -> int:
        real = self._never_back() // 1_000_000
        if self.rate == 1.0:
            return real
        return self._epoch_ms + int((real - self._epoch_ms) * self.rate)

    def _never_back(self) -> int:
        wall, steady = self._wall(), self._steady()
        slowly = self._told + int((steady - self._told_at) * _PACE)
        followed = wall >= slowly or slowly - wall > _FARTHEST_BACK_MS * 1_000_000
        self._told, self._told_at = wall if followed else slowly, steady
        return self._told

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
