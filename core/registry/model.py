"""The registry's nouns: a home, its contacts and its devices, as the line and dispatch know them.

Decides nothing. Rows are frozen; `version` is the number of the import that last changed them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from core.registry.datum import Datum

DeviceKind = Literal["meter", "detector", "hub"]
Language = Literal["zh", "en"]
Role = Literal["resident", "owner", "family", "neighbour", "property", "grid_officer"]
Flag = Literal["lives_alone", "infirm", "infant", "hard_of_hearing"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DATUMS: Final[tuple[Datum, ...]] = get_args(Datum)

LOWEST_SET_POINT_LEL: Final = 3.0
HIGHEST_SET_POINT_LEL: Final = 25.0
DEFAULT_SET_POINT_LEL: Final = 10.0


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to call; `position` 1 is called first. `phone` is E.164, or a SIP address where the home is simulated."""

    position: int
    name: str
    role: str
    phone: str


@dataclass(frozen=True, slots=True)
class Home:
    """A home. `lon`, `lat` in degrees of `coord_datum`, all three None where not known; `alarm_lel` its set-point in %LEL."""

    home_id: str
    household_no: str
    district_code: str
    district: str
    subdistrict: str
    community: str
    estate: str
    building: str
    unit: str
    floor: str
    room: str
    riser_id: str | None
    lon: float | None
    lat: float | None
    coord_datum: Datum | None
    meter_location: str | None
    access_note: str | None
    language: Language
    flags: tuple[str, ...]
    alarm_lel: float
    meter_id: str | None
    simulated: bool
    contacts: tuple[Contact, ...]
    retired: bool
    version: int


@dataclass(frozen=True, slots=True)
class Device:
    """A device. `account` is who serves it on the broker: its hub, or itself. A hub stands in no home (`home_id` None)."""

    device_no: int
    device_id: str
    kind: DeviceKind
    home_id: str | None
    account: str
    made_on: date | None
    retired: bool
    version: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, counted in homes (or crews): `version` is its number in the registry's record of changes."""

    added: int
    changed: int
    unchanged: int
    retired: int
    version: int
