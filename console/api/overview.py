"""The figures at the head of the page: how many homes are watched, what is open, who is free. Counts; judges nothing."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.crews import CREWS, from_row
from console.api.needs import Console
from console.problems import responses

router = APIRouter(prefix="/api/v1", tags=["homes"])

FIGURES = """
    SELECT (SELECT count(*) FROM homes WHERE retired_at IS NULL) AS homes,
           (SELECT count(*) FROM homes WHERE retired_at IS NULL AND simulated) AS homes_simulated,
           (SELECT count(*) FROM incidents WHERE state = 'open' AND kind <> 'canary') AS incidents_open,
           (SELECT count(*) FROM work_orders WHERE archived_ms IS NULL AND kind <> 'canary') AS orders_open,
           (SELECT count(*) FROM work_orders WHERE archived_ms IS NULL AND state = 'waiting' AND kind <> 'canary') AS orders_waiting,
           (SELECT count(*) FROM tasks WHERE done_ms IS NULL AND home_id IS DISTINCT FROM 'CANARY') AS tasks_open,
           c.blind, c.silent, c.powerless
    FROM (SELECT count(DISTINCT home_id) FILTER (WHERE condition = 'blind') AS blind,
                 count(DISTINCT home_id) FILTER (WHERE condition = 'silent') AS silent,
                 count(DISTINCT home_id) FILTER (WHERE condition = 'powerless') AS powerless
          FROM home_conditions JOIN homes USING (home_id) WHERE ended_ms IS NULL AND retired_at IS NULL) AS c"""

_CREWS_MAX = 1000


class Overview(BaseModel):
    """What is watched and what is going on. At most a second old."""

    homes: int = Field(description="homes in service")
    homes_simulated: int = Field(description="of them simulated")
    incidents_open: int = Field(description="without the self-check")
    orders_open: int
    orders_waiting: int = Field(description="orders that no crew is free for")
    tasks_open: int
    blind: int = Field(description="homes whose detector cannot detect")
    silent: int = Field(description="homes with a device that is not heard: unknown, never normal")
    powerless: int = Field(description="homes with a device that has no mains")
    canary_age_s: float | None = Field(description="seconds since the last full self-check; null: off, or the line cannot be asked")
    crews: int
    crews_free: int = Field(description="on duty and without an order")
    crews_busy: int
    at_ms: int = Field(description="Unix ms")


@router.get("/overview", summary="Figures at a glance · 概览", responses=responses())
async def read_overview(console: Console) -> Overview:
    """Homes, open incidents and orders, crews."""
    return await console.overview.get(lambda: _count(console))


async def _count(console: Console) -> Overview:
    now = console.clock.now_ms()
    row = await console.store.row(FIGURES)
    crews = [from_row(crew, now) for crew in await console.store.rows(CREWS, {"last": None, "rows": _CREWS_MAX})]
    health = await console.doctor.ask(now)
    age = health.parts["line"].detail.get("canary_age_s")
    return Overview(
        **(row or {}),
        canary_age_s=age if isinstance(age, int | float) else None,
        crews=len(crews),
        crews_free=sum(crew.state == "free" for crew in crews),
        crews_busy=sum(crew.state == "busy" for crew in crews),
        at_ms=now,
    )
