"""The canary leaves an order a minute behind: what is old of it is forgotten, once an hour, in pieces that are small and over soon.

Deletes only orders of kind canary that are archived, and what is theirs by id: steps, calls, ladder, requests to the line, inbox rows.
An inbox row outlives the line's outbox row, else the message would come again as a new one. By the platform's clock, as the rows are
stamped.
"""

from typing import Any, Final
from uuid import UUID

import structlog

from core.clock import Clock
from dispatch import order_making, orders
from dispatch.database import Connection, Lane
from dispatch.settings import DispatchSettings

PIECE: Final = 100
"""Orders deleted at once."""
_PIECES: Final = 20
"""Pieces in one round: other rounds wait for it."""
_EVERY_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000

OLD: Final = """
SELECT w.order_id, w.incident_id, array_agg(s.detail ->> 'message_id') FILTER (WHERE s.detail ? 'message_id') AS messages,
       array_agg(s.at_ms) FILTER (WHERE s.event = 'archive') AS finished
FROM (
    SELECT order_id, incident_id FROM work_orders w
    WHERE kind = 'canary' AND archived_ms < %(before_ms)s AND created_ms < %(before_ms)s
      AND NOT EXISTS (SELECT FROM order_steps t JOIN outbox o ON o.message_id = (t.detail ->> 'message_id')::uuid
                      WHERE t.order_id = w.order_id AND t.detail ? 'message_id')
    ORDER BY created_ms LIMIT %(piece)s FOR UPDATE OF w
) w JOIN order_steps s USING (order_id) GROUP BY w.order_id, w.incident_id
"""
FORGET: Final = """
WITH s AS (
    DELETE FROM order_steps WHERE order_id = ANY(%(orders)s)
), c AS (
    DELETE FROM calls WHERE incident_id = ANY(%(incidents)s) AND role = 'canary'
), l AS (
    DELETE FROM ladders WHERE incident_id = ANY(%(incidents)s)
), r AS (
    DELETE FROM requests
    WHERE request_id = ANY(%(requests)s) AND station = 'line' AND kind = 'order_finished' AND body ->> 'order_kind' = 'canary'
), i AS (
    DELETE FROM dispatch_inbox WHERE message_id = ANY(%(messages)s)
)
DELETE FROM work_orders WHERE order_id = ANY(%(orders)s) AND kind = 'canary'
"""
FORGET_NUMBERS: Final = """
DELETE FROM order_numbers WHERE prefix = %(prefix)s AND day < %(day)s
AND NOT EXISTS (SELECT FROM work_orders WHERE kind = 'canary' AND starts_with(order_no, prefix || '-' || to_char(day, 'YYMMDD') || '-'))
"""


class CanaryRows:
    """Dispatch's rows of the canary, and how long they are kept."""

    def __init__(self, settings: DispatchSettings, clock: Clock, lane: Lane) -> None:
        self._kept_ms = round(settings.canary_kept_days * _DAY_MS)
        self._clock = clock
        self._lane = lane
        self._due_ms = 0

    async def look(self) -> None:
        """Forget what is old when an hour has passed since the last time. Raises DatabaseAway."""
        if self._clock.now_ms() < self._due_ms:
            return
        count, left = await self.forget()
        if not left:
            self._due_ms = self._clock.now_ms() + _EVERY_MS
        if count:
            structlog.get_logger().info("old rows of the canary deleted", orders=count)

    async def forget(self) -> tuple[int, bool]:
        """Delete what is older than it is kept; returns how many orders, and whether there may be more. Raises DatabaseAway."""
        count = 0
        for _ in range(_PIECES):
            found = await self._lane.run(self._piece)
            count += found
            if found == 0:
                await self._lane.run(self._numbers)
                return count, False
        return count, True

    def _before_ms(self) -> int:
        return self._clock.now_ms() - self._kept_ms

    async def _piece(self, connection: Connection) -> int:
        old = await (await connection.execute(OLD, {"before_ms": self._before_ms(), "piece": PIECE})).fetchall()
        if not old:
            return 0
        parameters: dict[str, Any] = {
            "orders": [row["order_id"] for row in old],
            "incidents": [row["incident_id"] for row in old],
            "messages": [UUID(which) for row in old for which in row["messages"] or ()],
            "requests": [orders.finished_id(row["order_id"], row["incident_id"], at_ms) for row in old for at_ms in row["finished"] or ()],
        }
        return (await connection.execute(FORGET, parameters)).rowcount

    async def _numbers(self, connection: Connection) -> None:
        day = order_making.local_day(self._before_ms())
        await connection.execute(FORGET_NUMBERS, {"prefix": order_making.PREFIX["canary"], "day": day})
