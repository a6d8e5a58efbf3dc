"""Writes decisions to the database: everything that waits becomes one set-based statement, in order.

A lost database delays and loses nothing: the statement is repeated until it is committed, and what waits meanwhile is merged, so that
memory is bounded. A row that the database refuses is found by halving and reported, alone; it holds nobody. With each statement goes the
number of the last journal record that it holds, so that a start replays what is missing and nothing else. Sole writer of incidents,
alarms, commands, incident_events, valve_holds, home_conditions, incident_aliases, outbox and line_journal.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import structlog
from pydantic_core import to_json

from alarm_engine import metrics
from alarm_engine.rows import Rows, count, lists, pieces, storable
from alarm_engine.state import Done
from core.clock import Clock

log = structlog.get_logger()

Connection = psycopg.AsyncConnection[Any]

_MOST_AT_ONCE = 500
_MOST_ROWS_AT_ONCE = 5_000
_RETRY_S = 0.25
_GATHER_S = 0.01
_CONNECT_S = 2
_STATEMENT_S = 10.0
_MERGE_FROM = 2_000
_MERGE_AT_ONCE = 100
_PIECE_ROWS = 200
_MOST_ROWS = 400_000
_BY_ID = ("incidents", "commands", "holds", "conditions")

_REFUSED = (psycopg.DataError, psycopg.IntegrityError, TypeError, ValueError)

WRITE = """
WITH i AS (
    INSERT INTO incidents SELECT * FROM jsonb_populate_recordset(NULL::incidents, %(incidents)s::jsonb)
    ON CONFLICT (incident_id) DO UPDATE SET
        kind = excluded.kind, state = excluded.state, valve = excluded.valve, valve_cause = excluded.valve_cause,
        meter_id = excluded.meter_id, meter_account = excluded.meter_account, valve_closed_locally_ms = excluded.valve_closed_locally_ms,
        close_sent_ms = excluded.close_sent_ms, reported_closed_ms = excluded.reported_closed_ms,
        last_leak_ms = excluded.last_leak_ms, opened_valve_ms = excluded.opened_valve_ms, closed_ms = excluded.closed_ms,
        devices = excluded.devices, proof = excluded.proof, proof_due_ms = excluded.proof_due_ms, holds_ms = excluded.holds_ms,
        clearing = excluded.clearing, clearing_ms = excluded.clearing_ms, before_meter_ms = excluded.before_meter_ms,
        before_meter_first_ms = excluded.before_meter_first_ms,
        answer_due_ms = excluded.answer_due_ms, watch = excluded.watch
), c AS (
    INSERT INTO commands SELECT * FROM jsonb_populate_recordset(NULL::commands, %(commands)s::jsonb)
    ON CONFLICT (command_id) DO UPDATE SET
        state = excluded.state, sends = excluded.sends, sent_ms = excluded.sent_ms, accepted_ms = excluded.accepted_ms,
        done_ms = excluded.done_ms, result = excluded.result, detail = excluded.detail
), a AS (
    INSERT INTO alarms SELECT * FROM jsonb_populate_recordset(NULL::alarms, %(alarms)s::jsonb) ON CONFLICT DO NOTHING
), e AS (
    INSERT INTO incident_events SELECT * FROM jsonb_populate_recordset(NULL::incident_events, %(events)s::jsonb)
    ON CONFLICT DO NOTHING
), h AS (
    INSERT INTO valve_holds SELECT * FROM jsonb_populate_recordset(NULL::valve_holds, %(holds)s::jsonb)
    ON CONFLICT (hold_id) DO UPDATE SET
        lifted_ms = excluded.lifted_ms, lifted_by = excluded.lifted_by, lifted_why = excluded.lifted_why
), n AS (
    INSERT INTO home_conditions SELECT * FROM jsonb_populate_recordset(NULL::home_conditions, %(conditions)s::jsonb)
    ON CONFLICT (condition_id) DO UPDATE SET ended_ms = excluded.ended_ms, cause = excluded.cause
), s AS (
    INSERT INTO incident_aliases SELECT * FROM jsonb_populate_recordset(NULL::incident_aliases, %(aliases)s::jsonb)
    ON CONFLICT DO NOTHING
), j AS (
    INSERT INTO line_journal (identity, position)
    SELECT %(journal)s::uuid, %(position)s::bigint WHERE %(journal)s::uuid IS NOT NULL AND %(position)s::bigint IS NOT NULL
    ON CONFLICT (identity) DO UPDATE SET position = greatest(line_journal.position, excluded.position)
)
INSERT INTO outbox (message_id, incident_id, payload, created_ms)
SELECT o.message_id, o.incident_id, o.payload, o.created_ms
FROM jsonb_populate_recordset(NULL::outbox, %(outbox)s::jsonb) AS o
ON CONFLICT (message_id) DO NOTHING
"""


@dataclass(slots=True, eq=False)
class Entry:
    """One bundle, or several merged. ``number`` is its record in the journal, None while it has none."""

    rows: Rows
    done: Done | None
    alarm_received_ms: int | None
    put_at: float
    number: int | None = None
    merged: bool = False
    replayed: bool = False
    """From the journal of an earlier life: it may be in the database already."""
    durable: bool = False
    taken: bool = False
    """It is being written: what is decided from now on is not put into it."""
    parts: "list[Entry]" = field(default_factory=list)
    """The bundles in a merged one that were not durable when it was made."""

    def tell(self) -> None:
        """Say, once, that it is durable. Whoever cannot take it stops nobody behind him."""
        if self.durable:
            return
        self.durable = True
        for part in self.parts:
            part.tell()
        done, self.done = self.done, None
        if self.alarm_received_ms is not None:
            metrics.durable.observe(time.perf_counter() - self.put_at)
        if done is not None:
            try:
                done()
            except Exception:
                log.exception("could not be told that it is durable")


class Ledger:
    """A queue of bundles and the one task that writes them. ``on_refused`` hears of each row that the database does not take as it is.

    ``prepare`` is called with the first connection, before anything is written, and again until it succeeds; what it raises beside
    psycopg errors ends :meth:`run`. ``journal`` names the journal whose record numbers the entries carry.
    """

    def __init__(self, dsn: str, clock: Clock, on_refused: Callable[[Rows, str], None] | None = None) -> None:
        self._dsn = dsn
        self._clock = clock
        self._on_refused = on_refused
        self._waiting: deque[Entry] = deque()
        """What an earlier life left, and what is merged."""
        self._fresh: deque[Entry] = deque()
        """Behind it: bundles as they were put."""
        self._writing: list[Entry] = []
        self._held: dict[str, dict[UUID, Entry]] = {table: {} for table in _BY_ID}
        """Which merged entry holds a whole row."""
        self._endless = 0  # rows of the append-only kinds in what waits, since it was last empty
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self.prepare: Callable[[Connection], Awaitable[None]] | None = None
        self.on_committed: Callable[[int], None] | None = None
        self.journal: UUID | None = None
        self._reached: int | None = None
        """The highest number of all that is committed. A journal written anew gives new numbers to what is just being committed under its
        old ones; the next statement makes up for it, before anything later can be set back by a replay."""
        self.database_up = False
        self.last_error = ""
        self._prepared_once = False

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        """Queue a bundle; ``done`` is called in the event loop once it is committed."""
        self.queue(Entry(rows, done, alarm_received_ms, time.perf_counter()))

    def queue(self, entry: Entry) -> bool:
        """Queue an entry. False: so much waits that its alarms and notes were left out, counted, and nothing of it is promised."""
        kept = True
        endless = len(entry.rows.alarms) + len(entry.rows.events)
        if self._endless + endless > _MOST_ROWS:
            # Both the database and the journal have been gone for long. What can be closed and called matters; a list without end does not.
            metrics.ledger_failures.labels("left_out").inc()
            entry.rows.alarms, entry.rows.events, entry.done, kept = [], [], None, False
        else:
            self._endless += endless
        (self._waiting if entry.replayed else self._fresh).append(entry)
        if len(self._fresh) >= _MERGE_FROM + _MERGE_AT_ONCE and not self.database_up:
            self.merge()
        self._idle.clear()
        self._wake.set()
        return kept

    @property
    def depth(self) -> int:
        """Bundles that the database does not have yet."""
        return len(self._waiting) + len(self._fresh) + len(self._writing)

    @property
    def waiting(self) -> list[Entry]:
        """Everything that the database does not have yet, in order."""
        return [*self._writing, *self._waiting, *self._fresh]

    def oldest_alarm_s(self) -> float:
        """Age in seconds of the oldest alarm that is durable nowhere; 0 when none waits."""
        for entries in (self._writing, self._waiting, self._fresh):
            for entry in entries:
                for part in entry.parts if entry.merged else (entry,):
                    if part.alarm_received_ms is not None and not part.durable:
                        return time.perf_counter() - part.put_at
        return 0.0

    def drop_committed(self, position: int) -> int:
        """Forget what an earlier life has written to the database up to this record of the journal; returns how many bundles."""
        kept = [e for e in self._waiting if not (e.replayed and e.number is not None and e.number <= position)]
        dropped = len(self._waiting) - len(kept)
        self._waiting = deque(kept)
        return dropped

    async def run(self) -> None:
        """Write until cancelled; call :meth:`drain` first to leave nothing behind."""
        try:
            await self._prepared()
            self._prepared_once = True
            while True:
                while self._waiting or self._fresh:
                    self._writing = self._next_batch()
                    await self._write(self._writing)
                    self._writing = []
                self._endless = 0
                for held in self._held.values():
                    held.clear()
                self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                if self._fresh and all(entry.number is not None for entry in self._fresh):
                    # The journal makes it durable: what follows within moments (an answer to a close) goes with the same statement.
                    await asyncio.sleep(_GATHER_S)
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything is committed; False when ``timeout_s`` real seconds were not enough."""
        if self.depth == 0:
            return True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _prepared(self) -> None:
        while self.prepare is not None:
            try:
                connection = await self._connected()
                await self.prepare(connection)
                self.database_up = True
                return
            except (psycopg.Error, TimeoutError) as error:
                await self._away(error)

    def _next_batch(self) -> list[Entry]:
        batch, size = [self._take()], 0
        while (self._waiting or self._fresh) and len(batch) < _MOST_AT_ONCE and (size := size + count(batch[-1].rows)) < _MOST_ROWS_AT_ONCE:
            batch.append(self._take())
        return batch

    def _take(self) -> Entry:
        entry = (self._waiting or self._fresh).popleft()
        entry.taken = True
        return entry

    def merge(self) -> bool:
        """The oldest bundles that are not merged yet become few: whole rows once each, lists in pieces. Told together, when the last piece
        is durable. About a millisecond, however much waits; False when too few are left to be worth it.
        """
        if len(self._fresh) < _MERGE_AT_ONCE:
            return False
        some = [self._fresh.popleft() for _ in range(_MERGE_AT_ONCE)]
        rows = Rows()
        for entry in some:
            rows.add(entry.rows)
        self._put_in_place(rows)
        # Where everything has found its place in older pieces, an empty one stands for those who wait to be told.
        merged = [Entry(piece, None, None, time.perf_counter(), merged=True, durable=True) for piece in pieces(rows, _PIECE_ROWS) or [rows]]
        for piece in merged:
            for table, held in self._held.items():
                held.update(dict.fromkeys(getattr(piece.rows, table), piece))
        last = merged[-1]
        last.parts = [entry for entry in some if not entry.durable]
        last.durable, last.number = not last.parts, _position(some)
        for entry in some:
            # Who still watches over it needs no rows any more.
            entry.rows = Rows()
        self._waiting.extend(merged)
        return True

    def _put_in_place(self, rows: Rows) -> None:
        """Whole rows that a merged entry holds already take the place of the older ones there, and are taken out of ``rows``.

        The entry gets rows of its own: those that it had may be on their way to the journal.
        """
        own: set[Entry] = set()
        for table, held in self._held.items():
            found = getattr(rows, table)
            for key in [key for key in found if key in held]:
                entry = held[key]
                if entry.taken:
                    continue
                if entry not in own:
                    own.add(entry)
                    entry.rows = entry.rows.apart()
                getattr(entry.rows, table)[key] = found.pop(key)

    async def _write(self, entries: list[Entry]) -> None:
        try:
            await self._commit(entries)
        except _REFUSED as error:
            await self._halve(entries, error)
            return
        self._passed(entries)

    def _passed(self, entries: list[Entry]) -> None:
        """The database has them, or never will."""
        for entry in entries:
            entry.tell()
        position = _position(entries)
        if position is not None:
            self._reached = max(self._reached or 0, position)
            if self.on_committed is not None:
                self.on_committed(position)

    async def _halve(self, entries: list[Entry], error: Exception) -> None:
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._write(entries[:middle])
            await self._write(entries[middle:])
            return
        entry = entries[0]
        # What stands alone is one row: all else of a bundle is written.
        if (rows := count(entry.rows)) > 1:
            await self._write([Entry(part, None, None, entry.put_at, merged=True) for part in pieces(entry.rows, rows // 2)])
            self._passed(entries)
            return
        metrics.ledger_failures.labels("refused").inc()
        log.error("row refused by the database", error=str(error))
        if self._on_refused is not None:
            self._on_refused(entry.rows, str(error))
        if (mended := storable(entry.rows)) != entry.rows:
            # Its texts are no reason to lose the row.
            try:
                await self._commit([Entry(mended, None, None, entry.put_at)])
            except _REFUSED as again:
                log.error("mended in vain", error=str(again))
        self._passed(entries)

    async def _commit(self, entries: list[Entry]) -> None:
        rows = Rows()
        for entry in entries:
            rows.add(entry.rows)
        parameters: dict[str, object] = {name: to_json(found).decode() for name, found in lists(rows).items()}
        while True:
            reached = [number for number in (self._reached, _position(entries)) if number is not None]
            parameters |= {"journal": self.journal, "position": max(reached, default=None)}
            try:
                connection = await self._connected()
                async with asyncio.timeout(_STATEMENT_S):
                    await connection.execute(WRITE, parameters, prepare=True)
                self.database_up = True
                return
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except (psycopg.Error, TimeoutError) as error:
                metrics.ledger_failures.labels("database_away").inc()
                await self._away(error)

    async def _away(self, error: Exception) -> None:
        self.database_up = False
        said = str(error) or type(error).__name__
        if said != self.last_error:
            log.warning("database away, alarms wait", error=said, waiting=self.depth)
        self.last_error = said
        await self._drop()
        await asyncio.sleep(_RETRY_S)

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=_CONNECT_S)
                self.last_error = ""
            return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def ping(self) -> None:
        """Look once whether the database is there, so that health knows before the first alarm."""
        if self.depth or not self._prepared_once:
            return
        try:
            connection = await self._connected()
            async with asyncio.timeout(_STATEMENT_S):
                await connection.execute("SELECT 1")
            self.database_up = True
        except (psycopg.Error, TimeoutError):
            self.database_up = False
            await self._drop()


def _position(entries: list[Entry]) -> int | None:
    return max((entry.number for entry in entries if entry.number is not None), default=None)
