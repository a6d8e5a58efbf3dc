"""One row of the registry file: a home with its meter and one of its detectors.

Decides whether a row is right by itself, and whether it agrees with the rows before it: a home with several detectors repeats its
row, one valve meter a home, no device in two homes. Refuses to know what is stored already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from core.registry import cell
from core.registry.model import DEFAULT_SET_POINT_LEL, HIGHEST_SET_POINT_LEL, LANGUAGES, LOWEST_SET_POINT_LEL, DeviceKind
from core.registry.sheet import Complain

HOME_COLUMNS: Final = (
    "home_id", "household_no", "district_code", "district", "subdistrict", "community", "estate", "building", "unit", "floor",
    "room", "riser_id", "lon", "lat", "coord_datum", "meter_location", "access_note", "contact1_name", "contact1_role",
    "contact1_phone", "contact2_name", "contact2_role", "contact2_phone", "language", "flags", "alarm_lel", "meter_id",
    "meter_made_on", "detector_id", "detector_made_on", "hub_id", "simulated",
)  # fmt: skip
"""The columns of a registry file, in the order of the documents; a file may have them in any order."""

Value = str | float | int | bool | date | list[str] | None

Raw = Mapping[str, str]
"""The cells of a row by column."""

_DETECTOR_CELLS = (HOME_COLUMNS.index("detector_id"), HOME_COLUMNS.index("detector_made_on"))

_KIND_ZH: Final[dict[DeviceKind, str]] = {"meter": "燃气表", "detector": "探测器", "hub": "集中器"}


@dataclass
class Roll:
    """Who was named on earlier lines of the file: homes with what their row said, devices with their kind."""

    homes: dict[str, tuple[int, int]] = field(default_factory=dict)
    devices: dict[str, tuple[int, DeviceKind]] = field(default_factory=dict)

    def is_first(self, line: int, cells: Sequence[str], raw: Raw, complain: Complain) -> bool:
        """Whether this is the home's first row; complains where a repeated row differs in more than the detector."""
        said = hash(tuple(text for place, text in enumerate(cells) if place not in _DETECTOR_CELLS))
        home_id = raw["home_id"]
        first_line, first_said = self.homes.setdefault(home_id, (line, said))
        if first_line == line:
            return True
        if first_said != said:
            complain(
                f"住户 {home_id} 已在第 {first_line} 行，重复行只能探测器不同",
                f"home {home_id} stands on line {first_line} already; a repeated row may differ in the detector alone",
            )
        elif not raw["detector_id"]:
            complain(
                f"住户 {home_id} 已在第 {first_line} 行，重复行须有探测器",
                f"home {home_id} stands on line {first_line} already; a repeated row needs a detector of its own",
            )
        return False

    def name(self, line: int, kind: DeviceKind, device_id: str, complain: Complain) -> None:
        """Note a device; complains where the id is taken on an earlier line. A hub may serve any number of homes."""
        taken_line, taken_kind = self.devices.setdefault(device_id, (line, kind))
        if (taken_line, taken_kind) == (line, kind) or (kind == "hub" and taken_kind == "hub"):
            return
        complain(
            f"{_KIND_ZH[kind]} {device_id} 已在第 {taken_line} 行作为{_KIND_ZH[taken_kind]}登记",
            f"{kind} {device_id} is named on line {taken_line} already, as a {taken_kind}",
        )


def home_row(line: int, cells: Sequence[str], roll: Roll, complain: Complain) -> tuple[Value, ...]:
    """A row as `home_merge.STAGED` wants it. What is wrong is complained of; such a row must not be stored."""
    raw = dict(zip(HOME_COLUMNS, cells, strict=True))
    first = roll.is_first(line, cells, raw, complain)
    home = _home(raw, complain) if first else (raw["home_id"], *_NO_HOME)
    return (line, first, *home, *_devices(line, raw, roll, complain, first=first))


def _home(raw: Raw, complain: Complain) -> tuple[Value, ...]:
    cell.identifier("home_id", raw["home_id"], complain)
    for column in ("household_no", "district", "estate", "building", "room"):
        cell.required(column, raw[column], complain)
    cell.district_code(raw["district_code"], complain)
    simulated = cell.truth("simulated", raw["simulated"], complain)
    lon, lat, datum = cell.place(raw["lon"], raw["lat"], raw["coord_datum"], complain)
    set_point = cell.number("alarm_lel", raw["alarm_lel"], LOWEST_SET_POINT_LEL, HIGHEST_SET_POINT_LEL, complain)
    return (
        *(raw["home_id"], raw["household_no"], raw["district_code"], raw["district"], raw["subdistrict"], raw["community"]),
        *(raw["estate"], raw["building"], raw["unit"], raw["floor"], raw["room"], raw["riser_id"] or None, lon, lat, datum),
        *(raw["meter_location"] or None, raw["access_note"] or None),
        cell.one_of("language", raw["language"], LANGUAGES, complain),
        cell.flags("flags", raw["flags"], complain),
        DEFAULT_SET_POINT_LEL if set_point is None else set_point,
        simulated,
        *cell.contact(1, raw["contact1_name"], raw["contact1_role"], raw["contact1_phone"], complain, simulated=simulated),
        *cell.contact(2, raw["contact2_name"], raw["contact2_role"], raw["contact2_phone"], complain, simulated=simulated),
    )


# A repeated row carries a detector only: the home itself was taken from its first row.
_NO_HOME: Final[tuple[Value, ...]] = (None,) * 26


def _devices(line: int, raw: Raw, roll: Roll, complain: Complain, *, first: bool) -> tuple[Value, ...]:
    given: tuple[tuple[DeviceKind, str, str], ...] = (
        ("meter", raw["meter_id"], raw["meter_made_on"]),
        ("detector", raw["detector_id"], raw["detector_made_on"]),
        ("hub", raw["hub_id"], ""),
    )
    days: list[date | None] = []
    for kind, device_id, made_on in given:
        days.append(cell.day(f"{kind}_made_on", made_on, complain))
        if device_id and (first or kind == "detector"):
            cell.identifier(f"{kind}_id", device_id, complain)
            roll.name(line, kind, device_id, complain)
        elif made_on and not device_id:
            complain(f"填写了 {kind}_made_on 却没有 {kind}_id", f"{kind}_made_on is given without {kind}_id")
    return raw["meter_id"] or None, days[0], raw["detector_id"] or None, days[1], raw["hub_id"] or None
