"""Crews: who is on duty, who is free, where they are. Reads the registry and the orders; decides nothing about who goes where.

Where a crew is, is where people are: it is told while they are on shift and on an order, and at no other time; and no old place as
their place now.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from console import masking
from console.access.scope import crew_in_scope
from console.access.who import Who
from console.api.needs import Console, Database, noun
from console.api.reader import Reader
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.store import Row, Store
from dispatch.judgement.crews import POSITION_HOLDS_MS, on_duty

router = noun("crews")

_CREWS = """
    SELECT c.crew_id, c.district_code, c.shift_start, c.shift_end, c.simulated, c.lon AS post_lon, c.lat AS post_lat,
           c.coord_datum AS post_datum, p.lon, p.lat, p.coord_datum, p.at_ms AS position_ms, o.order_no,
           coalesce((SELECT jsonb_agg(jsonb_build_object('technician_id', t.technician_id, 'name', t.name, 'phone', t.phone)
                                      ORDER BY t.technician_id)
                     FROM technicians t WHERE t.crew_id = c.crew_id AND t.retired_at IS NULL), '[]') AS technicians
    FROM crews c
    LEFT JOIN crew_positions p USING (crew_id)
    LEFT JOIN LATERAL (SELECT order_no FROM work_orders w WHERE w.crew_id = c.crew_id AND w.archived_ms IS NULL
                       ORDER BY w.priority, w.created_ms LIMIT 1) o ON true
    WHERE c.retired_at IS NULL"""
CREWS = f"""{_CREWS} AND {crew_in_scope("c")} AND (%(last)s::text IS NULL OR c.crew_id > %(last)s)
    ORDER BY c.crew_id LIMIT %(rows)s"""
CREWS_BY_ID = f"{_CREWS} AND c.crew_id = ANY(%(ids)s)"


class Technician(BaseModel):
    """A member of a crew."""

    technician_id: str
    name: str = Field(description="masked, but for his own crew, for who sends crews out, and while on an order for who may see people")
    phone: str = Field(description="masked as the name is")


class Crew(BaseModel):
    """A crew as it stands now."""

    crew_id: str
    district_code: str
    simulated: bool = Field(description="a simulated crew works for simulated homes only")
    shift_start: str = Field(description="HH:MM, Beijing time")
    shift_end: str = Field(description="HH:MM, Beijing time")
    state: Literal["free", "busy", "off_duty"] = Field(description="busy: holds an order that is not archived")
    order_no: str | None = Field(description="the order that it holds")
    lon: float | None = Field(description="where it is; null while it is not on shift and on an order, or has not told it for 30 min")
    lat: float | None
    coord_datum: str | None = Field(description="WGS-84 or GCJ-02")
    position_ms: int | None = Field(description="Unix ms of that position")
    post_lon: float = Field(description="where it is stationed, by the registry")
    post_lat: float
    post_datum: str
    technicians: list[Technician]


@router.get("/crews", summary="Crews and whether they are free · 抢修队", responses=responses(422))
async def list_crews(
    store: Database,
    console: Console,
    who: Reader,
    limit: Limit = 100,
    after: After = None,
) -> Page[Crew]:
    """Sorted by crew id."""
    (last,) = behind("crews", after, str)
    rows = await store.rows(CREWS, {"last": last, "rows": limit + 1, **who.scope.values()})
    now = console.clock.now_ms()
    return Page(
        items=[from_row(row, now, clear=sees(row, who)) for row in rows[:limit]],
        next=next_of("crews", rows, limit, lambda row: (row["crew_id"],)),
    )


async def rows_by_id(store: Store, crew_ids: Sequence[str]) -> list[Row]:
    """The rows of these crews."""
    return await store.rows(CREWS_BY_ID, {"ids": list(crew_ids)})


def sees(row: Row, who: Who) -> bool:
    """Whether ``who`` reads the names and numbers of a crew's row in clear."""
    return masking.sees_crew(who, row["crew_id"], on_order=row["order_no"] is not None)


_NOWHERE = {"lon": None, "lat": None, "coord_datum": None, "position_ms": None}


def from_row(row: Row, now_ms: int, *, clear: bool) -> Crew:
    """A crew as the API gives it at ``now_ms``; ``clear``: with names and numbers."""
    on_shift = on_duty(row["shift_start"], row["shift_end"], now_ms)
    state = "busy" if row["order_no"] else "free" if on_shift else "off_duty"
    values: dict[str, Any] = {**row, "state": state}
    told_ms = row["position_ms"]
    if not on_shift or row["order_no"] is None or told_ms is None or told_ms < now_ms - POSITION_HOLDS_MS:
        values |= _NOWHERE
    values["technicians"] = [masking.shown(each, masking.contact, clear=clear) for each in row["technicians"]]
    return Crew(**values)
