"""Every scenario file can be read and means what it says."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import UserError
from simulator import scenarios
from simulator.scenarios import Scenario, load, names

PROMISED = {
    "single-leak", "telemetry-only-leak", "no-local-linkage", "nobody-answers", "noisy-sensor", "stuck-valve", "leak-by-valve",
    "leak-before-meter", "coarse-index", "psm-terminal", "unknown-device", "late-alarm", "pays-during-leak", "second-leak", "two-lanes",
    "hub-down", "power-cut", "canary", "storm-50", "storm-1000",
}  # fmt: skip

LONGEST_REAL_S = 420.0


def test_the_scenarios_that_were_promised_are_there() -> None:
    assert set(names()) >= PROMISED


def test_each_file_is_a_scenario() -> None:
    folder = Path(scenarios.__file__).parent
    assert {path.stem for path in folder.glob("*.toml")} == set(names())


@pytest.mark.parametrize("name", names())
def test_each_scenario_is_valid_and_names_a_setting_that_breaks_it(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    for words in (scenario.title, scenario.story):
        assert words.zh
        assert words.en
    assert scenario.broken
    assert scenario.broken_finds
    # A broken play may be cut short: then no order came to its end, whatever the setting.
    assert "expected_order" not in scenario.broken_finds
    assert all(key.startswith("GAS_SENTINEL_") for key in (*scenario.broken, *scenario.platform))
    assert scenario.watch_s + scenario.home.gather_shown_s < scenario.time_limit_s
    if scenario.expected.order == "archived":
        assert scenario.home.gather_shown_s + scenario.drive_s < scenario.time_limit_s
    assert all(way.position <= 2 for way in scenario.phones)
    if scenario.short:
        assert max(scenario.time_limit_s, scenario.broken_limit_s or 0.0) / scenario.clock_rate <= LONGEST_REAL_S


@pytest.mark.parametrize("name", names())
def test_what_a_scenario_expects_fits_what_it_does(name: str) -> None:
    scenario = load(name)
    home, expected, done = scenario.home, scenario.expected, {step.do for step in scenario.acts}
    if "leak" in done:
        assert expected.closed_by == ("linkage" if home.linkage else "command")
        assert expected.incidents == scenario.leaking
        assert expected.household != "not_called"
    else:
        assert (expected.closed_by, expected.household) == ("nobody", "not_called")
        assert expected.incidents == len(done & {"stranger_leaks", "late_alarm"})
        assert home.noise_limit_lel < 10
    assert scenario.leaking == 1 or expected.every_home
    assert not home.psm or home.meter_telemetry_s is not None
    assert not expected.holds_seen or home.credit_cny is not None
    assert (scenario.where == "hub") == bool(done & {"hub_down", "hub_up"})
    assert (scenario.where == "building") == bool(done & {"power_cut", "power_back"})


def test_a_scenario_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no scenario earthquake.*single-leak"):
        load("earthquake")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"home": {"leek_m3h": 1.0}}, "leek_m3h"),
        ({"expected": {"incidents": 1, "closed_by": "command", "household": "reached", "order": "none", "prof_seen": []}}, "prof_seen"),
        ({"steps": [{"do": "earthquake"}]}, "steps"),
        ({"leaking": 13}, "no more homes"),
        ({"registry_homes": 5}, "no more homes"),
        ({"home": {}, "steps": [{"do": "leak"}]}, "how much"),
        ({"ends": "watched"}, "watch_s"),
        ({"broken_finds": ["expected_luck"]}, "broken_finds"),
        ({"broken_finds": []}, "broken_finds"),
        ({"mixture": {"psm": 0.6, "slow_valve": 0.5}}, "more than one"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(changes: dict[str, Any], named: str) -> None:
    known = load("single-leak").model_dump()
    with pytest.raises(ValidationError, match=named):
        Scenario.model_validate({**known, **changes})


def test_a_file_must_say_what_its_broken_setting_breaks() -> None:
    known = load("single-leak").model_dump()
    del known["broken_finds"]
    with pytest.raises(ValidationError, match="broken_finds"):
        Scenario.model_validate(known)


def test_gas_escapes_when_a_step_says_so_and_else_at_once() -> None:
    known = load("single-leak").model_dump()
    assert [step.do for step in load("single-leak").acts] == ["leak"]
    later = Scenario.model_validate({**known, "steps": [{"do": "hub_down"}, {"do": "leak", "at": "before", "after_s": 5}]})
    assert [step.do for step in later.acts] == ["hub_down", "leak"]
    assert load("noisy-sensor").acts == ()
