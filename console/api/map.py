"""The map: districts, estates and buildings with what goes on there. Counts of a few seconds ago; positions in WGS-84 throughout."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field
from structlog import get_logger

from console.access.who import Who
from console.api.needs import Console, noun
from console.api.reader import Reader
from console.desk import map_sql as sql
from console.desk.memory import MapMemory, Packed, memory
from console.desk.points import CONDITIONS, DATUM, Key, Point, counted, points
from console.problems import responses
from console.running import Running
from core.registry.address import DISTRICTS_EN

router = noun("homes")
_log = get_logger()

_ESTATE: Final = ("district_code", "community", "estate")
_BUILDING: Final = (*_ESTATE, "building")
_BUILDINGS_MAX: Final = 2000


class Counts(BaseModel):
    """What goes on among these homes."""

    homes: int = Field(description="homes in service")
    blind: int = Field(description="homes whose detector cannot detect · 失效")
    silent: int = Field(description="homes with a device that is not heard · 失联")
    powerless: int = Field(description="homes with a device that has no mains · 掉电")
    open_incidents: int


class District(Counts):
    """A district of the registry."""

    district_code: str = Field(description="GB/T 2260")
    name_zh: str
    name_en: str


class DistrictMap(BaseModel):
    """The city."""

    districts: list[District]
    boundary: dict[str, Any] | None = Field(description="GeoJSON of the districts, WGS-84; null: no file is configured, or not asked for")


class Place(Counts):
    """A place with the mean position of its homes, in degrees; null where none of them has one."""

    lon: float | None
    lat: float | None
    coord_datum: str = Field(DATUM, description="always WGS-84")


class Estate(Place):
    """An estate · 小区. The same name may stand in two communities."""

    district_code: str
    community: str
    estate: str


class Building(Place):
    """A building of an estate · 栋."""

    district_code: str
    community: str
    estate: str
    building: str


class EstateMap(BaseModel):
    """Estates by district, community and name."""

    items: list[Estate]


class BuildingMap(BaseModel):
    """Buildings of an estate, at most 2,000."""

    items: list[Building]


def _counts(homes: int, going_on: dict[str, int]) -> dict[str, int]:
    return {"homes": homes, "open_incidents": going_on.get("open", 0), **{name: going_on.get(name, 0) for name in CONDITIONS}}


def _place(point: Point, going_on: dict[str, int]) -> dict[str, Any]:
    # A metre is the fifth digit of a degree.
    lon, lat = (None if part is None else round(part, 5) for part in (point.lon, point.lat))
    return {"lon": lon, "lat": lat, **_counts(point.homes, going_on)}


async def _registered(console: Running, who: Who) -> MapMemory:
    """What the registry says of all estates in scope, a minute old; up to ten more while it is counted anew."""

    async def look() -> MapMemory:
        rows = await console.store.rows(sql.ESTATES, who.scope.values())
        return MapMemory(points(rows, _ESTATE), {row["district_code"]: row["district"] for row in rows})

    return await memory(console).registered.get(who.scope, look)


async def _conditions(console: Running, who: Who) -> dict[Key, dict[str, int]]:
    """Blind, silent and powerless homes by estate, fifteen seconds old, up to a minute while they are counted anew."""

    async def look() -> dict[Key, dict[str, int]]:
        return counted(await console.store.rows(sql.CONDITIONS, who.scope.values()), _ESTATE)

    return await memory(console).conditions.get(who.scope, look)


async def _estates(console: Running, who: Who) -> list[Estate]:
    """All estates in scope with what goes on; open incidents are two seconds old at most."""

    async def look() -> list[Estate]:
        registered, conditions = await _registered(console, who), await _conditions(console, who)
        incidents = counted(await console.store.rows(sql.OPEN, who.scope.values()), _ESTATE)
        return [
            Estate(
                district_code=key[0],
                community=key[1],
                estate=key[2],
                **_place(point, {**conditions.get(key, {}), **incidents.get(key, {})}),
            )
            for key, point in sorted(registered.estates.items())
        ]

    return await memory(console).estates.get(who.scope, look)


@router.get("/map", summary="The city by district · 区县概况", responses=responses(422))
async def read_map(
    console: Console,
    who: Reader,
    boundary: Annotated[bool, Query(description="false: without the outlines, which do not change")] = True,
) -> DistrictMap:
    """Counts of each district in scope, and its outline where the installation has one."""
    names = (await _registered(console, who)).districts
    sums: dict[str, dict[str, int]] = {}
    for estate in await _estates(console, who):
        total = sums.setdefault(estate.district_code, dict.fromkeys(Counts.model_fields, 0))
        for name in total:
            total[name] += getattr(estate, name)
    return DistrictMap(
        districts=[
            District(district_code=code, name_zh=names[code], name_en=DISTRICTS_EN.get(code, names[code]), **total)
            for code, total in sorted(sums.items())
            if code in names
        ],
        boundary=await _boundary(console) if boundary else None,
    )


@router.get("/map/estates", summary="Estates as points · 小区分布", response_model=EstateMap, responses=responses(422))
async def read_estates(
    console: Console,
    who: Reader,
    request: Request,
    district_code: Annotated[str | None, Query(max_length=12, description="GB/T 2260; absent: all districts")] = None,
) -> EstateMap | Response:
    """Every estate in scope, also one without a position. The whole city is a quarter of a megabyte, a tenth of that compressed."""
    estates = await _estates(console, who)
    if district_code is not None:
        return EstateMap(items=[estate for estate in estates if estate.district_code == district_code])

    async def pack() -> Packed:
        return await asyncio.to_thread(_packed, estates)

    plain, small = await memory(console).packed.get(who.scope, pack)
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(small, headers={**headers, "Content-Encoding": "gzip"}, media_type="application/json")
    return Response(plain, headers=headers, media_type="application/json")


def _packed(estates: list[Estate]) -> Packed:
    """The answer for everybody who asks within its time, as it is sent."""
    plain = EstateMap(items=estates).model_dump_json().encode()
    return plain, gzip.compress(plain, compresslevel=4)


@router.get("/map/buildings", summary="The buildings of an estate · 楼栋分布", responses=responses(422))
async def read_buildings(
    console: Console,
    who: Reader,
    estate: Annotated[str, Query(max_length=100)],
    district_code: Annotated[str, Query(max_length=12, description="GB/T 2260")],
    community: Annotated[str | None, Query(max_length=100, description="where the name stands in several communities")] = None,
) -> BuildingMap:
    """Empty for an estate that nobody knows, or that is not in scope."""
    values = {**who.scope.values(), "district_code": district_code, "community": community, "estate": estate}
    found = points(await console.store.rows(sql.BUILDINGS, values), _BUILDING)
    going_on = counted(await console.store.rows(sql.GOING_ON_IN_ESTATE, values), _BUILDING)
    return BuildingMap(
        items=[
            Building(**dict(zip(_BUILDING, key, strict=True)), **_place(point, going_on.get(key, {})))
            for key, point in sorted(found.items(), key=lambda item: (item[0][:3], len(item[0][3]), item[0][3]))
        ][:_BUILDINGS_MAX]
    )


async def _boundary(console: Running) -> dict[str, Any] | None:
    """The outlines, read once; a file that is missing or no GeoJSON is logged and draws nothing."""
    kept = memory(console)
    if not kept.boundary_read:
        kept.boundary = await asyncio.to_thread(_read_boundary, console.settings.map_file)
        kept.boundary_read = True
    return kept.boundary


def _read_boundary(file: Path | None) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _log.warning("no outlines on the map", reason=type(error).__name__)
        return None
    return found if isinstance(found, dict) and found.get("type") == "FeatureCollection" else None
