"""The map: what counts where, one datum throughout, and nobody's map but his own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from console.access.scope import EVERYTHING, Scope
from console.desk.points import counted, points
from console.desk.scoped_memory import ScopedMemory
from console.store import DatabaseAway
from core.registry.datum import wgs84_to_gcj02
from tests.console.desk_stage import SUPERVISOR, Desk, person, running_desk
from tests.console.stage import Records

LON, LAT = 113.01, 28.19


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with running_desk(database) as found:
        yield found


def _condition(records: Records, home_id: str, condition: str, device_id: str = "D1", **values: Any) -> None:
    row = {"condition_id": uuid4(), "home_id": home_id, "device_id": device_id, "condition": condition, "cause": "fault", "since_ms": 1}
    records.put("home_conditions", **{**row, **values})


def _city(records: Records) -> None:
    """Two estates of one name in Furong, one estate in Tianxin."""
    place: dict[str, Any] = {"lon": LON, "lat": LAT, "coord_datum": "WGS-84"}
    records.home(1, **place)
    records.home(2, building="4", **{**place, "lon": LON + 0.002})
    records.home(3, community="橘园社区", **place)
    records.home(4, estate="瑞和里", district_code="430103", district="天心区", lon=None, lat=None, coord_datum=None)
    incident = records.incident(1, home={"district_code": "430102"})
    assert incident
    records.incident(2, home={"district_code": "430102"}, state="closed")
    _condition(records, "home-0001", "blind")
    _condition(records, "home-0001", "blind", "D2")
    _condition(records, "home-0002", "silent")
    _condition(records, "home-0002", "powerless", ended_ms=5)
    _condition(records, "home-0004", "powerless")


async def test_districts_add_up_what_goes_on_in_them(desk: Desk, records: Records) -> None:
    _city(records)
    found = await desk.get("/map")
    assert found["boundary"] is None
    assert found["districts"] == [
        {
            "district_code": "430102", "name_zh": "芙蓉区", "name_en": "Furong District",
            "homes": 3, "blind": 1, "silent": 1, "powerless": 0, "open_incidents": 1,
        },
        {
            "district_code": "430103", "name_zh": "天心区", "name_en": "Tianxin District",
            "homes": 1, "blind": 0, "silent": 0, "powerless": 1, "open_incidents": 0,
        },
    ]  # fmt: skip


async def test_estates_stand_where_their_homes_are(desk: Desk, records: Records) -> None:
    _city(records)
    items = (await desk.get("/map/estates"))["items"]
    assert [(item["district_code"], item["community"], item["estate"]) for item in items] == [
        ("430102", "橘园社区", "云栖花园"),
        ("430102", "识字里社区", "云栖花园"),
        ("430103", "识字里社区", "瑞和里"),
    ]
    assert (items[1]["lon"], items[1]["lat"], items[1]["coord_datum"]) == (round(LON + 0.001, 5), LAT, "WGS-84")
    assert (items[1]["homes"], items[1]["blind"], items[1]["silent"], items[1]["open_incidents"]) == (2, 1, 1, 1)
    assert (items[2]["lon"], items[2]["homes"], items[2]["powerless"]) == (None, 1, 1)
    only = (await desk.get("/map/estates", district_code="430103"))["items"]
    assert only == [items[2]]


async def test_the_city_is_sent_compressed_to_who_takes_it(desk: Desk, records: Records) -> None:
    _city(records)
    small = await desk.answer("GET", "/map/estates", SUPERVISOR)
    plain = await desk.answer("GET", "/map/estates", SUPERVISOR, headers={"Accept-Encoding": "identity"})
    assert (small.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    assert small.json() == plain.json()
    assert len(small.json()["items"]) == 3


async def test_buildings_of_an_estate(desk: Desk, records: Records) -> None:
    _city(records)
    asked: dict[str, Any] = {"estate": "云栖花园", "district_code": "430102"}
    items = (await desk.get("/map/buildings", **asked))["items"]
    assert [(item["community"], item["building"], item["homes"], item["open_incidents"]) for item in items] == [
        ("橘园社区", "3", 1, 0),
        ("识字里社区", "3", 1, 1),
        ("识字里社区", "4", 1, 0),
    ]
    assert [item["building"] for item in (await desk.get("/map/buildings", community="识字里社区", **asked))["items"]] == ["3", "4"]
    assert (await desk.get("/map/buildings", estate="没有", district_code="430102"))["items"] == []


async def test_a_map_shows_the_districts_of_who_looks_and_keeps_them_apart(desk: Desk, records: Records) -> None:
    _city(records)
    furong = person("furong", "operator", districts=("430102",))
    for who, codes in ((SUPERVISOR, ["430102", "430103"]), (furong, ["430102"]), (SUPERVISOR, ["430102", "430103"])):
        assert [district["district_code"] for district in (await desk.get("/map", who))["districts"]] == codes
        assert sorted({item["district_code"] for item in (await desk.get("/map/estates", who))["items"]}) == codes
    assert (await desk.get("/map/buildings", furong, estate="瑞和里", district_code="430103"))["items"] == []
    technician = person("tech", "technician", crew_id="c1")
    assert (await desk.get("/map", technician))["districts"] == []
    assert (await desk.get("/map/estates", technician))["items"] == []


async def test_outlines_come_from_the_file_that_the_installation_names(database: str, tmp_path: Path) -> None:
    outline = {"type": "FeatureCollection", "features": []}
    good, bad, other = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "other.json"
    good.write_text(json.dumps(outline), encoding="utf-8")
    bad.write_text("{", encoding="utf-8")
    other.write_text("[1]", encoding="utf-8")
    for file, expected in ((good, outline), (bad, None), (other, None), (tmp_path / "missing", None)):
        async with running_desk(database, map_file=file) as desk:
            assert (await desk.get("/map"))["boundary"] == expected
            assert (await desk.get("/map", boundary=False))["boundary"] is None


def test_homes_of_both_datums_meet_in_one_point() -> None:
    there = wgs84_to_gcj02(LON, LAT)
    rows = [
        {"estate": "x", "homes": 3, "placed": 3, "coord_datum": "WGS-84", "lon": LON, "lat": LAT},
        {"estate": "x", "homes": 2, "placed": 1, "coord_datum": "GCJ-02", "lon": there[0], "lat": there[1]},
        {"estate": "x", "homes": 4, "placed": 0, "coord_datum": None, "lon": None, "lat": None},
    ]
    (point,) = points(rows, ("estate",)).values()
    assert point.homes == 9
    assert point.lon == pytest.approx(LON, abs=1e-5)
    assert point.lat == pytest.approx(LAT, abs=1e-5)


def test_the_mean_weighs_homes() -> None:
    here = {"estate": "x", "coord_datum": "WGS-84", "lat": 28.0}
    rows = [{**here, "homes": n, "placed": n, "lon": lon} for n, lon in ((3, 113.0), (1, 114.0))]
    assert points(rows, ("estate",))[("x",)].lon == pytest.approx(113.25)
    rows = [{"estate": "x", "condition": "blind", "homes": n} for n in (2, 3)]
    assert counted(rows, ("estate",)) == {("x",): {"blind": 5}}


class _Looking:
    """Counts how often it is looked up, at a time that the test tells."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = 0
        self.over = 0
        self.away = False

    async def look(self) -> int:
        self.looks += 1
        await asyncio.sleep(0)  # others have a turn, as while a database is asked
        self.over += 1
        if self.away:
            raise DatabaseAway("away")
        return self.looks

    async def until_over(self, looks: int) -> None:
        """Until so many looks are over."""
        async with asyncio.timeout(60):
            while self.over < looks:
                await asyncio.sleep(0)


