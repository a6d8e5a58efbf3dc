"""What the kit reads and judges without a device: CONNECT packets, and records made by hand."""

import contextlib
import json
from typing import Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.conformance.bench import Bench, Rhythm
from gateway.conformance.connect import complete, read_connect
from gateway.conformance.judge import judge_connects, judge_record
from gateway.conformance.record import Record
from gateway.conformance.wire import Seen

WILL = b'{"ts": 1, "boot": 1, "seq": 1, "online": false}'
NOW = 1_775_000_000_000


class Nobody:
    def can(self, act: object) -> bool:
        return False

    def ask(self, act: object) -> None:
        raise AssertionError


def bench() -> Bench:
    return Bench("M1", "M1", Nobody(), Rhythm(), None)


def verdicts(on: Bench) -> dict[str, str]:
    return {name: finding.verdict for name, finding in on.findings.items() if finding.verdict != "not_seen"}


def connect5(**fields: Any) -> bytes:
    will = mqtt5.Will("gas/v1/M1/up/status", payload=WILL, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True)
    about = {"username": "M1", "clean_start": False, "keep_alive": 60, "session_expiry_interval": 172_800, "will": will, **fields}
    return mqtt5.ConnectPacket(about.pop("client_id", "M1"), **about).write()


def text(of: str | bytes) -> bytes:
    raw = of.encode() if isinstance(of, str) else of
    return len(raw).to_bytes(2, "big") + raw


def connect311(*, clean: bool = False, keep_alive: int = 60) -> bytes:
    flags = 0x80 | 0x20 | 0x08 | 0x04 | (0x02 if clean else 0)
    rest = text("MQTT") + bytes((4, flags)) + keep_alive.to_bytes(2, "big")
    rest += text("M1") + text("gas/v1/M1/up/status") + text(WILL) + text("M1")
    assert len(rest) < 128
    return bytes((0x10, len(rest))) + rest


# -- CONNECT -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packet", [connect5(), connect311()], ids=["5", "3.1.1"])
def test_a_connect_says_who_he_is(packet: bytes) -> None:
    assert complete(packet)
    assert not any(complete(packet[:end]) for end in range(len(packet)))
    said = read_connect(packet + b"more behind it")
    assert (said.client_id, said.username, said.clean_start, said.keep_alive_s) == ("M1", "M1", False, 60)
    assert said.will is not None
    assert (said.will.topic, said.will.payload, said.will.qos, said.will.retain) == ("gas/v1/M1/up/status", WILL, 1, True)
    assert said.session_expiry_s == (172_800 if said.version == 5 else None)
    on = bench()
    judge_connects([Seen(0.0, said)], "M1", False, on.tell)
    assert set(verdicts(on).values()) == {"held"}
    assert set(verdicts(on)) == {"client_id", "clean_start", "session_expiry", "keep_alive", "will"}


@pytest.mark.parametrize(
    ("packet", "point"),
    [
        (connect5(client_id="other"), "client_id"),
        (connect5(username="other"), "client_id"),
        (connect5(clean_start=True), "clean_start"),
        (connect5(session_expiry_interval=172_799), "session_expiry"),
        (connect311(clean=True), "session_expiry"),
        (connect5(keep_alive=121), "keep_alive"),
        (connect311(keep_alive=0), "keep_alive"),
        (connect5(will=None), "will"),
        (connect5(will=mqtt5.Will("gas/v1/M1/up/alarm", payload=WILL, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True)), "will"),
        (connect5(will=mqtt5.Will("gas/v1/M1/up/status", payload=WILL, qos=mqtt5.QoS.AT_MOST_ONCE, retain=True)), "will"),
        (connect5(will=mqtt5.Will("gas/v1/M1/up/status", payload=WILL, qos=mqtt5.QoS.AT_LEAST_ONCE)), "will"),
        (connect5(will=mqtt5.Will("gas/v1/M1/up/status", payload=b"bye", qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True)), "will"),
    ],
)
def test_a_connect_that_breaks_a_rule_is_told(packet: bytes, point: str) -> None:
    on = bench()
    judge_connects([Seen(0.0, read_connect(packet))], "M1", False, on.tell)
    assert verdicts(on)[point] == "broken"


