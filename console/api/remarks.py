"""What people at the desk say of an incident, and that they have seen it. Append-only; written by the console itself.

An acknowledgement stops nothing and decides nothing: it says that a person has seen it as it was then. Nothing here can be taken back.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, LiteralString
from uuid import UUID

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field, field_validator

from console import masking
from console.access.idempotency import request_id
from console.access.in_scope import home_open, incident_in_scope
from console.access.who import Who
from console.api.needs import Console, needs, noun
from console.api.reader import Reader
from console.desk import remarks_rows
from console.desk.alarmed_again import alarmed_again_ms
from console.desk.remarks_rows import COLUMNS, of_remark
from console.problems import not_found, responses
from console.running import Running
from console.store import Row, Store

router = noun("incidents")

INCIDENT: Final[LiteralString] = f"""
    SELECT i.incident_id, i.kind, (SELECT coalesce(array_agg(a.alias_id), '{{}}') FROM incident_aliases a
                                   WHERE a.incident_id = i.incident_id) AS aliases,
           {home_open("i.home_id", "i.incident_id")} AS home_open
    FROM incidents i
    WHERE i.incident_id IN (SELECT %(incident_id)s::uuid UNION ALL
                            SELECT a.incident_id FROM incident_aliases a WHERE a.alias_id = %(incident_id)s)
      AND {incident_in_scope("i")}"""
# What is acknowledged is what can be seen as it is written: a leak that is only being written is not.
ADD: Final[LiteralString] = f"""
    INSERT INTO incident_remarks (remark_id, incident_id, at_ms, kind, actor, display, note, alarm_ms)
    SELECT %(remark_id)s, i.incident_id, %(at_ms)s, %(kind)s, %(actor)s, %(display)s, %(note)s,
           CASE %(kind)s WHEN 'acknowledge' THEN least(coalesce({alarmed_again_ms("i")}, 0), %(alarm_ms)s::bigint) ELSE 0 END
    FROM incidents i WHERE i.incident_id = %(incident_id)s
    ON CONFLICT DO NOTHING RETURNING {COLUMNS}"""
ADDED: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM incident_remarks
    WHERE remark_id = %(remark_id)s
       OR (%(kind)s = 'acknowledge' AND kind = 'acknowledge' AND incident_id = %(incident_id)s AND actor = %(actor)s)
    ORDER BY remark_id = %(remark_id)s DESC, alarm_ms DESC LIMIT 1"""

_YEARS_MS: Final = 4_102_444_800_000

IncidentId = Annotated[UUID, Path(description="the incident's id, or an alias of it")]
Remarker = Annotated[Who, Depends(needs("remark"))]


class Acknowledge(BaseModel):
    """He has seen it."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field("", max_length=1000, description="free text")
    alarm_ms: int | None = Field(
        None, ge=0, le=_YEARS_MS, description="`alarmed_again_ms` of the incident as he saw it, 0 = null; left out: as it is. Unix ms"
    )


class SayRemark(BaseModel):
    """Something worth knowing about an incident."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=1000, description="free text; `Chinese / English` is told to each in his language")

    @field_validator("text")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("the text is blank")
        return text.strip()


class Remark(BaseModel):
    """A remark, or an acknowledgement."""

    remark_id: UUID
    incident_id: UUID
    at_ms: int = Field(description="Unix ms")
    kind: Literal["remark", "acknowledge"]
    by: str = Field(description="the name that he signs in with")
    display: str = Field(description="what he is called")
    text: str
    zh: str = Field(description="as the story of the incident tells it")
    en: str = Field(description="as the story of the incident tells it")


class Remarks(BaseModel):
    """What was said of one incident."""

    items: list[Remark] = Field(description="oldest first")


def from_row(row: Row) -> Remark:
    """A remark as the API gives it."""
    told = of_remark(row)
    own: dict[str, Any] = {name: row[name] for name in ("remark_id", "incident_id", "at_ms", "kind", "display")}
    return Remark(**own, by=row["actor"], text=row["note"], zh=told["zh"], en=told["en"])


def shown(row: Row, who: Who, incident: Row) -> Remark:
    """A remark of ``incident`` (a row of :func:`known`) as ``who`` may read it: telephone numbers in it are people's."""
    return from_row(masking.shown(row, masking.remark, clear=masking.sees_people(who, home_open=incident["home_open"])))


async def by_id(store: Store, ids: Sequence[UUID]) -> dict[UUID, Remark]:
    """The remarks with these ids, in clear. Raises DatabaseAway."""
    return {row["remark_id"]: from_row(row) for row in await remarks_rows.rows_by_id(store, ids)}


async def known(store: Store, who: Who, incident_id: UUID) -> Row:
    """An incident in scope, by its id or an alias, with its ``aliases`` and ``home_open``. Raises a 404 problem."""
    row = await store.row(INCIDENT, {**who.scope.values(), "incident_id": incident_id})
    if row is None:
        raise not_found(f"没有事件 {incident_id}", f"there is no incident {incident_id}")
    return row


async def _add(console: Running, who: Who, incident_id: UUID, kind: str, note: str, alarm_ms: int | None = None) -> Row:
    """The new row; where he had acknowledged this alarm before, or his request comes once more, the one that is there."""
    row: Mapping[str, Any] = {
        "remark_id": request_id(),
        "incident_id": incident_id,
        "at_ms": console.clock.now_ms(),
        "kind": kind,
        "actor": who.name,
        "display": who.display,
        "note": note,
        "alarm_ms": alarm_ms,
    }
    (written,) = await console.store.own(ADD, row) or await console.store.own(ADDED, row)
    return written


@router.post("/incidents/{incident_id}/acknowledge", summary="I have seen it · 知悉", responses=responses(404, 409, 422), tags=["requests"])
async def acknowledge(console: Console, who: Remarker, incident_id: IncidentId, asked: Acknowledge) -> Remark:
    """Each person once: pressed again, the first time is given back. Closing, calling and sending go on as they were.

    It holds until the incident alarms again (`alarmed_again_ms`); then each person may acknowledge once more.
    """
    incident = await known(console.store, who, incident_id)
    row = await _add(console, who, incident["incident_id"], "acknowledge", asked.note.strip(), asked.alarm_ms)
    return shown(row, who, incident)


@router.post(
    "/incidents/{incident_id}/remarks", summary="Remark on an incident · 备注", responses=responses(404, 409, 422), tags=["requests"]
)
async def remark(console: Console, who: Remarker, incident_id: IncidentId, asked: SayRemark) -> Remark:
    """It stands in the incident's story for good."""
    incident = await known(console.store, who, incident_id)
    row = await _add(console, who, incident["incident_id"], "remark", asked.text)
    return shown(row, who, incident)


@router.get("/incidents/{incident_id}/remarks", summary="Remarks of an incident · 备注记录", responses=responses(404, 422))
async def list_remarks(console: Console, who: Reader, incident_id: IncidentId) -> Remarks:
    """Acknowledgements are among them."""
    incident = await known(console.store, who, incident_id)
    rows = await remarks_rows.rows_of_incident(console.store, [incident["incident_id"], *incident["aliases"]])
    return Remarks(items=[shown(row, who, incident) for row in rows])
