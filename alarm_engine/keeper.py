"""Makes decisions durable wherever that is possible first: every bundle goes to the journal on disk and to the database at once.

Decides when a bundle is durable (fsynced or committed, whichever is first), what the journal may forget, and what happens when one of
the two is gone: the line goes on with the other, says so, and tries again. With both gone nothing is promised and every decision is
still made. Refuses to know what a bundle means.
"""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from pydantic_core import to_json

from alarm_engine import metrics
from alarm_engine.ledger import Entry, Ledger
from alarm_engine.rows import Rows, lists, storable
from alarm_engine.state import Done
from core.journal import Journal, JournalError, Record

log = structlog.get_logger()

_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 5.0
_TIDY_FROM_BYTES: Final = 16 * 1024 * 1024
_KEYS: Final = {"incidents": "incident_id", "commands": "command_id", "holds": "hold_id", "conditions": "condition_id"}


class Keeper:
    """The ledger and, where the line has a folder of its own, the journal before it. ``journal`` None: the database alone."""

    def __init__(self, ledger: Ledger, journal: Journal | None, tidy_from_bytes: int = _TIDY_FROM_BYTES) -> None:
        self._ledger = ledger
        self._journal = journal
        self._tidy_from_bytes = tidy_from_bytes
        self._unsynced: list[Entry] = []
        self._committed = 0
        self._tidied = 0
        self._wake = asyncio.Event()
        self._readable = True
        self.trouble = "" if journal is None else "not opened"
        self.damaged = 0
        self.pictured: Callable[[], int] | None = None
        """Number of the last record that the snapshot holds; None where there is no snapshot. What it lacks is not forgotten: a start
        without the database has nothing else."""
        ledger.on_committed = self._has_committed

    # -- at the start --------------------------------------------------------------------------------------------------------

    def open(self) -> list[tuple[int, Rows]]:
        """Read what an earlier life left, in order: (number, bundle). Blocking; never raises for what is wrong with the disk.

        Everything read waits for the database again, until :meth:`Ledger.drop_committed` says what that has already.
        """
        if self._journal is None:
            return []
        try:
            replay = self._journal.open()
            self._begin_numbers(self._journal)
        except JournalError as error:
            self._readable = False
            self._fails(error)
            return []
        found = [(record.number, rows) for record in replay.records if (rows := self._read(record)) is not None]
        for reason in replay.reasons:
            log.warning("journal damaged", where=reason)
        self.damaged += replay.garbled
        metrics.journal_damage.labels("torn").inc(replay.torn)
        metrics.journal_damage.labels("garbled").inc(self.damaged)
        self.trouble = ""
        if self.damaged:
            # What can be read is used; the files are kept for whoever wants to know more, and a clean log takes their place.
            self._journal.keep_copies(f"damaged-{time.time_ns() // 1_000_000}")
            self.trouble = "damaged"
        self._ledger.journal = self._journal.identity
        for number, rows in found:
            self._ledger.queue(Entry(rows, None, None, time.perf_counter(), number, replayed=True, durable=True))
        return found

    def met(self, position: int) -> None:
        """The database is there, and has everything of earlier lives up to this record. Before anything is written to it."""
        self._ledger.drop_committed(position)
        if self._journal is not None and self._journal.last_number <= position:
            # The clock was set back since. What was numbered below it meanwhile gets new numbers.
            self._journal.skip_to(position)
            self.renew()

    @staticmethod
    def _begin_numbers(journal: Journal) -> None:
        """Begin above every number of earlier lives, those included that the disk never got: the database and the snapshot may know of
        them, and were they given again, what is under them now would be taken for committed, and dropped. Nobody gives one a nanosecond.
        """
        journal.skip_to(time.time_ns())

    @property
    def identity(self) -> UUID | None:
        """Which journal this is."""
        return None if self._journal is None else self._journal.identity

    def position(self) -> tuple[UUID | None, int]:
        """Which journal, and the number of the newest bundle given to it."""
        return (None, 0) if self._journal is None else (self._journal.identity, self._journal.last_number)

    # -- while it runs -------------------------------------------------------------------------------------------------------

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        """Queue a bundle; ``done`` is called once, in the event loop, when it is durable in the journal or in the database."""
        entry = Entry(rows, done, alarm_received_ms, time.perf_counter())
        journal = self._journal
        if journal is not None and not self.trouble:
            try:
                entry.number = journal.append(encode(rows))
                self._unsynced.append(entry)
                self._wake.set()
            except JournalError as error:
                self._fails(error)
        self._ledger.queue(entry)

    async def run(self) -> None:
        """Keep the journal until cancelled."""
        if self._journal is None:
            await asyncio.Event().wait()
        retry_s = _FIRST_RETRY_S
        while True:
            if self.trouble:
                if not await self._begin_again():
                    await asyncio.sleep(retry_s)
                    retry_s = min(retry_s * 2, _LONGEST_RETRY_S)
                    continue
                retry_s = _FIRST_RETRY_S
            await self._wake.wait()
            self._wake.clear()
            await self._sync()

    async def settled(self, timeout_s: float) -> bool:
        """Wait until the database has everything or, with the database away, the journal has."""
        if self._ledger.database_up and await self._ledger.drain(timeout_s):
            return True
        if self._journal is not None and not self.trouble:
            await self._sync()
        return not self.trouble

    async def close(self) -> None:
        """Let go of the journal's file."""
        if self._journal is not None:
            await self._journal.close()

    @property
    def size(self) -> int:
        """Bytes of the journal."""
        return 0 if self._journal is None else self._journal.size

    def renew(self) -> None:
        """What waits was changed: the journal is written anew from it."""
        if self._journal is not None and not self.trouble:
            self.trouble = "written anew"
            self._wake.set()

    @property
    def _own(self) -> Journal:
        assert self._journal is not None  # noqa: S101  nobody comes here without one: run() and settled() look first
        return self._journal

    async def _sync(self) -> None:
        entries, self._unsynced = self._unsynced, []
        try:
            if entries:
                await self._own.sync(entries[-1].number)
            for entry in entries:
                entry.tell()
            if not self.trouble:
                await self._forget()
        except JournalError as error:
            self._fails(error)

    async def _forget(self) -> None:
        """Lazily: what the database has goes with its whole segment; what waits for long is merged into a smaller log."""
        journal = self._own
        needless = self._committed if self.pictured is None else min(self._committed, self.pictured())
        if needless:
            await journal.forget(needless)
        # Writing it anew drops what the database has. A start without the database needs that too, until a picture holds it.
        if needless == self._committed and journal.size > max(self._tidy_from_bytes, 3 * self._tidied):
            await self._rewrite()

    def _has_committed(self, number: int) -> None:
        self._committed = max(self._committed, number)
        self._wake.set()

    def _fails(self, error: JournalError) -> None:
        if not self.trouble:
            log.error("the journal fails, the database alone carries what is decided", error=str(error))
        self.trouble = str(error)
        metrics.journal_up.set(0)
        metrics.journal_failures.inc()
        self._wake.set()

    async def _begin_again(self) -> bool:
        """A clean log of everything that waits, in the place of what is there."""
        journal = self._own
        try:
            if not self._readable:
                # It could not be read at the start. What is in it is older than all that was decided since: kept, not replayed.
                replay = await asyncio.to_thread(journal.open)
                self._begin_numbers(journal)
                if replay.records:
                    aside = await asyncio.to_thread(journal.put_aside, f"unread-{time.time_ns() // 1_000_000}")
                    log.error("a journal that could not be read at the start is put aside", files=[str(path) for path in aside])
                    metrics.journal_damage.labels("put_aside").inc()
                self._ledger.journal = journal.identity
                self._readable = True
            await self._rewrite()
        except JournalError as error:
            self._fails(error)
            return False
        log.info("the journal works", bytes=journal.size)
        return True

    async def _rewrite(self) -> None:
        journal = self._own
        taken: list[Entry] = []
        for _ in iter(self._ledger.merge, False):
            await asyncio.sleep(0)  # a leak may have come in

        def everything() -> list[Callable[[], bytes]]:
            # From here on what is put follows this in the log.
            self.trouble = ""
            taken.extend(self._ledger.waiting)
            self._unsynced = []
            return [partial(encode, entry.rows) for entry in taken]

        before = list(self._unsynced)
        try:
            numbers = await journal.replace(everything)
        except JournalError:
            self._unsynced = []
            raise
        self._tidied = journal.size
        for entry, number in zip(taken, numbers, strict=True):
            entry.number = number
            entry.tell()
        for entry in before:
            entry.tell()
        metrics.journal_up.set(1)

    def _read(self, record: Record) -> Rows | None:
        try:
            return decode(record.payload)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("a record of the journal cannot be understood", number=record.number, error=str(error))
            self.damaged += 1
            return None


def encode(rows: Rows) -> bytes:
    """A bundle as a record of the journal, whatever is in it: the database says what is wrong with it."""
    try:
        return to_json({name: found for name, found in lists(rows).items() if found})
    except (ValueError, TypeError):
        return to_json({name: found for name, found in lists(storable(rows)).items() if found}, fallback=str)


def decode(payload: bytes) -> Rows:
    """The bundle of a record. Raises ValueError, KeyError or TypeError for what is none."""
    rows = Rows()
    for name, found in json.loads(payload).items():
        key = _KEYS.get(name)
        value = {UUID(row[key]): row for row in found} if key is not None else found
        setattr(rows, name, value)
    return rows


def journal_of(folder: Path | None, max_bytes: int) -> Journal | None:
    """The line's journal in its folder of state."""
    return None if folder is None else Journal(folder, "decisions", max_bytes)
