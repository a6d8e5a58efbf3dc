"""What may befall a home beside a leak: a stalled and a worn valve, a sleeping meter, a lost hub, a power cut, arrears, late news."""

from dataclasses import replace
from functools import partial

from simulator.world.household import DOWNLINK_S
from simulator.world.modem import LISTENS_S, Modem
from simulator.world.power import MISSED_AFTER_S, lose, regain
from tests.simulator.town_stage import FAST, Scene, scene

CALM = replace(FAST, linkage=False, demand_m3h=0.0)


def answers(s: Scene, account: str = "M1") -> list[tuple[str, str | None]]:
    return [(a["result"], a.get("valve")) for a in s.air.said(account, "ack")]


# --- valves -----------------------------------------------------------------------------------------------------------


async def test_a_stalled_valve_is_accepted_every_time_and_done_only_at_the_last() -> None:
    s = scene(replace(CALM, stuck_tries=2))
    for number in (1, 2):
        s.command(number, "close_valve", number)
        await s.pass_time(30)
        assert answers(s) == [("accepted", "closing")] * number
        assert s.air.said("M1", "telemetry")[-1]["valve"] == "closing"
    s.command(3, "close_valve", 3)
    await s.pass_time(4)
    assert answers(s)[-1] == ("done", "closed")
    assert s.town.record.attempts("H1") == 3


async def test_a_repeated_command_does_not_drive_a_stalled_valve_again() -> None:
    s = scene(replace(CALM, stuck_tries=1))
    for _ in range(4):
        s.command(1, "close_valve", 1)
        await s.pass_time(5)
    assert s.household().home.valve == "closing"
    assert s.town.record.attempts("H1") == 1


async def test_a_worn_valve_says_closed_while_its_index_grows_and_the_next_attempt_seats_it() -> None:
    s = scene(replace(CALM, leak_by_m3h=0.4, leak_by_tries=1, register_step_m3=0.001))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    s.command(1, "close_valve", 1)
    await s.pass_time(60)
    shown = [r for r in s.air.said("M1", "telemetry") if r["valve"] == "closed"]
    assert shown[-1]["volume_m3"] - shown[0]["volume_m3"] >= 0.005
    s.command(2, "close_valve", 2)
    assert answers(s)[-1] == ("done", "closed")
    s.town.wake_meter("H1")
    index = s.air.said("M1", "telemetry")[-1]["volume_m3"]
    await s.pass_time(60)
    assert s.air.said("M1", "telemetry")[-1]["volume_m3"] == index


async def test_a_leak_before_the_meter_goes_on_behind_a_closed_valve_until_the_riser_is_shut() -> None:
    s = scene(replace(FAST, before_meter=True, demand_m3h=0.0))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    await s.pass_time(120)
    assert s.household().home.valve == "closed"
    before = s.town.reading_lel("H1")
    await s.pass_time(120)
    assert s.town.reading_lel("H1") > before
    s.town.close_riser("H1")
    full = s.town.reading_lel("H1")
    await s.pass_time(120)
    assert s.town.reading_lel("H1") < full


# --- lanes, late news, strangers --------------------------------------------------------------------------------------


async def test_both_lanes_get_their_own_item_in_the_same_moment_the_reading_first() -> None:
    s = scene(replace(CALM, both_lanes=True, telemetry_s=600.0))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    ours = [(topic, item) for topic, item, _, _ in s.air.sent if topic.startswith("gas/v1/D1/up/") and "status" not in topic][-2:]
    assert [topic.rsplit("/", 1)[1] for topic, _ in ours] == ["telemetry", "alarm"]
    assert ours[0][1]["ch4_lel"] >= 10
    assert ours[0][1]["seq"] != ours[1][1]["seq"]


