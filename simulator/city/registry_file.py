"""The registry file of a simulated city, row by row.

Decides ids and the file's columns. A home with two detectors takes two rows that differ in the detector alone. Rows are
written as they are made, so that a city of any size needs no more memory than one estate.
"""

import csv
import random
from collections.abc import Iterator
from pathlib import Path

from simulator.city.crews import crews_csv
from simulator.city.estate import Block, Estate, Flat, blocks, plan_estates
from simulator.city.household import Household, household

COLUMNS = (
    "home_id", "household_no", "district_code", "district", "subdistrict", "community", "estate", "building", "unit", "floor",
    "room", "riser_id", "lon", "lat", "coord_datum", "meter_location", "access_note", "contact1_name", "contact1_role",
    "contact1_phone", "contact2_name", "contact2_role", "contact2_phone", "language", "flags", "alarm_lel", "meter_id",
    "meter_made_on", "detector_id", "detector_made_on", "hub_id", "simulated",
)  # fmt: skip

HOMES_PER_HUB_HOME = 30
_ACCESS_NOTES = ("", "", "", "门禁请联系物业", "东门进，24小时值班", "22:00后北门关闭，走南门", "消防通道停车，步行进入")


def write_city(homes: int, seed: int, out: Path, crews_out: Path | None = None) -> None:
    """Write the registry of a city of `homes` homes to `out`, and its crews to `crews_out`. Raises ValueError below one home."""
    rows = city_rows(homes, seed)
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    if crews_out is not None:
        crews_out.write_text(crews_csv(homes, seed), encoding="utf-8")


def city_rows(homes: int, seed: int) -> Iterator[tuple[str, ...]]:
    """The rows of a city in the order of `COLUMNS`."""
    estates = plan_estates(homes, seed)
    return _rows(estates, seed)


def _rows(estates: list[Estate], seed: int) -> Iterator[tuple[str, ...]]:
    home = hub = 0
    # How many homes should hang on hubs by now; a building gets one when it is due, so that small cities have one too.
    due = 0.0
    for estate in estates:
        rng = random.Random(f"estate {seed} {estate.number}")
        access_note = rng.choice(_ACCESS_NOTES)
        for block in blocks(estate, rng):
            due += len(block.flats) / HOMES_PER_HUB_HOME
            hub_id = ""
            if due >= len(block.flats) / 4:
                due -= len(block.flats)
                hub += 1
                hub_id = f"HUB-{hub:05d}"
            for flat in block.flats:
                home += 1
                yield from _home_rows(home, block, flat, household(home, estate.number, rng), access_note, hub_id)


def _home_rows(home: int, block: Block, flat: Flat, people: Household, access_note: str, hub_id: str) -> Iterator[tuple[str, ...]]:
    estate, place = block.estate, block.estate.community
    lon, lat = block.position
    before_detector = (
        f"H{home:07d}", f"{place.district_code[2:]}{home:08d}", place.district_code, place.district, place.subdistrict,
        place.name, estate.name, str(flat.building), str(flat.unit), str(flat.floor), flat.room,
        f"R{estate.number:05d}-{flat.building:02d}-{flat.unit}-{flat.stack:02d}", f"{lon:.6f}", f"{lat:.6f}", block.datum,
        people.meter_location, access_note, people.first.name, people.first.role, people.first.phone, people.second.name,
        people.second.role, people.second.phone, people.language, people.flags, people.alarm_lel, f"M{home:07d}",
        people.meter_made_on,
    )  # fmt: skip
    for ordinal, made_on in enumerate(people.detectors_made_on):
        yield (*before_detector, f"D{home:07d}{'-2' if ordinal else ''}", made_on, hub_id, "true")
