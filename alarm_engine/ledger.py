"""Makes decisions durable: everything that waits becomes one set-based statement, in order.

A lost database delays and loses nothing: the statement is repeated until it is committed. A row that the database refuses is found by
halving and reported; it holds nobody. Sole writer of incidents, alarms, commands, incident_events and outbox.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

from alarm_engine import metrics
from alarm_engine.rows import Rows
from alarm_engine.state import Done
from core.clock import Clock

log = structlog.get_logger()

_MOST_AT_ONCE = 500
_RETRY_S = 0.5

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
)
INSERT INTO outbox (message_id, incident_id, payload, created_ms)
SELECT o.message_id, o.incident_id, o.payload, o.created_ms
FROM jsonb_populate_recordset(NULL::outbox, %(outbox)s::jsonb) AS o
ON CONFLICT (message_id) DO NOTHING
"""


@dataclass(slots=True)
class _Entry:
    rows: Rows
    done: Done | None
    alarm_received_ms: int | None
    put_at: float


class Ledger:
    """A queue of bundles and the one task that writes them. ``on_refused`` hears of a bundle that the database will not take."""

    def __init__(self, dsn: str, clock: Clock, on_refused: Callable[[Rows, str], None] | None = None) -> None:
        self._dsn = dsn
        self._clock = clock
        self._on_refused = on_refused
        self._waiting: deque[_Entry] = deque()
        self._writing: list[_Entry] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._connecting = asyncio.Lock()
        self.database_up = False
        self.last_error = ""

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        """Queue a bundle; ``done`` is called in the event loop once it is committed."""
        self._waiting.append(_Entry(rows, done, alarm_received_ms, time.perf_counter()))
        self._idle.clear()
        self._wake.set()

    @property
    def depth(self) -> int:
        """Bundles that are not durable yet."""
        return len(self._waiting) + len(self._writing)

    def oldest_alarm_s(self) -> float:
        """Age in seconds of the oldest alarm that is not durable; 0 when none waits."""
        for entries in (self._writing, self._waiting):
            for entry in entries:
                if entry.alarm_received_ms is not None:
                    return time.perf_counter() - entry.put_at
        return 0.0

    async def run(self) -> None:
        """Write until cancelled; call :meth:`drain` first to leave nothing behind."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    self._writing = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
                    await self._write(self._writing)
                    self._writing = []
                self._idle.set()
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything is durable; False when ``timeout_s`` real seconds were not enough."""
        if self.depth == 0:
            return True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _write(self, entries: list[_Entry]) -> None:
        try:
            await self._commit(entries)
        except (psycopg.DataError, psycopg.IntegrityError, TypeError, ValueError) as error:
            await self._halve(entries, error)
            return
        for entry in entries:
            if entry.alarm_received_ms is not None:
                metrics.durable.observe(time.perf_counter() - entry.put_at)
            _tell(entry)

    async def _halve(self, entries: list[_Entry], error: Exception) -> None:
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._write(entries[:middle])
            await self._write(entries[middle:])
            return
        metrics.ledger_failures.labels("refused").inc()
        log.error("bundle refused by the database", error=str(error))
        if self._on_refused is not None:
            self._on_refused(entries[0].rows, str(error))
        _tell(entries[0])

    async def _commit(self, entries: list[_Entry]) -> None:
        rows = Rows()
        for entry in entries:
            rows.add(entry.rows)
        parameters = {
            "incidents": _json(list(rows.incidents.values())),
            "commands": _json(list(rows.commands.values())),
            "alarms": _json(rows.alarms),
            "events": _json(rows.events),
            "outbox": _json(rows.outbox),
            "holds": _json(list(rows.holds.values())),
            "conditions": _json(list(rows.conditions.values())),
            "aliases": _json(rows.aliases),
        }
        while True:
            try:
                connection = await self._connected()
                await connection.execute(WRITE, parameters, prepare=True)
                self.database_up = True
                return
            except (psycopg.DataError, psycopg.IntegrityError):
                raise
            except psycopg.Error as error:
                self.database_up = False
                if str(error) != self.last_error:
                    log.warning("database away, alarms wait", error=str(error), waiting=self.depth)
                self.last_error = str(error)
                metrics.ledger_failures.labels("database_away").inc()
                await self._drop()
                await asyncio.sleep(_RETRY_S)

    async def _connected(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
                self.last_error = ""
            return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def ping(self) -> None:
        """Look once whether the database is there, so that health knows before the first alarm."""
        if self.depth:
            return
        try:
            connection = await self._connected()
            await connection.execute("SELECT 1")
            self.database_up = True
        except psycopg.Error:
            self.database_up = False
            await self._drop()


def _tell(entry: _Entry) -> None:
    """Say that it is durable. Whoever cannot take it stops nobody behind him."""
    if entry.done is None:
        return
    try:
        entry.done()
    except Exception:
        log.exception("could not be told that it is durable")


def _json(rows: list[dict[str, object]]) -> str:
    return json.dumps(rows, ensure_ascii=False)
