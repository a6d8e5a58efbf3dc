"""Somebody with a role, districts or a crew at a running console, and a city with the same things in two of its districts."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import httpx

from console.access.rights import Role
from tests.console.stage import T0, Records, Served

HERE: Final = "430102"
ELSEWHERE: Final = "430103"


def look_as(console: Served, *roles: Role, districts: list[str] | None = None, technician_id: str | None = None) -> httpx.Client:
    """A client signed in as a user of his own."""
    return console.signed_in(*roles, name=f"user-{uuid4().hex[:8]}", districts=districts, technician_id=technician_id)


@dataclass
class Quarter:
    """A district with one home and one of everything that can belong to it. ``marks`` are texts that only its things have."""

    number: int
    district: str
    name: str
    home: str
    crew: str
    technician: str
    incident: UUID
    closed: UUID
    order_no: str
    order: UUID
    call: UUID
    task: UUID
    command: UUID
    remark: UUID
    values: dict[str, str] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)

    def find_in(self, text: str) -> list[str]:
        """Which of its marks are in a text."""
        return [mark for mark in self.marks if mark in text]


def quarter(records: Records, number: int, district: str, name: str, estate: str, person: str) -> Quarter:
    """Write a district's home with devices, states, readings, holds, conditions, incidents, orders, calls, tasks, remarks and a crew."""
    home = records.home(number, estate=estate, district_code=district, district=name, lon=113.0 + number, lat=28.2, coord_datum="WGS-84")
    phone = f"+8613812340{number:03}"
    records.db.execute("UPDATE contacts SET name = %s, phone = %s WHERE home_id = %s", [person, phone, home])
    crew = records.crew(f"crew-{number}", district_code=district)
    technician = f"{crew}-A"
    records.db.execute("UPDATE technicians SET name = %s, phone = %s WHERE crew_id = %s", [f"{person}工", f"+8613912340{number:03}", crew])
    records.put("crew_positions", crew_id=crew, lon=113.5 + number, lat=28.5, coord_datum="WGS-84", at_ms=round(time.time() * 1000))
    facts = {
        "home_id": home,
        "district_code": district,
        "address_zh": f"{name} {estate} 3栋",
        "address_en": f"{estate} 3",
        "lon": 113.0 + number,
        "lat": 28.2,
        "coord_datum": "WGS-84",
    }
    closed = records.incident(number, at_ms=T0 - 90_000_000, state="closed", home=facts)
    incident = records.incident(number, at_ms=T0, home=facts)
    records.event(incident, "opened", T0, note=f"call {phone}", caller_phone=phone)
    records.put("incident_aliases", alias_id=uuid4(), incident_id=incident, at_ms=T0, reason="opened_without_database")
    order = records.order(
        incident, number, crew_id=crew, technician_id=technician, state="on_site", place={"place": home, **facts}, accepted_ms=T0 + 80
    )
    records.step(order, "created", T0 + 60, "created")
    call = records.call(incident, home_id=home, name=person, address=phone, placed_ms=T0 + 70, ringing_ms=T0 + 90)
    task = records.task(incident, home_id=home, detail={"name": person, "phone": phone, "role": "resident"})
    command = records.command(incident, device_id=f"M{number:05}", account=f"M{number:05}")
    remark = uuid4()
    records.put(
        "incident_remarks", remark_id=remark, incident_id=incident, at_ms=T0 + 99, kind="remark", actor="desk", display="desk", note=phone
    )
    records.put("valve_holds", hold_id=uuid4(), home_id=home, hold="safety", set_ms=T0, set_by="line")
    records.put(
        "home_conditions", condition_id=uuid4(), home_id=home, device_id=f"D{number:05}", condition="blind", cause="fault", since_ms=T0
    )
    records.put("device_state", device_id=f"D{number:05}", last_ts=T0, last_boot=1, last_seq=7, heard_ms=T0, lane="telemetry")
    moment = datetime.fromtimestamp(T0 / 1000, UTC)
    records.db.execute("SELECT ensure_reading_days(%s, %s)", [moment.date(), moment.date()])
    records.db.execute(
        "INSERT INTO detector_readings (device_no, ts, boot, seq, received_at) SELECT device_no, %s, 1, 1, %s FROM devices"
        " WHERE device_id = %s",
        [moment, moment, f"D{number:05}"],
    )
    found = Quarter(
        number, district, name, home, crew, technician, incident, closed, f"QX-260402-{number:04}", order, call, task, command, remark
    )
    found.values = {
        "home_id": home,
        "incident_id": str(incident),
        "order_no": found.order_no,
        "device_id": f"D{number:05}",
        "crew_id": crew,
        "technician_id": technician,
        "task_id": str(task),
        "call_id": str(call),
        "estate": estate,
        "building": "3",
        "district_code": district,
        "q": estate,
    }
    found.marks = [
        home, estate, person, phone, crew, technician, str(incident), str(closed), found.order_no, str(order), str(call), str(task),
        str(command), str(remark), f"D{number:05}", f"M{number:05}", f"4301{number:06}", f"+8613912340{number:03}",
    ]  # fmt: skip
    return found


def city(records: Records) -> tuple[Quarter, Quarter]:
    """Two districts with the same things in each."""
    here = quarter(records, 1, HERE, "芙蓉区", "云栖花园", "周敏")
    return here, quarter(records, 2, ELSEWHERE, "天心区", "银杏里", "黄蓉")
