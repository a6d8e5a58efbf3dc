"""Looks at what the platform knows while a scenario runs: things that come and go, and that the end no longer shows.

Read-only SQL a few times a second. Decides nothing and keeps what changed; a database that is away is asked again.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg

from core.clock import Clock
from simulator.report.facts import Watched
from simulator.report.served import MADE

_LOOK_S = 0.3
_SHORTEST_LOOK_S = 0.05
_AGAIN_S = 1.0
_OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=5000"

STORY = """
    SELECT proof, proof_due_ms, clearing, answer_due_ms, before_meter_ms FROM incidents
    WHERE received_ms >= %(since_ms)s AND home_id = %(home)s ORDER BY received_ms DESC LIMIT 1"""
PRIORITIES = "SELECT order_no, priority FROM work_orders WHERE home_id = %(home)s AND created_ms >= %(since_ms)s"
CANARY = "SELECT max(closed_ms) FROM incidents WHERE kind = 'canary' AND received_ms >= %(since_ms)s"
SERVED = """
    SELECT count(DISTINCT i.home_id)::int,
           count(DISTINCT i.home_id) FILTER (WHERE i.reported_closed_ms >= i.received_ms OR i.valve = 'reported_closed')::int,
           count(DISTINCT o.home_id)::int,
           count(DISTINCT i.home_id) FILTER (WHERE c.placed_ms IS NOT NULL OR c.outcome = ANY(%(made)s))::int
    FROM incidents i LEFT JOIN work_orders o USING (incident_id) LEFT JOIN calls c USING (incident_id)
    WHERE i.received_ms >= %(since_ms)s AND i.home_id = ANY(%(homes)s) AND i.kind = 'leak'"""


class Witness:
    """Watches the story's home. ``seen`` is what it saw; :meth:`run` until cancelled."""

    def __init__(self, dsn: str, clock: Clock, home_id: str, since_ms: int, *, rate: float = 1.0) -> None:
        """``rate``: how fast the clock runs; on a fast one it looks more often, as things pass sooner."""
        self.seen = Watched()
        self._rate = rate
        self._dsn = dsn
        self._clock = clock
        self._values: dict[str, Any] = {"home": home_id, "since_ms": since_ms}
        self._since_ms = since_ms

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, options=_OPTIONS, connect_timeout=5
                ) as connection:
                    while True:
                        await self._look(connection)
                        await asyncio.sleep(max(_SHORTEST_LOOK_S, _LOOK_S / self._rate))
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await asyncio.sleep(_AGAIN_S)

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        now_ms = self._clock.now_ms()
        for row in await _rows(connection, STORY, self._values):
            self._story(now_ms, *row)
        for order_no, priority in await _rows(connection, PRIORITIES, self._values):
            _note(self.seen.priorities.setdefault(str(order_no), []), int(priority))
        (newest,) = (await _rows(connection, CANARY, self._values))[0]
        age_s = (now_ms - max(self._since_ms, newest or 0)) / 1000
        self.seen.canary_age_s = max(self.seen.canary_age_s, age_s)

    def _story(
        self, now_ms: int, proof: str, proof_due_ms: int | None, clearing: str, answer_due_ms: int | None, before_meter_ms: int | None
    ) -> None:
        seen = self.seen
        _note(seen.proofs, proof)
        _note(seen.clearings, clearing)
        seen.minutes_left |= proof == "not_yet" and proof_due_ms is not None and proof_due_ms > now_ms
        seen.answer_due |= answer_due_ms is not None
        seen.before_meter |= before_meter_ms is not None


async def served(dsn: str, homes: Sequence[str], since_ms: int) -> tuple[int, int, int, int]:
    """How many of these homes have an incident, a valve reported closed, an order, a call placed. Zeros while nobody answers."""
    values = {"homes": list(homes), "since_ms": since_ms, "made": list(MADE)}
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=_OPTIONS, connect_timeout=5) as connection:
            incidents, closed, ordered, called = (await _rows(connection, SERVED, values))[0]
            return int(incidents), int(closed), int(ordered), int(called)
    except (psycopg.OperationalError, psycopg.InterfaceError):
        return 0, 0, 0, 0


async def _rows(connection: psycopg.AsyncConnection[Any], statement: LiteralString, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    return await (await connection.execute(statement, values)).fetchall()


def _note(history: list[Any], value: Any) -> None:
    if not history or history[-1] != value:
        history.append(value)
