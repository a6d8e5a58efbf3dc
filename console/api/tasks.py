"""Work for a person at the desk. Read from ``tasks``; dispatch writes them."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import TASK_IN_SCOPE, home_open
from console.api.needs import Database
from console.api.reader import Reader
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.store import Row, Store
from console.vocabulary import TASK_KINDS, Words, said

router = APIRouter(prefix="/api/v1", tags=["tasks"])

_COLUMNS = "task_id, incident_id, home_id, kind, priority, simulated, detail, created_ms, done_ms, done_by, note"
_OPEN = home_open("tasks.home_id", "tasks.incident_id")

TASKS_BY_PRIORITY = f"""
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM tasks
    WHERE home_id IS DISTINCT FROM 'CANARY' AND (%(open)s::boolean IS NULL OR (done_ms IS NULL) = %(open)s)
      AND {TASK_IN_SCOPE}
      AND (%(priority)s::int IS NULL OR (priority, created_ms, task_id) > (%(priority)s, %(at)s::bigint, %(id)s::uuid))
    ORDER BY priority, created_ms, task_id LIMIT %(rows)s"""
TASKS_BY_ID = f"SELECT {_COLUMNS} FROM tasks WHERE task_id = ANY(%(ids)s)"
TASKS_OF_INCIDENT = f"SELECT {_COLUMNS} FROM tasks WHERE incident_id = ANY(%(ids)s) ORDER BY created_ms, task_id LIMIT 200"


class Task(BaseModel):
    """Something only a person can do."""

    task_id: UUID
    incident_id: UUID | None
    home_id: str | None
    kind: str
    words: Words = Field(description="what is to be done")
    priority: int = Field(description="1 is worked first")
    simulated: bool
    detail: dict[str, Any] = Field(description="names and numbers in it are masked as those of calls are")
    created_ms: int = Field(description="Unix ms")
    done_ms: int | None = Field(description="Unix ms; null while it is open")
    done_by: str | None
    note: str | None


def from_row(row: Row, *, clear: bool) -> Task:
    """A task as the API gives it; ``clear``: with the names and numbers in its detail."""
    return Task(**masking.shown(row, masking.task, clear=clear), words=said(TASK_KINDS, row["kind"]))


async def of_incident(store: Store, ids: Sequence[UUID], *, clear: bool) -> list[Task]:
    """The tasks of an incident under any of its ids, oldest first, at most 200."""
    return [from_row(row, clear=clear) for row in await store.rows(TASKS_OF_INCIDENT, {"ids": list(ids)})]


@router.get("/tasks", summary="Tasks for people, first to be done first · 人工任务", responses=responses(422))
async def list_tasks(
    store: Database,
    who: Reader,
    open: Annotated[bool | None, Query(description="true: still to do; false: done; absent: all")] = None,  # noqa: A002  the API's word
    limit: Limit = 50,
    after: After = None,
) -> Page[Task]:
    """Sorted by priority, then by age."""
    priority, at, last = behind("tasks", after, int, int, UUID)
    values = {"open": open, "priority": priority, "at": at, "id": last, "rows": limit + 1}
    rows = await store.rows(TASKS_BY_PRIORITY, values | who.scope.values())
    return Page(
        items=[from_row(row, clear=masking.sees_people(who, home_open=row["home_open"])) for row in rows[:limit]],
        next=next_of("tasks", rows, limit, lambda row: (row["priority"], row["created_ms"], str(row["task_id"]))),
    )
