"""Rows of ``incident_remarks``: what people at the desk said of an incident, and who has seen it. Statements and sentences, no routes.

Decides how a remark is worded in the story of its incident. An acknowledgement stops nothing: it says that a person has seen it.
"""

from collections.abc import Sequence
from typing import Final, LiteralString, TypedDict
from uuid import UUID

from pydantic import BaseModel, Field

from console.desk.alarmed_again import alarmed_again_ms
from console.phrases import bilingual
from console.store import Row, Store
from console.vocabulary import Words

COLUMNS: Final[LiteralString] = "remark_id, incident_id, at_ms, kind, actor, display, note"

REMARKS_BY_ID: Final[LiteralString] = f"SELECT {COLUMNS} FROM incident_remarks WHERE remark_id = ANY(%(ids)s)"
REMARKS_OF_INCIDENTS: Final[LiteralString] = f"""
    SELECT {COLUMNS} FROM incident_remarks WHERE incident_id = ANY(%(ids)s) ORDER BY at_ms, remark_id LIMIT 2000"""
ACKNOWLEDGED: Final[LiteralString] = f"""
    (SELECT jsonb_build_object('by', r.display, 'at_ms', r.at_ms) FROM incident_remarks r
     WHERE r.incident_id = incidents.incident_id AND r.kind = 'acknowledge' AND r.alarm_ms >= coalesce({alarmed_again_ms("incidents")}, 0)
     ORDER BY r.at_ms, r.remark_id LIMIT 1)"""
"""A column for statements that name the table ``incidents``: who saw it first since it last alarmed anew, or NULL."""


class Acknowledged(BaseModel):
    """Who saw an incident first, or first since it last alarmed anew."""

    by: str = Field(description="what he is called")
    at_ms: int = Field(description="Unix ms")


class Entry(TypedDict):
    """An entry of an incident's story, in the shape of ``console.api.timeline.Entry``."""

    entry_id: str
    at_ms: int
    kind: str
    actor: str
    detail: dict[str, str]
    zh: str
    en: str


def of_remark(row: Row) -> Entry:
    """The sentence of a row; its kind is ``remark`` or ``acknowledge``, and its detail holds the note."""
    words = _words(row["kind"], row["display"], row["note"])
    return Entry(
        entry_id=f"remark:{row['remark_id']}",
        at_ms=row["at_ms"],
        kind=row["kind"],
        actor=row["actor"],
        detail={"display": row["display"], "note": row["note"]},
        zh=words.zh,
        en=words.en,
    )


def _words(kind: str, display: str, note: str) -> Words:
    said = bilingual(note)
    if kind == "acknowledge":
        return Words(
            zh=f"{display}：已知悉{f'（{said.zh}）' if said.zh else ''}",
            en=f"{display} has seen it{f' ({said.en})' if said.en else ''}",
        )
    return Words(zh=f"{display}：{said.zh}", en=f"{display}: {said.en}")


async def rows_by_id(store: Store, ids: Sequence[UUID]) -> list[Row]:
    """The remarks with these ids. Raises DatabaseAway."""
    return await store.rows(REMARKS_BY_ID, {"ids": list(ids)})


async def rows_of_incident(store: Store, ids: Sequence[UUID]) -> list[Row]:
    """The remarks of an incident under any of its ids, oldest first, at most 2,000. Raises DatabaseAway."""
    return await store.rows(REMARKS_OF_INCIDENTS, {"ids": list(ids)})
