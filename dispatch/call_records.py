"""Calls and ladders as rows: what was asked, rung, said and pressed, and how it ended. Written behind the calls, never before them.

Only the newest state of a row is kept while the database is away, so that a long outage costs rows, not events; the journal has it too,
until it is a row that will not change any more.
"""

import asyncio
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog
from psycopg.types.json import Json
from pydantic import TypeAdapter

from dispatch import metrics
from dispatch.database import Connection, Lane
from dispatch.journal import CallJournal

SAVE_CALL: Final = """
INSERT INTO calls (call_id, incident_id, home_id, attempt, position, name, role, address, simulated, language, requested_ms, placed_ms,
                   ringing_ms, answered_ms, key, key_ms, ended_ms, outcome, sip_code, q850_cause, cause_source, reason, said)
VALUES (%(call_id)s, %(incident_id)s, %(home_id)s, %(attempt)s, %(position)s, %(name)s, %(role)s, %(address)s, %(simulated)s,
        %(language)s, %(requested_ms)s, %(placed_ms)s, %(ringing_ms)s, %(answered_ms)s, %(key)s, %(key_ms)s, %(ended_ms)s, %(outcome)s,
        %(sip_code)s, %(q850_cause)s, %(cause_source)s, %(reason)s, %(said)s)
ON CONFLICT (call_id) DO UPDATE SET
    placed_ms = excluded.placed_ms, ringing_ms = excluded.ringing_ms, answered_ms = excluded.answered_ms, key = excluded.key,
    key_ms = excluded.key_ms, ended_ms = excluded.ended_ms, outcome = excluded.outcome, sip_code = excluded.sip_code,
    q850_cause = excluded.q850_cause, cause_source = excluded.cause_source, reason = excluded.reason, said = excluded.said
WHERE calls.ended_ms IS NULL OR excluded.ended_ms IS NOT NULL
"""

SAVE_LADDER: Final = """
INSERT INTO ladders (incident_id, state, due_ms, done) VALUES (%(incident_id)s, %(state)s, %(due_ms)s, %(done)s)
ON CONFLICT (incident_id) DO UPDATE SET state = excluded.state, due_ms = excluded.due_ms, done = excluded.done
WHERE coalesce((ladders.state ->> 'revision')::bigint, 0) <= (excluded.state ->> 'revision')::bigint
"""

OPEN_LADDERS: Final = """
SELECT l.incident_id, l.state,
       EXISTS (SELECT FROM work_orders w
               WHERE (w.incident_id = l.incident_id
                      OR w.order_id IN (SELECT order_id FROM order_aliases a WHERE a.incident_id = l.incident_id))
               AND w.kind = 'emergency' AND (w.made_safe_ms IS NOT NULL OR w.archived_ms IS NOT NULL)) AS work_done
FROM ladders l WHERE NOT l.done
"""
ONE_LADDER: Final = """
SELECT incident_id, state FROM ladders
WHERE incident_id = %(incident_id)s
   OR incident_id IN (SELECT w.incident_id FROM order_aliases a JOIN work_orders w USING (order_id) WHERE a.incident_id = %(incident_id)s)
ORDER BY incident_id = %(incident_id)s DESC LIMIT 1
"""
ARCHIVED: Final = """
SELECT incident_id FROM work_orders WHERE incident_id = ANY(%(incidents)s) GROUP BY incident_id HAVING bool_and(archived_ms IS NOT NULL)
"""
CALLS_UNDER_WAY: Final = "SELECT * FROM calls WHERE outcome = 'under_way'"

_BATCH: Final = 200
_MOST_SAID: Final = 200
_LINGER_S: Final = 0.02
"""Real seconds that a change waits for the next one: a call changes several times as it begins, and its order goes first."""


@dataclass(slots=True)
class CallRecord:
    """One attempt to reach one person. Stamps are Unix ms."""

    call_id: UUID
    incident_id: UUID
    home_id: str | None
    attempt: int
    position: int
    name: str
    role: str
    address: str
    simulated: bool
    language: str
    requested_ms: int
    placed_ms: int | None = None
    ringing_ms: int | None = None
    answered_ms: int | None = None
    key: str | None = None
    key_ms: int | None = None
    ended_ms: int | None = None
    outcome: str = "under_way"
    sip_code: int | None = None
    q850_cause: int | None = None
    cause_source: str | None = None
    reason: str | None = None
    said: list[str] = field(default_factory=list)

    def spoken(self, sentence: str) -> None:
        """Add a sentence that was spoken."""
        if len(self.said) < _MOST_SAID:
            self.said.append(sentence)


