"""A town on a clock of its own: what its devices publish and how it obeys, without a broker."""

import json
from dataclasses import replace
from typing import Any

import pytest

from simulator.world.town import TICK_S
from tests.simulator.town_stage import FAST, INCIDENT, scene


async def test_every_device_introduces_itself_and_reports_at_its_interval() -> None:
    s = scene()
    await s.pass_time(25)
    status = [(topic, qos, retain) for topic, _, qos, retain in s.air.sent if topic.endswith("/status")]
    assert sorted(status) == [(f"gas/v1/{d}/up/status", 1, True) for d in ("D1", "D2", "M1", "M2")]
    assert all(retain is False for topic, _, _, retain in s.air.sent if not topic.endswith("/status"))
    readings = s.air.on("gas/v1/D1/up/telemetry")
    assert len(readings) == 3
    assert {r["state"] for r in readings} == {"normal"}
    assert [r["seq"] for r in readings] == sorted(r["seq"] for r in readings)
    assert {r["boot"] for r in readings} == {3}
    assert not s.air.on("gas/v1/D1/up/alarm")


async def test_a_leak_is_published_and_repeated_with_the_same_stamps_until_it_is_acknowledged() -> None:
    s = scene(replace(FAST, linkage=False))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    started = s.clock.monotonic()
    alarms: list[tuple[float, dict[str, Any]]] = []
    for _ in range(1_700):
        new = s.air.on("gas/v1/D1/up/alarm")[len(alarms) :]
        alarms.extend((s.clock.monotonic() - started, alarm) for alarm in new)
        await s.pass_time(TICK_S)
    assert [round(at) for at, _ in alarms] == [0, 5, 15, 35, 75, 135]
    assert len({json.dumps(alarm, sort_keys=True) for _, alarm in alarms}) == 1
    assert alarms[0][1]["event"] == "leak"
    assert alarms[0][1]["ch4_lel"] >= 10
    s.promise(alarms[0][1])
    before = len(s.air.on("gas/v1/D1/up/alarm"))
    await s.pass_time(130)
    assert len(s.air.on("gas/v1/D1/up/alarm")) == before
    assert s.town.record.promised == 1


async def test_another_alarms_acknowledgement_does_not_stop_the_repeats() -> None:
    s = scene()
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    alarm = s.air.on("gas/v1/D1/up/alarm")[0]
    s.promise({**alarm, "seq": alarm["seq"] + 1})
    await s.pass_time(6)
    assert len(s.air.on("gas/v1/D1/up/alarm")) == 2


async def test_the_common_home_has_closed_its_valve_and_said_so_before_its_alarm_is_heard() -> None:
    s = scene()
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    topics = [topic for topic, payload, _, _ in s.air.sent if topic.endswith("/alarm")]
    assert topics == ["gas/v1/M1/up/alarm", "gas/v1/D1/up/alarm"]
    closed, leak = s.air.on("gas/v1/M1/up/alarm")[0], s.air.on("gas/v1/D1/up/alarm")[0]
    assert (closed["event"], closed["valve"], closed["cause"]) == ("valve_closed", "closed", "linkage")
    assert leak["ts"] < closed["ts"]
    assert s.town.record.moves_to("H1", "closed")[0].cause == "linkage"
    s.command(1, "close_valve", 5)
    ack = s.air.on("gas/v1/M1/up/ack")[-1]
    assert (ack["result"], ack["valve"], ack["incident_id"]) == ("done", "closed", str(INCIDENT))


async def test_without_linkage_gas_flows_until_the_command_and_the_travel_time_is_over() -> None:
    s = scene(replace(FAST, linkage=False))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    await s.pass_time(20)
    home = s.town.households["H1"].home
    assert home.valve == "open"
    s.command(1, "close_valve", 5)
    assert [a["result"] for a in s.air.on("gas/v1/M1/up/ack")] == ["accepted"]
    await s.pass_time(3.5)
    assert [a["result"] for a in s.air.on("gas/v1/M1/up/ack")] == ["accepted", "done"]
    assert s.air.on("gas/v1/M1/up/alarm")[0]["cause"] == "command"
    index = home.meter.index_m3 if home.meter else None
    await s.pass_time(60)
    assert (home.meter.index_m3 if home.meter else None) == index


async def test_a_repeated_command_is_answered_again_and_recorded_as_such() -> None:
    s = scene()
    s.command(1, "close_valve", 5)
    s.command(1, "close_valve", 5)
    assert [a["result"] for a in s.air.on("gas/v1/M1/up/ack")] == ["accepted", "accepted"]
    assert [h.repeated for h in s.town.record.closes_heard("H1")] == [False, True]
    assert len(s.town.record.moves_to("H1", "closing")) == 1


