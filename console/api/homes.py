"""Homes, their devices with the latest heard of them, and their readings. Reads the registry and what the line wrote."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import DEVICE_IN_SCOPE
from console.access.scope import IN_SCOPE_HOME
from console.access.who import Who
from console.api.needs import Console, Database, noun
from console.api.reader import Reader
from console.home_address import home_address
from console.paging import After, Limit, Page, behind, next_of
from console.problems import FieldError, Problem, not_found, responses
from console.store import Row, Store

router = noun("homes")

_COLUMNS = """home_id, household_no, district_code, district, subdistrict, community, estate, building, unit, floor, room,
    riser_id, lon, lat, coord_datum, meter_location, access_note, language, flags, alarm_lel, simulated,
    retired_at IS NOT NULL AS retired"""

HOMES = f"""
    SELECT {_COLUMNS}, EXISTS (SELECT FROM incidents WHERE incidents.place = homes.home_id AND incidents.state = 'open') AS home_open
    FROM homes
    WHERE retired_at IS NULL AND {IN_SCOPE_HOME}
      AND (%(simulated)s::boolean IS NULL OR simulated = %(simulated)s)
      AND (%(district_code)s::text IS NULL OR district_code = %(district_code)s)
      AND (%(q)s::text IS NULL OR home_id = %(exact)s OR household_no = %(exact)s
           OR (estate || building || '栋' || unit || '单元' || room) LIKE %(q)s
           OR (estate || ' ' || building || ' ' || unit || ' ' || room) LIKE %(q)s)
      AND (%(last)s::text IS NULL OR home_id > %(last)s)
    ORDER BY home_id LIMIT %(rows)s"""
HOME = f"SELECT {_COLUMNS} FROM homes WHERE home_id = %(home_id)s"
HOME_SEEN = f"{HOME} AND {IN_SCOPE_HOME}"
CONTACTS = "SELECT position, name, role, phone FROM contacts WHERE home_id = %(home_id)s ORDER BY position"
IN_FORCE = """
    SELECT (SELECT coalesce(array_agg(DISTINCT hold ORDER BY hold), '{}') FROM valve_holds
            WHERE home_id = %(home_id)s AND lifted_ms IS NULL) AS holds,
           (SELECT coalesce(array_agg(DISTINCT condition ORDER BY condition), '{}') FROM home_conditions
            WHERE home_id = %(home_id)s AND ended_ms IS NULL) AS conditions"""
OPEN_INCIDENT = "SELECT incident_id FROM incidents WHERE place = %(home_id)s AND state = 'open'"
DEVICE_COLUMNS = "d.device_id, d.kind, d.home_id, d.account, d.made_on, d.retired_at IS NOT NULL AS retired, to_jsonb(s) AS state"
_DEVICE = f"SELECT {DEVICE_COLUMNS} FROM devices d LEFT JOIN device_state s USING (device_id)"
DEVICES_OF_HOME = _DEVICE + " WHERE d.home_id = %(home_id)s ORDER BY d.retired_at NULLS FIRST, d.kind, d.device_id LIMIT 200"
DEVICE = _DEVICE + " WHERE d.device_id = %(device_id)s"
DEVICE_SEEN = f"{DEVICE} AND {DEVICE_IN_SCOPE}"
DETECTOR_READINGS = """
    SELECT d.device_id, r.ts, r.received_at, r.boot, r.seq, r.ch4_lel, r.state, r.ch4_raw, r.ch4_raw_unit, r.power, r.temp_c,
           r.battery_v, r.rssi_dbm, r.defects
    FROM detector_readings r JOIN devices d USING (device_no)
    WHERE d.home_id = %(home_id)s AND r.ts >= %(from)s AND r.ts < %(to)s ORDER BY r.ts DESC LIMIT %(rows)s"""
METER_READINGS = """
    SELECT d.device_id, r.ts, r.received_at, r.boot, r.seq, r.volume_m3, r.flow_m3h, r.valve, r.cause, r.pressure_kpa,
           r.credit_cny, r.flags, r.temp_c, r.battery_v, r.rssi_dbm, r.defects
    FROM meter_readings r JOIN devices d USING (device_no)
    WHERE d.home_id = %(home_id)s AND r.ts >= %(from)s AND r.ts < %(to)s ORDER BY r.ts DESC LIMIT %(rows)s"""

HomeId = Annotated[str, Path(max_length=64, description="the registry's id of the home")]
DeviceId = Annotated[str, Path(max_length=32, description="the device's id")]
_DAY_MS = 86_400_000
_YEARS_MS = 4_102_444_800_000


class Home(BaseModel):
    """A home of the registry. Coordinates in degrees of `coord_datum`."""

    home_id: str
    household_no: str = Field(description="户号")
    address_zh: str
    address_en: str
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
    coord_datum: str | None = Field(description="WGS-84 or GCJ-02")
    meter_location: str | None = Field(description="telephone numbers in it are masked as those of the contacts are")
    access_note: str | None = Field(description="telephone numbers in it are masked as those of the contacts are")
    language: str = Field(description="zh or en: spoken on the phone")
    flags: list[str] | None = Field(
        description="lives_alone, infirm, infant, hard_of_hearing; null: not shown to those without the right `read_people`"
    )
    alarm_lel: float = Field(description="alarm set-point, %LEL")
    simulated: bool
    retired: bool


class DeviceState(BaseModel):
    """The latest that was heard of a device. Silence is unknown, never normal: judge `heard_ms` first."""

    heard_ms: int = Field(description="Unix ms when the platform last heard it")
    last_ts: int = Field(description="device time of its newest item, Unix ms")
    last_boot: int
    last_seq: int
    lane: str
    state: str | None = Field(None, description="detector: preheat, normal, warning, alarm, fault, self_test, end_of_life")
    ch4_lel: float | None = Field(None, description="methane, %LEL")
    valve: str | None = Field(None, description="meter: open, closed, opening, closing, fault, unknown")
    cause: str | None = Field(None, description="why the valve is closed")
    volume_m3: float | None = Field(None, description="index, m³")
    flow_m3h: float | None = Field(None, description="flow, m³/h")
    power: str | None = None
    battery_v: float | None = Field(None, description="V")
    credit_cny: float | None = Field(None, description="yuan")
    rssi_dbm: float | None = Field(None, description="dBm")
    online: bool | None = None
    model: str | None = None
    firmware: str | None = None
    connectivity: str | None = None
    report_interval_s: int | None = Field(None, description="s")
    register_step_m3: float | None = Field(None, description="one step of the register, m³")
    clock_offset_ms: int | None = Field(None, description="platform time minus device time, ms")
    counter_resets: int = Field(0, description="how often it gave a number twice with another time")
    retained_items: int = Field(0, description="messages with a RETAIN flag where none belongs")
    flags: list[str] = []


class Device(BaseModel):
    """A device of the registry and the latest that was heard of it."""

    device_id: str
    kind: str = Field(description="meter, detector or hub")
    home_id: str | None
    account: str = Field(description="the MQTT account that serves it: its own id, or its hub")
    made_on: date | None
    retired: bool
    state: DeviceState | None = Field(description="null: never heard")


class Contact(BaseModel):
    """A person to ring, in the order of the list."""

    position: int
    name: str = Field(description="masked unless you may see people and an incident of the home is open: see `/homes/{home_id}/people`")
    role: str
    phone: str = Field(description="masked as the name is")


class HomeWithDevices(Home):
    """A home, what is in it and who is rung."""

    devices: list[Device]
    contacts: list[Contact]
    open_incident_id: UUID | None
    holds: list[str] = Field(description="what keeps its valve closed now: see `/homes/{home_id}/holds`")
    conditions: list[str] = Field(description="blind, silent, powerless: see `/conditions/homes`")


class Reading(BaseModel):
    """What every reading carries."""

    device_id: str
    ts_ms: int = Field(description="when measured, device time, Unix ms")
    received_ms: int = Field(description="Unix ms")
    boot: int
    seq: int
    temp_c: float | None = Field(description="°C")
    battery_v: float | None = Field(description="V")
    rssi_dbm: float | None = Field(description="dBm")
    defects: list[str] = Field(description="what was wrong with it")


class DetectorReading(Reading):
    """A detector's reading."""

    ch4_lel: float | None = Field(description="methane, %LEL")
    state: str | None
    ch4_raw: float | None
    ch4_raw_unit: str | None = Field(description="ppm, %vol or %LEL")
    power: str | None = Field(description="mains or battery")