async def test_what_many_ask_for_at_once_is_looked_up_once_a_scope() -> None:
    looking = _Looking()
    memory: ScopedMemory[int] = ScopedMemory(2.0, now=lambda: looking.now)
    assert await asyncio.gather(*(memory.get(EVERYTHING, looking.look) for _ in range(5))) == [1] * 5
    assert await memory.get(Scope(("430102",), None), looking.look) == 2
    looking.now += 2.0
    assert await memory.get(EVERYTHING, looking.look) == 1
    looking.now += 0.1
    assert await memory.get(EVERYTHING, looking.look) == 3


async def test_what_changes_slowly_is_given_while_it_is_counted_anew() -> None:
    looking = _Looking()
    memory: ScopedMemory[int] = ScopedMemory(60.0, 600.0, now=lambda: looking.now)
    assert await memory.get(EVERYTHING, looking.look) == 1
    looking.now += 61
    assert [await memory.get(EVERYTHING, looking.look) for _ in range(3)] == [1, 1, 1]
    await looking.until_over(2)
    assert (await memory.get(EVERYTHING, looking.look), looking.looks) == (2, 2)
    looking.now += 661
    assert await memory.get(EVERYTHING, looking.look) == 3


async def test_what_cannot_be_counted_anew_is_given_until_it_is_too_old() -> None:
    looking = _Looking()
    memory: ScopedMemory[int] = ScopedMemory(60.0, 600.0, now=lambda: looking.now)
    assert await memory.get(EVERYTHING, looking.look) == 1
    looking.away = True
    looking.now += 61
    assert await memory.get(EVERYTHING, looking.look) == 1
    await looking.until_over(2)
    assert (await memory.get(EVERYTHING, looking.look), looking.looks) == (1, 2)
    looking.now += 600
    with pytest.raises(DatabaseAway):
        await memory.get(EVERYTHING, looking.look)