CALL: Final[TypeAdapter[CallRecord]] = TypeAdapter(CallRecord)


@dataclass(frozen=True, slots=True)
class LadderRow:
    """A ladder as it is kept: ``state`` is JSON text."""

    incident_id: UUID
    state: str
    due_ms: int | None
    done: bool


class CallRecords:
    """The rows that have changed, and the task that writes them."""

    def __init__(self, lane: Lane, journal: CallJournal) -> None:
        self._lane = lane
        self._journal = journal
        self._forgotten: set[UUID] = set()
        self._calls: dict[UUID, CallRecord] = {}
        self._ladders: dict[UUID, LadderRow] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def call(self, record: CallRecord, *, lasting: bool = True) -> None:
        """This call changed; what is not ``lasting`` may be lost in a crash while the database is away."""
        self._calls[record.call_id] = record
        if lasting:
            self._journal.keep("call", str(record.call_id), CALL.dump_json(record).decode())
        self._changed()

    def ladder(self, row: LadderRow) -> None:
        """This ladder changed."""
        self._ladders[row.incident_id] = row
        self._forgotten.discard(row.incident_id)
        self._journal.keep("ladder", str(row.incident_id), row.state)
        self._changed()

    def forget(self, incident_id: UUID) -> None:
        """This ladder is over and not in memory any more: as soon as it is a row, the journal need not have it."""
        if incident_id in self._ladders:
            self._forgotten.add(incident_id)
        else:
            self._journal.let_go("ladder", str(incident_id))

    def restore(self) -> list[CallRecord]:
        """The calls that the journal kept from an earlier life, queued to become rows."""
        records = self._journal.read("call", CALL.validate_json)
        for record in records:
            self._calls[record.call_id] = record
        if records:
            self._changed()
        return records

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_LINGER_S)
            calls = [self._calls.pop(which) for which in list(self._calls)[:_BATCH]]
            ended = [record.call_id for record in calls if record.outcome != "under_way"]
            ladders = [self._ladders.pop(which) for which in list(self._ladders)[:_BATCH]]
            call_rows = [_call_row(record) for record in calls]
            # By id, as the inbox writes them with their orders: two who write many rows must not wait for one another.
            await self._write(SAVE_LADDER, [ladder_row(row) for row in sorted(ladders, key=lambda row: row.incident_id)])
            await self._write(SAVE_CALL, call_rows)
            self._written(ended, [row.incident_id for row in ladders])
            if not self._calls and not self._ladders:
                self._wake.clear()
                self._idle.set()
            metrics.RECORDS_WAITING.set(len(self._calls) + len(self._ladders))

    def _written(self, ended: list[UUID], ladders: list[UUID]) -> None:
        for call_id in ended:
            if call_id not in self._calls:
                self._journal.let_go("call", str(call_id))
        for incident_id in self._forgotten.intersection(ladders):
            self._forgotten.discard(incident_id)
            self._journal.let_go("ladder", str(incident_id))

    async def settled(self) -> None:
        """Return when everything is written."""
        await self._idle.wait()

    async def _write(self, statement: str, rows: list[dict[str, Any]]) -> None:
        """Write all rows; on a row that the database refuses, halve until that row is found, named and left out."""
        if not rows:
            return

        async def work(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                await cursor.executemany(statement, rows)

        try:
            await self._lane.until_done(work)
        except (psycopg.Error, ValueError, TypeError) as error:
            if len(rows) == 1:
                metrics.GIVEN_UP.labels("call_record").inc()
                structlog.get_logger().error("call record refused", why=str(error).strip(), row=str(rows[0].get("call_id", "ladder")))
                return
            middle = len(rows) // 2
            await self._write(statement, rows[:middle])
            await self._write(statement, rows[middle:])

    def _changed(self) -> None:
        metrics.RECORDS_WAITING.set(len(self._calls) + len(self._ladders))
        self._idle.clear()
        self._wake.set()


def ladder_row(row: LadderRow) -> dict[str, Any]:
    """A ladder as parameters of ``SAVE_LADDER``."""
    return {
        "incident_id": row.incident_id,
        "state": Json(row.state, dumps=lambda text: text),
        "due_ms": row.due_ms,
        "done": row.done,
    }


def _call_row(record: CallRecord) -> dict[str, Any]:
    # A NUL is the one character that PostgreSQL's text cannot hold.
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in asdict(record).items()} | {
        "said": [sentence.replace("\0", "") for sentence in record.said]
    }
