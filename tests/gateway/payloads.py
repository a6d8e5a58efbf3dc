"""Whole messages of every kind, and what holds for whatever is made of any payload."""

import json
from typing import Any, get_args

from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem
from core.topics import Lane
from gateway.decode import Decoded, Reason, decode

NOW = 1_775_000_000_000
LANES: tuple[Lane, ...] = ("telemetry", "alarm", "ack", "status")
IDENTITY: dict[str, Any] = {"ts": NOW - 10, "boot": 3, "seq": 7}
COMMAND_ID = "6d0a6a5e-9f0b-5a53-8f37-0b1c7c0e2f11"

LEAK = {**IDENTITY, "event": "leak", "ch4_lel": 23.5, "valve": "open", "cause": "unknown"}
DETECTOR = {
    **IDENTITY,
    "ch4_lel": 1.25,
    "state": "normal",
    "ch4_raw": {"value": 625.0, "unit": "ppm"},
    "power": "mains",
    "temp_c": 21.5,
    "battery_v": 3.6,
    "rssi_dbm": -71.0,
}
METER = {
    **IDENTITY,
    "volume_m3": 1234.567,
    "flow_m3h": 0.25,
    "valve": "closed",
    "cause": "linkage",
    "pressure_kpa": 2.1,
    "credit_cny": -3.5,
    "flags": ["magnet", "low_battery"],
    "temp_c": 8.5,
    "battery_v": 3.5,
    "rssi_dbm": -99.0,
}
STATUS = {
    **IDENTITY,
    "online": True,
    "model": "LX-2",
    "firmware": "1.4",
    "connectivity": "psm",
    "report_interval_s": 3600,
    "register_step_m3": 0.01,
}
ACK = {
    **IDENTITY,
    "command_id": COMMAND_ID,
    "order_no": 9,
    "incident_id": COMMAND_ID,
    "command": "close_valve",
    "result": "done",
    "valve": "closed",
    "detail": "moved",
}
WHOLE: list[tuple[Lane, dict[str, Any], type[Item]]] = [
    ("alarm", LEAK, AlarmItem),
    ("telemetry", DETECTOR, DetectorReading),
    ("telemetry", METER, MeterReading),
    ("status", STATUS, StatusItem),
    ("ack", ACK, AckItem),
]


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def one(lane: Lane, value: object, account: str = "D1") -> Item:
    """Decode a payload that must give exactly one item."""
    found = decode(account, lane, value if isinstance(value, bytes) else encode(value), NOW)
    assert found.rejections == ()
    (item,) = found.items
    return item


def reasons(found: Decoded) -> list[Reason]:
    return [rejection.reason for rejection in found.rejections]


def sound(found: Decoded, lane: Lane, payload: bytes) -> None:
    """What holds for every payload: something is said about it, reasons are of the closed list, samples are bounded."""
    assert found.items or found.rejections
    for rejection in found.rejections:
        assert rejection.reason in get_args(Reason)
        assert len(rejection.sample) <= 512
    for item in found.items:
        assert item.received_ms == NOW
        if lane == "alarm":
            assert isinstance(item, AlarmItem)
            if item.event == "leak":
                said = payload.lower().replace(b"\\u006c", b"l")
                assert b"leak" in said or b"alarm" in said
