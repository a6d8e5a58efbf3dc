"""Decode tables: whole, truncated, garbage, hostile. Nothing here may raise, and nothing that is a leak may be lost to a defect."""

from typing import Any
from uuid import UUID

import pytest

from core.items import AckItem, AlarmItem, DetectorReading, Item, StatusItem
from core.messages import (
    MAX_ALARM_BYTES_DEVICE,
    MAX_ALARM_BYTES_HUB,
    MAX_ITEMS,
    MAX_TELEMETRY_BYTES,
)
from core.topics import Lane
from gateway.decode import PURE_METHANE_LEL, Reason, decode
from gateway.quarantine import Quarantine
from tests.gateway.payloads import ACK, COMMAND_ID, DETECTOR, IDENTITY, LANES, LEAK, NOW, STATUS, WHOLE, encode, one, reasons, sound

# -- whole -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lane", "raw", "kind"), WHOLE, ids=lambda value: getattr(value, "__name__", None))
def test_a_whole_message_says_what_was_sent(lane: Lane, raw: dict[str, Any], kind: type[Item]) -> None:
    item = one(lane, raw)
    assert type(item) is kind
    assert item.defects == ()
    assert (item.account, item.device_id, item.ts, item.boot, item.seq) == ("D1", "D1", NOW - 10, 3, 7)
    for name, value in raw.items():
        if name == "ch4_raw":
            assert isinstance(item, DetectorReading)
            assert (item.ch4_raw_value, item.ch4_raw_unit) == (625.0, "ppm")
        elif name == "flags":
            assert getattr(item, name) == tuple(value)
        elif name in ("command_id", "incident_id"):
            assert getattr(item, name) == UUID(value)
        else:
            assert getattr(item, name) == value


@pytest.mark.parametrize(("lane", "raw", "kind"), WHOLE, ids=lambda value: getattr(value, "__name__", None))
def test_a_hub_names_the_device(lane: Lane, raw: dict[str, Any], kind: type[Item]) -> None:
    item = one(lane, {**raw, "device_id": "D77"}, account="HUB-1")
    assert (item.account, item.device_id, item.defects) == ("HUB-1", "D77", ())


@pytest.mark.parametrize(("lane", "raw", "kind"), WHOLE, ids=lambda value: getattr(value, "__name__", None))
def test_unknown_fields_and_the_retain_flag_change_nothing(lane: Lane, raw: dict[str, Any], kind: type[Item]) -> None:
    found = decode("D1", lane, encode({**raw, "vendor": {"x": [1, 2]}, "v": 2}), NOW, retained=True)
    (item,) = found.items
    assert item.retained
    assert (item.defects, found.rejections) == ((), ())


# -- truncated ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lane", "raw", "kind"), WHOLE, ids=lambda value: getattr(value, "__name__", None))
def test_truncated_at_every_byte_is_rejected(lane: Lane, raw: dict[str, Any], kind: type[Item]) -> None:
    payload = encode(raw)
    for end in range(len(payload)):
        found = decode("D1", lane, payload[:end], NOW)
        assert found.items == (), end
        assert reasons(found) == ["empty" if end == 0 else "not_json"], end


@pytest.mark.parametrize(("lane", "raw", "kind"), WHOLE, ids=lambda value: getattr(value, "__name__", None))
def test_every_byte_flipped_never_raises(lane: Lane, raw: dict[str, Any], kind: type[Item]) -> None:
    payload = encode(raw)
    for at in range(len(payload)):
        for mask in (0x01, 0x20, 0x80, 0xFF):
            broken = payload[:at] + bytes([payload[at] ^ mask]) + payload[at + 1 :]
            sound(decode("D1", lane, broken, NOW), lane, broken)


