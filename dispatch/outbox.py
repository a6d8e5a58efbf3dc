"""The second way from the line: its outbox rows, read at each notice and every so often. Knows no content of a message."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import ValidationError

from core.station import STATION_MESSAGE
from dispatch import metrics
from dispatch.database import Connection, Lane
from dispatch.inbox import Message

NOT_TAKEN: Final = """
SELECT o.outbox_no, o.message_id, o.payload FROM outbox o
WHERE o.outbox_no > %(floor)s AND NOT EXISTS (SELECT FROM dispatch_inbox i WHERE i.message_id = o.message_id)
ORDER BY o.outbox_no LIMIT 500
"""
HIGHEST: Final = "SELECT coalesce(max(outbox_no), 0) AS highest FROM outbox"

_SETTLED_S: Final = 60.0
"""A row below the highest number of so long ago cannot be committed any more: the line's statements end far sooner."""


class Outbox:
    """Reads the rows that are not in dispatch's inbox yet."""

    def __init__(self, lane: Lane, take: Callable[[Message], None], is_known: Callable[[UUID], bool]) -> None:
        """``take`` gets each message that is not ``is_known`` already."""
        self._lane = lane
        self._take = take
        self._is_known = is_known
        self._floor = 0
        self._seen: deque[tuple[float, int]] = deque()
        self._unreadable: set[UUID] = set()

    async def look(self) -> None:
        """Take what is new. Raises DatabaseAway."""
        floor = self._floor

        async def work(connection: Connection) -> tuple[int, list[dict[str, Any]]]:
            highest = await (await connection.execute(HIGHEST)).fetchone()
            rows = await (await connection.execute(NOT_TAKEN, {"floor": floor})).fetchall()
            return (highest["highest"] if highest else 0), rows

        highest, rows = await self._lane.run(work)
        for row in rows:
            self._row(row)
        self._raise_floor(highest, rows[0]["outbox_no"] if rows else None)

    def _row(self, row: dict[str, Any]) -> None:
        if self._is_known(row["message_id"]) or row["message_id"] in self._unreadable:
            return
        try:
            message = STATION_MESSAGE.validate_python({**row["payload"], "message_id": row["message_id"]})
        except (ValidationError, TypeError) as error:
            self._unreadable.add(row["message_id"])
            metrics.UNREADABLE.labels("outbox").inc()
            structlog.get_logger().error("outbox row unreadable", message_id=str(row["message_id"]), why=str(error))
            return
        self._take(message)

    def _raise_floor(self, highest: int, lowest_open: int | None) -> None:
        """Rows far behind are not looked at again: the look stays cheap while the outbox grows."""
        now = time.monotonic()
        self._seen.append((now, highest))
        while self._seen and self._seen[0][0] < now - _SETTLED_S:
            _, settled = self._seen.popleft()
            self._floor = max(self._floor, settled if lowest_open is None else min(settled, lowest_open - 1))
