"""Who may play: what of the registry's homes a scenario takes, and what it leaves alone."""

from dataclasses import replace
from typing import Any

import pytest

from core.errors import UserError
from simulator.cast import IN_USE_MS, fit_for_a_story, home_plan, played_elsewhere, resume
from simulator.platform import platform_line
from simulator.world.home import DevicePlace, SimulatedHome, Traits

NOW = 1_775_000_000_000


def device(kind: str, number: str, **state: Any) -> dict[str, Any]:
    told = {"online": True, "heard_ms": NOW, "valve": None, "cause": None, "volume_m3": None, **state} if state else None
    return {"device_id": number, "kind": kind, "account": number, "retired": False, "state": told}


def home(**changes: Any) -> dict[str, Any]:
    return {
        "home_id": "H1",
        "address_zh": "一号",
        "address_en": "number one",
        "district_code": "430102",
        "estate": "云栖花园",
        "building": "3",
        "alarm_lel": 10.0,
        "devices": [device("detector", "D1"), device("meter", "M1")],
        "contacts": [{"phone": "sip:1@sim.invalid"}, {"phone": "sip:2@sim.invalid"}],
        "open_incident_id": None,
        **changes,
    }


def test_a_home_of_the_registry_becomes_a_plan() -> None:
    retired = {**device("detector", "D0"), "retired": True}
    plan = home_plan(home(devices=[retired, *home()["devices"]]))
    assert plan.detectors == (DevicePlace("D1", "D1"),)
    assert plan.meter == DevicePlace("M1", "M1")
    assert plan.phones == ("sip:1@sim.invalid", "sip:2@sim.invalid")


def test_a_story_wants_a_plain_home() -> None:
    plan = home_plan(home())
    assert fit_for_a_story(plan)
    assert not fit_for_a_story(replace(plan, meter=None))
    assert not fit_for_a_story(replace(plan, meter=DevicePlace("M1", "HUB-1")))
    assert not fit_for_a_story(replace(plan, detectors=(*plan.detectors, DevicePlace("D2", "D2"))))
    assert not fit_for_a_story(replace(plan, phones=plan.phones[:1]))
    assert not fit_for_a_story(replace(plan, phones=(plan.phones[0], plan.phones[0])))
    assert not fit_for_a_story(replace(plan, set_point_lel=5.0))


@pytest.mark.parametrize(
    ("state", "taken"),
    [({}, False), ({"heard_ms": NOW - 1}, True), ({"heard_ms": NOW - IN_USE_MS}, False), ({"online": False}, False)],
)
def test_a_home_on_the_air_is_left_alone(state: dict[str, Any], taken: bool) -> None:
    assert played_elsewhere(home(devices=[device("meter", "M1", **state)]), NOW) is taken


def test_a_home_goes_on_where_it_was_last_heard() -> None:
    found = home(devices=[device("detector", "D1"), device("meter", "M1", valve="closed", cause="linkage", volume_m3=5_000.0)])
    simulated = SimulatedHome(home_plan(found), Traits(), 1)
    resume(simulated, found)
    assert simulated.meter is not None
    assert (simulated.meter.valve, simulated.meter.cause, simulated.meter.index_m3) == ("closed", "linkage", 5_000.0)


def test_a_register_never_runs_back() -> None:
    found = home(devices=[device("meter", "M1", valve="open", volume_m3=0.5)])
    simulated = SimulatedHome(home_plan(found), Traits(), 1)
    before = simulated.meter
    resume(simulated, found)
    assert simulated.meter == before


def test_a_platform_file_that_lacks_something_is_named_by_field() -> None:
    with pytest.raises(UserError, match="sim_sip"):
        platform_line({"mqtt": {"host": "h", "port": 1, "username": "u", "password": "p"}, "postgres": "d", "http": "u"})
