"""A simulated city: real places, invented people, the same from the same seed."""

import csv
import random
import re
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import pytest

from core.ids import is_account, is_reserved
from core.registry.crews import CREW_COLUMNS
from core.registry.datum import Datum, to_wgs84
from core.registry.home_row import HOME_COLUMNS
from core.registry.phone import SIMULATED_PHONE
from simulator.city import crews_csv, write_city
from simulator.city.boundary import District, communities, districts, polygons_of
from simulator.city.estate import blocks, plan_estates
from simulator.city.registry_file import COLUMNS

HOMES = 6000


def city(folder: Path, homes: int, seed: int) -> list[dict[str, str]]:
    path = folder / f"city-{homes}-{seed}.csv"
    write_city(homes, seed, path)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    return city(tmp_path_factory.mktemp("city"), HOMES, 7)


@pytest.fixture(scope="module")
def homes(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({row["home_id"]: row for row in reversed(rows)}.values())


def share(homes: list[dict[str, str]], column: str, pattern: str) -> float:
    return sum(re.search(pattern, home[column]) is not None for home in homes) / len(homes)


def test_the_file_has_the_columns_that_the_import_wants() -> None:
    assert COLUMNS == HOME_COLUMNS
    assert tuple(crews_csv(1, 1).splitlines()[0].split(",")) == CREW_COLUMNS


def test_the_same_seed_gives_the_same_bytes_and_another_another(tmp_path: Path) -> None:
    first, again, other = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"
    crews = tmp_path / "crews.csv"
    write_city(300, 7, first, crews)
    write_city(300, 7, again)
    write_city(300, 8, other)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    assert crews.read_text(encoding="utf-8") == crews_csv(300, 7) != crews_csv(300, 8)


@pytest.mark.parametrize("size", [1, 5, 6, 7, 200, 1001])
def test_a_city_has_as_many_homes_as_asked_for(tmp_path: Path, size: int) -> None:
    assert len({row["home_id"] for row in city(tmp_path, size, 3)}) == size


def test_a_city_without_homes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one home"):
        write_city(0, 1, tmp_path / "city.csv")


def test_a_district_of_200_homes_spreads_over_all_six_and_has_a_hub_and_round_the_clock_crews(tmp_path: Path) -> None:
    small = city(tmp_path, 200, 7)
    assert {row["district_code"] for row in small} == set(districts())
    assert any(row["hub_id"] for row in small)
    crews = list(csv.DictReader(crews_csv(200, 7).splitlines()))
    always = {(row["district_code"], row["crew_id"]) for row in crews if (row["shift_start"], row["shift_end"]) == ("00:00", "24:00")}
    assert Counter(district for district, _ in always) == dict.fromkeys(districts(), 2)


def test_every_home_stands_in_a_real_community_inside_its_district(homes: list[dict[str, str]]) -> None:
    real = {(place.district_code, place.district, place.subdistrict, place.name) for place in communities()}
    for home in homes:
        assert (home["district_code"], home["district"], home["subdistrict"], home["community"]) in real
        datum: Datum = "GCJ-02" if home["coord_datum"] == "GCJ-02" else "WGS-84"
        assert home["coord_datum"] == datum
        # Rounded to six decimals, and moved within its estate only where that stays inside.
        assert districts()[home["district_code"]].contains(to_wgs84(float(home["lon"]), float(home["lat"]), datum))
    assert 0.1 < share(homes, "coord_datum", "GCJ") < 0.5


def test_no_building_of_a_large_city_stands_outside_its_district() -> None:
    for estate in plan_estates(150_000, 7):
        district = districts()[estate.community.district_code]
        standing = list(blocks(estate, random.Random(estate.number)))
        assert sum(len(block.flats) for block in standing) == estate.homes
        for block in standing:
            assert district.contains(to_wgs84(*block.position, block.datum))


def test_people_are_invented_and_their_telephones_lead_nowhere(homes: list[dict[str, str]]) -> None:
    for home in homes:
        assert home["simulated"] == "true"
        for ordinal in (1, 2):
            name, phone = home[f"contact{ordinal}_name"], home[f"contact{ordinal}_phone"]
            assert bool(name) == bool(phone) == bool(home[f"contact{ordinal}_role"])
            if name:
                assert re.match("模拟|Sim ", name)
                assert SIMULATED_PHONE.fullmatch(phone)
                assert phone.startswith("sip:000")
    own = Counter(home["contact1_phone"] for home in homes)
    assert max(own.values()) == 1


def test_ids_are_valid_and_stand_once(rows: list[dict[str, str]], homes: list[dict[str, str]]) -> None:
    meters, detectors = [home["meter_id"] for home in homes], [row["detector_id"] for row in rows]
    hubs = {home["hub_id"] for home in homes if home["hub_id"]}
    ids = [*meters, *detectors, *hubs]
    assert len(ids) == len(set(ids))
    assert all(is_account(device) and not is_reserved(device) for device in ids)
    assert len({home["household_no"] for home in homes}) == len(homes)


def test_doors_are_numbered_by_floor_and_one_riser_feeds_one_stack(homes: list[dict[str, str]]) -> None:
    doors: set[tuple[str, ...]] = set()
    stacks: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for home in homes:
        assert home["room"][:-2] == home["floor"]
        place = tuple(home[part] for part in ("community", "estate", "building", "unit"))
        doors.add((*place, home["room"]))
        stacks[home["riser_id"]].add((*place, home["room"][-2:]))
    assert len(doors) == len(homes)
    assert all(len(places) == 1 for places in stacks.values())
    assert max(int(home["floor"]) for home in homes) > 11


def test_a_hub_serves_one_building_and_about_one_home_in_thirty_has_one(homes: list[dict[str, str]]) -> None:
    buildings: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for home in homes:
        if home["hub_id"]:
            buildings[home["hub_id"]].add(tuple(home[part] for part in ("community", "estate", "building")))
    assert all(len(places) == 1 for places in buildings.values())
    assert 0.02 < share(homes, "hub_id", "HUB") < 0.05


def test_a_second_detector_repeats_the_row(rows: list[dict[str, str]], homes: list[dict[str, str]]) -> None:
    by_home = defaultdict(list)
    for row in rows:
        by_home[row["home_id"]].append({**row, "detector_id": "", "detector_made_on": ""})
    assert all(repeated == [repeated[0]] * len(repeated) for repeated in by_home.values())
    assert 0.005 < len(rows) / len(homes) - 1 < 0.03


def test_the_households_differ_as_those_of_a_city_do(homes: list[dict[str, str]]) -> None:
    assert 0.05 < share(homes, "contact2_phone", "^$") < 0.3
    for flag in ("lives_alone", "infirm", "infant", "hard_of_hearing"):
        assert 0.01 < share(homes, "flags", flag) < 0.15
    assert 0.005 < share(homes, "language", "en") < 0.04
    assert share(homes, "alarm_lel", "^10$") > 0.85
    assert {home["alarm_lel"] for home in homes} == {"5", "8", "10", "15", "20"}


def test_some_meters_are_over_ten_years_and_some_detectors_over_five(homes: list[dict[str, str]]) -> None:
    today = date(2026, 4, 1)
    over_ten = sum((today - date.fromisoformat(home["meter_made_on"])).days > 3653 for home in homes) / len(homes)
    over_five = sum((today - date.fromisoformat(home["detector_made_on"])).days > 1826 for home in homes) / len(homes)
    assert 0.02 < over_ten < 0.08
    assert 0.01 < over_five < 0.06


def test_every_community_has_its_centre_in_its_district() -> None:
    assert len(communities()) == 631
    assert all(districts()[place.district_code].contains(place.centre) for place in communities())


def test_a_hole_and_a_second_polygon_are_seen() -> None:
    square = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    hole = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
    island = [[10, 10], [11, 10], [11, 11], [10, 11], [10, 10]]
    shape = District("1", tuple(polygons_of({"type": "MultiPolygon", "coordinates": [[square, hole], [island]]})))
    assert shape.contains((0.5, 2))
    assert not shape.contains((2, 2))
    assert shape.contains((10.5, 10.5))
    assert not shape.contains((7, 2))
    with pytest.raises(ValueError, match="Polygon"):
        list(polygons_of({"type": "Point", "coordinates": [0, 0]}))
