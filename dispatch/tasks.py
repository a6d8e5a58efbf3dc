"""Work for a person at the desk, and the urgency that a call gives to an order. Queued, written in order, each task once.

Decides nothing: whoever calls has decided. A task's id is computed from what it is about, so that saying it twice makes one task.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict

from core.clock import Clock
from dispatch import orders_sql
from dispatch.database import Connection
from dispatch.journal import CallJournal
from dispatch.ledger import Ledger

PRIORITY: Final[dict[str, int]] = {
    "held_valve_open": 1,
    "help_needed": 1,
    "nobody_to_call": 1,
    "building_dark": 2,
    "call_missing": 2,
    "canary_late": 2,
    "close_missing": 1,
    "nobody_confirmed": 2,
    "not_accepted": 2,
    "order_missing": 2,
    "account_flooding": 3,
    "closed_by_itself": 4,
    "over_set_point_in_preheat": 3,
    "registry_error": 6,
}
"""How urgent a task is, 1 first. What is not named here counts as 5."""

_ORDINARY: Final = 5


class Task(BaseModel):
    """One thing to do. ``subject`` tells tasks of one kind and incident apart; ``detail`` is JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

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


class _Raised(BaseModel):
    """A task with its stamp, as the journal keeps it."""

    task: Task
    now_ms: int


class _Urgency(BaseModel):
    incident_id: UUID
    priority: int


class Desk:
    """Hands tasks and urgency to the ledger, behind the order that they belong to; the journal has them until they are rows."""

    def __init__(self, ledger: Ledger, clock: Clock, journal: CallJournal) -> None:
        self._ledger = ledger
        self._clock = clock
        self._journal = journal

    def raise_task(self, task: Task) -> None:
        """Queue a task for the desk, stamped now."""
        raised = _Raised(task=task, now_ms=self._clock.now_ms())
        self._journal.keep("task", str(task.task_id), raised.model_dump_json())
        self._put_task(raised)

    def raise_priority(self, incident_id: UUID, priority: int) -> None:
        """Queue: the incident's open orders are at least as urgent as ``priority``."""
        urgency = _Urgency(incident_id=incident_id, priority=priority)
        self._journal.keep("priority", str(incident_id), urgency.model_dump_json())
        self._put_urgency(urgency)

    def restore(self) -> None:
        """Queue again what the journal kept from an earlier life."""
        for raised in self._journal.read("task", _Raised.model_validate_json):
            self._put_task(raised)
        for urgency in self._journal.read("priority", _Urgency.model_validate_json):
            self._put_urgency(urgency)

    def _put_task(self, raised: _Raised) -> None:
        async def work(connection: Connection) -> None:
            await add(connection, raised.task, raised.now_ms)

        self._ledger.put("task", work, lambda _: self._journal.let_go("task", str(raised.task.task_id)))

    def _put_urgency(self, urgency: _Urgency) -> None:
        async def work(connection: Connection) -> None:
            await connection.execute(orders_sql.RAISE_PRIORITY, urgency.model_dump())

        self._ledger.put("priority", work, lambda _: self._journal.let_go("priority", str(urgency.incident_id)))