async def test_a_late_leak_is_of_the_boot_before_and_older_than_every_reading() -> None:
    s = scene(CALM)
    await s.pass_time(15)
    s.town.deliver_late("H1", 2.0)
    late, first = s.air.said("D1", "alarm")[0], s.air.said("D1", "telemetry")[0]
    assert (late["event"], late["boot"]) == ("leak", first["boot"] - 1)
    assert first["ts"] - late["ts"] > 7_100_000
    await s.pass_time(6)
    assert s.air.said("D1", "alarm") == [late, late]
    s.promise(late)
    assert s.town.unacknowledged == 0
    assert s.town.record.leaks == []


async def test_a_stranger_reports_its_devices_and_keeps_what_it_is_told() -> None:
    s = scene(CALM)
    stranger = s.town.stranger_leaks("X1", 3)
    assert {item["device_id"] for item in s.air.said("X1", "alarm")} == {"X1-1", "X1-2", "X1-3"}
    await s.pass_time(6)
    assert stranger.repeats == 3
    for item in s.air.said("X1", "alarm")[:3]:
        s.promise(item, item["device_id"], "X1")
    s.command(1, "close_valve", 1, account="X1", device_id="X1-1")
    assert (stranger.promised, len(stranger.commands), s.town.record.strangers) == (3, 1, ["X1"])
    assert s.town.unacknowledged == 0


# --- a sleeping meter -------------------------------------------------------------------------------------------------

ASLEEP = replace(CALM, psm=True, meter_telemetry_s=120.0)


async def test_a_sleeping_meter_says_so_and_closes_after_its_next_uplink() -> None:
    s = scene(ASLEEP)
    await s.pass_time(60)
    status = s.air.said("M1", "status")[0]
    assert (status["connectivity"], status["report_interval_s"]) == ("psm", 120)
    assert s.air.said("D1", "status")[0]["report_interval_s"] == 10
    s.command(1, "close_valve", 1)
    await s.pass_time(50)
    assert answers(s) == []
    await s.pass_time(20)
    assert answers(s) == [("accepted", "closing"), ("done", "closed")]


async def test_nobody_keeps_an_open_for_a_sleeper_and_a_touch_wakes_it() -> None:
    s = scene(ASLEEP)
    await s.pass_time(30)
    s.command(1, "open_valve", 1)
    s.town.wake_meter("H1")
    await s.pass_time(1)
    assert (answers(s), s.household().modem.lost) == ([], 1)
    s.command(2, "open_valve", 2)
    assert answers(s) == [("accepted", "open")]


def test_a_modem_listens_for_a_moment_after_it_spoke_and_keeps_the_order() -> None:
    heard: list[int] = []
    modem = Modem(psm=True)
    for number in (1, 2):
        modem.hear(0.0, partial(heard.append, number), kept=True)
    modem.deliver(1.0)
    assert heard == []
    modem.spoke(5.0)
    modem.deliver(5.0 + DOWNLINK_S)
    modem.hear(5.0 + LISTENS_S, lambda: heard.append(3), kept=False)
    modem.hear(5.1 + LISTENS_S, lambda: heard.append(4), kept=False)
    assert (heard, modem.lost) == ([1, 2, 3], 1)


# --- hubs -------------------------------------------------------------------------------------------------------------


async def test_a_lost_hub_leaves_a_will_its_devices_are_mute_and_what_is_said_to_them_waits() -> None:
    s = scene(CALM, account="HUB-1")
    await s.pass_time(12)
    hub = s.town.hubs["HUB-1"]
    online = s.air.on("gas/v1/HUB-1/up/status")
    assert [item.get("device_id", "the hub") for item in online[0]] == ["the hub", "D1", "M1"]
    hub.lose_connection()
    assert s.air.on("gas/v1/HUB-1/up/status")[-1]["online"] is False
    before = len(s.air.sent)
    s.command(1, "close_valve", 1, account="HUB-1")
    s.command(2, "open_valve", 2, account="HUB-1")
    await s.pass_time(30)
    assert [topic for topic, _, _, _ in s.air.sent[before:] if "HUB-1" in topic] == []
    hub.come_back()
    await s.pass_time(4)
    assert s.air.on("gas/v1/HUB-1/up/status")[-1][0]["online"] is True
    assert [(a["result"], a["command"]) for a in s.air.said("HUB-1", "ack")] == [("accepted", "close_valve"), ("done", "close_valve")]