class MeterReading(Reading):
    """A meter's reading."""

    volume_m3: float | None = Field(description="index, m³")
    flow_m3h: float | None = Field(description="m³/h")
    valve: str | None
    cause: str | None
    pressure_kpa: float | None = Field(description="kPa")
    credit_cny: float | None = Field(description="yuan")
    flags: list[str]


class Readings(BaseModel):
    """The readings of a home in a period, oldest first."""

    detector: list[DetectorReading]
    meter: list[MeterReading]
    truncated: bool = Field(description="true: there were more than `limit`; the newest are given")


def _home(row: Row) -> dict[str, Any]:
    where = home_address(row)
    return {**row, "address_zh": where.zh, "address_en": where.en}


def _seen(row: Row, who: Who, *, home_open: bool) -> Row:
    """The row as ``who`` is shown it: what people need by his role, numbers in its texts as the contacts' own."""
    row = masking.shown(row, masking.home, clear=who.may("read_people"))
    return masking.shown(row, masking.way_in, clear=masking.sees_people(who, home_open=home_open))


def _reading(row: Row) -> dict[str, Any]:
    return {
        **row,
        "ts_ms": _ms(row["ts"]),
        "received_ms": _ms(row["received_at"]),
        "defects": row["defects"] or [],
        "flags": row.get("flags") or [],
    }


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