def test_a_sleeping_meter_is_exempt_from_the_keep_alive() -> None:
    on = bench()
    judge_connects([Seen(0.0, read_connect(connect5(keep_alive=43_200)))], "M1", True, on.tell)
    assert verdicts(on)["keep_alive"] == "held"


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: connect5()[:20] + tail))
def test_any_bytes_are_a_connect_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        complete(data)
    with contextlib.suppress(ValueError):
        read_connect(data)


# -- records -------------------------------------------------------------------------------------------------------------------------


def item(seq: int, **fields: Any) -> dict[str, Any]:
    return {"ts": NOW + seq, "boot": 1, "seq": seq, **fields}


def judged(*said: tuple[str, object], retain: bool = False, qos: int = 1, late_ms: int = 10) -> dict[str, str]:
    """Verdicts on messages of (topic, body)."""
    on = bench()
    for number, (lane, body) in enumerate(said):
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        on.record.take(lane, payload, qos, retain or lane == "status", float(number), NOW + late_ms)
    judge_record(on.record, 60.0, on.tell)
    return verdicts(on)


READING = {"ch4_lel": 0.1, "state": "normal"}


def test_a_whole_record_holds() -> None:
    found = judged(
        ("status", item(1, online=True)), ("telemetry", [item(2, **READING), item(3, **READING)]), ("alarm", item(4, event="fault"))
    )
    assert set(found.values()) == {"held"}
    assert {"array", "boot_seq", "ts", "json", "size", "retain", "status_retained", "telemetry_fields", "alarm_fields"} <= set(found)


@pytest.mark.parametrize(
    ("said", "point"),
    [
        ([("telemetry", [item(3, **READING), item(2, **READING)])], "array"),
        ([("telemetry", [item(n, **READING) for n in range(1_001)])], "size"),
        ([("alarm", item(1, event="fault", filler="x" * 16_384))], "size"),
        ([("alarm", item(1, event="gas!"))], "alarm_fields"),
        ([("alarm", b"{'event': 'leak'}")], "json"),
        ([("telemetry", b'{"ts": 1, "boot": 1, "seq": 1, "ch4_lel": NaN, "state": "normal"}')], "json"),
        ([("alarms", item(1, event="leak"))], "topics"),
        ([("status", {**item(1), "online": "yes"})], "status_fields"),
        ([("telemetry", item(1, **READING)), ("alarm", item(1, event="fault"))], "boot_seq"),
        ([("telemetry", item(5, **READING)), ("telemetry", {**item(1, **READING), "boot": 0})], "boot_seq"),
        ([("telemetry", item(n, **READING)) for n in (9, 8, 7, 6)], "boot_seq"),
        ([("telemetry", {**READING, "ts": NOW})], "boot_seq"),
        ([("telemetry", {**item(1, **READING), "ts": NOW + 3_600_000})], "ts"),
        ([("telemetry", {**item(1, **READING), "ts": NOW - 3_600_000})], "ts"),
    ],
)
def test_a_record_that_breaks_a_rule_is_told(said: list[tuple[str, object]], point: str) -> None:
    assert judged(*said)[point] == "broken"


def test_quality_and_retain_are_told_by_topic() -> None:
    assert judged(("alarm", item(1, event="fault")), qos=0)["qos"] == "broken"
    assert judged(("telemetry", item(1, **READING)), qos=0)["qos"] == "held"
    assert judged(("telemetry", item(1, **READING)), retain=True)["retain"] == "broken"


def test_a_buffer_and_a_will_are_no_wrong_clock_and_no_lost_count() -> None:
    found = judged(
        ("telemetry", [{**item(1, **READING), "ts": NOW - 7_200_000}, item(2, **READING)]),
        ("status", {"ts": 5, "boot": 0, "seq": 0, "online": False}),
    )
    assert (found["ts"], found["boot_seq"]) == ("held", "held")


def test_a_repeat_is_the_same_item() -> None:
    alarm = ("alarm", item(1, event="fault"))
    assert judged(alarm, ("telemetry", item(2, **READING)), alarm, alarm)["boot_seq"] == "held"


def test_behind_a_hub_only_its_own_device_is_looked_at() -> None:
    record = Record("HUB", "D1")
    record.take("telemetry", b'[{"device_id": "D1", "ch4_lel": 1}, {"device_id": "D2", "ch4_lel": 1}, {"ch4_lel": 1}]', 1, False, 0.0, NOW)
    assert ([each.body.get("device_id") for each in record.heard], record.nameless) == (["D1", None], 1)
