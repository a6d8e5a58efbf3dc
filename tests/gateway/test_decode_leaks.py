"""A leak said in an unexpected place or spelling, or by a device that calls itself something else, is a leak like any other."""

from typing import Any

import pytest

from alarm_engine.judgement.leak import leak_grounds
from core.items import AlarmItem, DetectorReading, Item
from core.topics import Lane
from gateway.decode import decode, read
from tests.gateway.payloads import DETECTOR, IDENTITY, LANES, NOW, WHOLE, encode, one, reasons


def leak(lane: Lane, raw: dict[str, Any] | bytes) -> Item:
    """Decode a payload that must give exactly one item, which every home's line takes for a leak."""
    item = one(lane, raw)
    assert isinstance(item, AlarmItem | DetectorReading)
    assert leak_grounds(item, 25.0) is not None
    return item


@pytest.mark.parametrize("lane", ["alarm", "telemetry"])
@pytest.mark.parametrize(
    "raw",
    [
        {"state": "alarm"},
        {"state": "alarm", "ch4_lel": 0.5},
        {"state": " ALARM\n", "ch4_lel": 0.5},
        {"state": "alarm", "event": "leak_cleared"},
        {"state": "alarm", "event": "gas!!"},
        {"event": "leak"},
        {"event": "LEAK"},
        {"event": " leak "},
        {"event": "Leak\t", "state": "normal", "ch4_lel": 0.5},
        {"event": "leak", "state": "preheat", "ch4_lel": "?"},
        {"event": "leak", "volume_m3": 1.0, "flow_m3h": 0.0, "valve": "open"},
        {"ch4_lel": 30.0},
        {"ch4_lel": 30.0, "event": "fault"},
    ],
    ids=str,
)
def test_what_says_a_leak_is_one_on_both_topics_in_any_case(lane: Lane, raw: dict[str, Any]) -> None:
    item = leak(lane, {**IDENTITY, **raw})
    assert item.identity == ("D1", NOW - 10, 3, 7)
    bare = leak(lane, raw)
    assert (bare.ts, bare.boot, bare.seq) == (NOW, -1, -1)


@pytest.mark.parametrize(
    ("lane", "raw", "defects"),
    [
        ("alarm", {"state": "alarm"}, ("event", "state_in_alarm")),
        ("alarm", {"event": "fault", "state": "alarm"}, ("state_in_alarm",)),
        ("alarm", {"event": "leak", "state": "alarm"}, ()),
        ("alarm", {"event": "LEAK"}, ("event",)),
        ("telemetry", {"state": "Alarm", "ch4_lel": 1.0}, ("state",)),
        ("telemetry", {"event": "leak", "state": "normal", "ch4_lel": 1.0}, ("event_in_telemetry",)),
        ("telemetry", {"event": "LEAK"}, ("event_in_telemetry", "event")),
        ("telemetry", {"state": "alarm", "ch4_lel": 1.0, "event": "fault"}, ()),
    ],
    ids=str,
)
def test_what_was_odd_in_a_leak_is_named(lane: Lane, raw: dict[str, Any], defects: tuple[str, ...]) -> None:
    assert leak(lane, {**IDENTITY, **raw}).defects == defects


@pytest.mark.parametrize(
    "raw", [{"event": "leak_cleared"}, {"event": "leakage"}, {"event": 1}, {"event": ["leak"]}, {"state": "alarms"}], ids=str
)
def test_other_words_beside_a_reading_leave_it_a_reading(raw: dict[str, Any]) -> None:
    item = one("telemetry", {**DETECTOR, **raw})
    assert isinstance(item, DetectorReading)
    assert (item.ch4_lel, leak_grounds(item, 5.0)) == (1.25, None)


@pytest.mark.parametrize("lane", ["alarm", "telemetry"])
@pytest.mark.parametrize("body", [b'{"event":"leak"}', b'[{"event":"leak"}]', b'{"state":"alarm"}'])
def test_a_byte_order_mark_hides_no_leak(lane: Lane, body: bytes) -> None:
    assert "byte_order_mark" in leak(lane, b"\xef\xbb\xbf" + body).defects
    assert reasons(decode("D1", lane, b"\xef\xbb\xbf" + body[:-1], NOW)) == ["not_json"]
    assert reasons(decode("D1", lane, b"\xef\xbb\xbf", NOW)) == ["not_json"]


@pytest.mark.parametrize("number", ["1e999", "1e400", "Infinity", '"inf"', '"1e999"', "9" * 400])
def test_methane_without_bounds_is_over_every_set_point(number: str) -> None:
    reading = leak("telemetry", f'{{"ts":1,"boot":1,"seq":1,"state":"normal","ch4_lel":{number},"battery_v":1e999}}'.encode())
    assert isinstance(reading, DetectorReading)
    assert (reading.state, reading.ch4_lel, reading.battery_v, reading.defects) == ("normal", 2000.0, None, ("battery_v", "ch4_lel"))
    alarm = leak("alarm", f'{{"ts":1,"boot":1,"seq":1,"event":"fault","ch4_lel":{number}}}'.encode())
    assert isinstance(alarm, AlarmItem)
    assert (alarm.event, alarm.ch4_lel, alarm.defects) == ("fault", 2000.0, ("ch4_lel",))


@pytest.mark.parametrize("lane", LANES)
def test_a_device_that_adds_a_number_nobody_knows_speaks_for_itself_and_a_hub_does_not(lane: Lane) -> None:
    raw = {**next(raw for kind, raw, _ in WHOLE if kind == lane), "device_id": "SN-0815"}
    (own,) = read("D1", lane, encode(raw), NOW, known={"D1": 1, "D2": 2})
    assert isinstance(own, Item)
    assert (own.device_id, own.defects) == ("D1", ("device_id",))
    (other,) = read("D1", lane, encode({**raw, "device_id": "D2"}), NOW, known={"D1": 1, "D2": 2})
    assert isinstance(other, Item)
    assert (other.device_id, other.defects) == ("D2", ())
    (childs,) = read("HUB", lane, encode(raw), NOW, hub=True, known={"HUB": 1})
    assert isinstance(childs, Item)
    assert (childs.device_id, childs.defects) == ("SN-0815", ())
