"""Work that must reach the database, in order, however long that takes: a lost connection delays it and does not lose it.

Entries of one kind that wait are written together, bounded, in one transaction, and before other work: other work is news of what they
begin. What the database refuses for its content would come back for ever: it is found by halving, tried again a few times at growing
distance, then given up, counted and named in the log, and holds nobody else. Knows no table.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import structlog

from dispatch import metrics
from dispatch.database import Connection, Lane

Work = Callable[[Connection], Awaitable[None]]
Done = Callable[[bool], None]
T = TypeVar("T")

RETRY_AFTER_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Real seconds before each new try of work that was refused."""
MOST_TOGETHER: Final = 50
"""Entries in one transaction: a transaction of a storm is over in a tenth of a second, and whoever waits for its locks with it."""


class TooEarly(Exception):  # noqa: N818  nothing is wrong, something else has to come first
    """What this work builds on is not there yet."""


@dataclass(frozen=True, slots=True)
class Together(Generic[T]):
    """A kind of entries that are written together: ``write`` gets a connection inside a transaction, and all of them in order."""

    name: str
    write: Callable[[Connection, Sequence[T]], Awaitable[None]]


@dataclass(slots=True)
class _Job:
    name: str
    work: Work | None
    done: Done | None
    subject: UUID | None
    kind: Together[Any] | None = None
    entry: Any = None
    tries: int = 0


class Ledger:
    """A queue of work on one lane, done by :meth:`run` one after another, entries of a kind together."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._first: deque[_Job] = deque()
        self._jobs: deque[_Job] = deque()
        self._named: Counter[UUID] = Counter()
        """Of how much in ``_jobs`` each subject is."""
        self._later: set[asyncio.TimerHandle] = set()
        self._most = MOST_TOGETHER
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._first) + len(self._jobs) + len(self._later)

    def put(self, name: str, work: Work, done: Done | None = None, subject: UUID | None = None) -> None:
        """Queue ``work``, which gets a connection inside a transaction. ``done(True)`` follows its commit, ``done(False)`` giving up.

        ``work`` may be run again after a lost connection, so it must be idempotent. ``subject`` is what it is about: entries about the
        same stay behind it.
        """
        self._queue(_Job(name, work, done, subject))

    def put_entry(self, kind: Together[T], entry: T, done: Done, subject: UUID) -> None:
        """Queue an entry, to be written with others of its kind and before all work that is not about the same ``subject``.

        Writing may be tried again, alone or with others, so it must be idempotent.
        """
        self._queue(_Job(kind.name, None, done, subject, kind, entry))

    async def run(self) -> None:
        """Work for ever."""
        while True:
            await self._wake.wait()
            while queue := self._first or self._jobs:
                await self._do_head(queue)
            self._wake.clear()

    async def settled(self) -> None:
        """Return when nothing is queued or under way."""
        await self._idle.wait()

    def _queue(self, job: _Job) -> None:
        if job.kind is not None and not (job.subject is not None and self._named[job.subject]):
            self._first.append(job)
        else:
            self._jobs.append(job)
            if job.subject is not None:
                self._named[job.subject] += 1
        self._changed()

    async def _do_head(self, queue: deque[_Job]) -> None:
        """Do what stands first, with the entries of its kind behind it. It stands there until it is done."""
        jobs: list[_Job] = []
        tries = 0

        async def work(connection: Connection) -> None:
            nonlocal jobs, tries
            # Lost under way: perhaps it was too much for one transaction.
            jobs = _head(queue, max(1, self._most >> tries))
            tries += 1
            await _write(connection, jobs)

        try:
            await self._lane.until_done(work)
        except Exception as error:  # noqa: BLE001  whatever is wrong with this one must not hold the others
            if len(jobs) > 1:
                self._most = len(jobs) // 2
                return
            self._leave(queue, jobs)
            self._refused(jobs[0], error)
        else:
            self._leave(queue, jobs)
            self._most = min(MOST_TOGETHER, 2 * self._most)
            for job in jobs:
                if job.done is not None:
                    job.done(True)
        self._changed()

    def _leave(self, queue: deque[_Job], jobs: list[_Job]) -> None:
        for job in jobs:
            queue.popleft()
            if queue is self._jobs and job.subject is not None:
                self._named[job.subject] -= 1
                if not self._named[job.subject]:
                    del self._named[job.subject]

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
            self._queue(job)

        handle = asyncio.get_running_loop().call_later(pause, again)
        self._later.add(handle)

    def _changed(self) -> None:
        metrics.LEDGER_DEPTH.set(len(self))
        if self._first or self._jobs:
            self._wake.set()
        if len(self) == 0:
            self._idle.set()
        else:
            self._idle.clear()


def _head(queue: deque[_Job], most: int) -> list[_Job]:
    """The first job, and the entries of its kind that stand directly behind it, at most ``most`` in all."""
    head = queue[0]
    if head.kind is None:
        return [head]
    found = []
    for job in islice(queue, most):
        if job.kind is not head.kind:
            break
        found.append(job)
    return found


async def _write(connection: Connection, jobs: list[_Job]) -> None:
    head = jobs[0]
    if head.kind is not None:
        await head.kind.write(connection, [job.entry for job in jobs])
    elif head.work is not None:
        await head.work(connection)