# -- garbage and hostile -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"[]", "empty"),
        (b"null", "not_an_object"),
        (b"true", "not_an_object"),
        (b"17", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b'"leak"', "not_an_object"),
        (b"[null]", "not_an_object"),
        (b"[[]]", "not_an_object"),
        (b'[[{"event":"leak"}]]', "not_an_object"),
        (b"leak", "not_json"),
        (b"\x00\x00\x00", "not_json"),
        (b"\xff\xfe\x00{", "not_json"),
        (b'{"event":"\xff\xfe"}', "not_json"),
        (b'{"event":"\xed\xa0\x80"}', "not_json"),
        (b'{"event":"\\ud800"}', "not_json"),
        (b'{"event":"leak"} {"event":"leak"}', "not_json"),
        (b'{"event":"leak",}', "not_json"),
        (b"{'event':'leak'}", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[" * 100_000 + b"]" * 100_000, "not_json"),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "not_json"),
        (b"1" * 50_000, "not_json"),
        (b'{"ts":' + b"9" * 50_000 + b"}", "not_json"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_garbage_is_one_rejection_with_its_reason(lane: Lane, payload: bytes, reason: Reason) -> None:
    found = decode("D1", lane, payload, NOW)
    assert found.items == ()
    assert reasons(found) == [reason]
    sound(found, lane, payload)


@pytest.mark.parametrize(("lane", "bare"), [("alarm", {}), ("telemetry", {}), ("status", {}), ("alarm", {"event": "gas"})])
def test_an_object_that_says_nothing_is_nothing_recognised(lane: Lane, bare: dict[str, Any]) -> None:
    assert reasons(decode("D1", lane, encode({**IDENTITY, **bare}), NOW)) == ["nothing_recognised"]


def test_an_ack_that_says_nothing_is_a_bad_ack() -> None:
    assert reasons(decode("D1", "ack", encode(IDENTITY), NOW)) == ["bad_ack"]


@pytest.mark.parametrize("lane", LANES)
def test_a_megabyte_is_taken_or_refused_by_its_limit(lane: Lane) -> None:
    limit = MAX_ALARM_BYTES_HUB if lane == "alarm" else MAX_TELEMETRY_BYTES
    raw = next(raw for kind, raw, _ in WHOLE if kind == lane)
    bare = encode(raw)
    largest = bare + b" " * (limit - len(bare))
    assert len(decode("D1", lane, largest, NOW).items) == 1
    assert reasons(decode("D1", lane, largest + b" ", NOW)) == ["too_large"]
    sound(decode("D1", lane, largest + b" " * 2_000_000, NOW), lane, largest)


def test_a_leak_in_an_oversized_alarm_is_a_leak() -> None:
    item = one("alarm", encode(LEAK) + b" " * MAX_ALARM_BYTES_DEVICE)
    assert isinstance(item, AlarmItem)
    assert (item.event, item.defects) == ("leak", ("oversized",))


def test_a_hub_may_send_a_longer_alarm_and_nothing_is_wrong_with_it() -> None:
    long = encode({**LEAK, "device_id": "D2"}) + b" " * (MAX_ALARM_BYTES_DEVICE + 1)
    (item,) = decode("HUB", "alarm", long, NOW, hub=True).items
    assert (item.device_id, item.defects) == ("D2", ())
    assert reasons(decode("HUB", "alarm", long + b" " * MAX_ALARM_BYTES_HUB, NOW, hub=True)) == ["too_large"]


@pytest.mark.parametrize("lane", ["telemetry", "alarm", "ack"])
@pytest.mark.parametrize(
    ("named", "reason"), [({}, "no_device_id"), ({"device_id": None}, "no_device_id"), ({"device_id": "a/b"}, "bad_device_id")]
)
def test_from_a_hub_an_item_that_names_no_device_is_refused_with_its_reason(lane: Lane, named: dict[str, Any], reason: Reason) -> None:
    nameless, named_well = (
        {**raw, **more} for raw, more in [(next(r for k, r, _ in WHOLE if k == lane), m) for m in (named, {"device_id": "D2"})]
    )
    found = decode("HUB", lane, encode([nameless, named_well]), NOW, hub=True)
    assert [item.device_id for item in found.items] == ["D2"]
    assert [(r.reason, r.device_id, r.count) for r in found.rejections] == [(reason, "HUB", 1)]


def test_the_status_of_a_hub_is_its_own_unless_it_names_another() -> None:
    (own,) = decode("HUB", "status", encode(STATUS), NOW, hub=True).items
    (childs,) = decode("HUB", "status", encode({**STATUS, "device_id": "D2"}), NOW, hub=True).items
    assert (own.device_id, childs.device_id) == ("HUB", "D2")


def test_a_retained_status_of_a_hub_may_speak_for_its_devices_too() -> None:
    payload = encode([STATUS, {**STATUS, "device_id": "D2", "seq": 8}, {**STATUS, "device_id": "M2", "seq": 9}])
    found = decode("HUB", "status", payload, NOW, hub=True, retained=True)
    assert [(item.device_id, item.retained) for item in found.items] == [("HUB", True), ("D2", True), ("M2", True)]
    assert not found.rejections


def test_a_will_is_timed_by_its_receipt_and_needs_no_counters() -> None:
    will = one("status", {**STATUS, "online": False, "ts": 1})
    assert (will.ts, will.boot, will.seq) == (NOW, 3, 7)
    assert one("status", {**STATUS, "ts": 1}).ts == 1
    bare = one("status", {"online": False})
    assert isinstance(bare, StatusItem)
    assert (bare.online, bare.ts, bare.boot, bare.seq) == (False, NOW, -1, -1)


def test_the_retain_flag_is_passed_on_with_every_item() -> None:
    for lane, raw, _ in WHOLE:
        assert [i.retained for i in decode("D1", lane, encode([raw, raw]), NOW, retained=True).items] == [True, True]
        assert [i.retained for i in decode("D1", lane, encode(raw), NOW).items] == [False]


def test_one_item_too_many_in_telemetry_is_cut_and_said() -> None:
    items = [{**DETECTOR, "seq": number} for number in range(MAX_ITEMS + 1)]
    found = decode("HUB", "telemetry", encode(items), NOW)
    assert [item.seq for item in found.items] == list(range(MAX_ITEMS))
    assert reasons(found) == ["too_many_items"]
    assert reasons(decode("HUB", "telemetry", encode(items[:MAX_ITEMS]), NOW)) == []


def test_on_the_alarm_topic_every_item_is_judged() -> None:
    items = [{"event": "fault", "ts": 1, "boot": 1, "seq": number, "device_id": "D2"} for number in range(MAX_ITEMS)]
    found = decode("HUB", "alarm", encode([*items, {**LEAK, "device_id": "D3"}]), NOW, hub=True)
    assert len(found.items) == MAX_ITEMS + 1
    last = found.items[-1]
    assert isinstance(last, AlarmItem)
    assert (last.event, last.defects) == ("leak", ("too_many_items",))
    assert not any(item.defects for item in found.items[:-1])


def test_good_and_bad_in_one_array_are_told_apart() -> None:
    mixed = [None, {**LEAK, "device_id": "D2"}, 7, [LEAK], {**IDENTITY, "device_id": "D3"}, {**LEAK, "device_id": "D4"}]
    found = decode("HUB", "alarm", encode(mixed), NOW)
    assert [item.device_id for item in found.items] == ["D2", "D4"]
    refused = [(rejection.reason, rejection.device_id, rejection.count) for rejection in found.rejections]
    assert refused == [("not_an_object", "HUB", 3), ("nothing_recognised", "D3", 1)]


def test_a_payload_of_nothing_but_rubbish_is_few_rejections_however_long_it_is() -> None:
    rubbish = [{"device_id": f"X{number}"} for number in range(5_000)] + [1] * 20_000
    found = decode("HUB", "alarm", encode(rubbish), NOW, hub=True)
    assert found.items == ()
    assert sum(rejection.count for rejection in found.rejections) == 25_000
    assert len(found.rejections) <= 110


def test_of_duplicate_keys_the_last_counts() -> None:
    item = one("alarm", b'{"event":"fault","event":"leak","ts":5,"boot":1,"seq":1,"seq":2}')
    assert isinstance(item, AlarmItem)
    assert (item.event, item.seq, item.defects) == ("leak", 2, ())


@pytest.mark.parametrize(("lane", "raw"), [("status", {**STATUS, "model": "a\0b"}), ("ack", {**ACK, "detail": "a\0b"})])
def test_no_text_carries_a_nul_into_the_database(lane: Lane, raw: dict[str, Any]) -> None:
    item = one(lane, raw)
    assert (item.model if isinstance(item, StatusItem) else item.detail if isinstance(item, AckItem) else "") == "a\ufffdb"


# -- a leak with defects -----------------------------------------------------------------------------------------------------------

WRONG: list[Any] = [None, "", "x y", -1, 1.5, 10**30, 2**63, [], {}, [1], {"a": 1}, float("nan"), float("inf"), "2024-01-01T00:00:00Z"]


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("name", ["ts", "boot", "seq", "valve", "cause", "ch4_lel", "device_id"])
def test_a_leak_with_a_wrong_value_in_any_field_is_a_leak(name: str, value: object) -> None:
    item = one("alarm", {**LEAK, name: value})
    assert isinstance(item, AlarmItem)
    assert item.event == "leak"
    allowed = (name in ("valve", "cause", "ch4_lel", "device_id") and value is None) or (
        name == "ch4_lel" and isinstance(value, int | float) and value == value and abs(value) != float("inf")
    )
    assert item.defects == (() if allowed else (name,))
    if not allowed and name != "device_id":
        beyond = name == "ch4_lel" and value == float("inf")
        fallback = PURE_METHANE_LEL if beyond else {"ts": NOW, "boot": -1, "seq": -1}.get(name)
        assert getattr(item, name) == fallback
    assert item.device_id == "D1"


@pytest.mark.parametrize("missing", ["ts", "boot", "seq"])
def test_a_leak_without_an_identity_field_is_a_leak_with_its_defect(missing: str) -> None:
    item = one("alarm", {name: value for name, value in LEAK.items() if name != missing})
    assert isinstance(item, AlarmItem)
    assert (item.event, item.defects) == ("leak", (missing,))


def test_a_bare_leak_is_a_leak() -> None:
    item = one("alarm", b'{"event":"leak"}')
    assert isinstance(item, AlarmItem)
    assert (item.event, item.defects, item.ts, item.boot, item.seq) == ("leak", ("boot", "seq", "ts"), NOW, -1, -1)


@pytest.mark.parametrize("name", ["D1\n", "", "a" * 33, "家", "a/b", "+", "#", "D 1", "D1\0"])
def test_a_device_that_cannot_be_named_falls_back_on_its_account(name: str) -> None:
    item = one("alarm", {**LEAK, "device_id": name})
    assert (item.device_id, item.defects) == ("D1", ("device_id",))
    reading = one("telemetry", {**DETECTOR, "device_id": name})
    assert (reading.device_id, reading.defects) == ("D1", ("device_id",))


@pytest.mark.parametrize(("given_value", "read"), [("12.5", 12.5), ("1e1", 10.0), (12, 12.0)])
def test_a_number_in_quotes_is_a_number(given_value: object, read: float) -> None:
    alarm = one("alarm", {**LEAK, "ch4_lel": given_value})
    reading = one("telemetry", {**DETECTOR, "ch4_lel": given_value})
    assert isinstance(alarm, AlarmItem)
    assert isinstance(reading, DetectorReading)
    assert (alarm.ch4_lel, alarm.defects, reading.ch4_lel, reading.defects) == (read, (), read, ())


def test_methane_over_the_set_point_survives_an_unreadable_event_or_state() -> None:
    alarm = one("alarm", {**LEAK, "event": "gas!!"})
    reading = one("telemetry", {**DETECTOR, "state": 5, "ch4_lel": 55.0})
    assert isinstance(alarm, AlarmItem)
    assert isinstance(reading, DetectorReading)
    assert (alarm.event, alarm.ch4_lel, alarm.defects) == (None, 23.5, ("event",))
    assert (reading.state, reading.ch4_lel, reading.defects) == (None, 55.0, ("state",))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "-1e999"])
