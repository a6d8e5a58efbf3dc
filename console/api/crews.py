"""Crews: who is on duty, who is free, where they are. Reads the registry and the orders; decides nothing about who goes where."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.needs import Console, Database
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.store import Row
from dispatch.judgement.crews import on_duty

router = APIRouter(prefix="/api/v1", tags=["crews"])

CREWS = """
    SELECT c.crew_id, c.district_code, c.shift_start, c.shift_end, c.simulated,
           coalesce(p.lon, c.lon) AS lon, coalesce(p.lat, c.lat) AS lat, coalesce(p.coord_datum, c.coord_datum) AS coord_datum,
           p.at_ms AS position_ms, o.order_no,
           coalesce((SELECT jsonb_agg(jsonb_build_object('technician_id', t.technician_id, 'name', t.name, 'phone', t.phone)
                                      ORDER BY t.technician_id)
                     FROM technicians t WHERE t.crew_id = c.crew_id AND t.retired_at IS NULL), '[]') AS technicians
    FROM crews c
    LEFT JOIN crew_positions p USING (crew_id)
    LEFT JOIN LATERAL (SELECT order_no FROM work_orders w WHERE w.crew_id = c.crew_id AND w.archived_ms IS NULL
                       ORDER BY w.priority, w.created_ms LIMIT 1) o ON true
    WHERE c.retired_at IS NULL AND (%(last)s::text IS NULL OR c.crew_id > %(last)s)
    ORDER BY c.crew_id LIMIT %(rows)s"""


class Technician(BaseModel):
    """A member of a crew."""

    technician_id: str
    name: str
    phone: str


class Crew(BaseModel):
    """A crew as it stands now."""

    crew_id: str
    district_code: str
    simulated: bool = Field(description="a simulated crew works for simulated homes only")
    shift_start: str = Field(description="HH:MM, Beijing time")
    shift_end: str = Field(description="HH:MM, Beijing time")
    state: Literal["free", "busy", "off_duty"] = Field(description="busy: holds an order that is not archived")
    order_no: str | None = Field(description="the order that it holds")
    lon: float
    lat: float
    coord_datum: str = Field(description="WGS-84 or GCJ-02")
    position_ms: int | None = Field(description="Unix ms of its last position; null: its post's position")
    technicians: list[Technician]


@router.get("/crews", summary="Crews and whether they are free · 抢修队", responses=responses(422))
async def list_crews(
    store: Database,
    console: Console,
    limit: Limit = 100,
    after: After = None,
) -> Page[Crew]:
    """Sorted by crew id."""
    (last,) = behind("crews", after, str)
    rows = await store.rows(CREWS, {"last": last, "rows": limit + 1})
    now = console.clock.now_ms()
    return Page(
        items=[from_row(row, now) for row in rows[:limit]],
        next=next_of("crews", rows, limit, lambda row: (row["crew_id"],)),
    )


def from_row(row: Row, now_ms: int) -> Crew:
    """A crew as the API gives it at ``now_ms``."""
    state = "busy" if row["order_no"] else "free" if on_duty(row["shift_start"], row["shift_end"], now_ms) else "off_duty"
    values: dict[str, Any] = {**row, "state": state}
    return Crew(**values)