async def test_a_leak_behind_a_lost_hub_is_told_when_it_is_back() -> None:
    s = scene(CALM, account="HUB-1")
    await s.pass_time(12)
    s.town.hubs["HUB-1"].lose_connection()
    leak = s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.pass_time(30)
    assert (leak.published_ms, s.air.said("HUB-1", "alarm")) == (None, [])
    s.town.hubs["HUB-1"].come_back()
    await s.pass_time(0.2)
    assert [item["event"] for item in s.air.said("HUB-1", "alarm")] == ["leak"]
    assert leak.published_ms is not None


# --- power ------------------------------------------------------------------------------------------------------------


async def test_a_detector_with_a_battery_goes_on_and_says_so() -> None:
    s = scene(CALM)
    await s.pass_time(12)
    lose(s.household(), s.town.after, battery=True)
    await s.pass_time(12)
    assert s.air.said("D1", "alarm")[0]["event"] == "power_lost"
    assert {r["power"] for r in s.air.said("D1", "telemetry")[-2:]} == {"battery"}
    regain(s.household())
    assert s.air.said("D1", "alarm")[-1]["event"] == "power_restored"
    assert s.air.said("D1", "telemetry")[-1]["power"] == "mains"


async def test_one_without_is_dark_after_its_last_gasp_missed_by_the_broker_and_starts_anew() -> None:
    s = scene(CALM)
    await s.pass_time(12)
    lose(s.household(), s.town.after, battery=False)
    s.promise_all()
    readings = len(s.air.said("D1", "telemetry"))
    await s.pass_time(MISSED_AFTER_S - 1)
    assert (len(s.air.said("D1", "telemetry")), s.air.said("D1", "status")[-1]["online"]) == (readings, True)
    await s.pass_time(2)
    assert s.air.said("D1", "status")[-1]["online"] is False
    assert len(s.air.said("M1", "telemetry")) > 5
    regain(s.household())
    status, restored = s.air.said("D1", "status")[-1], s.air.said("D1", "alarm")[-1]
    assert (status["online"], status["boot"], restored["event"], restored["boot"]) == (True, 4, "power_restored", 4)
    assert s.air.said("D1", "telemetry")[-1]["state"] == "preheat"
    await s.pass_time(45)
    assert s.air.said("D1", "telemetry")[-1]["state"] == "normal"


async def test_power_that_is_back_in_time_is_not_missed() -> None:
    s = scene(CALM)
    await s.pass_time(12)
    lose(s.household(), s.town.after, battery=False)
    await s.pass_time(5)
    regain(s.household())
    await s.pass_time(MISSED_AFTER_S)
    assert all(item["online"] for item in s.air.said("D1", "status"))


# --- credit -----------------------------------------------------------------------------------------------------------


async def test_a_prepaid_meter_tells_its_credit_and_payment_opens_nothing_that_a_leak_closed() -> None:
    s = scene(replace(FAST, credit_cny=12.0, demand_m3h=0.0))
    s.town.start_leak("H1", 0.8, shown_s=5.0)
    await s.until_alarm()
    await s.pass_time(4)
    s.town.set_credit("H1", -1.5)
    s.town.pay("H1", 100.0)
    told = [r["credit_cny"] for r in s.air.said("M1", "telemetry")]
    assert (told[0], told[-2:]) == (12.0, [-1.5, 98.5])
    await s.pass_time(30)
    assert (s.household().home.valve, s.town.press_key("H1")) == ("closed", False)


async def test_arrears_close_the_valve_and_the_key_opens_it_once_they_are_paid() -> None:
    s = scene(replace(CALM, credit_cny=12.0))
    s.town.set_credit("H1", 0.0)
    await s.pass_time(5)
    assert s.air.said("M1", "alarm")[0]["cause"] == "arrears"
    assert s.town.press_key("H1") is False
    s.town.pay("H1", 50.0)
    assert s.town.press_key("H1") is True
    await s.pass_time(5)
    assert s.household().home.valve == "open"
