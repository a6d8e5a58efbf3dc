"""A scenario's steps come when their time has come, one after the other, and only what the world does is done to the world."""

from dataclasses import replace
from typing import Any

from simulator.scenarios import Scenario, Step, load
from simulator.world.plot import STRANGER, Plot
from tests.simulator.town_stage import FAST, Scene, scene

CALM = replace(FAST, linkage=False, demand_m3h=0.0)


def scenario(**changes: Any) -> Scenario:
    known = load("single-leak").model_dump()
    return Scenario.model_validate({**known, "homes": 9, **changes})


def begun(s: Scene, played: Scenario, *homes: str, asked: list[str] | None = None) -> Plot:
    def ask(step: Step) -> None:
        if asked is not None:
            asked.append(step.do)

    plot = Plot(played, s.town, homes or ("H1",), seed=7, ask=ask)
    plot.begin()
    return plot


async def test_gas_escapes_at_the_start_where_no_step_says_when() -> None:
    s = scene(CALM)
    plot = begun(s, scenario())
    assert (plot.over, [leak.home_id for leak in s.town.record.leaks]) == (True, ["H1"])
    assert [step for step, _ in s.town.record.steps] == ["leak"]


async def test_a_step_waits_for_the_one_before_it_and_its_own_time() -> None:
    s = scene(CALM, account="HUB-1")
    steps = [
        {"do": "hub_down", "after_s": 5},
        {"do": "hub_up", "at": "before", "after_s": 10},
        {"do": "leak", "at": "before", "after_s": 3},
    ]
    plot = begun(s, scenario(steps=steps))
    hub = s.town.hubs["HUB-1"]
    await s.pass_time(4.5)
    assert (hub.online, plot.over) == (True, False)
    await s.pass_time(1)
    assert hub.online is False
    await s.pass_time(9)
    assert hub.online is False
    await s.pass_time(1)
    assert (hub.online, s.town.record.leaks) == (True, [])
    await s.pass_time(3)
    assert (len(s.town.record.leaks), plot.over) == (1, True)


async def test_steps_follow_what_happens_and_what_is_asked_of_the_platform_is_only_handed_on() -> None:
    asked: list[str] = []
    s = scene(replace(FAST, credit_cny=9.0, demand_m3h=0.0))
    steps = [
        {"do": "leak"},
        {"do": "credit", "at": "closed", "after_s": 2, "value": -1.0},
        {"do": "pay", "at": "before", "after_s": 2, "value": 50.0},
        {"do": "ask_open", "at": "before", "after_s": 1},
    ]
    plot = begun(s, scenario(steps=steps), asked=asked)
    await s.until_alarm()
    assert len(s.town.record.steps) == 1
    await s.pass_time(10)
    assert plot.over
    assert asked == ["ask_open"]
    told = [r["credit_cny"] for r in s.air.said("M1", "telemetry")]
    assert [credit for credit in told if not 5 < credit < 10][:2] == [-1.0, 49.0]
    assert s.household().home.valve == "closed"


async def test_it_leaks_again_once_its_valve_was_opened_by_the_key() -> None:
    s = scene(CALM)
    steps = [{"do": "leak"}, {"do": "leak", "at": "opened", "after_s": 1, "value": 2.5}]
    plot = begun(s, scenario(steps=steps))
    await s.until_alarm()
    s.command(1, "close_valve", 1)
    await s.pass_time(5)
    s.town.repair("H1")
    assert plot.over is False
    s.command(2, "open_valve", 2)
    s.town.press_key("H1")
    await s.pass_time(6)
    assert plot.over
    assert [leak.home_id for leak in s.town.record.leaks] == ["H1", "H1"]
    assert s.household().home.leak_m3h == 2.5


async def test_a_stranger_and_late_news_are_no_leak_of_anybody() -> None:
    s = scene(CALM)
    begun(s, scenario(home={}, steps=[{"do": "stranger_leaks", "value": 2}, {"do": "late_alarm", "value": 3}]))
    assert (s.town.record.strangers, len(s.air.said(STRANGER, "alarm"))) == ([STRANGER], 2)
    assert [home for home, _ in s.town.record.late_alarms] == ["H1"]
    assert s.town.record.leaks == []


async def test_a_power_cut_takes_the_whole_building_some_of_it_by_battery() -> None:
    s = scene(CALM, homes=9, building="A/1")
    steps = [{"do": "power_cut", "after_s": 12, "value": 0.5}, {"do": "power_back", "at": "before", "after_s": 100}]
    plot = begun(s, scenario(home={}, steps=steps))
    await s.pass_time(13)
    dark = [f"H{number}" for number in range(1, 10)]
    assert s.town.record.dark == dark
    assert {s.air.said(f"D{home[1:]}", "alarm")[0]["event"] for home in dark} == {"power_lost"}
    assert {s.town.households[home].battery for home in dark} == {True, False}
    await s.pass_time(100)
    assert plot.over
    assert {s.air.said(f"D{home[1:]}", "alarm")[-1]["event"] for home in dark} == {"power_restored"}


async def test_a_storm_begins_with_the_story_and_spreads_and_is_the_same_for_the_same_seed() -> None:
    started: list[list[tuple[str, int]]] = []
    for _ in range(2):
        s = scene(CALM, homes=9)
        homes = [f"H{number}" for number in range(1, 10)]
        plot = begun(s, scenario(leaking=9, mixture={"spread_s": 5.0}), *homes)
        assert plot.over is False
        assert [leak.home_id for leak in s.town.record.leaks] == ["H1"]
        await s.pass_time(5.5)
        assert plot.over
        assert {leak.home_id for leak in s.town.record.leaks} == set(homes)
        started.append([(leak.home_id, leak.started_ms) for leak in s.town.record.leaks])
    assert started[0] == started[1]
