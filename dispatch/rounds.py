"""The regular rounds: orders that nobody will accept any more come back, waiting ones get crews that came free or on duty, those that
nobody accepts become a task, canaries that nobody could ring are let go and old ones forgotten, figures are read.

Decides nothing that is not already decided in ``judgement``; runs on the platform's clock.
"""

import structlog

from core.clock import Clock
from dispatch import metrics, orders, orders_sql, tasks
from dispatch.canary_rows import CanaryRows
from dispatch.database import Connection, DatabaseAway, Lane
from dispatch.settings import DispatchSettings

OPEN_ORDERS = """
SELECT kind, state, count(*) AS count FROM work_orders WHERE archived_ms IS NULL AND kind <> 'canary' GROUP BY kind, state
"""
OLDEST_WAITING = """
SELECT min(created_ms) AS created_ms FROM work_orders
WHERE state = 'waiting' AND archived_ms IS NULL AND kind <> 'canary' AND (place ->> 'send_crew')::boolean
"""
OPEN_TASKS = "SELECT kind, count(*) AS count FROM tasks WHERE done_ms IS NULL GROUP BY kind"


class Rounds:
    """What is looked at every few seconds."""

    def __init__(self, settings: DispatchSettings, clock: Clock, lane: Lane) -> None:
        self._settings = settings
        self._clock = clock
        self._lane = lane
        self._canary_rows = CanaryRows(settings, clock, lane)
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Go round for ever."""
        while True:
            try:
                await self.go_round()
            except DatabaseAway:
                pass  # the lane has said so
            except Exception:  # noqa: BLE001  one failure must not stop the others
                self._log.exception("a round failed")
            await self._clock.sleep(self._settings.look_s)

    async def go_round(self) -> None:
        """One round. Raises DatabaseAway."""
        await self.share_out()
        await self._lane.run(self._not_accepted)
        await self._lane.run(self._canaries_left)
        await self._canary_rows.look()
        await self._lane.run(self._read_figures)

    async def share_out(self) -> None:
        """Take orders from crews that are gone, and give what waits to crews that are free and on duty: at once, not a round later."""
        taken, given = await self._lane.run(self._take_and_give)
        for order_no, crew_id in taken:
            self._log.info("order taken back", order_no=order_no, crew=crew_id)
        for order_no, crew_id in given:
            self._log.info("order assigned", order_no=order_no, crew=crew_id)

    async def _take_and_give(self, connection: Connection) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        now_ms = self._clock.now_ms()
        return await orders.take_from_gone(connection, now_ms), await orders.share_out(connection, now_ms)

    async def _not_accepted(self, connection: Connection) -> None:
        now_ms = self._clock.now_ms()
        before_ms = now_ms - round(self._settings.accept_s * 1000)
        late = await (await connection.execute(orders_sql.NOT_ACCEPTED, {"before_ms": before_ms})).fetchall()
        for order in late:
            task = tasks.Task(
                incident_id=order["incident_id"],
                home_id=order["home_id"],
                kind="not_accepted",
                simulated=order["simulated"],
                subject=f"{order['order_no']}/{order['assigned_ms']}",
                detail={"order_no": order["order_no"], "crew_id": order["crew_id"], "assigned_ms": order["assigned_ms"]},
            )
            await tasks.add(connection, task, now_ms)

    async def _canaries_left(self, connection: Connection) -> None:
        """A canary whose call did not come to its end in time failed: the age of the last full round shows it."""
        now_ms = self._clock.now_ms()
        before_ms = now_ms - round(self._settings.canary_call_s * self._settings.clock_rate * 1000)
        for order in await (await connection.execute(orders_sql.CANARIES_LEFT, {"before_ms": before_ms})).fetchall():
            await orders.archive_canary(connection, order, "call_failed", now_ms)
            metrics.CANARY_CALLS.labels("call_failed").inc()

    async def _read_figures(self, connection: Connection) -> None:
        metrics.ORDERS.clear()
        for row in await (await connection.execute(OPEN_ORDERS)).fetchall():
            metrics.ORDERS.labels(row["kind"], row["state"]).set(row["count"])
        oldest = await (await connection.execute(OLDEST_WAITING)).fetchone()
        since = None if oldest is None else oldest["created_ms"]
        metrics.WAITING_OLDEST.set(0 if since is None else max(0, self._clock.now_ms() - since) / 1000)
        metrics.TASKS.clear()
        for row in await (await connection.execute(OPEN_TASKS)).fetchall():
            metrics.TASKS.labels(row["kind"]).set(row["count"])
