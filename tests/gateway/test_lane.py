"""The door by the contract: hubs and their children, the way down, wills, retained flags, garbled alarms and unknown senders."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from core import topics
from core.items import AlarmItem, StatusItem
from tests.gateway.door_stage import Door


@pytest.fixture
async def door() -> Door:
    return Door()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# -- hubs and the way down -----------------------------------------------------------------------------------------------------------


async def test_every_down_message_names_its_device_and_goes_to_the_account_that_serves_it(door: Door) -> None:
    leak = door.item(device_id="D3", event="leak")
    door.say("HUB", "alarm", leak)
    (command,), (promise,) = door.commands("HUB"), door.promises("HUB")
    assert (command.device_id, command.command) == ("M3", "close_valve")
    assert (promise.device_id, promise.ts, promise.boot, promise.seq) == ("D3", leak["ts"], leak["boot"], leak["seq"])
    assert {topic for topic, _, _ in door.wire.sent} == {topics.TO_DISPATCH, topics.down_command("HUB"), topics.down_ack("HUB")}
    door.say("D1", "alarm", door.item(event="leak"))
    assert [c.device_id for c in door.commands("M1")] == ["M1"]
    assert [p.device_id for p in door.promises("D1")] == ["D1"]
    assert {qos for topic, _, qos in door.wire.sent} == {1}


async def test_a_leak_through_another_account_is_acted_on_and_flagged_and_answered_where_the_registry_says(door: Door) -> None:
    before = counted("gas_line_other_account_total")
    door.say("HUB", "alarm", door.item(device_id="D1", event="leak"))
    assert [c.device_id for c in door.commands("M1")] == ["M1"]
    assert door.down("HUB") == []
    assert len(door.promises("D1")) == 1
    assert counted("gas_line_other_account_total") == before + 1
    (opened,) = [e for rows in door.keeper.rows for e in rows.events if e["kind"] == "opened"]
    detail: Any = opened["detail"]
    assert detail["other_account"] == "HUB"


@pytest.mark.parametrize("lane", ["alarm", "telemetry", "ack"])
async def test_an_item_of_a_hub_that_names_no_device_is_counted_and_closes_nothing(door: Door, lane: topics.Lane) -> None:
    before = counted("gas_line_rejected_total", lane=lane, reason="no_device_id")
    bodies: dict[str, dict[str, Any]] = {
        "alarm": {"event": "leak"},
        "telemetry": {"ch4_lel": 30.0, "state": "alarm"},
        "ack": {"command_id": "6d0a6a5e-9f0b-5a53-8f37-0b1c7c0e2f11", "order_no": 1, "command": "close_valve", "result": "done"},
    }
    door.say("HUB", lane, door.item(**bodies[lane]))
    assert counted("gas_line_rejected_total", lane=lane, reason="no_device_id") == before + 1
    assert door.down("HUB") == []
    assert [(o.incident_kind, o.place) for o in door.orders()] == ([("garbled_alarm", "garbled:HUB")] if lane == "alarm" else [])


async def test_a_thousand_items_of_a_hub_in_more_than_a_devices_size_are_whole_and_undefected(door: Door) -> None:
    before = counted("gas_line_defects_total", lane="alarm", defect="oversized")
    faults = [door.item(device_id=f"D{3 + n % 3}", event="fault") for n in range(27)]
    message = door.say("HUB", "alarm", *faults, {**door.item(device_id="D4", event="leak"), "filler": "x" * 20_000})
    assert (len(message.payload) > 16_384, [c.device_id for c in door.commands("HUB")]) == (True, ["M4"])
    assert counted("gas_line_defects_total", lane="alarm", defect="oversized") == before
    assert len(door.promises("HUB")) == 28


async def test_the_leaks_of_an_array_are_judged_whatever_stands_before_them(door: Door) -> None:
    message = door.say("HUB", "alarm", 7, {"device_id": "D3"}, {"event": "leak"}, door.item(device_id="D4", event="leak"), None)
    assert [c.device_id for c in door.commands("HUB")] == ["M4"]
    assert message.acks == 1


# -- wills, retained flags, last gasps -----------------------------------------------------------------------------------------------


async def test_the_will_of_a_hub_reaches_the_conditions_as_the_hubs_own_status(door: Door) -> None:
    door.say("HUB", "status", {"ts": 1, "boot": 0, "seq": 0, "online": False})
    (item, placed) = door.conditions.items[-1]
    assert isinstance(item, StatusItem)
    assert (item.online, item.device_id, item.ts) == (False, "HUB", door.clock.now_ms())
    assert placed.device is not None
    assert (placed.device.kind, placed.believed) == ("hub", True)


async def test_a_will_is_exempt_from_order_and_age(door: Door) -> None:
    door.say("D1", "status", door.item(online=True, boot=5))
    door.say("D1", "status", {"ts": 1, "boot": 0, "seq": 0, "online": False})
    assert door.state.devices.of("D1").online is False
    door.say("D1", "status", {"ts": 2, "boot": 0, "seq": 0, "online": True})
    assert door.state.devices.of("D1").online is True


async def test_a_retained_alarm_is_counted_judged_and_marked_as_stored(door: Door) -> None:
    before = counted("gas_line_retained_total", lane="alarm")
    door.say("D1", "alarm", door.item(event="leak"), retain=True)
    assert counted("gas_line_retained_total", lane="alarm") == before + 1
    assert [item.retained for item, _ in door.conditions.items] == [True]
    assert len(door.commands("M1")) == 1
    door.say("M1", "telemetry", door.item(volume_m3=1.0, flow_m3h=0.0, valve="open"), retain=True)
    # What the broker had stored says nothing of who is there now: no open may go to this meter.
    assert door.state.devices.of("M1").heard == float("-inf")


async def test_a_last_gasp_is_promised_and_passed_on(door: Door) -> None:
    gasp = door.item(event="power_lost")
    door.say("D1", "alarm", gasp)
    assert [p.seq for p in door.promises("D1")] == [gasp["seq"]]
    assert door.state.devices.of("D1").power == "battery"
    (item, placed) = door.conditions.items[-1]
    assert isinstance(item, AlarmItem)
    assert (item.event, placed.home is not None) == ("power_lost", True)
    assert door.commands("M1") == []


# -- promises ------------------------------------------------------------------------------------------------------------------------


async def test_the_promise_follows_durability_and_a_repeat_is_promised_again(door: Door) -> None:
    door.keeper.holding = True
    leak = door.item(event="leak")
    first = door.say("D1", "alarm", leak)
    assert (door.promises("D1"), first.acks, len(door.commands("M1"))) == ([], 0, 1)
    door.keeper.commit()
    assert (len(door.promises("D1")), first.acks) == (1, 1)
    written = len(door.keeper.rows)
    again = door.say("D1", "alarm", leak)
    assert (len(door.promises("D1")), again.acks, len(door.keeper.rows), len(door.commands("M1"))) == (2, 1, written, 1)


async def test_an_alarm_without_an_identity_is_acted_on_and_gets_no_promise(door: Door) -> None:
    message = door.say("D1", "alarm", b'{"event":"leak"}')
    assert (len(door.commands("M1")), door.promises("D1"), message.acks) == (1, [], 1)


# -- garbled and unknown -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (b'[{"device_id": "D3"}]', "garbled:D3"),
        (b'[{"device_id": "made-up"}]', "garbled:HUB"),
        (b'[{"device_id": "D1"}]', "garbled:HUB"),
        (b"rubbish", "garbled:HUB"),
    ],
    ids=["its own", "nobody's", "another account's", "none"],
)
async def test_garbled_alarms_of_a_hub_are_one_incident_a_device_of_its_own_and_hour(door: Door, payload: bytes, place: str) -> None:
    for _ in range(3):
        assert door.say("HUB", "alarm", payload).acks == 1
    assert [(o.incident_kind, o.place) for o in door.orders()] == [("garbled_alarm", place)]
    await door.clock.advance(3_600)
    door.say("HUB", "alarm", payload)
    assert len(door.orders()) == 2


async def test_garbage_of_a_stranger_is_counted_and_opens_nothing(door: Door) -> None:
    for account in ("STRANGER", "OLD"):
        assert door.say(account, "alarm", b"rubbish").acks == 1
    assert door.orders() == []
    assert door.quarantine.waiting == 2


async def test_unknown_senders_are_one_triage_incident_an_account_with_their_devices_listed(door: Door) -> None:
    for device in ("X1", "X2", "OLD", "X2"):
        door.say("HUB", "alarm", door.item(device_id=device, event="leak"))
    door.say("STRANGER", "alarm", door.item(event="leak"))
    assert [(o.incident_kind, o.place) for o in door.orders()] == [
        ("unknown_sender", "account:HUB"),
        ("unknown_sender", "account:STRANGER"),
    ]
    assert door.state.open_by_place["account:HUB"].devices == ["X1", "X2", "OLD"]
    assert [each for each in door.wire.sent if each[0].endswith("/down/command")] == []
    assert [p.device_id for p in door.promises("HUB")][:3] == ["X1", "X2", "OLD"]


async def test_what_else_a_stranger_says_on_the_alarm_topic_is_counted(door: Door) -> None:
    door.say("HUB", "alarm", door.item(device_id="X9", event="fault"), door.item(device_id="D3", event="fault"))
    assert door.quarantine.waiting == 1
    assert door.orders() == []


@pytest.mark.parametrize(
    ("lane", "raw"),
    [
        ("alarm", {"state": "alarm"}),
        ("alarm", {"event": " LEAK "}),
        ("alarm", b'\xef\xbb\xbf{"event": "leak"}'),
        ("alarm", {"event": "leak", "device_id": "SN-0815"}),
        ("alarm", {"event": "leak", "device_id": "SN 0815"}),
        ("telemetry", {"event": "leak"}),
        ("telemetry", {"event": "leak", "ch4_lel": 1.0, "state": "normal"}),
        ("telemetry", {"event": "leak", "volume_m3": 1.0, "flow_m3h": 0.0, "valve": "open"}),
        ("telemetry", b'{"ts": 1, "boot": 1, "seq": 1, "ch4_lel": 1e999, "state": "normal"}'),
        ("telemetry", {"ch4_lel": 1.0, "state": "alarm", "device_id": "SN-0815"}),
        ("telemetry", {"ch4_lel": 1.0, "state": "alarm", "device_id": "SN 0815"}),
    ],
    ids=str,
)
async def test_a_leak_closes_wherever_and_however_it_is_said(door: Door, lane: topics.Lane, raw: dict[str, Any] | bytes) -> None:
    door.say("D1", lane, raw if isinstance(raw, bytes) else door.item(**raw))
    assert [(c.device_id, c.command) for c in door.commands("M1")] == [("M1", "close_valve")]
    assert [o.incident_kind for o in door.orders()] == ["leak"]
    assert door.conditions.items[-1][0].device_id == "D1"


async def test_a_meter_that_adds_a_number_of_its_own_is_heard_when_it_closed(door: Door) -> None:
    door.say("D1", "alarm", door.item(event="leak"))
    (close,) = door.commands("M1")
    about = {"command_id": str(close.command_id), "order_no": close.order_no, "command": "close_valve", "valve": "closed"}
    door.say("M1", "ack", door.item(device_id="SN-0816", result="done", **about))
    assert door.state.open_by_place["H1"].is_closed


async def test_what_keeps_conditions_may_fail_and_the_leak_behind_is_judged(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(item: object, placed: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(door.conditions, "heard", fails)
    message = door.say("HUB", "alarm", door.item(device_id="D3", event="fault"), door.item(device_id="D4", event="leak"))
    assert ([c.device_id for c in door.commands("HUB")], message.acks) == (["M4"], 1)
