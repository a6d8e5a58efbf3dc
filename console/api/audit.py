"""The audit record, read. Nobody changes it: the database refuses."""

from typing import Annotated, Any

from fastapi import Depends, Query

from console.access.audit import AUDIT, WHAT_NAMES, AuditRecord, What
from console.access.who import Who
from console.api.needs import Database, needs, noun
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses

router = noun("access")

Reader = Annotated[Who, Depends(needs("audit"))]


@router.get("/audit", summary="The audit record · 审计记录", responses=responses(403, 422))
async def list_audit(
    database: Database,
    reader: Reader,
    limit: Limit = 50,
    after: After = None,
    who: Annotated[str | None, Query(max_length=64, description="name of the user or token")] = None,
    what: Annotated[What | None, Query(description="kind of record")] = None,
    about: Annotated[str | None, Query(max_length=200, description="id of what it was about")] = None,
) -> Page[AuditRecord]:
    """Newest first; of a look at a home, or for one, only where it is within the reader's districts."""
    (last,) = behind("audit", after, int)
    rows = await database.rows(AUDIT, {"after": last, "who": who, "what": what, "about": about, "rows": limit + 1, **reader.scope.values()})
    items = [_record(row) for row in rows]
    return Page[AuditRecord](items=items[:limit], next=next_of("audit", items, limit, lambda record: (record.audit_no,)))


def _record(row: dict[str, Any]) -> AuditRecord:
    zh, en = WHAT_NAMES.get(row["what"], (row["what"], row["what"]))
    return AuditRecord(zh=zh, en=en, **row)
