"""Homes that cannot detect, are not heard or have no mains, grouped by building. Read from ``home_conditions``; the line writes them."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from alarm_engine.judgement.conditions import Condition
from console.access.scope import home_in_scope
from console.api.needs import Database, noun
from console.api.reader import Reader
from console.home_address import home_address
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses
from console.store import Row, Store
from console.vocabulary import CONDITION_CAUSES, CONDITIONS, Words, said

router = noun("homes")

_BUILDING = "h.district_code, h.community, h.estate, h.building"
# A home counts once in a building, however many of its devices are concerned; what is retired counts nowhere.
_IN_FORCE = f"""home_conditions c JOIN homes h USING (home_id)
    WHERE c.ended_ms IS NULL AND h.retired_at IS NULL AND {home_in_scope("h")}
      AND (%(condition)s::text IS NULL OR c.condition = %(condition)s)"""

BUILDINGS = f"""
    SELECT {_BUILDING}, min(h.district) AS district,
           count(DISTINCT h.home_id) FILTER (WHERE c.condition = 'blind') AS blind,
           count(DISTINCT h.home_id) FILTER (WHERE c.condition = 'silent') AS silent,
           count(DISTINCT h.home_id) FILTER (WHERE c.condition = 'powerless') AS powerless,
           min(c.since_ms) AS since_ms
    FROM {_IN_FORCE}
      AND (%(district_code)s::text IS NULL OR ({_BUILDING}) > (%(district_code)s, %(community)s, %(estate)s, %(building)s))
    GROUP BY {_BUILDING} ORDER BY {_BUILDING} LIMIT %(rows)s"""
SIZES = """
    SELECT h.district_code, h.community, h.estate, h.building, count(*) AS homes
    FROM homes h JOIN unnest(%(district_codes)s::text[], %(communities)s::text[], %(estates)s::text[], %(buildings)s::text[])
        AS b(district_code, community, estate, building) USING (district_code, community, estate, building)
    WHERE h.retired_at IS NULL GROUP BY h.district_code, h.community, h.estate, h.building"""
HOMES = f"""
    SELECT DISTINCT ON (c.home_id, c.device_id, c.condition)
           c.home_id, c.device_id, c.condition, c.cause, c.since_ms, h.district_code, h.district, h.community, h.estate, h.building,
           h.unit, h.room, h.simulated
    FROM {_IN_FORCE}
      AND (%(estate)s::text IS NULL OR h.estate = %(estate)s) AND (%(building)s::text IS NULL OR h.building = %(building)s)
      AND (%(home_id)s::text IS NULL OR c.home_id = %(home_id)s)
      AND (%(last)s::text IS NULL OR (c.home_id, c.device_id, c.condition) > (%(last)s, %(device)s, %(kind)s))
    ORDER BY c.home_id, c.device_id, c.condition, c.since_ms DESC LIMIT %(rows)s"""

Asked = Annotated[Condition | None, Query(description="blind, silent or powerless only")]


class Building(BaseModel):
    """A building with homes that are not watched as they should be."""

    district_code: str
    district: str
    community: str
    estate: str
    building: str
    homes: int = Field(description="homes in service in this building")
    blind: int = Field(description="homes whose detector cannot detect · 失效")
    silent: int = Field(description="homes with a device that is not heard · 失联")
    powerless: int = Field(description="homes with a device that has no mains · 掉电")
    since_ms: int = Field(description="the longest of them, Unix ms")


class HomeCondition(BaseModel):
    """One condition of one device of a home."""

    home_id: str
    address_zh: str
    address_en: str
    district_code: str
    community: str
    estate: str
    building: str
    simulated: bool
    device_id: str
    condition: str = Field(description="blind, silent or powerless")
    condition_words: Words
    cause: str
    cause_words: Words
    since_ms: int = Field(description="Unix ms")


_KEY = ("district_code", "community", "estate", "building")


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)


def _home(row: Row) -> HomeCondition:
    where = home_address(row)
    return HomeCondition(
        **row,
        address_zh=where.zh,
        address_en=where.en,
        condition_words=said(CONDITIONS, row["condition"]),
        cause_words=said(CONDITION_CAUSES, row["cause"]),
    )


async def _sizes(store: Store, rows: Sequence[Row]) -> dict[tuple[str, ...], int]:
    if not rows:
        return {}
    columns: list[Any] = [list(column) for column in zip(*map(_key, rows), strict=True)]
    values = dict(zip(("district_codes", "communities", "estates", "buildings"), columns, strict=True))
    return {_key(row): row["homes"] for row in await store.rows(SIZES, values)}


@router.get("/conditions", summary="Blind, silent and powerless homes by building · 失效、失联、掉电", responses=responses(422))
async def list_buildings(store: Database, who: Reader, condition: Asked = None, limit: Limit = 50, after: After = None) -> Page[Building]:
    """Buildings with at least one such home, sorted by district, community, estate and building."""
    last = behind("conditions", after, str, str, str, str)
    values = {"condition": condition, **dict(zip(_KEY, last, strict=True)), "rows": limit + 1, **who.scope.values()}
    rows = await store.rows(BUILDINGS, values)
    sizes = await _sizes(store, rows[:limit])
    return Page(
        items=[Building(**row, homes=sizes.get(_key(row), 0)) for row in rows[:limit]],
        next=next_of("conditions", rows, limit, _key),
    )


@router.get("/conditions/homes", summary="The homes behind the counts · 失效、失联、掉电住户", responses=responses(422))
async def list_homes(
    store: Database,
    who: Reader,
    condition: Asked = None,
    estate: Annotated[str | None, Query(max_length=100, description="homes of this estate")] = None,
    building: Annotated[str | None, Query(max_length=100, description="homes of this building")] = None,
    home_id: Annotated[str | None, Query(max_length=64, description="this home")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[HomeCondition]:
    """One entry a device and condition, sorted by home. All filters must hold."""
    last, device, kind = behind("conditions/homes", after, str, str, str)
    values = {"condition": condition, "estate": estate, "building": building, "home_id": home_id, "rows": limit + 1}
    rows = await store.rows(HOMES, {**values, "last": last, "device": device, "kind": kind, **who.scope.values()})
    return Page(
        items=[_home(row) for row in rows[:limit]],
        next=next_of("conditions/homes", rows, limit, lambda row: (row["home_id"], row["device_id"], row["condition"])),
    )
