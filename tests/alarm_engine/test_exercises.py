"""The broken settings of the scenarios: each spoils its own rule, of simulated homes alone, and no close waits for any of them."""

from dataclasses import replace
from typing import Any

import pytest

from tests.alarm_engine.stage import HOME, Stage
from tests.alarm_engine.test_conditions import Watched
from tests.alarm_engine.test_stories_holds import held
from tests.alarm_engine.test_stories_valve import psm

SLEEPER_S = 3600


def stage_with(setting: str, *, simulated: bool) -> Stage:
    stage = Stage()
    stage.state.settings = stage.state.settings.model_copy(update={setting: True})
    homes: dict[str, Any] = stage.state.registry.homes
    for home_id, home in list(homes.items()):
        homes[home_id] = replace(home, simulated=simulated)
    return stage


@pytest.mark.parametrize("simulated", [True, False])
def test_money_lifts_the_safety_hold_in_an_exercise_only(simulated: bool) -> None:
    stage = stage_with("exercise_payment_lifts_safety", simulated=simulated)
    stage.meter("closed", "arrears", credit=0.0)
    stage.alarm()
    assert len(stage.closes) == 1
    stage.ack("done", "closed")
    stage.meter("closed", "arrears", credit=80.0)
    assert held(stage, HOME) == (set() if simulated else {("safety", "")})


@pytest.mark.parametrize("simulated", [True, False])
def test_a_meter_that_sleeps_counts_as_listening_in_an_exercise_only(simulated: bool) -> None:
    stage = stage_with("exercise_nobody_sleeps", simulated=simulated)
    psm(stage)
    uplink = stage.clock.now_ms() + SLEEPER_S * 1000
    stage.alarm()
    assert len(stage.closes) == 1
    assert stage.orders[0].answer_due_ms == (None if simulated else uplink)


@pytest.mark.parametrize("simulated", [True, False])
async def test_a_lost_hub_says_nothing_of_its_homes_in_an_exercise_only(simulated: bool) -> None:
    watched = Watched(stage_with("exercise_hub_loss_unseen", simulated=simulated))
    watched.reading("normal", "D2")
    watched.meter("M2")
    watched.status(False, "HUB")
    assert watched.in_force() == (set() if simulated else {("D2", "silent", "hub_will"), ("M2", "silent", "hub_will")})
