"""One search field: every usual way of writing an address or a number, what is found first, and what nobody may find."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.access.who import Who
from console.desk.asked import Address, read
from console.desk.places import fitting
from tests.console.desk_stage import OPERATOR, SUPERVISOR, VIEWER, Desk, person, running_desk
from tests.console.stage import Records

ALL_PARTS = ("3", "2", "501")


def _parts(text: str) -> tuple[str, str, str]:
    address = read(text).address
    assert address is not None, text
    building, unit, room = (part[-1] if part else "" for part in (address.building, address.unit, address.room))
    return building, unit, room


@pytest.mark.parametrize(
    "text",
    [
        "云栖花园3栋2单元501",
        "云栖花园 3 2 501",
        "云栖花园 3-2-501",
        "云栖花园3-2-501室",
        "云栖花园　３栋２单元５０１室",
        "芙蓉区 云栖花园 3栋 2单元 501室",
        "云栖花园三栋二单元五零幺室",
        "云栖花园3号楼2单元501号",
        "云栖花园，3幢，2单元，501户",
        "云栖花园 3—2—501",
        "云栖花园 03栋 02单元 501",
        "Room 501, Unit 2, Building 3, 云栖花园, Furong District",
    ],
)
def test_an_address_is_read_however_it_is_written(text: str) -> None:
    assert _parts(text) == ALL_PARTS
    address = read(text).address
    assert address is not None
    assert address.words[-1] == "云栖花园"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("云栖花园十二栋", ("12", "", "")),
        ("云栖花园一百零二室", ("", "", "102")),
        ("云栖花园东座501", ("东", "", "501")),
        ("云栖花园A12栋1单元", ("A12", "1", "")),
        ("云栖花园 3-501", ("3", "", "501")),
        ("云栖花园 3-1-2-501", ("3-1", "2", "501")),
        ("云栖花园3栋501", ("3", "", "501")),
    ],
)
def test_parts_may_be_missing_or_named(text: str, expected: tuple[str, str, str]) -> None:
    assert _parts(text) == expected


@pytest.mark.parametrize("text", ["", " ", "；", "501", "3栋", "QX-260402-0017", "+86 138 1234 5678", "13812345678"])
def test_what_names_no_home_is_no_address(text: str) -> None:
    assert read(text).address is None


@pytest.mark.parametrize(
    "text", ["13812345678", "138 1234 5678", "+8613812345678", "0086 138-1234-5678", "8613812345678", "１３８１２３４５６７８"]
)
def test_a_mobile_is_asked_for_as_it_is_stored(text: str) -> None:
    assert "+8613812345678" in read(text).phones


def test_landlines_and_simulated_numbers_too() -> None:
    assert read("0731-8888 6666").phones == ("+8673188886666",)
    assert read("sip:00010000001@sim.invalid").phones == ("sip:00010000001@sim.invalid",)
    assert "sip:00010000001@sim.invalid" in read("00010000001").phones
    assert read("M0000123").phones == ()


@pytest.mark.parametrize("text", ["QX-260402-0017", "qx260402-17", "QX 260402 0017", "ＱＸ－２６０４０２－００１７"])
def test_an_order_number_is_read_as_it_is_spoken(text: str) -> None:
    assert read(text).order_nos == ("QX-260402-0017",)


def test_an_order_number_without_its_letters_may_be_any_kind() -> None:
    assert read("260402-17").order_nos == ("QX-260402-0017", "XJ-260402-0017", "HC-260402-0017")


@given(st.text(max_size=100))
def test_whatever_is_typed_is_read(text: str) -> None:
    asked = read(text)
    assert asked.household_no is None or len(asked.household_no) <= 20
    assert len(asked.phones) <= 2
    assert len(asked.order_nos) <= 3
    if asked.address is not None:
        fitting([_row("云栖花园")], asked.address, 10)


@given(
    st.sampled_from(("云栖花园", "瑞和里", "听澜小区")),
    st.integers(1, 99),
    st.integers(1, 9),
    st.integers(101, 3299),
    st.sampled_from(("{}{}栋{}单元{}室", "{} {} {} {}", "{}{}-{}-{}", "{}，{}幢{}单元{}", "{}{}号楼{}单元{}号", "{} {}栋 {}单元 {}")),
)
def test_every_address_is_read_in_every_way_of_writing(estate: str, building: int, unit: int, room: int, way: str) -> None:
    address = read(way.format(estate, building, unit, room)).address
    assert address is not None
    assert (address.words, address.building, address.unit, address.room) == ((estate,), (str(building),), (str(unit),), (str(room),))


def _row(estate: str, community: str = "识字里社区", district: str = "芙蓉区", code: str = "430102") -> dict[str, str]:
    return {"district_code": code, "district": district, "subdistrict": "文艺路街道", "community": community, "estate": estate}


def test_estates_are_ranked_by_how_well_their_name_fits() -> None:
    rows = [_row("新云栖花园"), _row("云栖花园二期"), _row("云栖花园"), _row("瑞和里"), _row("云顶栖霞花园")]
    found = fitting(rows, Address(words=("云栖花园",)), 10)
    assert [place.estate for place in found] == ["云栖花园", "云栖花园二期", "新云栖花园", "云顶栖霞花园"]


def test_names_around_an_estate_choose_between_two_of_one_name() -> None:
    rows = [_row("云栖花园"), _row("云栖花园", "橘园社区", "天心区", "430103")]
    for words in (("天心区", "云栖花园"), ("橘园", "云栖花园"), ("天心区云栖花园",)):
        assert [place.district_code for place in fitting(rows, Address(words=words), 10)][:1] == ["430103"], words
    assert [place.district_code for place in fitting(rows, Address(district_code="430102", words=("云栖花园",)), 10)] == ["430102"]


def test_an_estate_with_a_number_in_its_name_is_found_by_it() -> None:
    asked = read("518小区").address
    assert asked is not None
    first, _ = fitting([_row("518小区"), _row("小区")], asked, 10)
    assert (first.estate, first.whole) == ("518小区", True)


# --- on a real database ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with running_desk(database) as found:
        yield found


async def _found(desk: Desk, q: str, who: Who = SUPERVISOR) -> list[tuple[str, str]]:
    answer = await desk.get("/search", who, q=q)
    return [(item["kind"], item["id"]) for item in answer["items"]]


async def test_a_home_is_found_by_everything_that_names_it(desk: Desk, records: Records) -> None:
    for number in (1, 2, 3):
        records.home(number)
    records.home(4, estate="云栖雅苑")
    for q in ("云栖花园3栋2单元502", "云栖花园 502", "芙蓉区 云栖花园 3栋 2单元 502室", "4301000002", "home-0002", "10002000"):
        expected = [] if q == "10002000" else [("home", "home-0002")]
        assert await _found(desk, q) == expected, q
    assert await _found(desk, "M00002") == [("device", "M00002")]
    assert await _found(desk, "d00002") == [("device", "D00002")]
    assert len(await _found(desk, "云栖")) == 4
    assert await _found(desk, "430100000") == [("home", f"home-000{n}") for n in (1, 2, 3, 4)]
    answer = await desk.get("/search", q="云栖花园 502")
    assert answer["items"][0]["title_zh"] == "芙蓉区 云栖花园 3栋 2单元 502室"
    assert answer["items"][0]["title_en"] == "Room 502, Unit 2, Building 3, 云栖花园, Furong District"
    assert "4301000002" in answer["items"][0]["detail_zh"]


async def test_an_open_incident_stands_before_its_home(desk: Desk, records: Records) -> None:
    records.home(1)
    incident = records.incident(1)
    records.order(incident, state="on_site")
    assert await _found(desk, "云栖花园 501") == [("incident", str(incident)), ("home", "home-0001")]
    assert await _found(desk, str(incident)) == [("incident", str(incident))]
    assert await _found(desk, "qx-260402-1") == [("order", "QX-260402-0001")]
    order = (await desk.get("/search", q="qx-260402-1"))["items"][0]
    assert (order["title_zh"], order["open_incident_id"]) == ("抢修单 QX-260402-0001", str(incident))
    alias = UUID(int=5)
    records.put("incident_aliases", alias_id=alias, incident_id=incident, at_ms=1, reason="other_lane")
    assert await _found(desk, str(alias)) == [("incident", str(incident))]


async def test_a_telephone_is_searched_by_who_may_and_recorded_without_the_number(desk: Desk, records: Records) -> None:
    records.home(1, simulated=False)
    records.db.execute("UPDATE contacts SET phone = '+8613812345678'")
    assert await _found(desk, "138 1234 5678", OPERATOR) == [("home", "home-0001")]
    rows = records.db.execute("SELECT who, what, about, reason, detail::text FROM audit").fetchall()
    assert rows == [("li", "searched_by_phone", "home-0001", "", '{"found": 1, "phone": "+86138****5678"}')]
    answer = await desk.get("/search", VIEWER, q="13812345678")
    assert (answer["items"], answer["telephones"]) == ([], False)
    assert "12345678" not in str(records.db.execute("SELECT * FROM audit").fetchall())


async def test_a_search_for_a_number_that_nobody_has_is_recorded_too(desk: Desk, records: Records) -> None:
    assert await _found(desk, "13800000000", OPERATOR) == []
    detail = '{"found": 0, "phone": "+86138****0000"}'
    assert records.db.execute("SELECT what, detail::text FROM audit").fetchall() == [("searched_by_phone", detail)]


@pytest.mark.parametrize(
    ("q", "about", "told", "found"),
    [
        ("云栖花园 3栋 2单元 502", "home-0002", "云栖花园 3栋 2单元 502", 1),
        ("云栖花园", "", "云栖花园", 2),
        ("4301000002", "home-0002", "43****0002", 1),
        ("home-0002", "home-0002", "home-0002", 1),
        ("M00002", "home-0002", "M00002", 1),
        ("qx-260402-2", "home-0002", "qx-260402-2", 1),
        ("没有的小区", "", "没有的小区", 0),
        ("1381234567", "", "13****4567", 0),
        ("0731-8888 66", "", "07****8866", 0),
        ("138 1234 56789", "", "1381****6789", 0),
    ],
)
async def test_a_search_for_a_home_is_recorded(desk: Desk, records: Records, q: str, about: str, told: str, found: int) -> None:
    for number in (1, 2):
        records.home(number)
    records.order(records.incident(2), 2)
    for who in (OPERATOR, VIEWER):
        await _found(desk, q, who)
    row = ("searched_by_address", about, {"asked": told, "found": found})
    audit = records.db.execute("SELECT who, what, about, detail FROM audit ORDER BY audit_no").fetchall()
    assert audit == [("li", *row), ("wall", *row)]


async def test_a_search_for_no_home_is_not_recorded(desk: Desk, records: Records) -> None:
    incident = records.incident(1, home_id=None, place="M00009")
    records.order(incident, home_id=None)
    for q in ("qx-260402-1", str(incident)):
        assert await _found(desk, q), q
    assert records.db.execute("SELECT count(*) FROM audit").fetchone() == (0,)


async def test_a_search_that_cannot_be_recorded_finds_nothing(desk: Desk, records: Records) -> None:
    records.home(1)
    with records.db.transaction():
        records.db.execute("LOCK TABLE audit")
        answer = await desk.answer("GET", "/search", OPERATOR, q="云栖花园 501")
    assert (answer.status_code, answer.json()["reason"]) == (503, "database_away")
    assert "home-0001" not in answer.text


async def test_nobody_finds_what_is_not_his_district_nor_his_crews(desk: Desk, records: Records) -> None:
    records.home(1)
    records.home(2, district_code="430103", district="天心区", estate="云栖花园")
    incident = records.incident(2, home={"home_id": "home-0002", "district_code": "430103", "address_zh": "x", "address_en": "x"})
    records.crew("c1")
    records.order(incident, 2, crew_id="c1", place={"district_code": "430103"})
    furong = person("furong", "operator", districts=("430102",))
    for q in ("云栖花园", "4301000002", "M00002", "home-0002", str(incident), "QX-260402-0002", "sip:10002@sim.invalid", "00002"):
        assert not {("home", "home-0002"), ("device", "M00002"), ("order", "QX-260402-0002"), ("incident", str(incident))} & set(
            await _found(desk, q, furong)
        ), q
    assert await _found(desk, "云栖花园", furong) == [("home", "home-0001")]
    technician = person("tech", "technician", crew_id="c1", technician_id="c1-A")
    assert await _found(desk, "云栖花园", technician) == [("incident", str(incident)), ("home", "home-0002")]
    stranger = person("other", "technician", crew_id="c2", technician_id="c2-A")
    assert await _found(desk, "云栖花园", stranger) == []


async def test_a_retired_home_is_found_by_its_number_but_is_in_no_estate(desk: Desk, records: Records) -> None:
    records.home(1)
    records.db.execute("UPDATE homes SET retired_at = now()")
    assert await _found(desk, "云栖花园") == []
    assert await _found(desk, "4301000001") == [("home", "home-0001")]


@pytest.mark.parametrize("q", ["%", "_", "'; DROP TABLE homes; --", "\\", "雨%", "½", "M_0001", "👷", "a" * 100, "-" * 90, "1" * 40])
async def test_nothing_that_is_typed_breaks_it(desk: Desk, records: Records, q: str) -> None:
    records.home(1)
    assert await _found(desk, q) == []


async def test_a_character_that_no_text_holds_is_refused(desk: Desk) -> None:
    assert (await desk.answer("GET", "/search", SUPERVISOR, q="a\0b")).status_code in {200, 422}
    assert (await desk.answer("GET", "/search", SUPERVISOR, q="")).status_code == 422