async def known(store: Store, home_id: str, who: Who) -> Row:
    """The row of a home that ``who`` sees. Raises a 404 problem: what he does not see is not there."""
    row = await store.row(HOME_SEEN, {"home_id": home_id, **who.scope.values()})
    if row is None:
        raise unknown_home(home_id)
    return row


def unknown_home(home_id: str) -> Exception:
    """404 for a home that is not in the registry."""
    return not_found(f"登记中没有住户 {home_id}", f"the registry has no home {home_id}")


def unknown_device(device_id: str) -> Exception:
    """404 for a device that is not in the registry."""
    return not_found(f"登记中没有设备 {device_id}", f"the registry has no device {device_id}")


async def known_device(store: Store, device_id: str, who: Who) -> Row:
    """The row of a device that ``who`` sees. Raises a 404 problem."""
    row = await store.row(DEVICE_SEEN, {"device_id": device_id, **who.scope.values()})
    if row is None:
        raise unknown_device(device_id)
    return row


@router.get("/homes", summary="Homes · 住户", responses=responses(422))
async def list_homes(
    store: Database,
    console: Console,
    who: Reader,
    q: Annotated[str | None, Query(min_length=1, max_length=64, description="home id, 户号, or part of the address")] = None,
    simulated: Annotated[bool | None, Query(description="simulated homes only, or real ones only")] = None,
    district_code: Annotated[str | None, Query(max_length=12, description="GB/T 2260", examples=["430102"])] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Home]:
    """Homes in service, sorted by id. A search with `q` is recorded."""
    (last,) = behind("homes", after, str)
    pattern = None if q is None else "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    values = {"q": pattern, "exact": q, "simulated": simulated, "district_code": district_code, "last": last, "rows": limit + 1}
    rows = await store.rows(HOMES, values | who.scope.values())
    if q is not None:
        await console.access.audit.note_search(who, q, [row["home_id"] for row in rows[:limit]])
    return Page(
        items=[Home(**_home(_seen(row, who, home_open=row["home_open"]))) for row in rows[:limit]],
        next=next_of("homes", rows, limit, lambda row: (row["home_id"],)),
    )


@router.get("/homes/{home_id}", summary="One home with devices and contacts · 住户详情", responses=responses(404, 422))
async def read_home(store: Database, who: Reader, home_id: HomeId) -> HomeWithDevices:
    """Everything that is known of one home now."""
    row = await known(store, home_id, who)
    values = {"home_id": home_id}
    incident = await store.row(OPEN_INCIDENT, values)
    clear = masking.sees_people(who, home_open=incident is not None)
    return HomeWithDevices(
        **_home(_seen(row, who, home_open=incident is not None)),
        devices=[Device(**device) for device in await store.rows(DEVICES_OF_HOME, values)],
        contacts=[Contact(**masking.shown(contact, masking.contact, clear=clear)) for contact in await store.rows(CONTACTS, values)],
        open_incident_id=incident["incident_id"] if incident else None,
        **(await store.row(IN_FORCE, values) or {}),
    )


@router.get("/homes/{home_id}/readings", summary="Readings of a home over a period · 读数", responses=responses(404, 422))
async def read_readings(
    store: Database,
    console: Console,
    who: Reader,
    home_id: HomeId,
    from_ms: Annotated[int | None, Query(ge=0, le=_YEARS_MS, description="from, Unix ms; default: a day before `to_ms`")] = None,
    to_ms: Annotated[int | None, Query(ge=0, le=_YEARS_MS, description="to, excluded, Unix ms; default: now")] = None,
    limit: Annotated[int, Query(ge=1, le=5000, description="readings of each kind, at most")] = 1000,
) -> Readings:
    """Device time decides the period."""
    end = console.clock.now_ms() + 1 if to_ms is None else to_ms
    start = end - _DAY_MS if from_ms is None else from_ms
    if start >= end:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            "起始时间必须早于结束时间",
            "from_ms must be before to_ms",
            errors=[FieldError(where="query.from_ms", en="must be before to_ms")],
        )
    await known(store, home_id, who)
    values = {"home_id": home_id, "from": _moment(start), "to": _moment(end), "rows": limit + 1}
    detector = await store.rows(DETECTOR_READINGS, values)
    meter = await store.rows(METER_READINGS, values)
    return Readings(
        detector=[DetectorReading(**_reading(row)) for row in _oldest_first(detector, limit)],
        meter=[MeterReading(**_reading(row)) for row in _oldest_first(meter, limit)],
        truncated=len(detector) > limit or len(meter) > limit,
    )


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _oldest_first(rows: Sequence[Row], limit: int) -> list[Row]:
    return list(reversed(rows[:limit]))


@router.get("/devices/{device_id}", summary="One device and the latest heard of it · 设备", responses=responses(404, 422))
async def read_device(store: Database, who: Reader, device_id: DeviceId) -> Device:
    """A device of the registry."""
    return Device(**await known_device(store, device_id, who))
