"""Every scenario file can be read and means what it says."""

from pathlib import Path

import pytest

from core.errors import UserError
from simulator import scenarios
from simulator.scenarios import Scenario, load, names


def test_the_scenarios_that_were_promised_are_there() -> None:
    assert set(names()) >= {"single-leak", "telemetry-only-leak", "no-local-linkage", "nobody-answers", "noisy-sensor"}


def test_each_file_is_a_scenario() -> None:
    folder = Path(scenarios.__file__).parent
    assert {path.stem for path in folder.glob("*.toml")} == set(names())


@pytest.mark.parametrize("name", names())
def test_each_scenario_is_valid_and_names_a_setting_that_breaks_it(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.title.zh
    assert scenario.title.en
    assert scenario.broken
    assert all(key.startswith("GAS_SENTINEL_") for key in (*scenario.broken, *scenario.platform))
    assert scenario.home.gather_shown_s + scenario.drive_s < scenario.time_limit_s
    assert all(way.position <= 2 for way in scenario.phones)


@pytest.mark.parametrize("name", names())
def test_what_a_scenario_expects_fits_what_it_does(name: str) -> None:
    scenario = load(name)
    home, expected = scenario.home, scenario.expected
    if home.leak_m3h is None:
        assert (expected.incidents, expected.closed_by, expected.order) == (0, "nobody", "none")
        assert home.noise_limit_lel < 10
        assert scenario.watch_s > 0
    else:
        assert expected.closed_by == ("linkage" if home.linkage else "command")
        assert expected.incidents == 1


def test_a_scenario_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no scenario earthquake.*single-leak"):
        load("earthquake")


def test_an_unknown_word_in_a_file_is_refused() -> None:
    known = load("single-leak").model_dump()
    with pytest.raises(ValueError, match="leek_m3h"):
        Scenario.model_validate({**known, "home": {**known["home"], "leek_m3h": 1.0}})
