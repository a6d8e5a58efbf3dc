"""Work that must reach the database, in order, however long that takes: a lost connection delays it and does not lose it.

What the database refuses for its content would come back for ever: it is tried again a few times at growing distance, then given up,
counted and named in the log, and holds nobody else. Knows no table.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from dispatch import metrics
from dispatch.database import Connection, DatabaseAway, Lane

Work = Callable[[Connection], Awaitable[None]]

RETRY_AFTER_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Real seconds before each new try of work that was refused."""


class TooEarly(Exception):  # noqa: N818 - nothing is wrong, something else has to come first
    """What this work builds on is not there yet."""


@dataclass(slots=True)
class _Job:
    name: str
    work: Work
    done: Callable[[bool], None] | None
    tries: int = 0


class Ledger:
    """A queue of work on one lane, done one after another by :meth:`run`."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._jobs: deque[_Job] = deque()
        self._later: set[asyncio.TimerHandle] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._jobs) + len(self._later)

    def put(self, name: str, work: Work, done: Callable[[bool], None] | None = None) -> None:
        """Queue ``work``, which gets a connection inside a transaction. ``done(True)`` follows its commit, ``done(False)`` giving up.

        ``work`` may be run again after a lost connection, so it must be idempotent.
        """
        self._jobs.append(_Job(name, work, done))
        self._changed()

    async def run(self) -> None:
        """Work for ever."""
        while True:
            await self._wake.wait()
            while self._jobs:
                job = self._jobs[0]
                await self._do(job)
                self._jobs.popleft()
                self._changed()
            self._wake.clear()

    async def settled(self) -> None:
        """Return when nothing is queued or under way."""
        await self._idle.wait()

    async def _do(self, job: _Job) -> None:
        try:
            await self._lane.until_done(job.work)
        except DatabaseAway:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this one must not hold the others
            self._refused(job, error)
            return
        if job.done is not None:
            job.done(True)

    def _refused(self, job: _Job, error: Exception) -> None:
        log = structlog.get_logger()
        if job.tries >= len(RETRY_AFTER_S):
            metrics.GIVEN_UP.labels(job.name).inc()
            if isinstance(error, TooEarly):
                log.warning("given up: what it builds on never came", what=job.name)
            else:
                log.error("given up", what=job.name, exc_info=error)
            if job.done is not None:
                job.done(False)
            return
        if not isinstance(error, TooEarly):
            log.error("refused, tried again", what=job.name, why=str(error).strip())
        pause = RETRY_AFTER_S[job.tries]
        job.tries += 1
        handle: asyncio.TimerHandle

        def again() -> None:
            self._later.discard(handle)
            self._jobs.append(job)
            self._changed()

        handle = asyncio.get_running_loop().call_later(pause, again)
        self._later.add(handle)

    def _changed(self) -> None:
        metrics.LEDGER_DEPTH.set(len(self))
        if self._jobs:
            self._wake.set()
        if len(self) == 0:
            self._idle.set()
        else:
            self._idle.clear()
