"""Work for a person at the desk, and the urgency that a call gives to an order. Queued, written in order, each task once.

Decides nothing: whoever calls has decided. A task's id is computed from what it is about, so that saying it twice makes one task.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from core.clock import Clock
from dispatch import orders_sql
from dispatch.database import Connection
from dispatch.ledger import Ledger

PRIORITY: Final[dict[str, int]] = {
    "help_needed": 1,
    "nobody_to_call": 1,
    "nobody_confirmed": 2,
    "not_accepted": 2,
    "closed_by_itself": 4,
    "over_set_point_in_preheat": 3,
    "registry_error": 6,
}
"""How urgent a task is, 1 first. What is not named here counts as 5."""

_ORDINARY: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do. ``subject`` tells tasks of one kind and incident apart; ``detail`` is JSON."""

    incident_id: UUID
    home_id: str | None
    kind: str
    simulated: bool
    subject: str
    detail: Mapping[str, object]

    @property
    def task_id(self) -> UUID:
        """The same for the same thing to do."""
        return uuid5(self.incident_id, f"task/{self.kind}/{self.subject}")


async def add(connection: Connection, task: Task, now_ms: int) -> None:
    """Write a task, unless it is there already."""
    await connection.execute(
        orders_sql.ADD_TASK,
        {
            "task_id": task.task_id,
            "incident_id": task.incident_id,
            "home_id": task.home_id,
            "kind": task.kind,
            "priority": PRIORITY.get(task.kind, _ORDINARY),
            "simulated": task.simulated,
            "detail": Jsonb(dict(task.detail)),
            "now_ms": now_ms,
        },
    )


class Desk:
    """Hands tasks and urgency to the ledger, behind the order that they belong to."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def raise_task(self, task: Task) -> None:
        """Queue a task for the desk, stamped now."""
        now_ms = self._clock.now_ms()

        async def work(connection: Connection) -> None:
            await add(connection, task, now_ms)

        self._ledger.put("task", work)

    def raise_priority(self, incident_id: UUID, priority: int) -> None:
        """Queue: the incident's open orders are at least as urgent as ``priority``."""

        async def work(connection: Connection) -> None:
            await connection.execute(orders_sql.RAISE_PRIORITY, {"incident_id": incident_id, "priority": priority})

        self._ledger.put("priority", work)