def test_what_is_no_number_is_a_defect_and_the_state_still_counts(number: str) -> None:
    payload = f'{{"ts":1,"boot":1,"seq":1,"state":"alarm","ch4_lel":{number},"battery_v":{number}}}'.encode()
    item = one("telemetry", payload)
    assert isinstance(item, DetectorReading)
    assert (item.state, item.ch4_lel, item.battery_v) == ("alarm", None, None)
    assert item.defects == ("battery_v", "ch4_lel")


@pytest.mark.parametrize(("lane", "raw", "kind"), WHOLE, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_any_one_wrong_field_never_raises_and_spares_the_others(lane: Lane, raw: dict[str, Any], kind: type[Item], value: object) -> None:
    for name in raw:
        payload = encode({**raw, name: value})
        found = decode("D1", lane, payload, NOW)
        sound(found, lane, payload)
        for item in found.items:
            for other in raw.keys() - {name, "flags", "ch4_raw", "command_id", "incident_id"}:
                assert getattr(item, other) == raw[other], (name, other)


@pytest.mark.parametrize("name", ["ts", "boot", "seq", "detail", "valve", "incident_id"])
def test_an_answer_whose_measurement_is_broken_is_still_an_answer(name: str) -> None:
    item = one("ack", {**ACK, name: {}})
    assert isinstance(item, AckItem)
    assert (item.command_id, item.result, item.defects) == (UUID(COMMAND_ID), "done", (name,))
    if name in ("boot", "seq"):
        assert getattr(item, name) == -1


@pytest.mark.parametrize("name", ["command_id", "order_no", "command", "result"])
def test_an_answer_that_does_not_say_what_it_answers_is_a_bad_ack(name: str) -> None:
    assert reasons(decode("D1", "ack", encode({**ACK, name: "?"}), NOW)) == ["bad_ack"]


# -- quarantine --------------------------------------------------------------------------------------------------------------------


def test_the_quarantine_is_bounded_whatever_comes() -> None:
    quarantine = Quarantine()
    for number in range(3_000):
        for rejection in decode("D1", "alarm", b"garbage %d" % number, NOW).rejections:
            quarantine.add(f"A{number}", "alarm", rejection, NOW)
    assert quarantine.waiting <= 2_001
