"""The canary leaves an incident a minute behind: what is old of it is deleted, once an hour, in pieces that are small and over soon.

Deletes only incidents of kind canary that are closed, what hangs by their ids, and what the canary's own devices left without one; what
is not the canary's is never touched. Dispatch forgets its part once ours is gone. By the platform's clock, as the rows are stamped.
"""

from typing import Any, Final, LiteralString

import psycopg
import structlog

from alarm_engine.settings import LineSettings
from core.clock import Clock
from core.ids import CANARY_DETECTOR, CANARY_HOME, CANARY_METER

log = structlog.get_logger()

PIECE: Final = 100
"""Incidents deleted at once."""
_EVERY_S: Final = 3600.0
_AGAIN_S: Final = 60.0
_DAY_MS: Final = 86_400_000
_OPTIONS: Final = "-c statement_timeout=5000 -c application_name=line"

# Outbox rows are found by when they were made: there are few of that time, and no index by incident.
FORGET_INCIDENTS: Final[LiteralString] = """
WITH gone AS (
    SELECT incident_id, received_ms, closed_ms FROM incidents
    WHERE home_id = %(home)s AND kind = 'canary' AND state = 'closed' AND received_ms < %(before_ms)s AND closed_ms < %(before_ms)s
    ORDER BY received_ms LIMIT %(piece)s FOR UPDATE
), e AS (
    DELETE FROM incident_events x USING gone WHERE x.incident_id = gone.incident_id
), a AS (
    DELETE FROM alarms x USING gone WHERE x.incident_id = gone.incident_id
), c AS (
    DELETE FROM commands x USING gone WHERE x.incident_id = gone.incident_id
), s AS (
    DELETE FROM incident_aliases x USING gone WHERE x.incident_id = gone.incident_id
), o AS (
    DELETE FROM outbox x USING gone
    WHERE x.incident_id = gone.incident_id AND x.created_ms >= (SELECT min(received_ms) FROM gone)
      AND x.created_ms <= (SELECT max(closed_ms) FROM gone) + 3600000
)
DELETE FROM incidents x USING gone WHERE x.incident_id = gone.incident_id
"""
FORGET_ALARMS: Final[LiteralString] = """
DELETE FROM alarms WHERE (device_id, ts, boot, seq) IN (
    SELECT device_id, ts, boot, seq FROM alarms
    WHERE device_id = ANY(%(devices)s) AND received_ms < %(before_ms)s AND ts < %(before_ms)s AND incident_id IS NULL LIMIT %(piece)s)
"""
FORGET_COMMANDS: Final[LiteralString] = """
DELETE FROM commands WHERE command_id IN (
    SELECT command_id FROM commands
    WHERE device_id = ANY(%(devices)s) AND issued_ms < %(before_ms)s AND incident_id IS NULL LIMIT %(piece)s)
"""


class CanaryRows:
    """The line's rows of the canary, and how long they are kept."""

    def __init__(self, dsn: str, settings: LineSettings, clock: Clock) -> None:
        self._dsn = dsn
        self._kept_ms = round(settings.canary_kept_days * _DAY_MS)
        self._clock = clock

    async def run(self) -> None:
        """Forget what is old, for ever. A database that is away is tried again soon."""
        while True:
            try:
                count = await self.forget()
                if count:
                    log.info("old rows of the canary deleted", rows=count)
                pause = _EVERY_S
            except Exception as error:  # noqa: BLE001  one failure must not stop the others
                # Rows that stay a minute longer harm nobody; the line goes on.
                log.warning("old rows of the canary stay for now", error=str(error).strip())
                pause = _AGAIN_S
            await self._clock.sleep(pause)

    async def forget(self) -> int:
        """Delete what is older than it is kept; returns how many incidents, and rows without one. Raises psycopg.Error."""
        parameters: dict[str, Any] = {
            "before_ms": self._clock.now_ms() - self._kept_ms,
            "home": CANARY_HOME,
            "devices": [CANARY_DETECTOR, CANARY_METER],
            "piece": PIECE,
        }
        count = 0
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=3, options=_OPTIONS) as connection:
            for statement in (FORGET_INCIDENTS, FORGET_ALARMS, FORGET_COMMANDS):
                while found := (await connection.execute(statement, parameters)).rowcount:
                    count += found
        return count