async def test_a_valve_that_is_told_to_close_arrives_in_its_travel_time_in_a_home_that_nobody_watches() -> None:
    s = scene(replace(FAST, telemetry_s=60.0))
    await s.pass_time(2)
    s.command(1, "close_valve", 5)
    await s.pass_time(2.5)
    assert s.air.on("gas/v1/M1/up/ack")[-1]["result"] == "accepted"
    await s.pass_time(1)
    assert s.air.on("gas/v1/M1/up/ack")[-1]["result"] == "done"


async def test_an_open_needs_the_key_within_a_minute() -> None:
    s = scene()
    s.command(1, "close_valve", 5)
    await s.pass_time(4)
    assert s.town.press_key("H1") is False
    s.command(2, "open_valve", 6)
    await s.pass_time(61)
    assert s.town.press_key("H1") is False
    assert s.air.on("gas/v1/M1/up/ack")[-1]["result"] == "expired"
    assert s.town.record.moves_to("H1", "open") == []
    s.command(3, "open_valve", 7)
    await s.pass_time(10)
    assert s.town.press_key("H1") is True
    await s.pass_time(4)
    ack = s.air.on("gas/v1/M1/up/ack")[-1]
    assert (ack["result"], ack["valve"]) == ("done", "open")
    assert [m.by_key for m in s.town.record.moves_to("H1", "open")] == [True]


async def test_a_command_to_the_wrong_account_is_not_obeyed() -> None:
    s = scene()
    s.command(1, "close_valve", 5, account="M2", device_id="M1")
    assert s.town.households["H1"].home.valve == "open"
    assert len(s.town.record.misdelivered) == 1


async def test_devices_behind_a_hub_name_themselves_and_are_reached_through_it() -> None:
    s = scene(account="HUB-1")
    await s.pass_time(11)
    assert {r["device_id"] for r in s.air.on("gas/v1/HUB-1/up/telemetry")} == {"M1", "D1"}
    s.command(1, "close_valve", 5, account="HUB-1")
    assert s.air.on("gas/v1/HUB-1/up/ack")[0]["device_id"] == "M1"


async def test_a_leak_in_telemetry_alone_never_uses_the_alarm_topic() -> None:
    s = scene(replace(FAST, linkage=False, alarm_message=False))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    assert s.air.on("gas/v1/D1/up/telemetry")[-1]["state"] == "alarm"
    await s.pass_time(60)
    assert s.air.on("gas/v1/D1/up/alarm") == []
    assert s.town.record.leaks[0].lane == "telemetry"


async def test_a_detector_set_higher_than_its_home_shows_the_leak_in_normal_readings_only() -> None:
    s = scene(replace(FAST, alarm_message=False, own_set_point_lel=25.0))
    leak = s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    await s.pass_time(30)
    last = s.air.on("gas/v1/D1/up/telemetry")[-1]
    assert (last["state"], last["ch4_lel"] >= 10) == ("normal", True)
    assert leak.alarmed_ms is not None
    assert leak.alarmed_ms - leak.started_ms < 8_000
    assert [topic for topic, _, _, _ in s.air.sent if topic.endswith("/alarm")] == []
    assert s.town.households["H1"].home.valve == "open"


async def test_the_aired_and_mended_home_says_that_it_is_clear() -> None:
    s = scene()
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    assert s.town.air("H1", shown_s=6.0) > 60
    await s.pass_time(12)
    s.town.repair("H1")
    assert s.town.reading_lel("H1") < 1.5
    assert s.air.on("gas/v1/D1/up/alarm")[-1]["event"] == "leak_cleared"


async def test_the_same_seed_is_the_same_town() -> None:
    one, other, third = scene(), scene(), scene()
    third.town.households["H1"].home.seed = 8
    for s in (one, other, third):
        s.town.start_leak("H1", 0.8, shown_s=5.0)
        await s.until_alarm()
    assert one.air.sent == other.air.sent
    assert one.air.sent != third.air.sent


async def test_gathering_is_compressed_and_said_so() -> None:
    s = scene()
    leak = s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    assert leak.alarmed_ms is not None
    assert leak.alarmed_ms - leak.started_ms < 8_000
    assert "shown in 5 s" in s.story[0]["en"]
    assert "压缩为 5 秒" in s.story[0]["zh"]
    ids = [line["incident_id"] for line in s.story]
    s.command(1, "close_valve", 5)
    assert ids == [None] * len(ids)
    assert s.story[-1]["incident_id"] == str(INCIDENT)


@pytest.mark.parametrize("noise", [0.0, 2.0])
async def test_a_noisy_detector_stays_below_its_set_point(noise: float) -> None:
    s = scene(replace(FAST, noise_lel=noise, noise_limit_lel=7.0, telemetry_s=1.0))
    await s.pass_time(300)
    readings = [r["ch4_lel"] for r in s.air.on("gas/v1/D1/up/telemetry")]
    assert max(readings) < 10
    assert (max(readings) > 5) is (noise > 0)
