"""Work for a person at the desk. Read from ``tasks``; dispatch writes them."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import TASK_IN_SCOPE, home_open
from console.api.needs import Database, noun
from console.api.reader import Reader
from console.home_address import home_address
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.store import Row, Store
from console.vocabulary import TASK_KINDS, Words, said

router = noun("tasks")

_COLUMNS = """tasks.task_id, tasks.incident_id, tasks.home_id, tasks.kind, tasks.priority, tasks.simulated, tasks.detail, tasks.created_ms,
    tasks.done_ms, tasks.done_by, tasks.note, i.closed_ms AS incident_closed_ms,
    i.home ->> 'address_zh' AS told_zh, i.home ->> 'address_en' AS told_en,
    h.district_code, h.district, h.estate, h.building, h.unit, h.room"""
_FROM = "tasks LEFT JOIN homes h ON h.home_id = tasks.home_id LEFT JOIN incidents i ON i.incident_id = tasks.incident_id"
_OPEN = home_open("tasks.home_id", "tasks.incident_id")

TASKS_BY_PRIORITY = f"""
    SELECT {_COLUMNS}, {_OPEN} AS home_open FROM {_FROM}
    WHERE tasks.home_id IS DISTINCT FROM 'CANARY' AND (%(open)s::boolean IS NULL OR (tasks.done_ms IS NULL) = %(open)s)
      AND {TASK_IN_SCOPE}
      AND (%(priority)s::int IS NULL OR (tasks.priority, tasks.created_ms, tasks.task_id) > (%(priority)s, %(at)s::bigint, %(id)s::uuid))
    ORDER BY tasks.priority, tasks.created_ms, tasks.task_id LIMIT %(rows)s"""
TASKS_BY_ID = f"SELECT {_COLUMNS} FROM {_FROM} WHERE tasks.task_id = ANY(%(ids)s)"
TASKS_OF_INCIDENT = (
    f"SELECT {_COLUMNS} FROM {_FROM} WHERE tasks.incident_id = ANY(%(ids)s) ORDER BY tasks.created_ms, tasks.task_id LIMIT 200"
)


class Task(BaseModel):
    """Something only a person can do."""

    task_id: UUID
    incident_id: UUID | None
    home_id: str | None
    address_zh: str = Field(description="of the home; empty where none is known")
    address_en: str
    kind: str
    words: Words = Field(description="what is to be done")
    priority: int = Field(description="1 is worked first")
    simulated: bool
    detail: dict[str, Any] = Field(description="names and numbers in it are masked as those of calls are")
    created_ms: int = Field(description="Unix ms")
    done_ms: int | None = Field(description="Unix ms; null while it is open")
    done_by: str | None
    note: str | None
    incident_closed_ms: int | None = Field(description="when its incident ended, Unix ms; null while that is open, and where there is none")


def from_row(row: Row, *, clear: bool) -> Task:
    """A task as the API gives it; ``clear``: with the names and numbers in its detail."""
    # Where no home is known the address is the one that the hotline was told.
    where = (
        home_address(row) if row["district_code"] is not None else Words(zh=row["told_zh"] or "", en=row["told_en"] or row["told_zh"] or "")
    )
    shown = masking.shown(row, masking.task, clear=clear)
    return Task(**shown, words=said(TASK_KINDS, row["kind"]), address_zh=where.zh, address_en=where.en)


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
